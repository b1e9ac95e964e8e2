//! Whether a call left processes behind. They would keep the arena and may write into the next cases.

use std::fs;

use rustix::process::{WaitId, WaitIdOptions, waitid};

/// The children that this process had before any call.
pub(super) struct KnownChildren(Vec<u32>);

impl KnownChildren {
    /// From now on what the library starts stays a child of this process, whoever started it.
    pub(super) fn here() -> KnownChildren {
        let _ = rustix::process::set_child_subreaper(Some(rustix::process::getpid()));
        KnownChildren(Vec::new())
    }

    /// Remembers those that there are.
    pub(super) fn know(&mut self) {
        self.0 = if any() { list() } else { Vec::new() };
    }

    /// Whether there are others now. Without children this is one system call.
    pub(super) fn has_more(&self) -> bool {
        any() && (self.0.is_empty() || list().iter().any(|pid| !self.0.contains(pid)))
    }
}

fn any() -> bool {
    // Nobody is waited for, and nobody's end is taken away from the library.
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(waitid(WaitId::All, options), Err(rustix::io::Errno::CHILD))
}

fn list() -> Vec<u32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists.flat_map(|list| list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<_>>()).collect()
}
