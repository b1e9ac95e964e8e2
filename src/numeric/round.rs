//! One correct rounding to f64, from an integer with a scale.

use dashu_base::BitTest;
use dashu_int::{IBig, UBig};

/// The f64 nearest to `(-1)^negative * (significand + epsilon) * 2^exponent`, ties to even, subnormals and overflow
/// included; `epsilon` is in (0, 1) if `sticky`, else 0. With `sticky`, `significand` must have at least 55 bits.
pub(super) fn to_f64(negative: bool, significand: u128, exponent: i64, sticky: bool) -> f64 {
    if significand == 0 {
        return if negative { -0.0 } else { 0.0 };
    }
    let bits = i64::from(128 - significand.leading_zeros());
    // Weight of the last bit that the result keeps: 53 bits, fewer below the normal range.
    let lowest = (exponent + bits - 53).max(-1074);
    let shift = lowest - exponent;
    let kept = if shift <= 0 {
        // No bit is lost. The result has at most 53 bits, or lies on the subnormal grid.
        significand << -shift
    } else if shift > 128 {
        0
    } else {
        let (quotient, rest, half) = match shift {
            128 => (0, significand, 1u128 << 127),
            _ => (significand >> shift, significand & ((1 << shift) - 1), 1u128 << (shift - 1)),
        };
        let up = rest > half || (rest == half && (sticky || quotient & 1 == 1));
        quotient + u128::from(up)
    };
    // `kept` has at most 54 bits: exact as f64; the scaling is exact too, or overflows to infinity as it should.
    let magnitude = scale(kept as f64, lowest);
    if negative { -magnitude } else { magnitude }
}

/// `value * 2^exponent`, exact when the result is a normal f64 or on the subnormal grid.
fn scale(value: f64, exponent: i64) -> f64 {
    if exponent > 971 {
        // `value` has 53 bits then, unless it is 0.
        return if value == 0.0 { 0.0 } else { f64::INFINITY };
    }
    if exponent < -1022 {
        // In two steps; the first is exact and leaves the grid position of the last bit unchanged.
        return value * power_of_two(-52) * power_of_two((exponent + 52).max(-1022));
    }
    value * power_of_two(exponent)
}

/// 2^exponent, for a normal exponent.
fn power_of_two(exponent: i64) -> f64 {
    f64::from_bits(((exponent + 1023) as u64) << 52)
}

/// The f64 nearest to `significand * 2^exponent`.
pub(super) fn big_to_f64(significand: &IBig, exponent: i64) -> f64 {
    let (sign, magnitude) = significand.clone().into_parts();
    let (top, shift, sticky) = top_bits(&magnitude);
    to_f64(sign == dashu_base::Sign::Negative, top, exponent.saturating_add(shift), sticky)
}

/// The f64 nearest to `numerator / denominator`, for a positive denominator.
pub(super) fn big_ratio_to_f64(numerator: &IBig, denominator: &UBig) -> f64 {
    let (sign, n) = numerator.clone().into_parts();
    if n == UBig::ZERO {
        return 0.0;
    }
    // A quotient of at least 64 bits, and whether anything is left.
    let shift = (64 + denominator.bit_len()).saturating_sub(n.bit_len());
    let scaled = n << shift;
    let quotient = &scaled / denominator;
    let rest = &scaled - &quotient * denominator;
    let (top, more, lost) = top_bits(&quotient);
    to_f64(sign == dashu_base::Sign::Negative, top, more - shift as i64, lost || rest != UBig::ZERO)
}

/// The leading bits of a number, how far they were shifted down, and whether a one was shifted out.
fn top_bits(magnitude: &UBig) -> (u128, i64, bool) {
    let shift = magnitude.bit_len().saturating_sub(120);
    let top = u128::try_from(magnitude >> shift).unwrap_or(u128::MAX);
    (top, shift as i64, magnitude.trailing_zeros().is_some_and(|zeros| zeros < shift))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_f64_survives() {
        for v in [1.0, -1.5, f64::MAX, f64::MIN_POSITIVE, 5e-324, -3e-320, 0.1, 1e300] {
            let (m, e) = parts(v);
            assert_eq!(to_f64(v < 0.0, m, e, false), v);
            for extra in 0..60 {
                assert_eq!(to_f64(v < 0.0, m << extra, e - i64::from(extra), false), v);
                assert_eq!(
                    big_to_f64(&(IBig::from(m) << (extra as usize + 150)), e - i64::from(extra) - 150).abs(),
                    v.abs()
                );
            }
        }
    }

    /// Normal numbers whose last bit is below the normal range, down to subnormals that keep fewer bits.
    #[test]
    fn small_f64_survive() {
        for high in 1..120u64 {
            let v = f64::from_bits(high << 52 | 0x000a_bcde_f012_3457);
            let (m, e) = parts(v);
            assert_eq!(to_f64(false, m, e, false), v);
            assert_eq!(to_f64(true, m << 40, e - 40, false), -v);
        }
        for lost in 1..52 {
            let v = f64::from_bits(((1 << 52) - 1) >> lost);
            let (m, e) = parts(v);
            assert_eq!(to_f64(false, m << 30, e - 30, false), v);
        }
    }

    #[test]
    fn ties_go_to_even_and_sticky_breaks_them() {
        let one = 1u128 << 60;
        let ulp = 1u128 << 8;
        assert_eq!(to_f64(false, one + ulp / 2, -60, false), 1.0);
        assert_eq!(to_f64(false, one + ulp / 2, -60, true), 1.0 + f64::EPSILON);
        assert_eq!(to_f64(false, one + ulp + ulp / 2, -60, false), 1.0 + 2.0 * f64::EPSILON);
        assert_eq!(to_f64(false, one + ulp / 2 - 1, -60, true), 1.0);
        assert_eq!(to_f64(false, u128::MAX, 0, true), 2f64.powi(128));
        // Half of the smallest subnormal is a tie with zero; anything above it is not.
        assert_eq!(to_f64(false, 1 << 60, -1135, false), 0.0);
        assert_eq!(to_f64(false, 1 << 60, -1135, true), 5e-324);
        assert_eq!(to_f64(false, 3 << 60, -1135, false), 1e-323);
        assert_eq!(to_f64(false, 1 << 60, -5000, true), 0.0);
        // The same with all 128 bits shifted out.
        assert_eq!(to_f64(false, 1 << 127, -1202, false), 0.0);
        assert_eq!(to_f64(false, 1 << 127, -1202, true), 5e-324);
        assert_eq!(to_f64(false, (1 << 127) + 1, -1202, false), 5e-324);
        assert_eq!(to_f64(false, (1 << 127) - 1, -1202, true), 0.0);
        assert_eq!(to_f64(true, (1 << 54) - 1, 970, false), f64::NEG_INFINITY);
        assert_eq!(to_f64(false, (1 << 53) - 1, 971, false), f64::MAX);
        assert_eq!(to_f64(false, 1, 1 << 40, false), f64::INFINITY);
    }

    #[test]
    fn quotients_round_once() {
        // 1/3 to 53 bits, and a quotient that is a tie but for its last bit.
        assert_eq!(big_ratio_to_f64(&IBig::from(1), &UBig::from(3u8)), 1.0 / 3.0);
        let tie = (IBig::from(1) << 53) + 1;
        let big = UBig::from(1u8) << 200;
        let n = &tie * IBig::from(big.clone());
        assert_eq!(big_ratio_to_f64(&n, &(big.clone() << 53)), 1.0);
        assert_eq!(big_ratio_to_f64(&(n + 1), &(big << 53)), 1.0 + f64::EPSILON);
    }

    fn parts(v: f64) -> (u128, i64) {
        let bits = v.abs().to_bits();
        let (e, f) = ((bits >> 52) as i64, u128::from(bits & ((1 << 52) - 1)));
        if e == 0 { (f, -1074) } else { (f | (1 << 52), e - 1075) }
    }
}
