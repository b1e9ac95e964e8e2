//! Reads and sets the floating-point control word of this thread.
#![allow(unsafe_code)]

use crate::backend::float_environment::FloatControl;

/// The register as it is, sticky flags included; `None` where this machine's is not known.
#[cfg(target_arch = "x86_64")]
fn register() -> Option<u64> {
    let mut word = 0u32;
    // SAFETY: stmxcsr writes four bytes to the address given, which is that of a live u32; SSE is part of x86-64.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    Some(u64::from(word))
}

#[cfg(target_arch = "x86_64")]
fn set_register(word: u64) {
    // Only values that `register` returned come here, so the upper half is zero and no reserved bit is set.
    let word = (word & 0xffff_ffff) as u32;
    // SAFETY: ldmxcsr reads four bytes of a live u32 that was in this register before.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const word, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn register() -> Option<u64> {
    let word: u64;
    // SAFETY: reads a register that user code may read; nothing else changes.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
    Some(word)
}

#[cfg(target_arch = "aarch64")]
fn set_register(word: u64) {
    // SAFETY: only values that this register held before come here.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn register() -> Option<u64> {
    None
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set_register(_: u64) {}

/// Runs `work` and puts the control word back to what it was. Also the words before and after, where they can be read.
pub fn watched<T>(work: impl FnOnce() -> T) -> (T, Option<[FloatControl; 2]>) {
    let before = register();
    let result = work();
    let after = register();
    if let Some(word) = before {
        set_register(word);
    }
    (result, before.zip(after).map(|(a, b)| [a, b].map(FloatControl::of_register)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::FloatSetting;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn what_work_changes_is_seen_and_undone() {
        let before = register();
        let ((), seen) = watched(|| set_register(register().unwrap_or(0x1f80) ^ 0x8000));
        let [from, to] = seen.expect("x86-64 has this register");
        assert_eq!(to.changes(from), [FloatSetting::FlushToZero]);
        assert_eq!(register().map(FloatControl::of_register), before.map(FloatControl::of_register));
    }
}
