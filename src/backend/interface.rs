//! What a backend is, how a call of it ends, and how one is started.

use std::ops::Range;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::call_answer::Answer;
use super::float_environment::FloatEnvironment;
use super::manifest::Manifest;
use super::start_error::{StartError, StartErrorKind};
use super::timing::{Timed, Timing};
use crate::case::call::Call;

/// Where a backend that died had touched memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadAccess {
    /// Byte offset from the start of the arena; may lie outside of it.
    pub offset: i64,
    /// Whether it wrote; `None` where the machine does not say.
    pub write: Option<bool>,
}

/// What keeps code under test from harming what is outside of its process, and from outliving its use. It is
/// against accidents, not against attacks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Cage {
    /// It runs in a session of its own and is ended with this process.
    pub own_session: bool,
    /// What it starts and leaves behind comes to ropecheck and is ended.
    pub orphans_ended: bool,
    /// Most bytes of memory of its own, where there is a limit.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<u64>,
    /// Guards around buffers are pages that cannot be touched.
    pub guard_pages: bool,
    /// The library is loaded from a copy that was made when the run began.
    pub library_copied: bool,
}

/// Something that can be called.
pub trait Backend: Send {
    /// What it says of itself.
    fn manifest(&self) -> &Manifest;

    /// Memory for the next call: at least `bytes` bytes, contents unspecified.
    ///
    /// # Errors
    /// If that much memory cannot be had.
    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError>;

    /// As [`Backend::arena`], but all zero, and only what is touched takes memory: it may be far larger than
    /// the machine's.
    ///
    /// # Errors
    /// If the backend has no such memory.
    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        let why = format!("it has no sparse memory of {bytes} bytes");
        Err(StartError::new(StartErrorKind::NotOffered, "this backend", why))
    }

    /// Whether [`Backend::guard`] does anything.
    fn has_guards(&self) -> bool {
        false
    }

    /// Makes byte ranges of the arena, whole pages, inaccessible to the code under test from the next call
    /// on.
    fn guard(&mut self, _ranges: &[Range<usize>]) {}

    /// SHA-256 of the file under test, in hexadecimal digits, where it is one.
    fn digest(&self) -> Option<&str> {
        None
    }

    /// Processor time that the process of the code under test has taken so far, where it has one and the system says it.
    fn processor_time(&self) -> Option<Duration> {
        None
    }

    /// What keeps the code under test from harm.
    fn cage(&self) -> Option<Cage> {
        None
    }

    /// Ends the process of the code under test, so that the next call meets a fresh one. `false` where there
    /// is none to end.
    fn renew(&mut self) -> bool {
        false
    }

    /// Ends the backend in good order. What went wrong then, in words.
    fn end(&mut self) -> Option<String> {
        None
    }

    /// Where the last call touched memory that it must not, if it died of that.
    fn fault(&self) -> Option<BadAccess> {
        None
    }

    /// Runs one call over the arena. Every offset in `call` lies in the arena last asked for.
    fn call(&mut self, call: &Call) -> Answer;

    /// Times one call over the arena, again and again. What the arena holds afterwards is not said.
    ///
    /// # Errors
    /// The outcome of a call that is not OK.
    fn time(&mut self, _call: &Call, _timing: &Timing) -> Result<Timed, Answer> {
        Err(Answer::Internal("this backend cannot be timed".into()))
    }

    /// The arena after the call.
    fn memory(&self) -> &[u8];

    /// The floating-point environment around loading and around the last call; `None` where it cannot be
    /// seen.
    fn float_environment(&self) -> Option<FloatEnvironment> {
        None
    }

    /// The device whose memory calls point to, as the backend names it; `None` for host memory.
    fn device(&self) -> Option<&str> {
        None
    }
}

/// Makes backends of one kind: one per worker thread.
pub trait BackendFactory: Sync {
    /// A fresh backend.
    ///
    /// # Errors
    /// If it cannot be started.
    fn start(&self) -> Result<Box<dyn Backend>, StartError>;

    /// What the user asked for: `host`, or a path.
    fn name(&self) -> &str;
}
