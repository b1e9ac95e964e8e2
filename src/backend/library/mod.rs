//! A shared library behind the C ABI (`include/ropecheck.h`), run in a worker process: a crash or a hang is a failing case,
//! and expected values never lie in memory that the worker can map.

mod answer;
mod c_call;
mod device;
mod device_arena;
mod ffi;
pub(super) mod float_control;
mod guard;
mod loaded;
mod process;
mod protocol;
mod shared;
mod timing;
mod worker;

use std::ops::Range;
use std::path::Path;
use std::time::Duration;

#[doc(hidden)]
pub use answer::{answers, through_a_frame};
pub use ffi::ABI_VERSION;
pub use process::{LibraryOptions, WORKER_COMMAND};
pub use worker::run as run_worker;

use super::float_environment::{FloatControl, FloatEnvironment};
use super::timing::{Timed, Timing};
use super::{Answer, Backend, BackendFactory, BadAccess, Call, Death, End, Manifest, StartError, Vocabulary};
use process::{Launch, Silence, StartedWorker, Worker};
use protocol::{Reply, Request};
use shared::SharedMemory;

/// Starts workers for one library.
pub struct LibraryFactory<'a> {
    launch: Launch,
    names: Vocabulary<'a>,
}

impl<'a> LibraryFactory<'a> {
    /// For the library at `path`, whose manifest may use these names. Nothing is started yet.
    #[must_use]
    pub fn new(path: &Path, options: LibraryOptions, names: Vocabulary<'a>) -> Self {
        let shown = path.display().to_string();
        // A bare file name would be looked up in the system's library folders.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        LibraryFactory { launch: Launch { shown, path, options }, names }
    }
}

impl BackendFactory for LibraryFactory<'_> {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let refuse = |why: String| StartError { what: self.launch.shown.clone(), why };
        let memory = SharedMemory::new().map_err(|e| refuse(format!("no shared memory: {e}")))?;
        let StartedWorker { worker, manifest, exports, float, device } =
            Worker::start(&self.launch, &memory).map_err(refuse)?;
        let manifest = answer::accepted(&manifest, &exports, self.names).map_err(refuse)?;
        Ok(Box::new(LibraryBackend {
            launch: self.launch.clone(),
            manifest,
            memory,
            worker: Some(worker),
            device,
            bytes: 0,
            sparse: false,
            guards: Vec::new(),
            fault: None,
            load: float,
            last: None,
        }))
    }

    fn name(&self) -> &str {
        &self.launch.shown
    }
}

/// A library in its worker. After a crash or a hang the next call starts a fresh worker.
struct LibraryBackend {
    launch: Launch,
    manifest: Manifest,
    memory: SharedMemory,
    worker: Option<Worker>,
    /// The device whose memory calls point to, and its name.
    device: Option<Option<String>>,
    bytes: usize,
    sparse: bool,
    guards: Vec<(usize, usize)>,
    fault: Option<BadAccess>,
    /// Floating-point control words before and after loading, and around the last call.
    load: Option<[u64; 2]>,
    last: Option<[u64; 2]>,
}

impl LibraryBackend {
    /// Sends a request to the worker, to a fresh one if the last is gone.
    fn ask(&mut self, request: &Request) -> Result<Reply, Answer> {
        self.ask_for(request, self.launch.options.timeout)
    }

    fn ask_for(&mut self, request: &Request, timeout: Duration) -> Result<Reply, Answer> {
        self.fault = None;
        let mut worker = match self.worker.take() {
            Some(worker) => worker,
            None => match Worker::start(&self.launch, &self.memory) {
                Ok(started) => started.worker,
                Err(why) => return Err(Answer::Died(Death { end: End::NotRestarted { why }, printed: String::new() })),
            },
        };
        let mut fault = None;
        let answer = worker.ask(request, timeout, |offset, write| {
            fault = Some(BadAccess { offset, write });
        });
        self.fault = fault;
        match answer {
            Ok(Reply::Open { .. } | Reply::Refused { .. } | Reply::BadAccess { .. }) => {
                Err(Answer::Died(Death::BROKE_PROTOCOL))
            }
            Ok(reply) => {
                // A worker whose device failed has ended.
                let ended = matches!(
                    reply,
                    Reply::Done { broken: true, .. }
                        | Reply::Timed { broken: true, .. }
                        | Reply::Reserved { missing: Some(_) }
                );
                self.worker = (!ended).then_some(worker);
                Ok(reply)
            }
            Err(Silence::TimedOut(limit)) => Err(Answer::TimedOut(limit)),
            Err(Silence::Died(epitaph)) => Err(Answer::Died(epitaph)),
        }
    }

    /// Device memory for the next call, where the library has a device.
    fn reserve(&mut self, bytes: usize, sparse: bool) -> Result<(), StartError> {
        (self.bytes, self.sparse) = (bytes, sparse);
        if self.device.is_none() {
            return Ok(());
        }
        let why = match self.ask(&Request::Reserve { bytes, sparse }) {
            Ok(Reply::Reserved { missing: None }) => return Ok(()),
            Ok(Reply::Reserved { missing: Some(why) }) => why,
            Ok(_) => "its worker broke the protocol".into(),
            Err(outcome) => outcome.to_string(),
        };
        Err(StartError {
            what: self.launch.shown.clone(),
            why: format!("no device memory for an arena of {bytes} bytes: {why}"),
        })
    }
}

impl Backend for LibraryBackend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.reserve(bytes, false)?;
        self.memory.at_least(bytes).map_err(|e| StartError {
            what: self.launch.shown.clone(),
            why: format!("no shared memory of {bytes} bytes: {e}"),
        })
    }

    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.reserve(bytes, true)?;
        self.memory.sparse(bytes).map_err(|e| StartError {
            what: self.launch.shown.clone(),
            why: format!("no sparse memory of {bytes} bytes: {e}"),
        })
    }

    fn has_guards(&self) -> bool {
        self.device.is_none()
    }

    fn device(&self) -> Option<&str> {
        self.device.as_ref().map(|name| name.as_deref().unwrap_or("without a name"))
    }

    fn guard(&mut self, ranges: &[Range<usize>]) {
        self.guards = ranges.iter().map(|r| (r.start, r.end)).collect();
    }

    fn fault(&self) -> Option<BadAccess> {
        self.fault
    }

    fn call(&mut self, call: &Call) -> Answer {
        let (bytes, sparse, guards) = (self.bytes, self.sparse, self.guards.clone());
        match self.ask(&Request::Call { bytes, guards, sparse, call: Box::new(call.clone()) }) {
            Ok(reply) => {
                let (outcome, float) = answer::settled(reply);
                match float {
                    Some(float) => self.last = float,
                    None => self.worker = None,
                }
                outcome
            }
            Err(outcome) => outcome,
        }
    }

    fn time(&mut self, call: &Call, timing: &Timing) -> Result<Timed, Answer> {
        let request = Request::Time { bytes: self.bytes, call: Box::new(call.clone()), timing: timing.clone() };
        // Two calls, three samples and as many copies at least, each of at most the time of a call; and what the samples may
        // take together.
        let limit = self.launch.options.timeout.saturating_mul(16);
        let limit = limit.saturating_add(Duration::try_from_secs_f64(4.0 * timing.seconds).unwrap_or_default());
        match self.ask_for(&request, limit)? {
            Reply::Timed { result, .. } => result.map_err(|(status, message)| answer::outcome(status, message)),
            _ => {
                self.worker = None;
                Err(Answer::Died(Death::BROKE_PROTOCOL))
            }
        }
    }

    fn memory(&self) -> &[u8] {
        self.memory.bytes()
    }

    fn float_environment(&self) -> Option<FloatEnvironment> {
        let words = |pair: [u64; 2]| pair.map(FloatControl);
        Some(FloatEnvironment { load: words(self.load?), call: words(self.last?) })
    }
}
