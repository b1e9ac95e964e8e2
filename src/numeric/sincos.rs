//! The reference sine and cosine.

use super::Dd;

/// Cosine and sine of one angle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SinCos {
    /// Cosine.
    pub cos: f64,
    /// Sine.
    pub sin: f64,
}

/// Absolute error that [`sincos`] never exceeds, for |position * inv_freq| up to 2^31.
pub const SINCOS_ERROR: f64 = 1.0 / (1u64 << 51) as f64;

/// Error bound of one factor: at most 2^-51 |factor| + 2^-98 |angle|; `docs/numerics.md` proves it.
#[inline]
#[must_use]
pub fn sincos_error(factor: f64, angle: f64) -> f64 {
    const RELATIVE: f64 = 1.0 / (1u64 << 51) as f64;
    const PER_RADIAN: f64 = 1.0 / (1u128 << 98) as f64;
    RELATIVE * factor.abs() + PER_RADIAN * angle.abs()
}

/// Cosine and sine of `position * inv_freq`, with the product taken exactly (position an f64; to 2^-103 otherwise).
///
/// Errors are below [`SINCOS_ERROR`] and, more sharply, [`sincos_error`]. The same bits on every platform.
/// NaN where the angle is not finite, or beyond 2^990.
#[must_use]
pub fn sincos(position: Dd, inv_freq: f64) -> SinCos {
    let angle = position.times_f64(inv_freq);
    // The sine and cosine of the leading part, then the addition theorem for the rest.
    let (sin, cos) = libm::sincos(angle.hi);
    let rest = angle.lo;
    if rest == 0.0 {
        return SinCos { cos, sin };
    }
    // sin(rest), and 1 - cos(rest).
    let (sin_rest, versine) = if rest.abs() < 1.0 / (1 << 20) as f64 {
        let square = rest * rest;
        (rest - rest * square * (1.0 / 6.0), 0.5 * square)
    } else {
        let half = libm::sin(0.5 * rest);
        (libm::sin(rest), 2.0 * half * half)
    };
    SinCos { cos: cos - (sin * sin_rest + cos * versine), sin: sin + (cos * sin_rest - sin * versine) }
}
