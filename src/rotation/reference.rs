//! The reference rotation: what a perfect kernel would write, to f64.
//!
//! `first = m (a cos - b sin)`, `second = m (b cos + a sin)` from tables made once per token. With [`sincos_error`] for the
//! factors and one f64 rounding for each of `m cos`, the product and the sum, the result errs by at most
//! |a| ref_cos + |b| ref_sin, where ref = [`factor_error`]; the bound carries that as its term `reference`.

use crate::numeric::{Dd, sincos, sincos_error};

use crate::spec::NO_AXIS;

/// How a pair of channels is turned, with the attention scaling in both factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Turn {
    /// m cos(angle)
    pub cos: f64,
    /// m sin(angle), of the negated angle for direction -1
    pub sin: f64,
}

impl Turn {
    /// The factors for `position * inv_freq`; `forward` is direction +1.
    #[must_use]
    pub fn new(position: Dd, inv_freq: f64, scaling: f64, forward: bool) -> Self {
        let exact = sincos(position, inv_freq);
        Self { cos: scaling * exact.cos, sin: if forward { scaling * exact.sin } else { -(scaling * exact.sin) } }
    }

    /// (a, b) turned.
    #[inline]
    #[must_use]
    pub fn apply(self, a: f64, b: f64) -> (f64, f64) {
        (a * self.cos - b * self.sin, b * self.cos + a * self.sin)
    }
}

/// Error of a turned value per unit of input: of a factor `factor` (with scaling `scaling` in it) at `angle`.
///
/// 2^-51 |factor| from the sine or cosine, 3 * 2^-53 |factor| from the three roundings of [`Turn`], and the part that
/// grows with the angle; 2^-50 |factor| covers the first two with second-order terms.
#[inline]
#[must_use]
pub fn factor_error(factor: f64, scaling: f64, angle: f64) -> f64 {
    const RELATIVE: f64 = 1.0 / (1u64 << 50) as f64;
    RELATIVE * factor.abs() + scaling.abs() * sincos_error(0.0, angle)
}

/// The position that turns a pair: that of its axis, or 0.
#[inline]
#[must_use]
pub fn position_of(positions: &[Dd], axis: u8) -> Dd {
    if axis == NO_AXIS { Dd::ZERO } else { positions.get(usize::from(axis)).copied().unwrap_or(Dd::ZERO) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backwards_undoes_forwards() {
        let position = Dd::from_ratio(10.0, 3.0);
        let (a, b) = Turn::new(position, 0.7, 1.0, true).apply(0.3, -0.9);
        let (a, b) = Turn::new(position, 0.7, 1.0, false).apply(a, b);
        approx::assert_abs_diff_eq!(a, 0.3, epsilon = 4e-16);
        approx::assert_abs_diff_eq!(b, -0.9, epsilon = 4e-16);
    }
}
