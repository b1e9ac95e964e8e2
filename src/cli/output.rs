//! Where reports go: files that are opened before the run, and standard output. Every error is one of an exit code.

use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::run::{ExitCode, RunError};

/// A place that a report goes to.
pub(super) enum Sink {
    /// Standard output.
    Standard,
    /// A file that takes its name when it is whole.
    New(PathBuf, NamedTempFile),
    /// Something that is there and no regular file, such as a pipe: written in place.
    Special(PathBuf, File),
}

impl Sink {
    /// Opens a file, or standard output where none is named.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] if the file cannot be written.
    pub(super) fn open(path: Option<&Path>) -> Result<Sink, RunError> {
        let Some(path) = path else { return Ok(Sink::Standard) };
        let open = || -> io::Result<Sink> {
            if path.symlink_metadata().is_ok_and(|about| !about.is_file()) {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(Sink::Special(path.to_owned(), file));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // As a file that is made without more ado: the umask takes away what it takes.
            let mut builder = tempfile::Builder::new();
            let file = builder.permissions(Permissions::from_mode(0o666)).prefix(".ropecheck-").tempfile_in(folder)?;
            Ok(Sink::New(path.to_owned(), file))
        };
        open().map_err(|e| RunError::new(ExitCode::Usage, format!("{} cannot be written: {e}", path.display())))
    }

    /// Writes a part of a report, with colours only where somebody sees them.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if it cannot be written. A reader that has gone away is no error.
    pub(super) fn write(&mut self, text: &str) -> Result<(), RunError> {
        let plain = || anstream::adapter::strip_str(text).to_string();
        match self {
            Sink::Standard => print(text),
            Sink::New(path, file) => file.write_all(plain().as_bytes()).map_err(|e| failed(path, &e)),
            Sink::Special(path, file) => file.write_all(plain().as_bytes()).map_err(|e| failed(path, &e)),
        }
    }

    /// Forgets what was written to a file that has no name yet. What was printed stays.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if that fails.
    pub(super) fn clear(&mut self) -> Result<(), RunError> {
        match self {
            Sink::New(path, file) => {
                let file = file.as_file_mut();
                file.set_len(0).and_then(|()| file.rewind()).map_err(|e| failed(path, &e))
            }
            Sink::Standard | Sink::Special(..) => Ok(()),
        }
    }

    /// Gives a file its name.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if that fails.
    pub(super) fn close(self) -> Result<(), RunError> {
        match self {
            Sink::Standard => Ok(()),
            Sink::Special(path, mut file) => file.flush().map_err(|e| failed(&path, &e)),
            Sink::New(path, file) => file.persist(&path).map(drop).map_err(|e| failed(&path, &e.error)),
        }
    }

    /// Writes a whole report.
    ///
    /// # Errors
    /// As [`Sink::write`] and [`Sink::close`].
    pub(super) fn put(mut self, text: &str) -> Result<(), RunError> {
        self.write(text)?;
        self.close()
    }
}

fn failed(path: &Path, error: &io::Error) -> RunError {
    RunError::new(ExitCode::Internal, format!("{} cannot be written: {error}", path.display()))
}

/// Prints to standard output.
///
/// # Errors
/// [`ExitCode::Internal`] if that fails. A reader that has gone away is no error.
pub(super) fn print(text: &str) -> Result<(), RunError> {
    let mut out = anstream::stdout();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(ExitCode::Internal, format!("standard output cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard error what is wrong, as far as that can be done.
pub(super) fn complain_of(message: &str) {
    let text = message.trim_end();
    let prefix = if text.starts_with("error") || text.starts_with('\u{1b}') { "" } else { "error: " };
    let _ = anstream::stderr().write_all(format!("{prefix}{text}\n").as_bytes());
}
