//! The worker's side: the same binary, started with a hidden command, holds the library and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::fd::AsRawFd;
use std::path::Path;

use memmap2::MmapRaw;

use super::c_call::Arena;
use super::float_control::watched;
use super::guard::{self, Guards};
use super::loaded::Loaded;
use super::protocol::{Reply, Request, read_frame, write_frame};
use crate::backend::float_environment::FloatControl;
use crate::case::Level;

/// Runs until the parent closes the pipe. `arena` is the inherited descriptor of the shared memory.
///
/// # Errors
/// If the pipes or the shared memory fail.
pub fn run(library: &Path, arena: i32) -> io::Result<()> {
    // A crash must not leave core files behind, and a parent that dies must not leave workers behind.
    let none = rustix::process::Rlimit { current: Some(0), maximum: Some(0) };
    let _ = rustix::process::setrlimit(rustix::process::Resource::Core, none);
    let _ = rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL));
    // What the library prints goes to standard error; the protocol keeps a private copy of standard output.
    let private = rustix::io::dup(rustix::stdio::stdout())?;
    rustix::stdio::dup2_stdout(rustix::stdio::stderr())?;
    let mut output = File::from(private);
    let memory = OpenOptions::new().read(true).write(true).open(format!("/proc/self/fd/{arena}"))?;
    guard::report_faults(output.as_raw_fd());
    // Whatever the library does to the floating-point environment is reported, and undone before anything else runs.
    let (loaded, load) = watched(|| Loaded::open(library));
    let words = |watched: Option<[FloatControl; 2]>| watched.map(|pair| pair.map(|control| control.0));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(why) => return write_frame(&mut output, &Reply::Refused { why }),
    };
    let exports = Level::ALL.iter().filter(|l| loaded.exports(**l)).map(|l| l.name().to_owned()).collect();
    write_frame(&mut output, &Reply::Open { manifest: loaded.manifest.clone(), exports, float: words(load) })?;
    let mut input = BufReader::new(io::stdin());
    let mut map: Option<MmapRaw> = None;
    while let Some(Request::Call { bytes, guards, call }) = read_frame(&mut input)? {
        if map.as_ref().is_none_or(|m| m.len() < bytes) {
            map = Some(MmapRaw::map_raw(&memory)?);
        }
        let Some(map) = map.as_ref().filter(|m| m.len() >= bytes) else {
            return Err(io::Error::other("the shared memory is smaller than the call says"));
        };
        let raised = Guards::raise(map, &guards)?;
        let arena = Arena { base: map.as_mut_ptr(), len: bytes };
        let ((status, message), called) = watched(|| loaded.call(&call, arena));
        drop(raised);
        write_frame(&mut output, &Reply::Done { status, message, float: words(called) })?;
    }
    Ok(())
}
