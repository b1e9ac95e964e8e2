//! How a call ended.

use std::fmt;
use std::time::Duration;

use schemars::JsonSchema;
use serde::Serialize;

/// How a call ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The backend says that it did the work.
    Ok,
    /// The backend says that it cannot do this.
    Unsupported(String),
    /// The backend says that the call makes no sense.
    BadArgument(String),
    /// The backend reports some other failure, or returned a status that the ABI does not have.
    Internal(String),
    /// The backend died.
    Died(Death),
    /// The backend did not answer within this time.
    TimedOut(Duration),
}

/// How a backend's process ended, and the last that it printed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Death {
    /// How it ended.
    pub end: End,
    /// The end of what it wrote to standard error.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub printed: String,
}

impl Death {
    /// A backend that answered something which is no answer.
    pub const BROKE_PROTOCOL: Death = Death { end: End::BrokeProtocol, printed: String::new() };
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
    /// It answered something that is no answer, and was ended.
    BrokeProtocol,
    /// It had ended before, and could not be started again.
    NotRestarted {
        /// Why not.
        why: String,
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
            End::BrokeProtocol => f.write_str("its worker broke the protocol"),
            End::NotRestarted { why } => write!(f, "it could not be started again: {why}"),
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
        let with = |f: &mut fmt::Formatter<'_>, what: &str, text: &str| {
            if text.is_empty() { f.write_str(what) } else { write!(f, "{what}: {text}") }
        };
        match self {
            Answer::Ok => f.write_str("OK"),
            Answer::Unsupported(text) => with(f, "returned UNSUPPORTED for a call inside its manifest", text),
            Answer::BadArgument(text) => with(f, "returned BAD_ARGUMENT for a call inside its manifest", text),
            Answer::Internal(text) => with(f, "returned INTERNAL", text),
            Answer::Died(death) => write!(f, "the backend died: {death}"),
            Answer::TimedOut(limit) => write!(f, "the backend hung: no answer within {limit:?}"),
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
