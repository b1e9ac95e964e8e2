//! Times a call in the worker, on whatever memory the library works.
#![allow(unsafe_code)]

use std::time::Instant;

use memmap2::MmapRaw;

use super::c_call::MappedArena;
use super::device::{Device, DeviceError};
use super::loaded::{LoadedLibrary, Ready};
use crate::backend::Call;
use crate::backend::timing::{Timed, Timing};

/// Why nothing was measured: a status and its message; `true` if the device failed.
pub(super) type NotTimed = (DeviceError, bool);

fn refused(message: &str) -> NotTimed {
    (DeviceError { status: 3, message: message.into() }, false)
}

fn broken(error: DeviceError) -> NotTimed {
    (error, true)
}

/// Times `call`, whose arena is in `map`, and, where there is a device, uploaded to `arena.base`.
pub(super) fn time(
    loaded: &LoadedLibrary,
    call: &Call,
    map: &MmapRaw,
    arena: MappedArena,
    timing: &Timing,
) -> Result<Timed, NotTimed> {
    if !timing.fits(arena.len) || arena.len > map.len() {
        return Err(refused("the copy does not fit in the arena"));
    }
    let ready = loaded.ready(call, arena);
    match &loaded.device {
        None => on_host(&ready, map, timing),
        Some(device) => on_device(device, &ready, arena, timing),
    }
}

/// A number of calls; the first status that is not OK ends them.
fn calls(ready: &Ready, number: u32) -> Result<(), NotTimed> {
    for _ in 0..number {
        match ready.run() {
            (0, _) => {}
            (status, message) => return Err((DeviceError { status, message }, false)),
        }
    }
    Ok(())
}

fn on_host(ready: &Ready, map: &MmapRaw, timing: &Timing) -> Result<Timed, NotTimed> {
    let samples = timing.sample(|number| {
        let start = Instant::now();
        calls(ready, number)?;
        Ok(start.elapsed().as_secs_f64())
    })?;
    // SAFETY: both ranges lie in the map and do not overlap (`fits`, in `time`). The call has come back, so the library does
    // not use the memory any more, and ropecheck waits for the reply.
    let (from, to) = unsafe {
        let base = map.as_mut_ptr();
        let bytes = timing.from.len();
        (
            std::slice::from_raw_parts(base.add(timing.from.start), bytes),
            std::slice::from_raw_parts_mut(base.add(timing.to), bytes),
        )
    };
    Ok(Timed { calls: samples, copies: timing.sample_copy(from, to), device_clock: false })
}

fn on_device(device: &Device, ready: &Ready, arena: MappedArena, timing: &Timing) -> Result<Timed, NotTimed> {
    let samples = timing.sample(|number| clocked(device, || calls(ready, number)))?;
    let (from, to) = (arena.base.wrapping_add(timing.from.start), arena.base.wrapping_add(timing.to));
    let copies = if device.has_timer() {
        let copy = |number| {
            clocked(device, || (0..number).try_for_each(|_| device.copy(to, from, timing.from.len()).map_err(broken)))
        };
        timing.sample(copy)?
    } else {
        Vec::new()
    };
    Ok(Timed { calls: samples, copies, device_clock: device.has_timer() })
}

/// Seconds that the stream takes for `work`: by the device's clock, or the host's around two waits.
fn clocked(device: &Device, work: impl FnOnce() -> Result<(), NotTimed>) -> Result<f64, NotTimed> {
    let late = |error: DeviceError| {
        let fatal = !error.is_refusal();
        (error, fatal)
    };
    device.sync().map_err(late)?;
    let start = Instant::now();
    device.start_timer().map_err(broken)?;
    work()?;
    let by_device = device.stop_timer().map_err(broken)?;
    device.sync().map_err(late)?;
    let seconds = by_device.unwrap_or_else(|| start.elapsed().as_secs_f64());
    if seconds.is_finite() && seconds >= 0.0 {
        return Ok(seconds);
    }
    Err(refused(&format!("ropecheck_timer_stop measured {seconds} seconds")))
}
