//! Whether a call left processes behind. They would keep the arena and may write into the next cases.

use rustix::process::{WaitId, WaitIdOptions, waitid};

use crate::backend::program::children;

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
    children("self").collect()
}
