//! Memory that this process and a worker both map. It holds inputs and outputs of one call, never expected values.
#![allow(unsafe_code)]

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

use memmap2::MmapMut;

pub(super) struct SharedMemory {
    file: File,
    map: Option<MmapMut>,
    sparse: bool,
}

impl SharedMemory {
    /// An empty one, on a file that has no name. The descriptor is inherited by workers.
    pub(super) fn new() -> io::Result<Self> {
        let descriptor = rustix::fs::memfd_create("ropecheck", rustix::fs::MemfdFlags::ALLOW_SEALING)?;
        // A worker that shrank the file would make this process fault on its own map.
        rustix::fs::fcntl_add_seals(&descriptor, rustix::fs::SealFlags::SHRINK)?;
        Ok(SharedMemory { file: File::from(descriptor), map: None, sparse: false })
    }

    pub(super) fn descriptor(&self) -> i32 {
        self.file.as_raw_fd()
    }

    /// The first `bytes` bytes, growing the file if it is smaller.
    pub(super) fn at_least(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        if self.sparse {
            // What a call touched there is given back.
            self.punch()?;
            self.sparse = false;
        }
        let have = self.map.as_ref().map_or(0, |m| m.len());
        if have < bytes || self.map.is_none() {
            let size = bytes.max(1 << 16).next_power_of_two();
            self.file.set_len(size as u64)?;
            // SAFETY: the file is ours alone apart from workers, which only see it between a call's request and reply. A
            // hostile worker that writes later changes bytes that are only ever read as plain numbers.
            self.map = Some(unsafe { MmapMut::map_mut(&self.file)? });
        }
        match self.map.as_mut() {
            Some(map) => Ok(&mut map[..bytes]),
            None => Err(io::ErrorKind::OutOfMemory.into()),
        }
    }

    /// The first `bytes` bytes, all zero. Only what is touched takes memory.
    pub(super) fn sparse(&mut self, bytes: usize) -> io::Result<&mut [u8]> {
        self.punch()?;
        self.sparse = false;
        self.at_least(bytes)?;
        self.sparse = true;
        self.map.as_mut().map(|map| &mut map[..bytes]).ok_or_else(|| io::ErrorKind::OutOfMemory.into())
    }

    /// Gives all pages back; the file keeps its size.
    fn punch(&mut self) -> io::Result<()> {
        let size = self.file.metadata()?.len();
        if size > 0 {
            let flags = rustix::fs::FallocateFlags::PUNCH_HOLE | rustix::fs::FallocateFlags::KEEP_SIZE;
            rustix::fs::fallocate(&self.file, flags, 0, size)?;
        }
        Ok(())
    }

    pub(super) fn bytes(&self) -> &[u8] {
        self.map.as_deref().unwrap_or(&[])
    }
}
