//! Storage types: one rounding in, none out.

use serde::{Deserialize, Serialize};

/// Type of a tensor's elements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DType {
    /// IEEE binary32.
    F32,
    /// IEEE binary16.
    F16,
    /// The upper half of a binary32.
    BF16,
    /// IEEE binary64.
    F64,
    /// 32-bit integer.
    I32,
    /// 64-bit integer.
    I64,
}

const F64_INFINITY: u64 = 0x7ff << 52;
const F64_FRACTION: u64 = (1 << 52) - 1;

impl DType {
    /// All, in the order of the ABI.
    pub const ALL: [Self; 6] = [Self::F32, Self::F16, Self::BF16, Self::F64, Self::I32, Self::I64];

    /// Those that q and k may have.
    pub const STORAGE: [Self; 3] = [Self::F32, Self::F16, Self::BF16];

    /// Bytes of an element.
    #[must_use]
    pub const fn size(self) -> usize {
        match self {
            Self::F16 | Self::BF16 => 2,
            Self::F32 | Self::I32 => 4,
            Self::F64 | Self::I64 => 8,
        }
    }

    /// `f32`, ...
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F16 => "f16",
            Self::BF16 => "bf16",
            Self::F64 => "f64",
            Self::I32 => "i32",
            Self::I64 => "i64",
        }
    }

    /// The type called `name`; `fp32`, `float16`, `half`, `bfloat16` and the like too.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "f32" | "fp32" | "float32" | "float" => Self::F32,
            "f16" | "fp16" | "float16" | "half" => Self::F16,
            "bf16" | "bfloat16" => Self::BF16,
            "f64" | "fp64" | "float64" | "double" => Self::F64,
            "i32" | "int32" => Self::I32,
            "i64" | "int64" => Self::I64,
            _ => return None,
        })
    }

    /// Whether it is a floating-point type.
    #[must_use]
    pub const fn is_float(self) -> bool {
        !matches!(self, Self::I32 | Self::I64)
    }

    /// Bits of the significand, the leading one included; bits of the magnitude for integers.
    #[must_use]
    pub const fn precision(self) -> u32 {
        match self {
            Self::F32 => 24,
            Self::F16 => 11,
            Self::BF16 => 8,
            Self::F64 => 53,
            Self::I32 => 31,
            Self::I64 => 63,
        }
    }

    /// e where 2^e is the smallest normal number; 0 for integers.
    #[must_use]
    pub const fn min_exponent(self) -> i32 {
        match self {
            Self::F32 | Self::BF16 => -126,
            Self::F16 => -14,
            Self::F64 => -1022,
            Self::I32 | Self::I64 => 0,
        }
    }

    /// e where 2^e is the leading bit of the largest number.
    #[must_use]
    pub const fn max_exponent(self) -> i32 {
        match self {
            Self::F32 | Self::BF16 => 127,
            Self::F16 => 15,
            Self::F64 => 1023,
            Self::I32 => 30,
            Self::I64 => 62,
        }
    }

    /// Largest finite number (for `I64` the nearest f64, 2^63).
    #[must_use]
    pub fn max_finite(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::MAX),
            Self::F16 => 65504.0,
            Self::BF16 => f64::from(f32::from_bits(0x7f7f_0000)),
            Self::F64 => f64::MAX,
            Self::I32 => f64::from(i32::MAX),
            Self::I64 => i64::MAX as f64,
        }
    }

    /// Smallest magnitude that rounds to infinity: halfway above [`DType::max_finite`], where the tie goes up. Infinite for
    /// f64, where no f64 reaches it, and for integers, which have no infinity.
    #[must_use]
    pub fn overflow_threshold(self) -> f64 {
        match self {
            // 2^(max + 1) - 2^(max - p)
            Self::F32 | Self::F16 | Self::BF16 => self.max_finite() + self.half_ulp(self.max_finite()),
            Self::F64 | Self::I32 | Self::I64 => f64::INFINITY,
        }
    }

    /// Smallest positive normal number; 1 for integers.
    #[must_use]
    pub fn min_normal(self) -> f64 {
        f64::from_bits(((self.min_exponent() + 1023) as u64) << 52)
    }

    /// Bits of the number of this type nearest to `value` (ties to even, subnormals, overflow to infinity), rounded once.
    /// NaN becomes the quiet NaN of its sign. Integers: nearest, ties to even, clamped to the type; 0 for NaN.
    #[inline]
    #[must_use]
    pub fn encode(self, value: f64) -> u64 {
        match self {
            Self::F32 => u64::from((value as f32).to_bits()),
            Self::F16 => u64::from(narrow::<10, 15>(value)),
            Self::BF16 => u64::from(narrow::<7, 127>(value)),
            Self::F64 => value.to_bits(),
            Self::I32 => u64::from((value.round_ties_even() as i32) as u32),
            Self::I64 => (value.round_ties_even() as i64) as u64,
        }
    }

    /// The number that the low bits stand for. Exact, but for integers beyond 2^53, which round.
    #[inline]
    #[must_use]
    pub fn decode(self, bits: u64) -> f64 {
        match self {
            Self::F32 => f64::from(f32::from_bits(bits as u32)),
            Self::F16 => widen_f16(bits as u16),
            Self::BF16 => f64::from(f32::from_bits((bits as u32 & 0xffff) << 16)),
            Self::F64 => f64::from_bits(bits),
            Self::I32 => f64::from(bits as u32 as i32),
            Self::I64 => bits as i64 as f64,
        }
    }

    /// `value` rounded once to this type.
    #[inline]
    #[must_use]
    pub fn round(self, value: f64) -> f64 {
        self.decode(self.encode(value))
    }

    /// Whether `value` is a number of this type.
    #[must_use]
    pub fn holds(self, value: f64) -> bool {
        self.round(value) == value
    }

    /// Whether every number of `other` is one of this type.
    #[must_use]
    pub fn holds_all(self, other: Self) -> bool {
        let wider = match self {
            Self::F64 => other.is_float(),
            Self::F32 => matches!(other, Self::F16 | Self::BF16),
            _ => false,
        };
        self == other || wider
    }

    /// Half the distance between neighbours at |value|, as if exponents had no upper end; at least half the smallest
    /// subnormal. Rounding any v with |v| <= |value| to this type errs by at most that, unless it overflows; so it is
    /// monotone in |value|. At a power of two it is that of the binade above. Integers: 1/2. For f64 it is never below
    /// 2^-1022. NaN and infinities give 2^(1024 - p).
    #[inline]
    #[must_use]
    pub fn half_ulp(self, value: f64) -> f64 {
        let (scale, least) = self.half_ulp_parts();
        (f64::from_bits(value.to_bits() & F64_INFINITY).min(f64::from_bits(0x7fe << 52)) * scale).max(least)
    }

    /// (2^-p, least): `half_ulp(v) = max(2^floor(log2|v|) * 2^-p, least)`, for loops over many values.
    #[inline]
    #[must_use]
    pub fn half_ulp_parts(self) -> (f64, f64) {
        if !self.is_float() {
            return (0.0, 0.5);
        }
        let p = self.precision() as i32;
        let least = (self.min_exponent() - p).max(-1022);
        (f64::from_bits(((1023 - p) as u64) << 52), f64::from_bits(((1023 + least) as u64) << 52))
    }

    /// [`DType::half_ulp`], but at least the smallest normal number: what rounding may cost where subnormals are flushed.
    #[inline]
    #[must_use]
    pub fn half_ulp_flushing(self, value: f64) -> f64 {
        self.half_ulp(value).max(self.min_normal())
    }
}

impl std::fmt::Display for DType {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// Rounds to a 16-bit type with `FRACTION` stored bits and exponent bias `BIAS`, on the bits of the f64.
#[inline]
pub(super) fn narrow<const FRACTION: u32, const BIAS: u64>(value: f64) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 48) as u16 & 0x8000;
    let magnitude = bits & !(1 << 63);
    let infinity = (2 * BIAS + 1) << FRACTION;
    let exponent = magnitude >> 52;
    // Biased exponents, in f64, of the smallest normal number and of what lies below half the smallest subnormal.
    let normal = 1024 - BIAS;
    let nothing = normal - u64::from(FRACTION) - 1;
    let rounded = if exponent >= normal {
        if magnitude > F64_INFINITY {
            infinity | 1 << (FRACTION - 1)
        } else {
            // A carry out of the fraction moves into the exponent, as it must, up to infinity.
            nearest_even(magnitude - ((1023 - BIAS) << 52), 52 - FRACTION).min(infinity)
        }
    } else if exponent < nothing {
        0
    } else {
        // `normal - exponent` is at most FRACTION + 1, so the shift is at most 53.
        nearest_even((magnitude & F64_FRACTION) | 1 << 52, 52 - FRACTION + (normal - exponent) as u32)
    };
    sign | rounded as u16
}

/// value / 2^shift, to nearest, ties to even.
#[inline]
fn nearest_even(value: u64, shift: u32) -> u64 {
    let odd = (value >> shift) & 1;
    (value + (1 << (shift - 1)) - 1 + odd) >> shift
}

/// Exact, without subnormal arithmetic, so that flush-to-zero cannot touch it.
#[inline]
pub(super) fn widen_f16(bits: u16) -> f64 {
    let sign = u64::from(bits & 0x8000) << 48;
    let magnitude = u64::from(bits & 0x7fff);
    let normal = (magnitude << 42) + ((1023 - 15) << 52);
    let subnormal = (magnitude as u32 as f64 * (1.0 / (1 << 24) as f64)).to_bits();
    let special = (magnitude << 42) | F64_INFINITY;
    let wide = if magnitude < 0x400 {
        subnormal
    } else if magnitude < 0x7c00 {
        normal
    } else {
        special
    };
    f64::from_bits(sign | wide)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_holds_all_of_another_where_it_holds_the_longest_largest_and_smallest() {
        for (one, other) in DType::ALL.into_iter().flat_map(|one| DType::ALL.map(|other| (one, other))) {
            if !(one.is_float() && other.is_float()) {
                assert_eq!(one.holds_all(other), one == other, "{one:?} {other:?}");
                continue;
            }
            let longest = 2.0 - 2.0 * other.half_ulp(1.0);
            let numbers = [longest, other.max_finite(), 2.0 * other.half_ulp(0.0)];
            assert_eq!(one.holds_all(other), numbers.iter().all(|number| one.holds(*number)), "{one:?} {other:?}");
        }
    }

    #[test]
    fn constants_are_those_of_the_types() {
        assert_eq!(DType::F16.overflow_threshold(), 65520.0);
        assert_eq!(DType::BF16.overflow_threshold(), f64::from(f32::from_bits(0x7f7f_0000)) + 2f64.powi(119));
        assert_eq!(DType::F32.overflow_threshold(), f64::from(f32::MAX) + 2f64.powi(103));
        for t in [DType::F16, DType::BF16, DType::F32] {
            assert!(t.round(t.overflow_threshold()).is_infinite());
            assert_eq!(t.round(t.overflow_threshold().next_down()), t.max_finite());
            assert_eq!(t.round(t.max_finite()), t.max_finite());
            assert!(t.holds(t.min_normal()));
            assert!(!t.holds(t.min_normal() * (1.0 + t.half_ulp(1.0))));
        }
    }

    #[test]
    fn half_an_ulp_is_what_it_says() {
        assert_eq!(DType::F32.half_ulp(1.0), 2f64.powi(-24));
        assert_eq!(DType::F32.half_ulp(1.0f64.next_down()), 2f64.powi(-25));
        assert_eq!(DType::F32.half_ulp(-3.0), 2f64.powi(-23));
        assert_eq!(DType::F32.half_ulp(0.0), 2f64.powi(-150));
        assert_eq!(DType::F32.half_ulp(2f64.powi(200)), 2f64.powi(176));
        assert_eq!(DType::BF16.half_ulp(1.5), 2f64.powi(-8));
        assert_eq!(DType::BF16.half_ulp(1e-300), 2f64.powi(-134));
        assert_eq!(DType::F16.half_ulp(0.0), 2f64.powi(-25));
        assert_eq!(DType::F16.half_ulp(2f64.powi(-14)), 2f64.powi(-25));
        assert_eq!(DType::F64.half_ulp(1.0), 2f64.powi(-53));
        assert_eq!(DType::F64.half_ulp(0.0), f64::MIN_POSITIVE);
        assert_eq!(DType::I32.half_ulp(1e9), 0.5);
        assert_eq!(DType::F32.half_ulp(f64::INFINITY), 2f64.powi(999));
        assert_eq!(DType::F16.half_ulp_flushing(0.0), 2f64.powi(-14));
    }

    #[test]
    fn integers_clamp() {
        assert_eq!(DType::I32.round(2.5), 2.0);
        assert_eq!(DType::I32.round(-1e300), f64::from(i32::MIN));
        assert_eq!(DType::I64.encode(f64::NAN), 0);
        assert_eq!(DType::I64.decode(u64::MAX), -1.0);
    }

    #[test]
    fn names_come_back() {
        for t in DType::ALL {
            assert_eq!(DType::parse(t.name()), Some(t));
            assert_eq!(serde_json::to_string(&t).unwrap(), format!("{:?}", t.name()));
        }
        assert_eq!(DType::parse("f8"), None);
    }
}
