//! Bits as numbers, and how far two of them are apart.

use serde::{Serialize, Serializer};

use crate::numeric::DType;

/// How far two numbers of one type are apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// So many numbers of the type lie between them, one end counted; 0: only the sign of zero changed. For integers, the
    /// difference.
    Ulps(u64),
    /// One of them is infinite and the other is not, or was and is NaN with other bits.
    NotFinite,
    /// A NaN where there was a number, or the other way round.
    Nan,
    /// StoredOutputs of another shape or type.
    Shape,
}

impl Serialize for Distance {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Distance::Ulps(n) => serializer.serialize_u64(*n),
            other => serializer.collect_str(other),
        }
    }
}

impl std::fmt::Display for Distance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Distance::Ulps(0) => f.write_str("sign of zero"),
            Distance::Ulps(n) => write!(f, "{n} ulp"),
            Distance::NotFinite => f.write_str("infinity or NaN bits"),
            Distance::Nan => f.write_str("NaN"),
            Distance::Shape => f.write_str("shape"),
        }
    }
}

/// The number of a float among those of its type, counted from zero.
fn rank(dtype: DType, bits: u64) -> i128 {
    let sign = 1u64 << (8 * dtype.size() - 1);
    let magnitude = i128::from(bits & (sign - 1));
    if bits & sign == 0 { magnitude } else { -magnitude }
}

fn integer(dtype: DType, bits: u64) -> i64 {
    // The bits of an i32 are the low half.
    if dtype == DType::I32 { i64::from(bits as u32 as i32) } else { bits as i64 }
}

/// How far apart.
#[must_use]
pub fn distance(dtype: DType, old: u64, new: u64) -> Distance {
    if !dtype.is_float() {
        return Distance::Ulps(integer(dtype, old).abs_diff(integer(dtype, new)));
    }
    let (a, b) = (dtype.decode(old), dtype.decode(new));
    match (a.is_nan(), b.is_nan()) {
        (true, true) => Distance::NotFinite,
        (true, false) | (false, true) => Distance::Nan,
        _ if a.is_infinite() || b.is_infinite() => Distance::NotFinite,
        _ => {
            let apart = (rank(dtype, old) - rank(dtype, new)).unsigned_abs();
            Distance::Ulps(u64::try_from(apart).unwrap_or(u64::MAX))
        }
    }
}

/// A number with its bits.
#[must_use]
pub fn shown(dtype: DType, bits: u64) -> String {
    if !dtype.is_float() {
        return integer(dtype, bits).to_string();
    }
    let digits = 2 * dtype.size();
    format!("{:.9e} (0x{bits:0digits$x})", dtype.decode(bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ulps_are_counted_through_zero_and_binades() {
        for (dtype, old, new, apart) in [
            (DType::BF16, 0x3f80, 0x3f81, Distance::Ulps(1)),
            (DType::BF16, 0x3f80, 0x3f7f, Distance::Ulps(1)),
            (DType::BF16, 0x8001, 0x0001, Distance::Ulps(2)),
            (DType::F16, 0x8000, 0x0000, Distance::Ulps(0)),
            (DType::F32, 0x3f80_0000, 0xbf80_0000, Distance::Ulps(2 * 0x3f80_0000)),
            (DType::F32, 0x7f80_0000, 0x7f7f_ffff, Distance::NotFinite),
            (DType::F32, 0x7fc0_0000, 0x7fc0_0001, Distance::NotFinite),
            (DType::F32, 0x7fc0_0000, 0, Distance::Nan),
            (DType::I64, 5, u64::MAX, Distance::Ulps(6)),
            (DType::I32, 0xffff_ffff, 1, Distance::Ulps(2)),
            (DType::F64, 1, 0x8000_0000_0000_0001, Distance::Ulps(2)),
        ] {
            assert_eq!(distance(dtype, old, new), apart, "{dtype} {old:x} {new:x}");
            assert_eq!(distance(dtype, new, old), apart);
        }
        assert!(Distance::Nan > Distance::Ulps(u64::MAX));
        assert_eq!(shown(DType::BF16, 0x3f80), "1.000000000e0 (0x3f80)");
        assert_eq!(shown(DType::I32, 0xffff_fffe), "-2");
    }
}
