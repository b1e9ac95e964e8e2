//! A program that speaks the protocol of docs/protocol.md, or a worker that holds a shared library and speaks
//! it too: a crash or a hang is a failing case, and expected values never lie in memory that it can map.

mod answer;
mod arena_memory;
mod cage;
mod channel;
mod held_file;
mod launch;
pub(super) mod protocol;
mod running;
pub(super) mod wire;

use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, OnceLock};

#[doc(hidden)]
pub use answer::{answers, requests, through_a_line};
pub use cage::adopt_orphans;
pub(super) use cage::children;
pub use channel::{NEVER, ProgramOptions, WORKER_COMMAND};
pub use launch::Target;

use super::{Backend, BackendFactory, StartError, StartErrorKind, Vocabulary};
use launch::Launch;
use running::ProgramBackend;

/// Starts programs of one kind.
pub struct ProgramFactory<'a> {
    launch: Arc<Launch>,
    names: Vocabulary<'a>,
}

impl<'a> ProgramFactory<'a> {
    /// For a target, whose manifest may use these names. Nothing is started yet.
    #[must_use]
    pub fn new(target: Target, options: ProgramOptions, names: Vocabulary<'a>) -> Self {
        let (shown, target) = match target {
            // A bare file name would be looked up in the system's library folders.
            Target::Library(path) => {
                (path.display().to_string(), Target::Library(std::path::absolute(&path).unwrap_or(path)))
            }
            Target::Program(words) => {
                let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                (shown.join(" "), Target::Program(words))
            }
            Target::Python { python, port } => (port.clone(), Target::Python { python, port }),
        };
        let (held, first, failed) = (OnceLock::new(), OnceLock::new(), AtomicUsize::new(0));
        ProgramFactory { launch: Arc::new(Launch { shown, target, options, held, first, failed }), names }
    }

    /// For the library at `path`.
    #[must_use]
    pub fn library(path: &Path, options: ProgramOptions, names: Vocabulary<'a>) -> Self {
        ProgramFactory::new(Target::Library(path.to_owned()), options, names)
    }
}

impl BackendFactory for ProgramFactory<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let running = self.launch.start()?;
        let said = self.launch.first.get().unwrap_or(&running.said);
        let manifest = said.manifest(self.names).map_err(|why| self.launch.error(StartErrorKind::Backend, why))?;
        Ok(Box::new(ProgramBackend::new(Arc::clone(&self.launch), manifest, running)))
    }

    fn name(&self) -> &str {
        &self.launch.shown
    }
}
