//! Reads and sets the floating-point control word of this thread.
#![allow(unsafe_code)]

use crate::backend::float_environment::FloatControl;

/// MXCSR as it is, sticky flags included, and above it what `x87` says; `None` where this machine's register
/// is not known.
#[cfg(target_arch = "x86_64")]
fn register() -> Option<u64> {
    let mut word = 0u32;
    // SAFETY: stmxcsr writes four bytes to the address given, which is that of a live u32; SSE is part of
    // x86-64.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut word, options(nostack, preserves_flags)) };
    Some(u64::from(word) | x87())
}

/// The control word of the x87 unit, which `long double` is computed with, from bit 32 on; and bit 48 where
/// its stack is not empty, so that the next value pushed may become NaN.
#[cfg(target_arch = "x86_64")]
fn x87() -> u64 {
    let mut environment = [0u32; 7];
    // SAFETY: fnstenv writes 28 bytes to a live array of as many, and masks exceptions; fldenv puts back what
    // was read.
    unsafe {
        std::arch::asm!("fnstenv [{0}]", "fldenv [{0}]", in(reg) environment.as_mut_ptr(), options(nostack));
    }
    let (control, tags) = (u64::from(environment[0] & 0xffff), environment[2] & 0xffff);
    control << 32 | u64::from(tags != 0xffff) << 48
}

#[cfg(target_arch = "x86_64")]
fn set_register(word: u64) {
    let (mxcsr, x87) = ((word & 0xffff_ffff) as u32, ((word >> 32) & 0xffff) as u16);
    // SAFETY: ldmxcsr and fldcw read live words that were in these registers before, so that no reserved bit
    // is set; fninit empties a stack that this code keeps nothing in.
    unsafe {
        std::arch::asm!(
            "ldmxcsr [{}]", "fninit", "fldcw [{}]", in(reg) &raw const mxcsr, in(reg) &raw const x87,
            out("st(0)") _, out("st(1)") _, out("st(2)") _, out("st(3)") _,
            out("st(4)") _, out("st(5)") _, out("st(6)") _, out("st(7)") _,
            options(nostack)
        );
    }
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

/// Runs `work` and puts the control word back to what it was. Also the words before and after, where they can
/// be read.
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
        // What _FPU_SINGLE does, and what a kernel does that leaves a value on the stack.
        let ((), seen) = watched(|| set_register(register().unwrap_or(0x037f_0000_1f80) & !(3 << 40)));
        let [from, to] = seen.expect("x86-64 has this register");
        assert_eq!(to.changes(from), [FloatSetting::Precision]);
        // SAFETY: pushes a constant, which `watched` takes away.
        let ((), seen) = watched(|| unsafe { std::arch::asm!("fld1", options(nostack)) });
        let [from, to] = seen.expect("x86-64 has this register");
        assert_eq!(to.changes(from), [FloatSetting::Stack]);
        assert_eq!(register().map(FloatControl::of_register), before.map(FloatControl::of_register));
    }
}
