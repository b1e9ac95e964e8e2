//! Why there is no backend to call.

/// Why a backend could not be started, or has no memory for a call.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what}: {why}")]
pub struct StartError {
    /// Who is to blame.
    pub kind: StartErrorKind,
    /// What was to be started, as the user named it.
    pub what: String,
    /// Why it was not.
    pub why: String,
}

/// Who is to blame for a backend that did not start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StartErrorKind {
    /// The backend: it cannot be loaded, or what it says of itself makes no sense.
    Backend,
    /// The backend: started again, it says something else of itself than at first. Nothing of the run can be
    /// believed.
    Changed,
    /// The machine or ropecheck: no memory, no process, or a backend that started before and now does not.
    Machine,
    /// The backend has no such memory, which it need not have.
    NotOffered,
    /// Nobody: the user wants the run to end.
    Interrupted,
}

impl StartError {
    /// An error of what the user named `what`.
    pub fn new(kind: StartErrorKind, what: impl Into<String>, why: impl Into<String>) -> StartError {
        StartError { kind, what: what.into(), why: why.into() }
    }
}
