//! A program as a backend: each call a request, and a fresh process after one that did not end well.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::answer;
use super::arena_memory::ArenaMemory;
use super::cage;
use super::channel::{Channel, Silence};
use super::held_file::HeldFile;
use super::launch::{Launch, Running};
use super::protocol::{CallRequest, Reply, Request};
use super::wire::WireCall;
use crate::backend::float_environment::{FloatControl, FloatEnvironment};
use crate::backend::timing::{Timed, Timing};
use crate::backend::{Answer, Backend, BadAccess, Cage, Call, Manifest, StartError, StartErrorKind};

/// A program. After a crash or a hang the next call meets a fresh one, with fresh memory.
pub(super) struct ProgramBackend {
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
    /// A program that runs, of this manifest.
    pub(super) fn new(launch: Arc<Launch>, manifest: Manifest, running: Running) -> ProgramBackend {
        let Running { channel, memory, said: _, id } = running;
        ProgramBackend {
            launch,
            manifest,
            channel: Some(channel),
            memory,
            id,
            bytes: 0,
            sparse: false,
            guards: Vec::new(),
            fault: None,
            last: None,
        }
    }

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

    fn processor_time(&self) -> Option<Duration> {
        self.channel.as_ref()?.processor_time()
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
