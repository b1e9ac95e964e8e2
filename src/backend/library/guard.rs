//! Pages that the library must not touch, and word of it if it does. Only the worker uses this.
#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::io;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicI32, AtomicUsize, Ordering};

use memmap2::MmapRaw;

/// Where faults are told to, and where the arena is: all that the signal handler knows.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);
static BASE: AtomicUsize = AtomicUsize::new(0);
static BYTES: AtomicUsize = AtomicUsize::new(0);
/// What was there before: Rust's own handler, which names a stack overflow.
static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

/// Guard pages that stand until this is dropped.
pub(super) struct GuardPages<'a> {
    map: &'a MmapRaw,
    ranges: &'a [(usize, usize)],
}

impl<'a> GuardPages<'a> {
    /// Takes all rights from `ranges` of the arena, first byte and last plus one.
    pub(super) fn raise(map: &'a MmapRaw, ranges: &'a [(usize, usize)]) -> io::Result<Self> {
        BASE.store(map.as_mut_ptr() as usize, Ordering::Relaxed);
        BYTES.store(map.len(), Ordering::Relaxed);
        let guards = GuardPages { map, ranges };
        guards.protect(libc::PROT_NONE)?;
        Ok(guards)
    }

    fn protect(&self, rights: c_int) -> io::Result<()> {
        for (start, end) in self.ranges {
            if start >= end || *end > self.map.len() {
                return Err(io::Error::other("a guard lies outside the arena"));
            }
            // SAFETY: [start, end) lies in the map, which outlives self. No reference into these pages exists
            // in this process: the map is raw, and only the library gets pointers into it. mprotect itself
            // refuses what are no whole pages.
            let status = unsafe { libc::mprotect(self.map.as_mut_ptr().add(*start).cast(), end - start, rights) };
            if status != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        Ok(())
    }
}

impl Drop for GuardPages<'_> {
    fn drop(&mut self) {
        // If this fails, the next call dies of it and says so.
        let _ = self.protect(libc::PROT_READ | libc::PROT_WRITE);
    }
}

/// From now on a fault in or near the arena is told on `descriptor` as a line `Reply::Fault` before the
/// process dies of it. A library that installs a handler of its own replaces this one.
pub(super) fn report_faults(descriptor: c_int) {
    DESCRIPTOR.store(descriptor, Ordering::Relaxed);
    // SAFETY: a zeroed sigaction is a valid one, and both pointers are to such. The handler has the signature
    // that SA_SIGINFO asks for and does only what is allowed in a signal handler (atomics, arithmetic on its
    // stack, write, sigaction, raise). SA_RESETHAND: it runs once, returns, and the same instruction then
    // kills the process by the default action.
    unsafe {
        let mut before: libc::sigaction = std::mem::zeroed();
        if libc::sigaction(libc::SIGSEGV, std::ptr::null(), &mut before) == 0 {
            let _ = BEFORE.set(before);
        }
        let mut action: libc::sigaction = std::mem::zeroed();
        action.sa_sigaction = on_fault as *const () as libc::sighandler_t;
        action.sa_flags = libc::SA_SIGINFO | libc::SA_RESETHAND | libc::SA_ONSTACK;
        libc::sigaction(libc::SIGSEGV, &action, std::ptr::null_mut());
    }
}

/// How a line of `Reply::Fault` begins.
const LINE_START: &[u8] = b"{\"fault\":{\"offset\":";
/// Bytes outside the arena at which a fault is still taken for a miss of it.
const NEAR: usize = 1 << 20;

extern "C" fn on_fault(_: c_int, info: *mut libc::siginfo_t, context: *mut c_void) {
    // SAFETY: the kernel hands a handler with SA_SIGINFO a valid siginfo_t; SIGSEGV fills in its address,
    // unless a process sent it (a code of 0 or less): then the union is read as plain bytes and not used.
    let (code, address) = unsafe { ((*info).si_code, (*info).si_addr() as usize) };
    if code <= 0 {
        // No instruction would fault again. Blocked while this handler runs, so it comes when the handler
        // returns. SAFETY: raise is async-signal-safe.
        unsafe { libc::raise(libc::SIGSEGV) };
        return;
    }
    let (base, bytes) = (BASE.load(Ordering::Relaxed), BYTES.load(Ordering::Relaxed));
    if base == 0 || address < base.saturating_sub(NEAR) || address > base.saturating_add(bytes).saturating_add(NEAR) {
        if let Some(before) = BEFORE.get() {
            // SAFETY: the struct came from sigaction; the instruction faults again, and its handler sees it.
            unsafe { libc::sigaction(libc::SIGSEGV, before, std::ptr::null_mut()) };
        }
        return;
    }
    let mut line = Line::new();
    line.text(LINE_START);
    if address < base {
        line.text(b"-");
    }
    line.number(address.abs_diff(base));
    line.text(b",\"write\":");
    line.text(match wrote(context) {
        Some(true) => b"true",
        Some(false) => b"false",
        None => b"null",
    });
    line.text(b"}}\n");
    let bytes = line.finish();
    // SAFETY: the pointer and the length are those of one slice on this stack. write is async-signal-safe; a
    // line this short is written whole or not at all.
    unsafe {
        libc::write(DESCRIPTOR.load(Ordering::Relaxed), bytes.as_ptr().cast(), bytes.len());
    }
}

/// Whether the access was a write.
#[cfg(target_arch = "x86_64")]
fn wrote(context: *mut c_void) -> Option<bool> {
    // SAFETY: the third argument of a handler with SA_SIGINFO points to a ucontext_t.
    let context = unsafe { &*context.cast::<libc::ucontext_t>() };
    // Bit 1 of the page fault's error code.
    usize::try_from(libc::REG_ERR).ok().and_then(|at| context.uc_mcontext.gregs.get(at)).map(|code| code & 2 != 0)
}

#[cfg(not(target_arch = "x86_64"))]
fn wrote(_: *mut c_void) -> Option<bool> {
    None
}

/// A line of the protocol, made without memory from anywhere.
struct Line {
    bytes: [u8; 128],
    used: usize,
}

impl Line {
    fn new() -> Self {
        Line { bytes: [0; 128], used: 0 }
    }

    fn text(&mut self, text: &[u8]) {
        for byte in text {
            if let Some(slot) = self.bytes.get_mut(self.used) {
                *slot = *byte;
                self.used += 1;
            }
        }
    }

    fn number(&mut self, mut number: usize) {
        let mut digits = [0u8; 20];
        let mut first = digits.len();
        while first > 0 {
            first -= 1;
            if let Some(digit) = digits.get_mut(first) {
                // number % 10 is below 10.
                *digit = b'0' + (number % 10) as u8;
            }
            number /= 10;
            if number == 0 {
                break;
            }
        }
        self.text(digits.get(first..).unwrap_or_default());
    }

    fn finish(&self) -> &[u8] {
        self.bytes.get(..self.used).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::{LINE_START, Line};
    use crate::backend::program::protocol::{Reply, read_line};

    #[test]
    fn a_line_made_by_hand_is_read_as_any_other() {
        for (number, negative) in [(0usize, false), (7, true), (usize::MAX / 2, false), (123_456_789_012, true)] {
            let mut line = Line::new();
            line.text(LINE_START);
            line.text(if negative { b"-" } else { b"" });
            line.number(number);
            line.text(b",\"write\":null}}\n");
            let reply: Reply = read_line(&mut line.finish()).unwrap().unwrap();
            let wanted = i64::try_from(number).unwrap() * if negative { -1 } else { 1 };
            assert!(matches!(reply, Reply::Fault { offset, write: None } if offset == wanted), "{reply:?}");
        }
    }
}
