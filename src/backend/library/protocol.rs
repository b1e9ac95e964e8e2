//! What parent and worker say to each other: JSON frames with a length before them, on the worker's standard input and on a
//! private copy of its standard output.

use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};

use crate::backend::Call;
use crate::backend::timing::{Timed, Timing};

/// Largest frame either side accepts.
const MAX_FRAME: u32 = 16 << 20;

/// Parent to worker.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Request {
    /// Run a call over the first `bytes` bytes of the arena.
    Call {
        /// Arena size.
        bytes: usize,
        /// Byte ranges that the library must not touch, first and last plus one; whole pages.
        guards: Vec<(usize, usize)>,
        /// Whether only touched pages of the arena exist.
        sparse: bool,
        /// The call.
        call: Box<Call>,
    },
    /// Time a call over the first `bytes` bytes of the arena.
    Time {
        /// Arena size.
        bytes: usize,
        /// The call.
        call: Box<Call>,
        /// How.
        timing: Timing,
    },
    /// Have device memory for an arena of `bytes` bytes.
    Reserve {
        /// Arena size.
        bytes: usize,
        /// Whether only touched pages of the arena exist.
        sparse: bool,
    },
}

/// Worker to parent.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Reply {
    /// The library is open.
    Open {
        /// Its manifest.
        manifest: String,
        /// Level functions it exports.
        exports: Vec<String>,
        /// Floating-point control words before and after loading.
        float: Option<[u64; 2]>,
        /// The device whose memory calls point to, if there is one: its name, where the library says it.
        device: Option<Option<String>>,
    },
    /// The library could not be opened.
    Refused {
        /// Why.
        why: String,
    },
    /// The library touched memory that it must not. The worker dies of it after this. Written by a signal handler.
    BadAccess {
        /// Bytes from the start of the arena.
        offset: i64,
        /// Whether it wrote, where the machine says it.
        write: Option<bool>,
    },
    /// A call came back.
    Done {
        /// Status of the ABI.
        status: i32,
        /// Message of the backend.
        message: String,
        /// Floating-point control words before and after the call.
        float: Option<[u64; 2]>,
        /// Whether the device failed, so that the process ends after this.
        broken: bool,
    },
    /// A call was timed.
    Timed {
        /// What was measured, or the status and the message of a call that could not be.
        result: Result<Timed, (i32, String)>,
        /// Whether the device failed, so that the process ends after this.
        broken: bool,
    },
    /// The answer to [`Request::Reserve`].
    Reserved {
        /// Why there is no such memory; the process ends after this.
        missing: Option<String>,
    },
}

pub(super) fn write_frame<T: Serialize>(out: &mut impl Write, value: &T) -> io::Result<()> {
    let bytes = serde_json::to_vec(value)?;
    let len = u32::try_from(bytes.len()).ok().filter(|n| *n <= MAX_FRAME).ok_or(io::ErrorKind::InvalidData)?;
    let mut frame = len.to_le_bytes().to_vec();
    frame.extend_from_slice(&bytes);
    out.write_all(&frame)?;
    out.flush()
}

/// The next frame; `None` at a clean end.
pub(super) fn read_frame<T: for<'de> Deserialize<'de>>(input: &mut impl Read) -> io::Result<Option<T>> {
    let mut len = [0u8; 4];
    match input.read_exact(&mut len) {
        Ok(()) => {}
        Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        Err(e) => return Err(e),
    }
    let len = u32::from_le_bytes(len);
    if len > MAX_FRAME {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("a frame of {len} bytes")));
    }
    let mut bytes = vec![0u8; len as usize];
    input.read_exact(&mut bytes)?;
    Ok(Some(serde_json::from_slice(&bytes)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_claims_to_be_huge_is_refused_before_memory_is_taken() {
        let error = read_frame::<Reply>(&mut &[0xff, 0xff, 0xff, 0xff, 0][..]).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
    }

    #[test]
    fn frames_come_back_as_they_were_sent() {
        let mut pipe = Vec::new();
        write_frame(
            &mut pipe,
            &Reply::Done { status: 2, message: "odd".into(), float: Some([1, u64::MAX]), broken: false },
        )
        .unwrap();
        let back: Reply = read_frame(&mut pipe.as_slice()).unwrap().unwrap();
        assert!(
            matches!(back, Reply::Done { status: 2, message, float: Some([1, u64::MAX]), broken: false } if message == "odd")
        );
    }
}
