//! Exit codes of the program, and errors that call for one.

use schemars::JsonSchema;

use crate::backend::{StartError, StartErrorKind};

/// Exit codes of the program: documented, stable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, JsonSchema)]
#[repr(u8)]
pub enum ExitCode {
    /// Everything that was judged holds.
    Conformant = 0,
    /// Something does not hold, or a case crashed or hung.
    Nonconformant = 1,
    /// The command line makes no sense.
    Usage = 2,
    /// A spec, a parameter or a configuration is invalid or missing.
    Spec = 3,
    /// Nothing ran, nothing could be judged, nothing was proved of a group, or a requirement was not met.
    NothingRan = 4,
    /// A control failed: the suite's own verdicts cannot be believed.
    ControlFailed = 5,
    /// The backend could not be started, or died in every case.
    NotStarted = 6,
    /// Part of the run could not be run, and what was run did not fail: no memory, no process, a file that is
    /// gone.
    NotRun = 71,
    /// A defect of ropecheck.
    #[default]
    Internal = 70,
    /// Interrupted; the report is partial.
    Interrupted = 130,
}

impl serde::Serialize for ExitCode {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(*self as u8)
    }
}

/// Why a run did not come to a verdict of its own.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct RunError {
    /// The exit code that it calls for.
    pub code: ExitCode,
    /// What is wrong, for people.
    pub message: String,
}

impl RunError {
    /// An error with an exit code.
    pub fn new(code: ExitCode, message: impl std::fmt::Display) -> RunError {
        RunError { code, message: message.to_string() }
    }

    /// A command line that makes no sense.
    pub fn usage(message: impl std::fmt::Display) -> RunError {
        RunError::new(ExitCode::Usage, message)
    }
}

impl From<StartError> for RunError {
    fn from(error: StartError) -> RunError {
        let code = match error.kind {
            StartErrorKind::Backend | StartErrorKind::Changed => ExitCode::NotStarted,
            StartErrorKind::Machine | StartErrorKind::NotOffered => ExitCode::NotRun,
            StartErrorKind::Interrupted => ExitCode::Interrupted,
        };
        RunError::new(code, error)
    }
}
