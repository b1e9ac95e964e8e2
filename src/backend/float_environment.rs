//! What a backend leaves of the floating-point environment: how results are rounded, what becomes of
//! subnormals, what traps.

use std::fmt;

/// A control word of this machine without its sticky flags: on x86-64 MXCSR, from bit 32 on the x87 control
/// word, and bit 48 for an x87 stack that is not empty; FPCR on aarch64; 0 elsewhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct FloatControl(pub u64);

/// Something that a control word says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum FloatSetting {
    /// Where results are rounded to.
    Rounding,
    /// Subnormal results become zero (FTZ).
    FlushToZero,
    /// Subnormal inputs count as zero (DAZ).
    DenormalsAreZero,
    /// Which exceptions end the process.
    Traps,
    /// To how many bits the x87 unit rounds.
    Precision,
    /// Whether the x87 stack holds anything.
    Stack,
}

/// Which bits of the control word are which setting. On aarch64 FZ flushes inputs and results together.
const BITS: [(FloatSetting, u64); 6] = if cfg!(target_arch = "aarch64") {
    [
        (FloatSetting::Rounding, 3 << 22),
        (FloatSetting::FlushToZero, 1 << 24 | 1 << 19),
        (FloatSetting::DenormalsAreZero, 1),
        (FloatSetting::Traps, 0x9f << 8),
        (FloatSetting::Precision, 0),
        (FloatSetting::Stack, 0),
    ]
} else {
    [
        (FloatSetting::Rounding, 3 << 13 | 3 << 42),
        (FloatSetting::FlushToZero, 1 << 15),
        (FloatSetting::DenormalsAreZero, 1 << 6),
        (FloatSetting::Traps, 0x3f << 7 | 0x3f << 32),
        (FloatSetting::Precision, 3 << 40),
        (FloatSetting::Stack, 1 << 48),
    ]
};

impl fmt::Display for FloatSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            FloatSetting::Rounding => "the rounding mode",
            FloatSetting::FlushToZero => "flush to zero (FTZ)",
            FloatSetting::DenormalsAreZero => "denormals are zero (DAZ)",
            FloatSetting::Traps => "the exceptions that trap",
            FloatSetting::Precision => "the precision of x87",
            FloatSetting::Stack => "the x87 stack",
        })
    }
}

impl FloatSetting {
    /// Whether it is about subnormals alone.
    #[must_use]
    pub fn is_about_subnormals(self) -> bool {
        matches!(self, FloatSetting::FlushToZero | FloatSetting::DenormalsAreZero)
    }
}

impl FloatControl {
    /// The control word without its sticky flags, which every operation may raise.
    #[must_use]
    pub fn of_register(word: u64) -> Self {
        let mask = BITS.iter().fold(0, |mask, (_, bits)| mask | bits);
        FloatControl(word & mask)
    }

    /// What differs from `before`.
    #[must_use]
    pub fn changes(self, before: FloatControl) -> Vec<FloatSetting> {
        BITS.iter().filter(|(_, bits)| (self.0 ^ before.0) & bits != 0).map(|(setting, _)| *setting).collect()
    }
}

/// The control words around loading and around the last call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FloatEnvironment {
    /// Before the backend was loaded and opened, and after.
    pub load: [FloatControl; 2],
    /// Before the last call, and after.
    pub call: [FloatControl; 2],
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn a_change_is_named_and_sticky_flags_are_none() {
        let default = FloatControl::of_register(0x1f80);
        assert_eq!(FloatControl::of_register(0x1fff).changes(default), [FloatSetting::DenormalsAreZero]);
        assert_eq!(FloatControl::of_register(0x1fbf).changes(default), []);
        let flushing = FloatControl::of_register(0x9fc0).changes(default);
        assert_eq!(flushing, [FloatSetting::FlushToZero, FloatSetting::DenormalsAreZero]);
        assert_eq!(FloatControl::of_register(0x7f80).changes(default), [FloatSetting::Rounding]);
        assert_eq!(FloatControl::of_register(0x1d80).changes(default), [FloatSetting::Traps]);
    }
}
