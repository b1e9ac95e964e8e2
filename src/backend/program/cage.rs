//! What keeps a program from outliving its use: a session of its own, and an end for everything that it
//! started.

use std::collections::BTreeSet;
use std::fs;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions};

use crate::backend::Doing;

/// Whether every child of this process is a program under test or comes from one.
static ADOPTS: AtomicBool = AtomicBool::new(false);
/// Programs that run. Held while one is started, so that none is taken for an orphan.
static RUNNING: Mutex<BTreeSet<u32>> = Mutex::new(BTreeSet::new());

/// From now on what programs leave behind comes to this process, which ends it. For processes alone that
/// start nothing else. Whether the system allows it.
pub fn adopt_orphans() -> bool {
    let allowed = rustix::process::set_child_subreaper(Some(rustix::process::getpid())).is_ok();
    ADOPTS.store(allowed, Ordering::Relaxed);
    allowed
}

/// Whether what programs leave behind is ended.
pub(super) fn adopts() -> bool {
    ADOPTS.load(Ordering::Relaxed)
}

fn running() -> MutexGuard<'static, BTreeSet<u32>> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts a program that is to be ended by [`end`].
pub(super) fn start(command: &mut Command) -> std::io::Result<Child> {
    let mut running = running();
    let child = command.spawn()?;
    running.insert(child.id());
    Ok(child)
}

/// Ends a program, its session and whatever else it left.
pub(super) fn end(child: &mut Child) -> std::io::Result<std::process::ExitStatus> {
    let ended = child.try_wait();
    if !matches!(ended, Ok(Some(_))) {
        let _ = child.kill();
    }
    // Its session is also a process group, which lives on while anything in it does.
    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
        let _ = rustix::process::kill_process_group(group, Signal::KILL);
    }
    let status = child.wait();
    let mut running = running();
    running.remove(&child.id());
    if adopts() {
        end_orphans(&running);
    }
    status
}

/// Ends children of this process that it did not start: they came here when whoever started them ended.
fn end_orphans(running: &BTreeSet<u32>) {
    // What is killed leaves its own children behind; a chain of them has an end.
    for _ in 0..1000 {
        let orphans: Vec<Pid> = children("self").filter(|pid| !running.contains(pid)).filter_map(pid_of).collect();
        if orphans.is_empty() {
            return;
        }
        for orphan in orphans {
            let _ = rustix::process::kill_process(orphan, Signal::KILL);
            let _ = rustix::process::waitpid(Some(orphan), WaitOptions::empty());
        }
    }
}

fn pid_of(pid: u32) -> Option<Pid> {
    i32::try_from(pid).ok().and_then(Pid::from_raw)
}

/// Children of a process, by whichever of its threads.
pub(in crate::backend) fn children(process: &str) -> impl Iterator<Item = u32> {
    let threads = fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>())
}

/// How long a process that does not answer is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// What a process is doing: whether it gets time of a processor, and whether it would take more.
pub(super) fn doing(pid: u32) -> Doing {
    let Some([ran, waited]) = times(pid) else { return Doing::Unknown };
    std::thread::sleep(LOOK);
    let Some([ran_after, waited_after]) = times(pid) else { return Doing::Unknown };
    let half = LOOK.as_nanos() as u64 / 2;
    match (ran_after.saturating_sub(ran), waited_after.saturating_sub(waited)) {
        // A process of many threads may do both; then it does get on.
        (ran, _) if ran >= half => Doing::Computing,
        (_, waited) if waited >= half => Doing::Starved,
        (0..1_000_000, 0..1_000_000) => Doing::Waiting,
        _ => Doing::Computing,
    }
}

/// Nanoseconds that the threads of a process ran, and that they were ready to run and did not.
pub(super) fn times(pid: u32) -> Option<[u64; 2]> {
    let mut sum = [0u64; 2];
    for thread in fs::read_dir(format!("/proc/{pid}/task")).ok()?.flatten() {
        let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
        for (sum, number) in sum.iter_mut().zip(text.split_whitespace()) {
            *sum = sum.saturating_add(number.parse().ok()?);
        }
    }
    Some(sum)
}
