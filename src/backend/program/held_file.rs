//! The library that a run judges: read once, so that a rebuild in mid run changes nothing.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{MemfdFlags, SealFlags};
use sha2::{Digest, Sha256};

use crate::spec::open_regular;

/// Largest library that is copied: larger ones are loaded from where they lie.
const MOST_COPIED: u64 = 1 << 30;
/// What a library contains that looks for something beside itself: it must be loaded from where it lies.
const LOOKS_BESIDE_ITSELF: [&[u8]; 3] = [b"$ORIGIN", b"${ORIGIN}", b"dladdr"];

/// A file as it was when it was first read.
pub(super) struct HeldFile {
    path: PathBuf,
    copy: Option<File>,
    was: [i64; 5],
    /// SHA-256 of its bytes, in hexadecimal digits.
    pub(super) digest: String,
}

impl HeldFile {
    /// Reads a regular file.
    pub(super) fn read(path: &Path) -> io::Result<HeldFile> {
        let file = open_regular(path)?;
        let about = file.metadata()?;
        let mut digest = Sha256::new();
        let mut copy = (about.len() <= MOST_COPIED).then(|| memory().ok()).flatten();
        let longest = LOOKS_BESIDE_ITSELF.iter().map(|needle| needle.len()).max().unwrap_or(1);
        let (mut chunk, mut kept) = (vec![0u8; 1 << 16], 0);
        let mut beside = false;
        let mut limited = file.take(about.len());
        loop {
            let read = limited.read(&mut chunk[kept..])?;
            if read == 0 {
                break;
            }
            let new = &chunk[kept..kept + read];
            digest.update(new);
            copy = copy.filter(|copy| (&*copy).write_all(new).is_ok());
            let whole = &chunk[..kept + read];
            beside |= LOOKS_BESIDE_ITSELF.iter().any(|needle| whole.windows(needle.len()).any(|part| part == *needle));
            // A needle may lie across two chunks.
            let tail = whole.len().min(longest - 1);
            let start = whole.len() - tail;
            chunk.copy_within(start..start + tail, 0);
            kept = tail;
        }
        if let Some(copy) = &copy {
            let seals = SealFlags::SHRINK | SealFlags::GROW | SealFlags::WRITE | SealFlags::SEAL;
            rustix::fs::fcntl_add_seals(copy, seals)?;
        }
        let digest = digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(HeldFile { path: path.to_owned(), copy: copy.filter(|_| !beside), was: stamp(&about), digest })
    }

    /// Whether it is loaded from a copy.
    pub(super) fn is_copied(&self) -> bool {
        self.copy.is_some()
    }

    /// Where it is to be loaded from now.
    ///
    /// # Errors
    /// If it was changed and no copy could be kept.
    pub(super) fn path(&self) -> Result<PathBuf, String> {
        match &self.copy {
            Some(copy) => Ok(format!("/proc/{}/fd/{}", std::process::id(), copy.as_raw_fd()).into()),
            None if fs::metadata(&self.path).is_ok_and(|about| stamp(&about) == self.was) => Ok(self.path.clone()),
            None => Err("the file was replaced while the run was going on".into()),
        }
    }
}

/// A file without a name from which code may be loaded.
fn memory() -> io::Result<File> {
    let flags = MemfdFlags::ALLOW_SEALING | MemfdFlags::CLOEXEC;
    let made = rustix::fs::memfd_create("ropecheck-library", flags | MemfdFlags::EXEC);
    // Systems before Linux 6.3 do not know that flag, and allow it without.
    Ok(File::from(made.or_else(|_| rustix::fs::memfd_create("ropecheck-library", flags))?))
}

/// What tells a file from its successor.
fn stamp(about: &fs::Metadata) -> [i64; 5] {
    let number = |n: u64| i64::try_from(n).unwrap_or(-1);
    [number(about.dev()), number(about.ino()), number(about.size()), about.mtime(), about.mtime_nsec()]
}

#[cfg(test)]
mod tests {
    use super::HeldFile;

    #[test]
    fn a_file_that_is_replaced_stays_what_it_was_or_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("lib.so");
        std::fs::write(&path, b"first").expect("written");
        let held = HeldFile::read(&path).expect("read");
        assert_eq!(held.digest, "a7937b64b8caa58f03721bb6bacf5c78cb235febe0e70b1b84cd99541461a08e");
        std::fs::write(&path, b"second").expect("written");
        assert_eq!(std::fs::read(held.path().expect("a copy")).expect("readable"), b"first");
        // Its needle lies across the border of two chunks.
        let mut long = vec![b'x'; (1 << 16) - 3];
        long.extend_from_slice(b"$ORIGIN/../lib");
        std::fs::write(&path, &long).expect("written");
        let held = HeldFile::read(&path).expect("read");
        assert_eq!(held.path(), Ok(path.clone()), "what looks beside itself is loaded from its place");
        std::fs::write(&path, b"third").expect("written");
        assert!(held.path().is_err_and(|why| why.contains("replaced")));
    }
}
