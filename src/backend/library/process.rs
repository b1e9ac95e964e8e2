//! The worker as a child process: started, spoken to, buried.

use std::io::{BufReader, Read};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use super::protocol::{Reply, Request, read_frame, write_frame};
use super::shared::SharedMemory;
use crate::backend::{Death, End};

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

/// What a worker is started with.
#[derive(Clone)]
pub(super) struct Launch {
    /// The library as the user named it.
    pub(super) shown: String,
    /// Where it lies.
    pub(super) path: PathBuf,
    /// How it is run.
    pub(super) options: LibraryOptions,
}

/// A running worker process.
pub(super) struct Worker {
    child: Child,
    input: Option<ChildStdin>,
    replies: Receiver<Reply>,
    printed: Arc<Mutex<Vec<u8>>>,
    /// Reads what it prints, until nobody can print any more.
    reader: JoinHandle<()>,
}

/// A worker whose library is open, and what the library says.
pub(super) struct StartedWorker {
    /// The process.
    pub(super) worker: Worker,
    /// The manifest, as text.
    pub(super) manifest: String,
    /// Names of the levels whose functions are exported.
    pub(super) exports: Vec<String>,
    /// Floating-point control words before and after loading.
    pub(super) float: Option<[u64; 2]>,
    /// The device whose memory calls point to, if there is one: its name, where the library says it.
    pub(super) device: Option<Option<String>>,
}

/// Why a request has no answer.
pub(super) enum Silence {
    /// None came in time.
    TimedOut(Duration),
    /// The process ended: how, and the last it printed.
    Died(Death),
}

/// How much of what a library prints is kept for the report.
const KEPT_BYTES: usize = 2048;

impl Worker {
    /// Starts a worker and waits until the library is open.
    pub(super) fn start(launch: &Launch, memory: &SharedMemory) -> Result<StartedWorker, String> {
        let options = &launch.options;
        let mut child = Command::new(&options.worker)
            .arg(WORKER_COMMAND)
            .arg("--arena")
            .arg(memory.descriptor().to_string())
            .arg("--library")
            .arg(&launch.path)
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
        let reader = std::thread::spawn(move || {
            let mut chunk = [0u8; 1024];
            while let Ok(n @ 1..) = errors.read(&mut chunk) {
                if let Ok(mut kept) = kept.lock() {
                    kept.extend_from_slice(&chunk[..n]);
                    let extra = kept.len().saturating_sub(KEPT_BYTES);
                    kept.drain(..extra);
                }
            }
        });
        let mut worker = Worker { child, input, replies, printed, reader };
        match worker.replies.recv_timeout(options.start_timeout) {
            Ok(Reply::Open { manifest, exports, float, device }) => {
                Ok(StartedWorker { worker, manifest, exports, float, device })
            }
            Ok(Reply::Refused { why }) => Err(worker.with_last_words(why)),
            Ok(Reply::Done { .. } | Reply::Reserved { .. } | Reply::Timed { .. }) => {
                Err("the worker broke the protocol".into())
            }
            Ok(Reply::BadAccess { .. }) | Err(RecvTimeoutError::Disconnected) => {
                Err(format!("it died while it was loaded, described or opened: {}", worker.epitaph()))
            }
            Err(RecvTimeoutError::Timeout) => {
                let _ = worker.child.kill();
                let why = format!("it did not load and open within {:?} (--start-timeout)", options.start_timeout);
                Err(worker.with_last_words(why))
            }
        }
    }

    /// Sends a request and waits for the answer. After a silence the worker is of no more use. `on_fault` is told of a touch of
    /// forbidden memory, of which the process then dies.
    pub(super) fn ask(
        &mut self,
        request: &Request,
        timeout: Duration,
        mut on_fault: impl FnMut(i64, Option<bool>),
    ) -> Result<Reply, Silence> {
        let sent = self.input.as_mut().is_some_and(|input| write_frame(input, request).is_ok());
        if !sent {
            return Err(Silence::Died(self.epitaph()));
        }
        let mut reply = self.replies.recv_timeout(timeout);
        if let Ok(Reply::BadAccess { offset, write }) = reply {
            on_fault(offset, write);
            reply = self.replies.recv_timeout(timeout);
        }
        reply.map_err(|e| match e {
            RecvTimeoutError::Timeout => Silence::TimedOut(timeout),
            RecvTimeoutError::Disconnected => Silence::Died(self.epitaph()),
        })
    }

    /// How the process ended, and the last it printed.
    fn epitaph(&mut self) -> Death {
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
        let end = match status {
            Ok(status) => match (status.signal(), status.code()) {
                (Some(number), _) => End::Signal { number },
                (None, Some(status)) => End::Exit { status },
                (None, None) => End::Unknown { why: status.to_string() },
            },
            Err(e) => End::Unknown { why: e.to_string() },
        };
        Death { end, printed: self.last_words() }
    }

    /// The last that a process printed which prints no more.
    fn last_words(&self) -> String {
        // A process that the library started, and that lives on, may hold the pipe open.
        let limit = Instant::now() + Duration::from_millis(100);
        while !self.reader.is_finished() && Instant::now() < limit {
            std::thread::sleep(Duration::from_millis(1));
        }
        self.printed.lock().map(|p| String::from_utf8_lossy(&p).trim().to_owned()).unwrap_or_default()
    }

    /// An error of a start, and the last that the process printed.
    fn with_last_words(&self, why: String) -> String {
        let printed = self.last_words();
        if printed.is_empty() { why } else { format!("{why}; it printed: {printed}") }
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        self.input = None;
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
