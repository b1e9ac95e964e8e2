//! The arena of a call on a device: the same bytes at the same offsets, in one allocation of ropecheck's own.

use std::fs::File;
use std::io;
use std::ops::Range;

use memmap2::MmapRaw;

use super::device::{Device, DeviceError};

/// Device memory around the arena that no call is told of, so that a miss of some pages hits nothing of another's.
const MARGIN: usize = 1 << 16;
/// What the margins, and memory that was never uploaded, are filled with.
const POISON: u8 = 0xff;
/// The arena begins on a multiple of this on the host, so it must here.
const PAGE: usize = 4096;
/// A larger block is given back when less than a quarter of it is wanted.
const LARGE: usize = 1 << 28;

/// One block of device memory, kept from call to call.
#[derive(Default)]
pub(super) struct DeviceArena {
    block: Option<Block>,
}

struct Block {
    start: *mut u8,
    bytes: usize,
}

impl Block {
    /// First byte of the arena. The block has room for a page more than arena and margins, so the sum stays inside.
    fn base(&self) -> *mut u8 {
        let aligned = (self.start as usize + MARGIN).next_multiple_of(PAGE);
        self.start.wrapping_add(aligned - self.start as usize)
    }
}

impl DeviceArena {
    /// Room for `bytes` bytes; its first byte. What it holds is poison where it is new and not `sparse`.
    pub(super) fn reserve(&mut self, device: &Device, bytes: usize, sparse: bool) -> Result<*mut u8, DeviceError> {
        let fits = |b: &Block| b.bytes >= bytes && (b.bytes <= LARGE || bytes >= b.bytes / 4);
        if let Some(block) = self.block.as_ref().filter(|b| fits(b)) {
            return Ok(block.base());
        }
        self.release(device)?;
        // Sparse memory is asked for once, exactly; other memory grows.
        let wanted = if sparse { bytes } else { bytes.max(1 << 20).checked_next_power_of_two().unwrap_or(bytes) };
        let whole = wanted.saturating_add(2 * MARGIN + PAGE);
        let start = device.alloc(whole)?;
        let block = self.block.insert(Block { start, bytes: wanted });
        if !sparse {
            device.fill(start, POISON, whole)?;
        }
        Ok(block.base())
    }

    /// Gives the block back.
    pub(super) fn release(&mut self, device: &Device) -> Result<(), DeviceError> {
        match self.block.take() {
            Some(block) => device.free(block.start),
            None => Ok(()),
        }
    }
}

/// Which bytes of the arena are there: all of them, or in sparse memory the pages that were touched.
pub(super) fn extents(memory: &File, bytes: usize, sparse: bool) -> io::Result<Vec<Range<usize>>> {
    use rustix::fs::{SeekFrom, seek};
    if !sparse {
        return Ok(std::iter::once(0..bytes).collect());
    }
    let mut found = Vec::new();
    let mut at = 0u64;
    while at < bytes as u64 {
        let start = match seek(memory, SeekFrom::Data(at)) {
            Ok(start) => start,
            // Nothing after this.
            Err(rustix::io::Errno::NXIO) => break,
            Err(error) => return Err(error.into()),
        };
        let end = seek(memory, SeekFrom::Hole(start))?.min(bytes as u64);
        if start >= end {
            break;
        }
        let range = |n: u64| usize::try_from(n).map_err(io::Error::other);
        found.push(range(start)?..range(end)?);
        at = end;
    }
    Ok(found)
}

/// Takes the bytes of the arena to the device.
pub(super) fn upload(
    device: &Device,
    base: *mut u8,
    map: &MmapRaw,
    ranges: &[Range<usize>],
) -> Result<(), DeviceError> {
    inside(map, ranges)?;
    let each =
        |r: &Range<usize>| device.upload(base.wrapping_add(r.start), map.as_ptr().wrapping_add(r.start), r.len());
    ranges.iter().filter(|r| !r.is_empty()).try_for_each(each)
}

/// Brings them back.
pub(super) fn download(
    device: &Device,
    base: *mut u8,
    map: &MmapRaw,
    ranges: &[Range<usize>],
) -> Result<(), DeviceError> {
    inside(map, ranges)?;
    let each =
        |r: &Range<usize>| device.download(map.as_mut_ptr().wrapping_add(r.start), base.wrapping_add(r.start), r.len());
    ranges.iter().filter(|r| !r.is_empty()).try_for_each(each)
}

/// The host's side of both transfers is checked here; the device's is as large by `reserve`.
fn inside(map: &MmapRaw, ranges: &[Range<usize>]) -> Result<(), DeviceError> {
    if ranges.iter().all(|r| r.start <= r.end && r.end <= map.len()) {
        return Ok(());
    }
    Err(DeviceError { status: 3, message: "a transfer outside of the arena".into() })
}
