//! How this process takes some signals.
#![allow(unsafe_code)]

use std::ffi::c_int;

fn set(signal: c_int, how: libc::sighandler_t) {
    // SAFETY: SIG_DFL and SIG_IGN are no functions, so nothing of this program runs in a signal handler.
    unsafe { libc::signal(signal, how) };
}

/// For ropecheck itself: a file that may not grow is an error that is reported, and children are waited for,
/// whatever the caller ignores.
pub fn as_ropecheck() {
    set(libc::SIGXFSZ, libc::SIG_IGN);
    set(libc::SIGCHLD, libc::SIG_DFL);
}

/// For a process that holds code under test: as if it had been started by a shell.
pub(super) fn as_a_process_of_its_own() {
    for signal in [libc::SIGPIPE, libc::SIGXFSZ, libc::SIGCHLD] {
        set(signal, libc::SIG_DFL);
    }
}
