//! A running program: started, asked by numbers with one deadline for writing, waiting and reading, and
//! buried.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::PathBuf;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use super::cage;
use super::protocol::{ARENA_VARIABLE, MAX_LINE, Reply, line};
use crate::backend::{Death, Doing, End, ForeignText, Hang};

/// The hidden command by which the `ropecheck` binary becomes what is started.
pub const WORKER_COMMAND: &str = "worker";

/// How a program under test is run.
#[derive(Debug, Clone)]
pub struct ProgramOptions {
    /// The `ropecheck` binary, which starts programs and holds libraries.
    pub worker: PathBuf,
    /// How long starting, loading and opening may take.
    pub start_timeout: Duration,
    /// How long one call may take.
    pub timeout: Duration,
    /// Most bytes of memory of its own that a program may have; none: as many as the machine has.
    pub memory: Option<u64>,
    /// Set when the user wants the run to end.
    pub interrupted: &'static AtomicBool,
}

/// A flag that nobody sets.
pub static NEVER: AtomicBool = AtomicBool::new(false);

/// A program that runs.
pub(super) struct Channel {
    child: Child,
    input: Option<ChildStdin>,
    output: ChildStdout,
    errors: Option<ChildStderr>,
    /// Tells that the process ended, whoever else holds its pipes.
    process: Option<OwnedFd>,
    /// What it wrote and nobody looked at yet.
    unread: Vec<u8>,
    /// The end of what it printed.
    printed: Vec<u8>,
    interrupted: &'static AtomicBool,
}

/// Why a request has no answer.
pub(super) enum Silence {
    /// None came in time.
    TimedOut(Hang),
    /// The process ended, or said something that is no answer.
    Died(Death),
    /// The user wants the run to end.
    Interrupted,
    /// The machine did not do its part.
    Machine(String),
}

/// How much of what a program prints is kept for the report.
const KEPT_BYTES: usize = 2048;
/// How often the user is listened to while a program is waited for.
const TICK: Duration = Duration::from_millis(100);
/// How long a process that closed its output may take to end.
const LAST_MOMENTS: Duration = Duration::from_millis(500);

impl Channel {
    /// Starts a program: `arguments` are those of the hidden command that becomes it.
    pub(super) fn start(options: &ProgramOptions, arguments: &[OsString], arena: &PathBuf) -> io::Result<Channel> {
        let mut command = Command::new(&options.worker);
        command.arg(WORKER_COMMAND).env(ARENA_VARIABLE, arena);
        if let Some(memory) = options.memory {
            command.arg("--memory").arg(memory.to_string());
        }
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = cage::start(&mut command)?;
        let pid = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
        let (input, output, errors) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let (Some(input), Some(output), Some(errors)) = (input, output, errors) else {
            let _ = cage::end(&mut child);
            return Err(io::Error::other("it has no pipes"));
        };
        rustix::io::ioctl_fionbio(&input, true)?;
        rustix::io::ioctl_fionbio(&output, true)?;
        rustix::io::ioctl_fionbio(&errors, true)?;
        Ok(Channel {
            child,
            input: Some(input),
            output,
            errors: Some(errors),
            process: pid.and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok()),
            unread: Vec::new(),
            printed: Vec::new(),
            interrupted: options.interrupted,
        })
    }

    /// The first line of the program.
    pub(super) fn hello(&mut self, limit: Duration) -> Result<Reply, Silence> {
        self.exchange(&[], limit)
    }

    /// Sends a request and waits for the reply. After a silence the program is of no more use.
    pub(super) fn ask<T: serde::Serialize>(&mut self, request: &T, limit: Duration) -> Result<Reply, Silence> {
        let bytes = line(request).map_err(|e| Silence::Machine(format!("the request cannot be written: {e}")))?;
        self.read_output();
        if !self.unread.is_empty() {
            return Err(self.broke("it said something that nobody had asked for"));
        }
        self.exchange(&bytes, limit)
    }

    /// The next reply, without asking for anything.
    pub(super) fn next(&mut self, limit: Duration) -> Result<Reply, Silence> {
        self.exchange(&[], limit)
    }

    fn exchange(&mut self, mut unsent: &[u8], limit: Duration) -> Result<Reply, Silence> {
        let deadline = Instant::now() + limit;
        // Mostly there is room for all of it.
        if let Some(Ok(n)) = self.input.as_mut().filter(|_| !unsent.is_empty()).map(|input| input.write(unsent)) {
            unsent = unsent.get(n..).unwrap_or_default();
        }
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let rest = self.unread.split_off(end + 1);
                let line = std::mem::replace(&mut self.unread, rest);
                return serde_json::from_slice(&line).map_err(|e| {
                    let shown = String::from_utf8_lossy(&line[..line.len().min(80)]).trim_end().to_owned();
                    self.broke(&format!("its line {shown:?} is no reply: {e}"))
                });
            }
            if self.unread.len() > MAX_LINE {
                return Err(self.broke(&format!("it wrote a line of more than {MAX_LINE} bytes")));
            }
            if self.interrupted.load(Ordering::Relaxed) {
                return Err(Silence::Interrupted);
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Silence::TimedOut(Hang { limit, doing: cage::doing(self.child.id()), again: None }));
            }
            let ready = match self.wait(!unsent.is_empty(), left.min(TICK)) {
                Ok(ready) => ready,
                Err(e) => return Err(Silence::Machine(format!("the program cannot be waited for: {e}"))),
            };
            if ready.errors {
                self.read_errors();
            }
            let closed = ready.output && self.read_output();
            if ready.input {
                let Some(input) = self.input.as_mut() else { return Err(self.dead()) };
                match input.write(unsent) {
                    Ok(n) => unsent = unsent.get(n..).unwrap_or_default(),
                    Err(e) if matches!(e.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                    // It reads no more; what it still says, and how it ends, is seen below.
                    Err(_) => {
                        self.input = None;
                        unsent = &[];
                    }
                }
            }
            if (ready.ended || closed || self.input.is_none()) && !self.unread.contains(&b'\n') {
                self.read_output();
                if !self.unread.contains(&b'\n') {
                    return Err(self.dead());
                }
            }
        }
    }

    /// Waits for something to happen.
    fn wait(&self, sends: bool, limit: Duration) -> io::Result<Ready> {
        let mut waited = vec![PollFd::from_borrowed_fd(self.output.as_fd(), PollFlags::IN)];
        let input = self.input.as_ref().filter(|_| sends).map(|input| {
            waited.push(PollFd::from_borrowed_fd(input.as_fd(), PollFlags::OUT));
            waited.len() - 1
        });
        let errors = self.errors.as_ref().map(|errors| {
            waited.push(PollFd::from_borrowed_fd(errors.as_fd(), PollFlags::IN));
            waited.len() - 1
        });
        let process = self.process.as_ref().map(|process| {
            waited.push(PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN));
            waited.len() - 1
        });
        let time = Timespec { tv_sec: 0, tv_nsec: i64::from(limit.min(TICK).subsec_nanos()) };
        match poll(&mut waited, Some(&time)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
        let happened = |at: Option<usize>| at.is_some_and(|at| !waited[at].revents().is_empty());
        Ok(Ready {
            output: happened(Some(0)),
            input: happened(input),
            errors: happened(errors),
            ended: happened(process),
        })
    }

    /// Takes what it wrote. Whether it closed its output.
    fn read_output(&mut self) -> bool {
        let mut chunk = [0u8; 1 << 14];
        while self.unread.len() <= MAX_LINE {
            match self.output.read(&mut chunk) {
                Ok(0) => return true,
                Ok(n) => {
                    self.unread.extend_from_slice(&chunk[..n]);
                    // A short read left nothing behind.
                    if n < chunk.len() {
                        return false;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => return false,
                Err(_) => return true,
            }
        }
        false
    }

    /// Takes what it printed, a bounded part at a time.
    fn read_errors(&mut self) {
        let mut chunk = [0u8; 1 << 13];
        for _ in 0..64 {
            match self.errors.as_mut().map(|errors| errors.read(&mut chunk)) {
                Some(Ok(n @ 1..)) => {
                    self.printed.extend_from_slice(&chunk[..n]);
                    let extra = self.printed.len().saturating_sub(KEPT_BYTES);
                    self.printed.drain(..extra);
                }
                Some(Err(e)) if e.kind() == io::ErrorKind::WouldBlock => return,
                Some(Err(e)) if e.kind() == io::ErrorKind::Interrupted => {}
                Some(_) => self.errors = None,
                None => return,
            }
        }
    }

    /// The end of a program that said what is no answer.
    pub(super) fn broke(&mut self, why: &str) -> Silence {
        let _ = cage::end(&mut self.child);
        self.read_errors();
        Silence::Died(Death { end: End::BrokeProtocol { why: why.into() }, printed: self.last_words() })
    }

    /// Whether the program ends by itself within its last moments: what it kept in buffers is printed then.
    pub(super) fn ends(&mut self) -> bool {
        let limit = Instant::now() + LAST_MOMENTS;
        loop {
            match self.child.try_wait() {
                Ok(None) if Instant::now() < limit => std::thread::sleep(Duration::from_millis(1)),
                Ok(None) => return false,
                Ok(Some(_)) | Err(_) => return true,
            }
        }
    }

    /// How a program ended that ended, or reads or says nothing more.
    fn dead(&mut self) -> Silence {
        use std::os::unix::process::ExitStatusExt as _;
        if !self.ends() {
            return self.broke("it closed its standard input or output");
        }
        let end = match cage::end(&mut self.child) {
            Ok(status) => match (status.signal(), status.code()) {
                (Some(number), _) => End::Signal { number },
                (None, Some(status)) => End::Exit { status },
                (None, None) => End::Unknown { why: status.to_string() },
            },
            Err(e) => End::Unknown { why: e.to_string() },
        };
        self.read_errors();
        Silence::Died(Death { end, printed: self.last_words() })
    }

    /// Asks the program to end, waits for it, and says what went wrong.
    pub(super) fn bye<T: serde::Serialize>(mut self, request: &T, limit: Duration) -> Option<String> {
        match self.ask(request, limit) {
            Ok(_) => Some("it said something after it was asked to end".into()),
            Err(Silence::Died(Death { end: End::Exit { status: 0 }, .. })) => None,
            Err(Silence::Died(death)) => Some(death.to_string()),
            Err(Silence::TimedOut(Hang { doing: Doing::Starved, .. }) | Silence::Interrupted | Silence::Machine(_)) => {
                None
            }
            Err(Silence::TimedOut(hang)) => Some(format!("no end within {:?}; {}", hang.limit, hang.doing)),
        }
    }

    /// Processor time of its threads so far.
    pub(super) fn processor_time(&self) -> Option<Duration> {
        cage::times(self.child.id()).map(|[ran, _]| Duration::from_nanos(ran))
    }

    /// The last that it printed.
    pub(super) fn last_words(&mut self) -> ForeignText {
        self.read_errors();
        ForeignText::from(&*String::from_utf8_lossy(&self.printed))
    }
}

/// What happened while a program was waited for.
struct Ready {
    output: bool,
    input: bool,
    errors: bool,
    ended: bool,
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.input = None;
        let _ = cage::end(&mut self.child);
    }
}
