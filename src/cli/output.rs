//! Where reports go: files that are opened before the run, and standard output. Every error is one of an exit
//! code.

use std::borrow::Cow;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Seek as _, Write};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

use crate::backend::is_printable;
use crate::run::{ExitCode, RunError};

/// A place that a report goes to.
pub(super) enum ReportSink {
    /// Standard output.
    Standard,
    /// A file that takes its name when it is whole.
    New(PathBuf, NamedTempFile),
    /// Something that is there and no regular file, such as a pipe: written in place.
    Special(PathBuf, File),
    /// A file that others write to as well: what there is to say is kept, and added at the end.
    Added(PathBuf, File, String),
}

impl ReportSink {
    /// Opens a file, or standard output where none is named.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] if the file cannot be written.
    pub(super) fn open(path: Option<&Path>) -> Result<ReportSink, RunError> {
        let Some(path) = path else { return Ok(ReportSink::Standard) };
        let open = || -> io::Result<ReportSink> {
            if path.symlink_metadata().is_ok_and(|about| !about.is_file()) {
                let file = OpenOptions::new().write(true).open(path)?;
                return Ok(ReportSink::Special(path.to_owned(), file));
            }
            let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
            // As a file that is made without more ado: the umask takes away what it takes.
            let mut builder = tempfile::Builder::new();
            let file = builder.permissions(Permissions::from_mode(0o666)).prefix(".ropecheck-").tempfile_in(folder)?;
            Ok(ReportSink::New(path.to_owned(), file))
        };
        open().map_err(|e| RunError::new(ExitCode::Usage, format!("{} cannot be written: {e}", path.display())))
    }

    /// Opens a file that a report is added to.
    ///
    /// # Errors
    /// If it cannot be written.
    pub(super) fn add_to(path: &Path) -> io::Result<ReportSink> {
        let file = OpenOptions::new().append(true).create(true).open(path)?;
        Ok(ReportSink::Added(path.to_owned(), file, String::new()))
    }

    /// Writes a part of a report, with colours only where somebody sees them.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if it cannot be written. A reader that has gone away is no error.
    pub(super) fn write(&mut self, text: &str) -> Result<(), RunError> {
        let text = &harmless(text);
        let plain = || anstream::adapter::strip_str(text).to_string();
        match self {
            ReportSink::Standard => print(text),
            ReportSink::New(path, file) => file.write_all(plain().as_bytes()).map_err(|e| failed(path, &e)),
            ReportSink::Special(path, file) => file.write_all(plain().as_bytes()).map_err(|e| failed(path, &e)),
            ReportSink::Added(_, _, kept) => {
                kept.push_str(&plain());
                Ok(())
            }
        }
    }

    /// Forgets what was written to a file that has no name yet. What was printed stays.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if that fails.
    pub(super) fn clear(&mut self) -> Result<(), RunError> {
        match self {
            ReportSink::New(path, file) => {
                let file = file.as_file_mut();
                file.set_len(0).and_then(|()| file.rewind()).map_err(|e| failed(path, &e))
            }
            ReportSink::Added(_, _, kept) => {
                kept.clear();
                Ok(())
            }
            ReportSink::Standard | ReportSink::Special(..) => Ok(()),
        }
    }

    /// Gives a file its name.
    ///
    /// # Errors
    /// [`ExitCode::Internal`] if that fails.
    pub(super) fn close(self) -> Result<(), RunError> {
        match self {
            ReportSink::Standard => Ok(()),
            ReportSink::Special(path, mut file) => file.flush().map_err(|e| failed(&path, &e)),
            ReportSink::Added(path, mut file, kept) => file.write_all(kept.as_bytes()).map_err(|e| failed(&path, &e)),
            ReportSink::New(path, file) => file.persist(&path).map(drop).map_err(|e| failed(&path, &e.error)),
        }
    }

    /// Writes a whole report.
    ///
    /// # Errors
    /// As [`ReportSink::write`] and [`ReportSink::close`].
    pub(super) fn put(mut self, text: &str) -> Result<(), RunError> {
        self.write(text)?;
        self.close()
    }
}

/// The text with nothing in it that acts, but for new lines and colours: names, cases and arguments that
/// people gave are shown as they are in many places, and pass here all together.
pub(super) fn harmless(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte == b'\n' || matches!(byte, b' '..=b'~')) {
        return Cow::Borrowed(text);
    }
    let mut kept = String::with_capacity(text.len());
    let mut rest = text.chars();
    while let Some(character) = rest.next() {
        let colour = || {
            let after = rest.as_str().strip_prefix('[').filter(|_| character == '\u{1b}')?;
            let end = after.find(|c: char| !c.is_ascii_digit() && c != ';')?;
            after[end..].starts_with('m').then_some(end + 2)
        };
        match character {
            '\n' => kept.push('\n'),
            _ if is_printable(character) => kept.push(character),
            _ => match colour() {
                Some(bytes) => {
                    kept.push(character);
                    kept.push_str(&rest.as_str()[..bytes]);
                    rest = rest.as_str()[bytes..].chars();
                }
                // As JSON has it, whose strings may be in the text.
                None => kept.extend(character.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}"))),
            },
        }
    }
    Cow::Owned(kept)
}

fn failed(path: &Path, error: &io::Error) -> RunError {
    RunError::new(ExitCode::Internal, format!("{} cannot be written: {error}", path.display()))
}

/// Prints to standard output.
///
/// # Errors
/// [`ExitCode::Internal`] if that fails. A reader that has gone away is no error.
pub(super) fn print(text: &str) -> Result<(), RunError> {
    let (mut out, text) = (anstream::stdout(), harmless(text));
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        Err(e) if e.kind() != io::ErrorKind::BrokenPipe => {
            Err(RunError::new(ExitCode::Internal, format!("standard output cannot be written: {e}")))
        }
        _ => Ok(()),
    }
}

/// Says on standard error what is wrong, as far as that can be done.
pub(super) fn complain_of(message: &str) {
    let text = harmless(message.trim_end());
    let prefix = if text.starts_with("error") || text.starts_with('\u{1b}') { "" } else { "error: " };
    let _ = anstream::stderr().write_all(format!("{prefix}{text}\n").as_bytes());
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn colours_stay_and_nothing_else_acts() {
        let table = "\u{1b}[1;31mFAIL\u{1b}[0m in-place\n";
        assert_eq!(harmless(table), table);
        assert_eq!(
            harmless("\u{1b}[2J\u{1b}]0;title\u{7}\r\u{202e}"),
            "\\u001b[2J\\u001b]0;title\\u0007\\u000d\\u202e"
        );
        assert_eq!(harmless("\u{1b}"), "\\u001b");
        assert_eq!(harmless("\u{1b}[31"), "\\u001b[31");
    }
}
