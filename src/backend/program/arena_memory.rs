//! Memory that this process and a program both map. It holds inputs and outputs of one call, never expected
//! values.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;
use std::path::PathBuf;

use memmap2::{MmapMut, MmapOptions};
use rustix::fs::{FallocateFlags, MemfdFlags, SealFlags};

/// Size of the file: more than any arena. Pages that nobody touches take no memory.
const CAPACITY: u64 = 1 << 40;
/// Least size, where the system's limit for files is below [`CAPACITY`].
const LEAST_CAPACITY: u64 = 1 << 16;

/// The arena of one process.
pub(super) struct ArenaMemory {
    file: File,
    capacity: u64,
    map: Option<MmapMut>,
    sparse: bool,
}

impl ArenaMemory {
    /// An empty one, on a file that has no name and whose size stays what it is.
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = rustix::fs::memfd_create("ropecheck", MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC)?;
        let file = File::from(descriptor);
        let sizes = std::iter::successors(Some(CAPACITY), |size| Some(size / 4)).take_while(|n| *n >= LEAST_CAPACITY);
        let mut error = io::Error::from(io::ErrorKind::OutOfMemory);
        for capacity in sizes {
            match file.set_len(capacity) {
                Ok(()) => {
                    // A program that shrank the file would make this process fault on its own map; one that
                    // sealed it against writing would keep this process from mapping more of it.
                    rustix::fs::fcntl_add_seals(&file, SealFlags::SHRINK | SealFlags::GROW | SealFlags::SEAL)?;
                    return Ok(ArenaMemory { file, capacity, map: None, sparse: false });
                }
                Err(e) => error = e,
            }
        }
        Err(error)
    }

    /// A path under which other processes of this user find the file.
    pub(super) fn path(&self) -> PathBuf {
        format!("/proc/{}/fd/{}", std::process::id(), self.file.as_raw_fd()).into()
    }

    /// The first `bytes` bytes.
    pub(super) fn at_least(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        if self.sparse {
            // What a call touched there is given back.
            self.punch()?;
            self.sparse = false;
        }
        self.mapped(bytes)
    }

    /// The first `bytes` bytes, all zero. Only what is touched takes memory.
    pub(super) fn sparse(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        self.punch()?;
        self.sparse = true;
        self.mapped(bytes)
    }

    fn mapped(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        if self.map.as_ref().is_none_or(|map| map.len() < bytes) {
            let size = bytes.max(1 << 16).checked_next_power_of_two().filter(|size| *size as u64 <= self.capacity);
            let size = size.ok_or(io::ErrorKind::OutOfMemory)?;
            self.map = None;
            // SAFETY: the file is ours alone apart from programs, which only see it between a call and its
            // answer, and its size cannot change. A hostile program that writes later changes bytes that are
            // only ever read as plain numbers.
            self.map = Some(unsafe { MmapOptions::new().len(size).map_mut(&self.file)? });
        }
        self.map.as_mut().map(|map| &mut map[..bytes]).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Gives all pages back; the file keeps its size.
    fn punch(&mut self) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, flags, 0, self.capacity)?;
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}
