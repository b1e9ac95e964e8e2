//! The worker's side: the same binary, started with a hidden command, holds the library and nothing else.

use std::fs::{File, OpenOptions};
use std::io::{self, BufReader};
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr::null_mut;

use memmap2::MmapRaw;

use super::c_call::MappedArena;
use super::device::{Device, DeviceError};
use super::device_arena::{DeviceArena, download, extents, upload};
use super::ffi::StatusCode;
use super::float_control::watched;
use super::guard::{self, GuardPages};
use super::loaded::LoadedLibrary;
use super::protocol::{Reply, Request, read_frame, write_frame};
use super::timing::time;
use crate::backend::Call;
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
    let (loaded, load) = watched(|| LoadedLibrary::open(library));
    let loaded = match loaded {
        Ok(loaded) => loaded,
        Err(why) => return write_frame(&mut output, &Reply::Refused { why }),
    };
    let exports = Level::ALL.iter().filter(|l| loaded.exports(**l)).map(|l| l.name().to_owned()).collect();
    let device = loaded.device.as_ref().map(|d| d.name.clone());
    let open = Reply::Open { manifest: loaded.manifest.clone(), exports, float: words(load), device };
    write_frame(&mut output, &open)?;
    let mut input = BufReader::new(io::stdin());
    let mut session = ServedLibrary { loaded, memory, map: None, on_device: DeviceArena::default() };
    while let Some(request) = read_frame(&mut input)? {
        let (reply, go_on) = session.answer(request)?;
        write_frame(&mut output, &reply)?;
        if !go_on {
            // A device context may not survive a fault, so nothing is tidied up through it.
            std::process::exit(0);
        }
    }
    session.close();
    Ok(())
}

fn words(watched: Option<[FloatControl; 2]>) -> Option<[u64; 2]> {
    watched.map(|pair| pair.map(|control| control.0))
}

/// An open library and the memory of its calls.
struct ServedLibrary {
    loaded: LoadedLibrary,
    memory: File,
    map: Option<MmapRaw>,
    on_device: DeviceArena,
}

impl ServedLibrary {
    /// The reply, and whether the library can go on after it.
    fn answer(&mut self, request: Request) -> io::Result<(Reply, bool)> {
        match request {
            Request::Reserve { bytes, sparse } => {
                let missing = match &self.loaded.device {
                    Some(device) => self.on_device.reserve(device, bytes, sparse).err().map(|e| e.message),
                    None => None,
                };
                let go_on = missing.is_none();
                Ok((Reply::Reserved { missing }, go_on))
            }
            Request::Time { bytes, call, timing } => {
                let map = mapped(&mut self.map, &self.memory, bytes)?;
                let timed = (|| {
                    let (base, stream) = match &self.loaded.device {
                        None => (map.as_mut_ptr(), null_mut()),
                        Some(device) => {
                            let base = self.on_device.reserve(device, bytes, false).map_err(|e| (e, true))?;
                            upload(device, base, map, std::slice::from_ref(&(0..bytes))).map_err(|e| (e, true))?;
                            (base, device.stream)
                        }
                    };
                    let arena = MappedArena { base, host: map.as_mut_ptr(), len: bytes, stream };
                    time(&self.loaded, &call, map, arena, &timing)
                })();
                let broken = matches!(timed, Err((_, true)));
                let result = timed.map_err(|(error, _)| (error.status, error.message));
                Ok((Reply::Timed { result, broken }, !broken))
            }
            Request::Call { bytes, guards, sparse, call } => {
                let map = mapped(&mut self.map, &self.memory, bytes)?;
                let ((status, message), float, broken) = match &self.loaded.device {
                    None => {
                        let raised = GuardPages::raise(map, &guards)?;
                        let base = map.as_mut_ptr();
                        let arena = MappedArena { base, host: base, len: bytes, stream: null_mut() };
                        let (done, float) = watched(|| self.loaded.call(&call, arena));
                        drop(raised);
                        (done, float, false)
                    }
                    Some(device) => {
                        let ranges = extents(&self.memory, bytes, sparse)?;
                        let answer = (|| {
                            let base = self.on_device.reserve(device, bytes, sparse)?;
                            upload(device, base, map, &ranges)?;
                            let arena = MappedArena { base, host: map.as_mut_ptr(), len: bytes, stream: device.stream };
                            let (done, float) = watched(|| synced(&self.loaded, device, &call, arena));
                            let done = done?;
                            download(device, base, map, &ranges)?;
                            Ok((done, float))
                        })();
                        match answer {
                            Ok((done, float)) => (done, float, false),
                            Err(DeviceError { status, message }) => ((status, message), None, true),
                        }
                    }
                };
                Ok((Reply::Done { status, message, float: words(float), broken }, !broken))
            }
        }
    }

    fn close(mut self) {
        if let Some(device) = &self.loaded.device {
            // The process ends here, and its context with it: nobody can be told.
            let _ = self.on_device.release(device);
        }
    }
}

/// At least `bytes` bytes of the shared memory.
fn mapped<'a>(map: &'a mut Option<MmapRaw>, memory: &File, bytes: usize) -> io::Result<&'a MmapRaw> {
    if map.as_ref().is_none_or(|m| m.len() < bytes) {
        *map = Some(MmapRaw::map_raw(memory)?);
    }
    let map = map.as_ref().filter(|m| m.len() >= bytes);
    map.ok_or_else(|| io::Error::other("the shared memory is smaller than the call says"))
}

/// A call and everything that it left in the stream. A refusal that only the device could find is the call's answer.
fn synced(
    loaded: &LoadedLibrary,
    device: &Device,
    call: &Call,
    arena: MappedArena,
) -> Result<(StatusCode, String), DeviceError> {
    let (status, message) = loaded.call(call, arena);
    match device.sync() {
        Err(late) if !late.is_refusal() => Err(late),
        Err(late) if status == 0 => Ok((late.status, late.message)),
        _ => Ok((status, message)),
    }
}
