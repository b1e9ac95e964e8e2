//! A program that speaks the protocol of docs/protocol.md, or a worker that holds a shared library and speaks
//! it too: a crash or a hang is a failing case, and expected values never lie in memory that it can map.

mod answer;
mod arena_memory;
mod cage;
mod channel;
mod held_file;
pub(super) mod protocol;
pub(super) mod wire;

use std::ffi::OsString;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

#[doc(hidden)]
pub use answer::{answers, requests, through_a_line};
pub use cage::adopt_orphans;
pub use channel::{NEVER, ProgramOptions, WORKER_COMMAND};

use super::float_environment::{FloatControl, FloatEnvironment};
use super::timing::{Timed, Timing};
use super::{
    Answer, Backend, BackendFactory, BadAccess, Cage, Call, ForeignText, Manifest, StartError, StartErrorKind,
    Vocabulary,
};
use answer::{Introduction, introduced};
use arena_memory::ArenaMemory;
use channel::{Channel, Silence};
use held_file::HeldFile;
use protocol::{CallRequest, Reply, Request};
use wire::WireCall;

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

/// Starts programs of one kind.
pub struct ProgramFactory<'a> {
    launch: Arc<Launch>,
    names: Vocabulary<'a>,
}

/// How a program is started, and what became of it so far.
struct Launch {
    /// As the user named it.
    shown: String,
    target: Target,
    options: ProgramOptions,
    /// The library as it was at first.
    held: OnceLock<HeldFile>,
    /// What the first one said of itself.
    first: OnceLock<Introduction>,
    failed: AtomicUsize,
}

impl<'a> ProgramFactory<'a> {
    /// For a target, whose manifest may use these names. Nothing is started yet.
    #[must_use]
    pub fn new(target: Target, options: ProgramOptions, names: Vocabulary<'a>) -> Self {
        let (shown, target) = match target {
            // A bare file name would be looked up in the system's library folders.
            Target::Library(path) => {
                (path.display().to_string(), Target::Library(std::path::absolute(&path).unwrap_or(path)))
            }
            Target::Program(words) => {
                let shown: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
                (shown.join(" "), Target::Program(words))
            }
            Target::Python { python, port } => (port.clone(), Target::Python { python, port }),
        };
        let (held, first, failed) = (OnceLock::new(), OnceLock::new(), AtomicUsize::new(0));
        ProgramFactory { launch: Arc::new(Launch { shown, target, options, held, first, failed }), names }
    }

    /// For the library at `path`.
    #[must_use]
    pub fn library(path: &Path, options: ProgramOptions, names: Vocabulary<'a>) -> Self {
        ProgramFactory::new(Target::Library(path.to_owned()), options, names)
    }
}

impl BackendFactory for ProgramFactory<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let running = self.launch.start()?;
        let said = self.launch.first.get().unwrap_or(&running.said);
        let manifest = said.manifest(self.names).map_err(|why| self.launch.error(StartErrorKind::Backend, why))?;
        Ok(Box::new(ProgramBackend {
            launch: Arc::clone(&self.launch),
            manifest,
            channel: Some(running.channel),
            memory: running.memory,
            id: running.id,
            bytes: 0,
            sparse: false,
            guards: Vec::new(),
            fault: None,
            last: None,
        }))
    }

    fn name(&self) -> &str {
        &self.launch.shown
    }
}

/// A program that said hello.
struct Running {
    channel: Channel,
    memory: ArenaMemory,
    said: Introduction,
    /// Numbers of requests begin after this.
    id: u64,
}

impl Launch {
    fn error(&self, kind: StartErrorKind, why: impl Into<String>) -> StartError {
        StartError::new(kind, &self.shown, why)
    }

    /// Starts the program. What it says of itself must be what it said at first.
    fn start(&self) -> Result<Running, StartError> {
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

/// A program. After a crash or a hang the next call meets a fresh one, with fresh memory.
struct ProgramBackend {
    launch: Arc<Launch>,
    manifest: Manifest,
    /// The program that runs; none after it ended.
    channel: Option<Channel>,
    /// Its memory, which stays when it ends.
    memory: ArenaMemory,
    /// The number of the last request.
    id: u64,
    bytes: usize,
    sparse: bool,
    guards: Vec<(usize, usize)>,
    fault: Option<BadAccess>,
    /// Floating-point control words around the last call.
    last: Option<[u64; 2]>,
}

impl ProgramBackend {
    /// Starts a fresh program, with fresh memory, where none runs.
    fn start(&mut self) -> Result<(), StartError> {
        if self.channel.is_none() {
            let Running { channel, memory, said: _, id } = self.launch.start()?;
            (self.channel, self.memory, self.id) = (Some(channel), memory, id);
        }
        Ok(())
    }

    /// Asks the program; whatever is no reply to this request ends it.
    fn ask(&mut self, request: impl FnOnce(u64) -> Request, limit: Duration) -> Result<Reply, Answer> {
        self.fault = None;
        // A call is made over memory that was asked for, which starts a program.
        let gone = || Answer::NotMade(self.launch.error(StartErrorKind::Machine, "it is not running"));
        let mut channel = self.channel.take().ok_or_else(gone)?;
        self.id += 1;
        let mut reply = channel.ask(&request(self.id), limit);
        if let Ok(Reply::Fault { offset, write }) = reply {
            self.fault = Some(BadAccess { offset, write });
            reply = channel.next(limit);
        }
        let answers = |id: &u64| *id == self.id;
        let (right, ends) = match &reply {
            Ok(Reply::Answer(answered)) => (answers(&answered.id), answered.ends),
            Ok(Reply::Timed { id, ends, .. }) => (answers(id), *ends),
            Ok(Reply::Reserved { id, missing }) => (answers(id), missing.is_some()),
            Ok(Reply::Hello(_) | Reply::Refused { .. } | Reply::Fault { .. }) => (false, true),
            Err(_) => (true, true),
        };
        if !right {
            reply = Err(channel.broke("its reply is to something else than the last request"));
        }
        if right && !ends {
            self.channel = Some(channel);
        }
        reply.map_err(|silence| match silence {
            Silence::TimedOut(hang) => Answer::TimedOut(hang),
            Silence::Died(death) => Answer::Died(death),
            Silence::Interrupted => Answer::NotMade(self.launch.error(StartErrorKind::Interrupted, "interrupted")),
            Silence::Machine(why) => Answer::NotMade(self.launch.error(StartErrorKind::Machine, why)),
        })
    }

    /// Device memory for the next call, where the library has a device.
    fn reserve(&mut self, bytes: usize, sparse: bool) -> Result<&mut ArenaMemory, StartError> {
        (self.bytes, self.sparse) = (bytes, sparse);
        self.start()?;
        if self.device().is_some() {
            let request = |id| Request::Reserve { id, arena_bytes: bytes, sparse };
            let why = match self.ask(request, self.launch.options.timeout) {
                Ok(Reply::Reserved { missing: None, .. }) => None,
                Ok(Reply::Reserved { missing: Some(why), .. }) => Some(why),
                Ok(_) => Some("its worker broke the protocol".into()),
                Err(Answer::NotMade(error)) => return Err(error),
                Err(answer) => Some(answer.to_string()),
            };
            if let Some(why) = why {
                let why = format!("no device memory for an arena of {bytes} bytes: {why}");
                // Distances far beyond a device's memory are no call that it has to take.
                let kind = if sparse { StartErrorKind::NotOffered } else { StartErrorKind::Machine };
                return Err(self.launch.error(kind, why));
            }
        }
        self.start()?;
        Ok(&mut self.memory)
    }

    /// The program said something that is no reply to what it was asked.
    fn broke(&mut self) -> Answer {
        let why = "its reply is of another kind than the request";
        match self.channel.take().map(|mut channel| channel.broke(why)) {
            Some(Silence::Died(death)) => Answer::Died(death),
            _ => Answer::Internal(why.into()),
        }
    }
}

impl Backend for ProgramBackend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        let launch = Arc::clone(&self.launch);
        let memory = self.reserve(bytes, false)?;
        let none = |e| launch.error(StartErrorKind::Machine, format!("no shared memory of {bytes} bytes: {e}"));
        memory.at_least(bytes).map_err(none)
    }

    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        let launch = Arc::clone(&self.launch);
        let memory = self.reserve(bytes, true)?;
        let none = |e| launch.error(StartErrorKind::NotOffered, format!("no sparse memory of {bytes} bytes: {e}"));
        memory.sparse(bytes).map_err(none)
    }

    fn has_guards(&self) -> bool {
        self.launch.first.get().is_some_and(|said| said.guards && said.device.is_none())
    }

    fn device(&self) -> Option<&str> {
        let device = self.launch.first.get()?.device.as_ref()?;
        Some(device.name.as_deref().unwrap_or("without a name"))
    }

    fn digest(&self) -> Option<&str> {
        self.launch.held.get().map(|held| held.digest.as_str())
    }

    fn cage(&self) -> Option<Cage> {
        Some(Cage {
            own_session: true,
            orphans_ended: cage::adopts(),
            memory: self.launch.options.memory,
            guard_pages: self.has_guards(),
            library_copied: self.launch.held.get().is_some_and(HeldFile::is_copied),
        })
    }

    fn guard(&mut self, ranges: &[Range<usize>]) {
        self.guards = ranges.iter().map(|r| (r.start, r.end)).collect();
    }

    fn renew(&mut self) -> bool {
        self.channel = None;
        true
    }

    fn end(&mut self) -> Option<String> {
        let limit = self.launch.options.timeout;
        self.channel.take().and_then(|channel| channel.bye(&Request::Bye {}, limit))
    }

    fn fault(&self) -> Option<BadAccess> {
        self.fault
    }

    fn call(&mut self, call: &Call) -> Answer {
        let (arena_bytes, sparse, guards) = (self.bytes, self.sparse, self.guards.clone());
        let call = Box::new(WireCall::from(call));
        let request = |id| Request::Call(CallRequest { id, arena_bytes, guards, sparse, call });
        match self.ask(request, self.launch.options.timeout) {
            Ok(Reply::Answer(answered)) => {
                self.last = answered.float;
                answer::outcome(answered.status, answered.message)
            }
            Ok(_) => self.broke(),
            Err(answer) => answer,
        }
    }

    fn time(&mut self, call: &Call, timing: &Timing) -> Result<Timed, Answer> {
        let (arena_bytes, call) = (self.bytes, Box::new(WireCall::from(call)));
        let request = |id| Request::Time { id, arena_bytes, call, timing: timing.clone() };
        // Two calls, three samples and as many copies at least, each of at most the time of a call; and what
        // the samples may take together.
        let limit = self.launch.options.timeout.saturating_mul(16);
        let limit = limit.saturating_add(Duration::try_from_secs_f64(4.0 * timing.seconds).unwrap_or_default());
        match self.ask(request, limit)? {
            Reply::Timed { result, .. } => result.map_err(|(status, message)| answer::outcome(status, message)),
            _ => Err(self.broke()),
        }
    }

    fn memory(&self) -> &[u8] {
        self.memory.bytes()
    }

    fn float_environment(&self) -> Option<FloatEnvironment> {
        let words = |pair: [u64; 2]| pair.map(FloatControl);
        let load = self.launch.first.get()?.float?;
        Some(FloatEnvironment { load: words(load), call: words(self.last?) })
    }
}
