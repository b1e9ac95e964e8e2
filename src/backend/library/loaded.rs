//! A shared library, loaded into this process: only the worker does this.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::path::Path;

use libloading::Library;

use super::c_call::{CCall, Keep, MappedArena, c_call};
use super::device::Device;
use super::ffi::{ABI_VERSION, ApplyCall, FusedCall, MESSAGE_BYTES, PositionsCall, RotateCall, StatusCode, text_of};
use crate::backend::Call;
use crate::case::Level;

type AbiVersion = unsafe extern "C" fn() -> u32;
type Describe = unsafe extern "C" fn() -> *const c_char;
type OpenFn = unsafe extern "C" fn(*mut *mut c_void, *mut c_char, usize) -> StatusCode;
type Close = unsafe extern "C" fn(*mut c_void);
type EntryPoint<T> = unsafe extern "C" fn(*mut c_void, *const T, *mut c_char, usize) -> StatusCode;

/// From ropecheck_open: the machine has no device that the library can run on.
const NO_DEVICE: StatusCode = 4;

/// An open library.
pub(super) struct LoadedLibrary {
    handle: *mut c_void,
    close: Close,
    positions: Option<EntryPoint<PositionsCall>>,
    rotate: Option<EntryPoint<RotateCall>>,
    fused: Option<EntryPoint<FusedCall>>,
    apply: Option<EntryPoint<ApplyCall>>,
    /// The manifest, as text.
    pub(super) manifest: String,
    /// Its device, if it lends one's memory.
    pub(super) device: Option<Device>,
    // Last, so that it is unloaded after everything that points into it is gone.
    _library: Library,
}

impl LoadedLibrary {
    /// Loads, checks the ABI version, reads the manifest, opens a handle.
    pub(super) fn open(path: &Path) -> Result<LoadedLibrary, String> {
        if !path.exists() {
            return Err("there is no such file".into());
        }
        if path.is_dir() {
            return Err("this is a folder, not a shared library".into());
        }
        // SAFETY: loading runs the library's constructors, which may do anything; that is why only the worker process,
        // which holds nothing of value, ever does it.
        let library = unsafe { Library::new(path) }
            .map_err(|e| format!("not a shared library that this system can load: {}", chain(&e)))?;
        // SAFETY: the header fixes the type behind each of these names; a library that exports something
        // else under it breaks only the worker.
        let (version, describe, open, close) = unsafe {
            (
                library.get::<AbiVersion>(b"ropecheck_abi_version\0"),
                library.get::<Describe>(b"ropecheck_describe\0"),
                library.get::<OpenFn>(b"ropecheck_open\0"),
                library.get::<Close>(b"ropecheck_close\0"),
            )
        };
        let mut missing = Vec::new();
        for (name, absent) in [
            ("ropecheck_abi_version", version.is_err()),
            ("ropecheck_describe", describe.is_err()),
            ("ropecheck_open", open.is_err()),
            ("ropecheck_close", close.is_err()),
        ] {
            if absent {
                missing.push(name);
            }
        }
        let (Ok(version), Ok(describe), Ok(open), Ok(close)) = (version, describe, open, close) else {
            return Err(format!("it does not export {} (include/ropecheck.h lists what it must)", missing.join(", ")));
        };
        // SAFETY: the symbol is a function without arguments, by the header.
        let found = unsafe { version() };
        if found != ABI_VERSION {
            return Err(format!(
                "it speaks ABI {found}, this ropecheck speaks ABI {ABI_VERSION}: build it with the include/ropecheck.h of this version"
            ));
        }
        // SAFETY: by the header, it returns NULL or a NUL-terminated text that lives as long as the library.
        let manifest = unsafe {
            let text = describe();
            if text.is_null() {
                return Err("ropecheck_describe returned NULL".into());
            }
            CStr::from_ptr(text).to_str().map(str::to_owned)
        };
        let manifest = manifest.map_err(|_| "ropecheck_describe returned text that is not UTF-8".to_owned())?;
        let mut handle = std::ptr::null_mut();
        let mut message = [0u8; MESSAGE_BYTES];
        // SAFETY: handle and message outlive the call, and the length given is the message's.
        let status = unsafe { open(&mut handle, message.as_mut_ptr().cast(), MESSAGE_BYTES) };
        if status != 0 {
            return Err(match text_of(&message) {
                text if text.is_empty() => {
                    format!("ropecheck_open returned {} and gave no reason", status_name(status))
                }
                // The message says it all: "no CUDA device: ...".
                text if status == NO_DEVICE => text,
                text => format!("ropecheck_open returned {}: {text}", status_name(status)),
            });
        }
        let device = Device::of(&library, handle)?;
        // SAFETY: as above; the copied pointers are used only while `library` is loaded, which this struct owns.
        unsafe {
            Ok(LoadedLibrary {
                handle,
                close: *close,
                positions: library.get(b"ropecheck_positions\0").ok().map(|s| *s),
                rotate: library.get(b"ropecheck_rotate\0").ok().map(|s| *s),
                fused: library.get(b"ropecheck_fused\0").ok().map(|s| *s),
                apply: library.get(b"ropecheck_apply\0").ok().map(|s| *s),
                manifest,
                device,
                _library: library,
            })
        }
    }

    /// Whether the library exports the function of a level.
    pub(super) fn exports(&self, level: Level) -> bool {
        match level {
            Level::Positions => self.positions.is_some(),
            Level::Rotate => self.rotate.is_some(),
            Level::Fused => self.fused.is_some(),
            Level::Apply => self.apply.is_some(),
        }
    }

    /// A call as the library will see it.
    pub(super) fn ready(&self, call: &Call, arena: MappedArena) -> Ready<'_> {
        let mut keep = Keep::default();
        let call = c_call(call, arena, &mut keep);
        Ready { loaded: self, call, _keep: keep }
    }

    /// Runs one call; status and message.
    pub(super) fn call(&self, call: &Call, arena: MappedArena) -> (StatusCode, String) {
        self.ready(call, arena).run()
    }
}

/// A call that can be made, once or often. The arena it was made from must be there.
pub(super) struct Ready<'a> {
    loaded: &'a LoadedLibrary,
    call: CCall,
    // What the pointers in `call` point to.
    _keep: Keep,
}

impl Ready<'_> {
    /// Runs the call; status and message.
    pub(super) fn run(&self) -> (StatusCode, String) {
        let library = self.loaded;
        let mut message = [0u8; MESSAGE_BYTES];
        let (text, len) = (message.as_mut_ptr().cast::<c_char>(), MESSAGE_BYTES);
        // SAFETY: every pointer in the struct points into `_keep`, the arena or the device's copy of it, all alive until after
        // the call; what the library does with them is its own affair, and this process holds nothing but its inputs.
        let status = unsafe {
            match (&self.call, library.positions, library.rotate, library.fused, library.apply) {
                (CCall::Positions(c), Some(entry), ..) => entry(library.handle, c, text, len),
                (CCall::Rotate(c), _, Some(entry), ..) => entry(library.handle, c, text, len),
                (CCall::Fused(c), _, _, Some(entry), _) => entry(library.handle, c, text, len),
                (CCall::Apply(c), .., Some(entry)) => entry(library.handle, c, text, len),
                _ => return (3, "the library does not export this level's function".into()),
            }
        };
        (status, if status == 0 { String::new() } else { text_of(&message) })
    }
}

impl Drop for LoadedLibrary {
    fn drop(&mut self) {
        // SAFETY: the handle came from ropecheck_open and is closed once.
        unsafe { (self.close)(self.handle) }
    }
}

fn status_name(status: StatusCode) -> String {
    match status {
        1 => "UNSUPPORTED".into(),
        2 => "BAD_ARGUMENT".into(),
        3 => "INTERNAL".into(),
        NO_DEVICE => "NO_DEVICE".into(),
        other => format!("status {other}, which the ABI does not have"),
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    text
}
