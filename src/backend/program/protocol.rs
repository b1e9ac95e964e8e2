//! What ropecheck and a program that it judges say to each other: a JSON value a line, on the program's
//! standard input and output (docs/protocol.md). The worker that holds a library speaks it too, and says some
//! things that only workers say.

use std::io::{self, BufRead, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::wire::WireCall;
use crate::backend::timing::{Timed, Timing};

/// The version of the protocol that this ropecheck speaks.
pub(in crate::backend) const VERSION: u32 = 1;
/// The environment variable that names the arena, a file that the program maps.
pub(in crate::backend) const ARENA_VARIABLE: &str = "ROPECHECK_ARENA";
/// Most bytes of a line.
pub(super) const MAX_LINE: usize = 4 << 20;

/// What ropecheck asks for, after the program said hello.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::backend) enum Request {
    /// Make a call over the first `arena_bytes` bytes of the arena.
    Call(CallRequest),
    /// Time a call over the first bytes of the arena. Workers only.
    Time {
        /// Number of the request; the answer repeats it.
        id: u64,
        /// Arena size.
        arena_bytes: usize,
        /// The call.
        call: Box<WireCall>,
        /// How.
        timing: Timing,
    },
    /// Have device memory for an arena of so many bytes. Workers only.
    Reserve {
        /// Number of the request; the answer repeats it.
        id: u64,
        /// Arena size.
        arena_bytes: usize,
        /// Whether only touched pages of the arena exist.
        sparse: bool,
    },
    /// Close everything and end. What fails then is seen by how the process ends.
    Bye {},
}

/// A call, and what it is made over.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::backend) struct CallRequest {
    /// Number of the request; the answer repeats it.
    pub(in crate::backend) id: u64,
    /// Arena size.
    pub(in crate::backend) arena_bytes: usize,
    /// Byte ranges that the code under test must not touch, first and last plus one; whole pages. For
    /// workers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(in crate::backend) guards: Vec<(usize, usize)>,
    /// Whether only touched pages of the arena exist. For workers.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::backend) sparse: bool,
    /// The call.
    pub(in crate::backend) call: Box<WireCall>,
}

/// What a program says.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::backend) enum Reply {
    /// First of all: which protocols it speaks, and its manifest.
    Hello(Box<Hello>),
    /// Instead of a hello: why there is none.
    Refused {
        /// Why.
        why: String,
    },
    /// The code under test touched memory that it must not. The process dies of it after this. Written by a
    /// signal handler.
    Fault {
        /// Bytes from the start of the arena.
        offset: i64,
        /// Whether it wrote, where the machine says it.
        write: Option<bool>,
    },
    /// A call came back.
    Answer(Answered),
    /// A call was timed.
    Timed {
        /// Number of the request.
        id: u64,
        /// What was measured, or the status and the message of a call that could not be.
        result: Result<Timed, (Status, String)>,
        /// Whether the process ends after this.
        #[serde(default)]
        ends: bool,
    },
    /// The answer to [`Request::Reserve`].
    Reserved {
        /// Number of the request.
        id: u64,
        /// Why there is no such memory; the process ends after this.
        missing: Option<String>,
    },
}

/// The first line of a program.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::backend) struct Hello {
    /// Versions of the protocol that it speaks.
    pub(in crate::backend) protocol: Vec<u32>,
    /// Its manifest: an object, or a text that holds one.
    pub(in crate::backend) manifest: Box<RawValue>,
    /// Of a library: level functions that it exports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::backend) exports: Option<Vec<String>>,
    /// Floating-point control words before and after loading.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::backend) float: Option<[u64; 2]>,
    /// The device whose memory calls point to, if there is one: its name, where the library says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::backend) device: Option<DeviceName>,
    /// Whether guards of a call become pages that cannot be touched.
    #[serde(default)]
    pub(in crate::backend) guards: bool,
}

/// A device, with its name where the library says it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::backend) struct DeviceName {
    pub(in crate::backend) name: Option<String>,
}

/// The answer to a call.
#[derive(Debug, Serialize, Deserialize)]
pub(in crate::backend) struct Answered {
    /// Number of the request.
    pub(in crate::backend) id: u64,
    /// How it went.
    pub(in crate::backend) status: Status,
    /// Why it did not go well.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(in crate::backend) message: String,
    /// Floating-point control words before and after the call.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(in crate::backend) float: Option<[u64; 2]>,
    /// Whether the process is of no use after this: its device failed, or the call left processes behind.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(in crate::backend) ends: bool,
}

/// How a call went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(in crate::backend) enum Status {
    /// The work is done.
    Ok,
    /// The backend cannot do this.
    Unsupported,
    /// The call makes no sense to it.
    BadArgument,
    /// Something else went wrong.
    Internal,
}

/// A value as a line.
pub(super) fn line<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    if bytes.len() > MAX_LINE {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of {} bytes", bytes.len())));
    }
    Ok(bytes)
}

/// Writes a line at once.
pub(in crate::backend) fn write_line<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    out.write_all(&line(value)?)?;
    out.flush()
}

/// The next line; `None` at the end. For the program's side: it waits.
pub(in crate::backend) fn read_line<T: for<'de> Deserialize<'de>>(input: &mut impl BufRead) -> io::Result<Option<T>> {
    let mut bytes = Vec::new();
    input.take(MAX_LINE as u64 + 1).read_until(b'\n', &mut bytes)?;
    match bytes.len() {
        0 => Ok(None),
        1..=MAX_LINE => Ok(Some(serde_json::from_slice(&bytes)?)),
        long => Err(io::Error::new(io::ErrorKind::InvalidData, format!("a line of more than {} bytes", long - 1))),
    }
}
