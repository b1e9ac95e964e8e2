//! The one way to read a file that a user names: regular, and bounded.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Opens a regular file. What waits for a writer, or never ends, is refused.
///
/// # Errors
/// If it is missing, cannot be opened, or is no regular file.
pub fn open_regular(path: &Path) -> io::Result<File> {
    // A pipe without a writer would be waited for.
    let file =
        OpenOptions::new().read(true).custom_flags(rustix::fs::OFlags::NONBLOCK.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() {
        return Ok(file);
    }
    Err(io::Error::new(io::ErrorKind::InvalidInput, "expected a file, found a directory or a device"))
}

/// Reads a regular file of at most `most` bytes.
///
/// # Errors
/// As [`open_regular`], and if it has more.
pub fn read_regular(path: &Path, most: u64) -> io::Result<Vec<u8>> {
    let file = open_regular(path)?;
    let too_many =
        |size| io::Error::new(io::ErrorKind::FileTooLarge, format!("it may have {most} bytes, and has {size}"));
    let size = file.metadata()?.len();
    if size > most {
        return Err(too_many(size));
    }
    let mut bytes = Vec::new();
    // Some files say that they have no bytes and have many.
    file.take(most.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(too_many(bytes.len() as u64)) } else { Ok(bytes) }
}

#[cfg(test)]
mod tests {
    use super::read_regular;

    #[test]
    fn what_is_no_file_or_too_long_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let (fifo, file) = (folder.path().join("fifo"), folder.path().join("file"));
        let made = std::process::Command::new("mkfifo").arg(&fifo).status();
        assert!(made.is_ok_and(|status| status.success()));
        std::fs::write(&file, b"12345").expect("written");
        for (path, says) in
            [(fifo.as_path(), "a device"), ("/dev/zero".as_ref(), "a device"), (folder.path(), "a directory")]
        {
            let why = read_regular(path, 100).expect_err("refused").to_string();
            assert!(why.contains(says), "{why}");
        }
        assert_eq!(read_regular(&file, 5).expect("short enough"), b"12345");
        assert!(read_regular(&file, 4).expect_err("too long").to_string().contains("4 bytes, and has 5"));
        // It claims to be empty.
        assert!(read_regular("/proc/self/maps".as_ref(), 10).is_err());
    }
}
