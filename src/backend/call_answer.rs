//! How a call ended.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

use super::foreign_text::ForeignText;
use super::start_error::StartError;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The backend says that it did the work.
    Ok,
    /// The backend says that it cannot do this.
    Unsupported(ForeignText),
    /// The backend says that the call makes no sense.
    BadArgument(ForeignText),
    /// The backend reports some other failure, or returned a status that the ABI does not have.
    Internal(ForeignText),
    /// The backend died.
    Died(Death),
    /// The backend did not answer in time.
    TimedOut(Hang),
    /// The machine, ropecheck or the user kept the call from being made; nothing follows about the backend.
    NotMade(StartError),
}

/// How long a backend was waited for, and what it did meanwhile.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hang {
    /// The time that it had.
    pub limit: Duration,
    /// What it was seen doing when that was over.
    pub doing: Doing,
    /// Whether it hung again in a fresh process, where that was tried.
    pub again: Option<bool>,
}

/// What a process that does not answer is seen doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Doing {
    /// It computes.
    Computing,
    /// It sleeps: it waits for something.
    Waiting,
    /// It would compute, but the machine gives it no time.
    Starved,
    /// The system does not say.
    #[default]
    Unknown,
}

impl fmt::Display for Doing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Doing::Computing => "it is computing",
            Doing::Waiting => "it is waiting for something",
            Doing::Starved => "the machine gives it no time",
            Doing::Unknown => "what it does is not known",
        })
    }
}

/// How a backend's process ended, and the last that it printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Death {
    /// How it ended.
    pub end: End,
    /// The end of what it wrote to standard error.
    #[serde(skip_serializing_if = "ForeignText::is_empty")]
    pub printed: ForeignText,
}

impl Death {
    /// Whether something outside of the backend may have ended it, such as a machine without memory.
    #[must_use]
    pub fn may_come_from_outside(&self) -> bool {
        matches!(self.end, End::Signal { number: 9 | 15 })
    }
}

/// How a process ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum End {
    /// By a signal.
    Signal {
        /// Its number.
        number: i32,
    },
    /// By itself.
    Exit {
        /// Its exit status.
        status: i32,
    },
    /// It is not known how.
    Unknown {
        /// What the system says.
        why: String,
    },
    /// It said something that is no answer to what it was asked, and was ended.
    BrokeProtocol {
        /// What it said.
        why: ForeignText,
    },
}

impl fmt::Display for End {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            End::Signal { number } => match signal_name(*number) {
                Some(name) => write!(f, "signal {number} ({name})"),
                None => write!(f, "signal {number}"),
            },
            End::Exit { status } => write!(f, "exit status {status}"),
            End::Unknown { why } => write!(f, "an unknown end ({why})"),
            End::BrokeProtocol { why } => write!(f, "it broke the protocol: {why}"),
        }
    }
}

impl fmt::Display for Death {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.printed.as_str() {
            "" => self.end.fmt(f),
            printed => write!(f, "{}; it printed: {printed}", self.end),
        }
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let with = |f: &mut fmt::Formatter<'_>, what: &str, text: &ForeignText| {
            if text.is_empty() { f.write_str(what) } else { write!(f, "{what}: {text}") }
        };
        match self {
            Answer::Ok => f.write_str("OK"),
            Answer::Unsupported(text) => with(f, "returned UNSUPPORTED for a call inside its manifest", text),
            Answer::BadArgument(text) => with(f, "returned BAD_ARGUMENT for a call inside its manifest", text),
            Answer::Internal(text) => with(f, "returned INTERNAL", text),
            Answer::Died(death) => write!(f, "the backend died: {death}"),
            Answer::TimedOut(hang) => write!(f, "the backend hung: no answer within {:?}; {}", hang.limit, hang.doing),
            Answer::NotMade(why) => write!(f, "the call was not made: {why}"),
        }
    }
}

fn signal_name(signal: i32) -> Option<&'static str> {
    Some(match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return None,
    })
}
