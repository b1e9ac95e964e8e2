//! An open library that answers requests.

use std::fs::File;
use std::io;
use std::ptr::null_mut;

use memmap2::{MmapOptions, MmapRaw};

use super::c_call::MappedArena;
use super::device::{Device, DeviceError};
use super::device_arena::{DeviceArena, download, extents, upload};
use super::ffi::StatusCode;
use super::float_control::watched;
use super::guard::GuardPages;
use super::loaded::LoadedLibrary;
use super::timing::time;
use crate::backend::Call;
use crate::backend::float_environment::FloatControl;
use crate::backend::program::protocol::{Answered, CallRequest, Reply, Request, Status};

pub(super) fn words(watched: Option<[FloatControl; 2]>) -> Option<[u64; 2]> {
    watched.map(|pair| pair.map(|control| control.0))
}

/// A status of the ABI.
fn status(code: StatusCode, message: String) -> (Status, String) {
    match code {
        0 => (Status::Ok, message),
        1 => (Status::Unsupported, message),
        2 => (Status::BadArgument, message),
        3 => (Status::Internal, message),
        _ => (Status::Internal, format!("status {code}, which the ABI does not have {message}")),
    }
}

/// An open library and the memory of its calls.
pub(super) struct ServedLibrary {
    loaded: LoadedLibrary,
    memory: File,
    map: Option<MmapRaw>,
    on_device: DeviceArena,
}

impl ServedLibrary {
    /// A library whose calls work on `memory`.
    pub(super) fn new(loaded: LoadedLibrary, memory: File) -> ServedLibrary {
        ServedLibrary { loaded, memory, map: None, on_device: DeviceArena::default() }
    }

    /// The reply, and whether the library can go on after it.
    pub(super) fn answer(&mut self, request: Request) -> io::Result<(Reply, bool)> {
        match request {
            Request::Reserve { id, arena_bytes: bytes, sparse } => {
                let missing = match &self.loaded.device {
                    Some(device) => self.on_device.reserve(device, bytes, sparse).err().map(|e| e.message),
                    None => None,
                };
                let go_on = missing.is_none();
                Ok((Reply::Reserved { id, missing }, go_on))
            }
            Request::Time { id, arena_bytes: bytes, call, timing } => {
                let call = call.read().map_err(io::Error::other)?;
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
                let result = timed.map_err(|(error, _)| status(error.status, error.message));
                Ok((Reply::Timed { id, result, ends: broken }, !broken))
            }
            Request::Call(CallRequest { id, arena_bytes: bytes, guards, sparse, call }) => {
                let call = call.read().map_err(io::Error::other)?;
                let map = mapped(&mut self.map, &self.memory, bytes)?;
                let ((code, message), float, ends) = match &self.loaded.device {
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
                        let answer = (|| -> Result<_, DeviceError> {
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
                            Err(error) => ((error.status, error.message), None, true),
                        }
                    }
                };
                let (status, message) = status(code, message);
                let answered = Answered { id, status, message, float: words(float), ends };
                Ok((Reply::Answer(answered), !ends))
            }
            Request::Bye {} => Err(io::Error::other("nothing is answered to a bye")),
        }
    }

    pub(super) fn close(mut self) {
        if let Some(device) = &self.loaded.device {
            // The process ends here, and its context with it: nobody can be told.
            let _ = self.on_device.release(device);
        }
    }
}

/// At least `bytes` bytes of the shared memory.
fn mapped<'a>(map: &'a mut Option<MmapRaw>, memory: &File, bytes: usize) -> io::Result<&'a MmapRaw> {
    if map.as_ref().is_none_or(|m| m.len() < bytes) {
        let size = bytes.max(1 << 16).checked_next_power_of_two().ok_or(io::ErrorKind::OutOfMemory)?;
        *map = Some(MmapOptions::new().len(size).map_raw(memory)?);
    }
    let map = map.as_ref().filter(|m| m.len() >= bytes);
    map.ok_or_else(|| io::Error::other("the shared memory is smaller than the call says"))
}

/// A call and everything that it left in the stream. A refusal that only the device could find is the call's
/// answer.
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
