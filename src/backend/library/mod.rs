//! A shared library behind the C ABI (`include/ropecheck.h`), run in a worker process: a crash or a hang is a failing case,
//! and expected values never lie in memory that the worker can map.

mod answer;
mod c_call;
mod ffi;
pub(super) mod float_control;
mod guard;
mod loaded;
mod protocol;
mod shared;
mod worker;

use std::io::{BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[doc(hidden)]
pub use answer::{answers, through_a_frame};
pub use ffi::ABI_VERSION;
pub use worker::run as run_worker;

use super::float_environment::{FloatControl, FloatEnvironment};
use super::{Backend, BackendFactory, Call, Fault, Manifest, Outcome, StartError};
use protocol::{Reply, Request, read_frame, write_frame};
use shared::SharedMemory;

/// The hidden command by which the binary becomes a worker.
pub const WORKER_COMMAND: &str = "worker";

/// How a library is run.
#[derive(Debug, Clone)]
pub struct LibraryOptions {
    /// The `ropecheck` binary, which is its own worker.
    pub worker: PathBuf,
    /// How long loading and opening may take.
    pub start_timeout: Duration,
    /// How long one call may take.
    pub timeout: Duration,
}

/// Starts workers for one library.
pub struct LibraryFactory {
    shown: String,
    path: PathBuf,
    options: LibraryOptions,
}

impl LibraryFactory {
    /// For the library at `path`. Nothing is started yet.
    #[must_use]
    pub fn new(path: &Path, options: LibraryOptions) -> Self {
        let shown = path.display().to_string();
        // A bare file name would be looked up in the system's library folders.
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        LibraryFactory { shown, path, options }
    }
}

impl BackendFactory for LibraryFactory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        let refuse = |why: String| StartError { what: self.shown.clone(), why };
        let memory = SharedMemory::new().map_err(|e| refuse(format!("no shared memory: {e}")))?;
        let (worker, manifest, exports, load) = Worker::start(self, &memory).map_err(refuse)?;
        let manifest = answer::accepted(&manifest, &exports).map_err(refuse)?;
        Ok(Box::new(LibraryBackend {
            factory: LibraryFactory {
                shown: self.shown.clone(),
                path: self.path.clone(),
                options: self.options.clone(),
            },
            manifest,
            memory,
            worker: Some(worker),
            bytes: 0,
            guards: Vec::new(),
            fault: None,
            load,
            last: None,
        }))
    }

    fn name(&self) -> &str {
        &self.shown
    }
}

/// A library in its worker. After a crash or a hang the next call starts a fresh worker.
struct LibraryBackend {
    factory: LibraryFactory,
    manifest: Manifest,
    memory: SharedMemory,
    worker: Option<Worker>,
    bytes: usize,
    guards: Vec<(usize, usize)>,
    fault: Option<Fault>,
    /// Floating-point control words before and after loading, and around the last call.
    load: Option<[u64; 2]>,
    last: Option<[u64; 2]>,
}

impl Backend for LibraryBackend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.bytes = bytes;
        self.memory.at_least(bytes).map_err(|e| StartError {
            what: self.factory.shown.clone(),
            why: format!("no shared memory of {bytes} bytes: {e}"),
        })
    }

    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.bytes = bytes;
        self.memory.sparse(bytes).map_err(|e| StartError {
            what: self.factory.shown.clone(),
            why: format!("no sparse memory of {bytes} bytes: {e}"),
        })
    }

    fn has_guards(&self) -> bool {
        true
    }

    fn guard(&mut self, ranges: &[Range<usize>]) {
        self.guards = ranges.iter().map(|r| (r.start, r.end)).collect();
    }

    fn fault(&self) -> Option<Fault> {
        self.fault
    }

    fn call(&mut self, call: &Call) -> Outcome {
        self.fault = None;
        if self.worker.is_none() {
            match Worker::start(&self.factory, &self.memory) {
                Ok((worker, ..)) => self.worker = Some(worker),
                Err(why) => return Outcome::Died(format!("and could not be started again: {why}")),
            }
        }
        let Some(worker) = self.worker.as_mut() else { return Outcome::Died(String::new()) };
        let sent = match worker.input.as_mut() {
            Some(input) => {
                let guards = self.guards.clone();
                write_frame(input, &Request::Call { bytes: self.bytes, guards, call: Box::new(call.clone()) }).is_ok()
            }
            None => false,
        };
        let reply = if sent {
            match worker.replies.recv_timeout(self.factory.options.timeout) {
                Ok(Reply::Fault { offset, write }) => {
                    self.fault = Some(Fault { offset, write });
                    worker.replies.recv_timeout(self.factory.options.timeout)
                }
                other => other,
            }
        } else {
            Err(RecvTimeoutError::Disconnected)
        };
        match reply {
            Ok(reply) => {
                let (outcome, float) = answer::settled(reply);
                match float {
                    Some(float) => self.last = float,
                    None => self.worker = None,
                }
                outcome
            }
            Err(RecvTimeoutError::Timeout) => {
                self.worker = None;
                Outcome::TimedOut(format!("no answer within {:?}", self.factory.options.timeout))
            }
            Err(RecvTimeoutError::Disconnected) => {
                let epitaph = worker.epitaph();
                self.worker = None;
                Outcome::Died(epitaph)
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

    fn isolated(&self) -> bool {
        true
    }
}

/// A running worker process.
struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    replies: Receiver<Reply>,
    printed: Arc<Mutex<Vec<u8>>>,
}

/// A worker, the manifest, the exported levels, and the floating-point control words before and after loading.
type Started = (Worker, String, Vec<String>, Option<[u64; 2]>);

/// How much of what a library prints is kept for the report.
const KEPT_BYTES: usize = 2048;

impl Worker {
    /// Starts a worker and waits until the library is open: worker, manifest, exported levels, control words.
    fn start(factory: &LibraryFactory, memory: &SharedMemory) -> Result<Started, String> {
        let options = &factory.options;
        let mut child = Command::new(&options.worker)
            .arg(WORKER_COMMAND)
            .arg("--arena")
            .arg(memory.descriptor().to_string())
            .arg("--library")
            .arg(&factory.path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|e| format!("the worker {} could not be started: {e}", options.worker.display()))?;
        let input = child.stdin.take();
        let (Some(output), Some(mut errors)) = (child.stdout.take(), child.stderr.take()) else {
            return Err("the worker has no pipes".into());
        };
        let (sender, replies) = sync_channel(4);
        std::thread::spawn(move || {
            let mut output = BufReader::new(output);
            while let Ok(Some(reply)) = read_frame(&mut output) {
                if sender.send(reply).is_err() {
                    break;
                }
            }
        });
        let printed = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&printed);
        std::thread::spawn(move || {
            let mut chunk = [0u8; 1024];
            while let Ok(n @ 1..) = errors.read(&mut chunk) {
                if let Ok(mut kept) = kept.lock() {
                    kept.extend_from_slice(&chunk[..n]);
                    let extra = kept.len().saturating_sub(KEPT_BYTES);
                    kept.drain(..extra);
                }
            }
        });
        let mut worker = Worker { child, input, replies, printed };
        match worker.replies.recv_timeout(options.start_timeout) {
            Ok(Reply::Open { manifest, exports, float }) => Ok((worker, manifest, exports, float)),
            Ok(Reply::Refused { why }) => Err(why),
            Ok(Reply::Done { .. }) => Err("the worker broke the protocol".into()),
            Ok(Reply::Fault { .. }) => Err(format!("it died while loading: {}", worker.epitaph())),
            Err(RecvTimeoutError::Timeout) => {
                Err(format!("it did not load and open within {:?} (--start-timeout)", options.start_timeout))
            }
            Err(RecvTimeoutError::Disconnected) => Err(format!("it died while loading: {}", worker.epitaph())),
        }
    }

    /// How the process ended, and the last it printed.
    fn epitaph(&mut self) -> String {
        use std::os::unix::process::ExitStatusExt;
        self.input = None;
        // The pipe is closed, so the process is ending or has ended; kill covers a library that closed its descriptors.
        std::thread::sleep(Duration::from_millis(2));
        let status = match self.child.try_wait() {
            Ok(Some(status)) => Ok(status),
            _ => {
                std::thread::sleep(Duration::from_millis(50));
                let _ = self.child.kill();
                self.child.wait()
            }
        };
        let how = match status {
            Ok(status) => match (status.signal(), status.code()) {
                (Some(signal), _) => signal_name(signal),
                (None, Some(code)) => format!("exit status {code}"),
                (None, None) => "an unknown end".into(),
            },
            Err(e) => format!("an unknown end ({e})"),
        };
        let printed = self.printed.lock().map(|p| String::from_utf8_lossy(&p).trim().to_owned()).unwrap_or_default();
        if printed.is_empty() { how } else { format!("{how}; it printed: {printed}") }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn signal_name(signal: i32) -> String {
    let name = match signal {
        4 => "SIGILL",
        6 => "SIGABRT",
        7 => "SIGBUS",
        8 => "SIGFPE",
        9 => "SIGKILL",
        11 => "SIGSEGV",
        15 => "SIGTERM",
        _ => return format!("signal {signal}"),
    };
    format!("signal {signal} ({name})")
}
