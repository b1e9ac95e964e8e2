//! Sine and cosine to twice the precision of f64, for kernels whose every step is exact: only then is the one rounding at the
//! end correct.

use std::sync::LazyLock;

use crate::numeric::Dd;

/// Rounding to odd in f64: what is rounded on from there, to a type of at most 51 bits, is rounded once.
#[inline]
#[must_use]
pub(super) fn odd(value: Dd) -> f64 {
    let Dd { hi, lo } = value;
    if lo == 0.0 || hi.to_bits() & 1 == 1 || !hi.is_finite() || !lo.is_finite() {
        return hi;
    }
    // `hi` is even and not the value: the odd neighbour on the value's side.
    if lo > 0.0 { hi.next_up() } else { hi.next_down() }
}

/// pi/2 in three parts: 159 bits.
const HALF_PI: [f64; 3] = [std::f64::consts::FRAC_PI_2, 6.123_233_995_736_766e-17, -1.497_384_904_859_169_8e-33];

/// 1/n! for n up to 19.
static INVERSE_FACTORIAL: LazyLock<[Dd; 20]> = LazyLock::new(|| {
    let mut all = [Dd::from_f64(1.0); 20];
    let mut factorial = 1.0;
    for (n, entry) in all.iter_mut().enumerate().skip(1) {
        // Exact up to 22!.
        factorial *= n as f64;
        *entry = Dd::from_ratio(1.0, factorial);
    }
    all
});

/// (cos, sin) of an angle of up to 2^31 or so radians; each errs by less than 2^-95 of itself, and by 2^-125 of a radian.
///
/// Three parts of pi/2 leave less than 2^-160 * 2^31. The differences cancel exactly where they cancel. An eighth of the rest lies
/// within 0.0982, where the first term that is left out is below 2^-110 of the result.
#[must_use]
pub(super) fn sincos(angle: Dd) -> (Dd, Dd) {
    let turns = (angle.hi * std::f64::consts::FRAC_2_PI).round();
    let mut rest = angle;
    for part in HALF_PI {
        rest = rest.plus(-Dd::from_f64(part).times_f64(turns));
    }
    let eighth = rest.times_f64(0.125);
    let square = eighth.times(eighth);
    let mut sine = Dd::ZERO;
    let mut versine = Dd::ZERO;
    // Horner: odd terms for the sine, even ones for 1 - cos.
    for n in (1..=9).rev() {
        let sign = if n % 2 == 1 { -1.0 } else { 1.0 };
        sine = sine.plus(INVERSE_FACTORIAL[2 * n + 1].times_f64(sign)).times(square);
        versine = versine.times(square).plus(INVERSE_FACTORIAL[2 * n].times_f64(-sign));
    }
    sine = eighth.plus(eighth.times(sine));
    versine = versine.times(square);
    for _ in 0..3 {
        let cosine = Dd::from_f64(1.0).plus(-versine);
        versine = sine.times(sine).times_f64(2.0);
        sine = sine.times(cosine).times_f64(2.0);
    }
    let cosine = Dd::from_f64(1.0).plus(-versine);
    match turns.rem_euclid(4.0) as u8 {
        0 => (cosine, sine),
        1 => (-sine, cosine),
        2 => (-cosine, -sine),
        _ => (sine, -cosine),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::{DType, Real, Rng};

    #[test]
    fn the_sine_is_that_of_256_bits() {
        let mut rng = Rng::new(3);
        let mut angles: Vec<Dd> = (0..300)
            .map(|i| {
                let position = Dd::from_f64((rng.below(1 << (1 + i % 31)) as f64) - 40.0);
                position.times_f64(rng.unit())
            })
            .collect();
        // The f64 nearest to multiples of pi/2, where relative errors show.
        angles.extend((0..60).map(|k| Dd::from_f64(f64::from(k * k * 700) * std::f64::consts::FRAC_PI_2)));
        for angle in angles {
            let (cos, sin) = sincos(angle);
            let exact = Real::from_f64(angle.hi).add(&Real::from_f64(angle.lo)).expect("a number");
            let (exact_sin, exact_cos) = exact.sin_cos().expect("a number");
            for (found, exact) in [(cos, exact_cos), (sin, exact_sin)] {
                let found = Real::from_f64(found.hi).add(&Real::from_f64(found.lo)).expect("a number");
                let error = found.sub(&exact).expect("a number").to_f64().abs();
                let allowed = 2f64.powi(-95) * exact.to_f64().abs() + 2f64.powi(-125);
                assert!(error <= allowed, "{angle:?}: off by {error:e}, allowed {allowed:e}");
            }
        }
    }

    #[test]
    fn rounding_by_way_of_odd_is_one_rounding() {
        // A tie of bf16 that the low part breaks, and that f64 would not see.
        let tie = 1.0 + 2f64.powi(-8);
        for (lo, expected) in [(2f64.powi(-70), 1.0 + 2f64.powi(-7)), (-2f64.powi(-70), 1.0), (0.0, 1.0)] {
            assert_eq!(DType::BF16.round(odd(Dd { hi: tie, lo })), expected);
        }
        assert_eq!(odd(Dd { hi: f64::INFINITY, lo: f64::NAN }), f64::INFINITY);
    }
}
