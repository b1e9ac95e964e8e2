//! The functions by which a library lends its device's memory: ropecheck owns the buffers, and knows no GPU API.
#![allow(unsafe_code)]

use std::ffi::{CStr, c_char, c_void};
use std::ptr::null_mut;

use libloading::Library;

use super::ffi::{MESSAGE_BYTES, StatusCode, text_of};

type Alloc = unsafe extern "C" fn(*mut c_void, usize, *mut *mut c_void, *mut c_char, usize) -> StatusCode;
type Free = unsafe extern "C" fn(*mut c_void, *mut c_void, *mut c_char, usize) -> StatusCode;
type Upload = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_void, usize, *mut c_char, usize) -> StatusCode;
type Download = unsafe extern "C" fn(*mut c_void, *mut c_void, *const c_void, usize, *mut c_char, usize) -> StatusCode;
type Fill = unsafe extern "C" fn(*mut c_void, *mut c_void, u8, usize, *mut c_char, usize) -> StatusCode;
type Sync = unsafe extern "C" fn(*mut c_void, *mut c_char, usize) -> StatusCode;
type Stream = unsafe extern "C" fn(*mut c_void) -> *mut c_void;
type NameFn = unsafe extern "C" fn(*mut c_void) -> *const c_char;
type TimerStop = unsafe extern "C" fn(*mut c_void, *mut f64, *mut c_char, usize) -> StatusCode;

/// Every allocation lies on a multiple of this, by the header.
const ALIGNMENT: usize = 256;

/// A status other than OK, and what the library says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeviceError {
    /// Status of the ABI.
    pub(super) status: StatusCode,
    /// Which function, and its message.
    pub(super) message: String,
}

impl DeviceError {
    /// Whether this is an answer about the call (UNSUPPORTED, BAD_ARGUMENT), and the device is well.
    pub(super) fn is_refusal(&self) -> bool {
        matches!(self.status, 1 | 2)
    }
}

/// For `ropecheck bench`.
struct Bench {
    copy: Upload,
    start: Sync,
    stop: TimerStop,
}

/// The device of an open library.
pub(super) struct Device {
    handle: *mut c_void,
    alloc: Alloc,
    free: Free,
    upload: Upload,
    download: Download,
    fill: Fill,
    sync: Sync,
    bench: Option<Bench>,
    /// The stream of every call; NULL: the device's default stream.
    pub(super) stream: *mut c_void,
    /// What the device is called, where the library says it.
    pub(super) name: Option<String>,
}

/// Function pointers of these types by these names, all or none of them.
macro_rules! all_or_none {
    ($library:expr, $what:expr, $(($field:ident: $type:ty, $symbol:literal)),+) => {{
        $(
            // SAFETY: the header fixes the type behind each of these names; a library that exports something else under it
            // breaks only the worker. The pointer is used only while the library is loaded, which `Loaded` owns.
            let $field: Option<$type> = unsafe { $library.get::<$type>(concat!($symbol, "\0").as_bytes()) }.ok().map(|s| *s);
        )+
        let exported: Vec<&str> = [$($field.is_some().then_some($symbol)),+].into_iter().flatten().collect();
        let missing: Vec<&str> = [$($field.is_none().then_some($symbol)),+].into_iter().flatten().collect();
        match ($($field),+) {
            ($(Some($field)),+) => Some(($($field),+)),
            _ if exported.is_empty() => None,
            _ => {
                return Err(format!(
                    "it exports {} and not {}: {} takes all of them or none (docs/abi.md)",
                    exported.join(", "), missing.join(", "), $what
                ));
            }
        }
    }};
}

impl Device {
    /// The device of a library, if it exports the six functions.
    ///
    /// # Errors
    /// If it exports some of them and not all.
    pub(super) fn of(library: &Library, handle: *mut c_void) -> Result<Option<Device>, String> {
        let six = all_or_none!(
            library,
            "device memory",
            (alloc: Alloc, "ropecheck_alloc"),
            (free: Free, "ropecheck_free"),
            (upload: Upload, "ropecheck_upload"),
            (download: Download, "ropecheck_download"),
            (fill: Fill, "ropecheck_fill"),
            (sync: Sync, "ropecheck_sync")
        );
        let bench = all_or_none!(
            library,
            "timing",
            (copy: Upload, "ropecheck_copy"),
            (start: Sync, "ropecheck_timer_start"),
            (stop: TimerStop, "ropecheck_timer_stop")
        );
        let Some((alloc, free, upload, download, fill, sync)) = six else { return Ok(None) };
        let bench = bench.map(|(copy, start, stop)| Bench { copy, start, stop });
        // SAFETY: as above; the handle is the one that ropecheck_open gave, and both functions take it alone. The name is NULL or
        // a NUL-terminated text that lives until close, and is copied at once.
        let (stream, name) = unsafe {
            let stream = library.get::<Stream>(b"ropecheck_stream\0").map_or(null_mut(), |f| f(handle));
            let name = library.get::<NameFn>(b"ropecheck_device\0").map_or(std::ptr::null(), |f| f(handle));
            let name = (!name.is_null()).then(|| CStr::from_ptr(name).to_string_lossy().chars().take(200).collect());
            (stream, name)
        };
        Ok(Some(Device { handle, alloc, free, upload, download, fill, sync, bench, stream, name }))
    }

    /// Device memory of `bytes` bytes.
    pub(super) fn alloc(&self, bytes: usize) -> Result<*mut u8, DeviceError> {
        let mut block = null_mut();
        // SAFETY: `block` outlives the call; the handle is open.
        tried(&format!("ropecheck_alloc of {bytes} bytes"), |text, len| unsafe {
            (self.alloc)(self.handle, bytes, &mut block, text, len)
        })?;
        let block = block.cast::<u8>();
        if block.is_null() || !(block as usize).is_multiple_of(ALIGNMENT) {
            let message = format!("ropecheck_alloc returned {block:p}, which is no multiple of {ALIGNMENT}, and OK");
            return Err(DeviceError { status: 3, message });
        }
        Ok(block)
    }

    /// Gives back what [`Device::alloc`] returned.
    pub(super) fn free(&self, block: *mut u8) -> Result<(), DeviceError> {
        // SAFETY: every block is freed once, by its owner `DeviceArena`, after a sync.
        tried("ropecheck_free", |text, len| unsafe { (self.free)(self.handle, block.cast(), text, len) })
    }

    /// Host to device. Both ranges must exist; on the host nobody may be writing.
    pub(super) fn upload(&self, device: *mut u8, host: *const u8, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: by contract of this function; the library only reads the host's side.
        tried("ropecheck_upload", |text, len| unsafe {
            (self.upload)(self.handle, device.cast(), host.cast(), bytes, text, len)
        })
    }

    /// Device to host. Both ranges must exist; on the host nobody may hold references.
    pub(super) fn download(&self, host: *mut u8, device: *const u8, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: by contract of this function.
        tried("ropecheck_download", |text, len| unsafe {
            (self.download)(self.handle, host.cast(), device.cast(), bytes, text, len)
        })
    }

    /// Sets device memory, which must exist.
    pub(super) fn fill(&self, device: *mut u8, byte: u8, bytes: usize) -> Result<(), DeviceError> {
        // SAFETY: by contract of this function; no host memory is involved.
        tried("ropecheck_fill", |text, len| unsafe { (self.fill)(self.handle, device.cast(), byte, bytes, text, len) })
    }

    /// Waits for the stream.
    pub(super) fn sync(&self) -> Result<(), DeviceError> {
        // SAFETY: the handle is open.
        tried("ropecheck_sync", |text, len| unsafe { (self.sync)(self.handle, text, len) })
    }

    /// Device to device; both ranges must exist.
    pub(super) fn copy(&self, to: *mut u8, from: *const u8, bytes: usize) -> Result<(), DeviceError> {
        let Some(bench) = &self.bench else {
            return Err(DeviceError { status: 3, message: "the library has no ropecheck_copy".into() });
        };
        // SAFETY: by contract of this function; no host memory is involved.
        tried("ropecheck_copy", |text, len| unsafe {
            (bench.copy)(self.handle, to.cast(), from.cast(), bytes, text, len)
        })
    }

    /// Whether the device measures time.
    pub(super) fn has_timer(&self) -> bool {
        self.bench.is_some()
    }

    /// Marks a place in the stream, if the device measures time.
    pub(super) fn start_timer(&self) -> Result<(), DeviceError> {
        let Some(bench) = &self.bench else { return Ok(()) };
        // SAFETY: the handle is open.
        tried("ropecheck_timer_start", |text, len| unsafe { (bench.start)(self.handle, text, len) })
    }

    /// Waits for a second place, and gives the seconds between them; `None` if the device measures no time.
    pub(super) fn stop_timer(&self) -> Result<Option<f64>, DeviceError> {
        let Some(bench) = &self.bench else { return Ok(None) };
        let mut seconds = 0.0;
        // SAFETY: the handle is open, `seconds` outlives the call.
        tried("ropecheck_timer_stop", |text, len| unsafe { (bench.stop)(self.handle, &mut seconds, text, len) })?;
        Ok(Some(seconds))
    }
}

fn tried(what: &str, call: impl FnOnce(*mut c_char, usize) -> StatusCode) -> Result<(), DeviceError> {
    let mut message = [0u8; MESSAGE_BYTES];
    let status = call(message.as_mut_ptr().cast(), MESSAGE_BYTES);
    if status == 0 {
        return Ok(());
    }
    let text = text_of(&message);
    let message = if text.is_empty() { format!("{what} failed with status {status} and gave no reason") } else { text };
    Err(DeviceError { status, message })
}
