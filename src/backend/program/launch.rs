//! How a program is started: again and again in a run, and each time it must say of itself what it said at first.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::answer::{Introduction, introduced};
use super::arena_memory::ArenaMemory;
use super::channel::{Channel, ProgramOptions, Silence};
use super::held_file::HeldFile;
use super::protocol::Reply;
use crate::backend::{ForeignText, StartError, StartErrorKind};

/// Starts that may fail in a run after one that did not.
const MOST_FAILED_STARTS: usize = 4;

/// What is started.
#[derive(Debug, Clone)]
pub enum Target {
    /// A shared library behind the C ABI.
    Library(PathBuf),
    /// A program and its arguments.
    Program(Vec<OsString>),
    /// A function in Python, behind the package `ropecheck` of that Python.
    Python {
        /// The interpreter.
        python: OsString,
        /// `port.py`, `port.py:name` or `package.module:name`.
        port: String,
    },
}

/// How a program is started, and what became of it so far.
pub(super) struct Launch {
    /// As the user named it.
    pub(super) shown: String,
    pub(super) target: Target,
    pub(super) options: ProgramOptions,
    /// The library as it was at first.
    pub(super) held: OnceLock<HeldFile>,
    /// What the first one said of itself.
    pub(super) first: OnceLock<Introduction>,
    pub(super) failed: AtomicUsize,
}

/// A program that said hello.
pub(super) struct Running {
    pub(super) channel: Channel,
    pub(super) memory: ArenaMemory,
    pub(super) said: Introduction,
    /// Numbers of requests begin after this.
    pub(super) id: u64,
}

impl Launch {
    pub(super) fn error(&self, kind: StartErrorKind, why: impl Into<String>) -> StartError {
        StartError::new(kind, &self.shown, why)
    }

    /// Starts the program. What it says of itself must be what it said at first.
    pub(super) fn start(&self) -> Result<Running, StartError> {
        let machine = |why: String| self.error(StartErrorKind::Machine, why);
        if self.failed.load(Ordering::Relaxed) >= MOST_FAILED_STARTS {
            return Err(machine(format!("it could not be started again {MOST_FAILED_STARTS} times")));
        }
        let memory = ArenaMemory::new().map_err(|e| machine(format!("no shared memory: {e}")))?;
        let arguments = match &self.target {
            Target::Library(path) => {
                let held = match self.held.get() {
                    Some(held) => held,
                    None => match HeldFile::read(path) {
                        Ok(held) => self.held.get_or_init(|| held),
                        Err(e) => return Err(self.error(StartErrorKind::Backend, unreadable(path, &e))),
                    },
                };
                vec!["--library".into(), held.path().map_err(machine)?.into_os_string()]
            }
            Target::Program(words) => std::iter::once("--program".into()).chain(words.iter().cloned()).collect(),
            Target::Python { python, port } => {
                let words = ["-u".into(), "-m".into(), "ropecheck".into(), "serve".into(), port.into()];
                ["--program".into(), python.clone()].into_iter().chain(words).collect()
            }
        };
        let channel = Channel::start(&self.options, &arguments, &memory.path());
        let mut channel = channel.map_err(|e| machine(format!("no process could be started: {e}")))?;
        let said = match channel.hello(self.options.start_timeout) {
            Ok(Reply::Hello(hello)) => introduced(*hello).map_err(|why| (why, StartErrorKind::Backend)),
            Ok(Reply::Refused { why }) => {
                channel.ends();
                Err((with_words(ForeignText::from(why).to_string(), &mut channel), StartErrorKind::Backend))
            }
            Ok(_) => Err(("its first line is no hello".into(), StartErrorKind::Backend)),
            Err(Silence::Died(death)) => {
                Err((format!("it died while it was loaded, described or opened: {death}"), StartErrorKind::Backend))
            }
            Err(Silence::TimedOut(hang)) => {
                let why = format!("it did not load and open within {:?} (--start-timeout); {}", hang.limit, hang.doing);
                Err((with_words(why, &mut channel), StartErrorKind::Backend))
            }
            Err(Silence::Interrupted) => return Err(self.error(StartErrorKind::Interrupted, "interrupted")),
            Err(Silence::Machine(why)) => return Err(machine(why)),
        };
        let said = match (said, self.first.get()) {
            (Ok(said), None) => self.first.get_or_init(|| said).clone(),
            (Ok(said), Some(first)) if said.is_as(first) => said,
            (Ok(_), Some(_)) => {
                let why = "its manifest changes: started again, it says something else of itself than at first";
                return Err(self.error(StartErrorKind::Changed, why));
            }
            (Err((why, kind)), None) => {
                let missing = matches!(self.target, Target::Python { .. }) && why.contains("No module named ropecheck");
                let hint = if missing { "; `pip install .` in a checkout of ropecheck puts it there" } else { "" };
                return Err(self.error(kind, format!("{why}{hint}")));
            }
            (Err((why, _)), Some(_)) => {
                self.failed.fetch_add(1, Ordering::Relaxed);
                return Err(machine(format!("it started before, and now it does not: {why}")));
            }
        };
        // Numbers that nobody guesses who has not read the request.
        let id = std::collections::hash_map::RandomState::new();
        let id = std::hash::BuildHasher::hash_one(&id, self.failed.load(Ordering::Relaxed)) >> 32;
        Ok(Running { channel, memory, said, id })
    }
}

fn unreadable(path: &Path, error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "there is no such file".into(),
        _ if path.is_dir() => "this is a folder, not a shared library".into(),
        _ => format!("it cannot be read: {error}"),
    }
}

fn with_words(why: String, channel: &mut Channel) -> String {
    match channel.last_words() {
        printed if printed.is_empty() => why,
        printed => format!("{why}; it printed: {printed}"),
    }
}
