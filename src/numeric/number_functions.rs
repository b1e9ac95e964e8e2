//! Functions of numbers: exact where the result is rational and that is easy to see, else real.

use std::cmp::Ordering;

use dashu_int::UBig;

use super::ratio::Fraction;
use super::{Number, NumberError, Real};

/// Bits to which reals must agree to count as equal in [`Number::compare`].
const AGREEING_BITS: u32 = 100;

impl Number {
    /// self^exponent. Exact for an integer exponent whose result fits, and where the base is the power of a fraction that
    /// undoes the exponent's denominator (10000^(-1/2) = 1/100); else real, for a positive base.
    ///
    /// # Errors
    /// `DivisionByZero` for 0 to a negative power, `Domain` for a negative base with a fractional exponent, `Overflow`.
    pub fn pow(&self, exponent: &Self) -> Result<Self, NumberError> {
        if let (Some(base), Some(power)) = (self.fraction(), exponent.fraction()) {
            if base.numerator == 0 {
                return match power.numerator {
                    0 => Ok(Self::ONE),
                    p if p > 0 => Ok(Self::ZERO),
                    _ => Err(NumberError::DivisionByZero),
                };
            }
            if power.denominator == 1 {
                match integer_power(base, power.numerator) {
                    Err(NumberError::Overflow) if base.numerator > 0 => {}
                    exact => return exact.map(Self::from),
                }
            } else if let Some(root) = exact_root(base, power.denominator)
                && let Ok(exact) = integer_power(root, power.numerator)
            {
                return Ok(Self::from(exact));
            }
        }
        self.to_real().pow(&exponent.to_real()).map(Self::from)
    }

    /// Square root; exact for the square of a fraction.
    ///
    /// # Errors
    /// `Domain` below 0.
    pub fn sqrt(&self) -> Result<Self, NumberError> {
        if let Some(f) = self.fraction()
            && f.numerator >= 0
        {
            let (n, d) = (f.numerator.unsigned_abs().isqrt(), f.denominator.unsigned_abs().isqrt());
            if n * n == f.numerator.unsigned_abs() && d * d == f.denominator.unsigned_abs() {
                return Self::ratio(n as i128, d as i128);
            }
        }
        self.to_real().sqrt().map(Self::from)
    }

    /// Sine of an angle in radians.
    ///
    /// # Errors
    /// `Domain` for angles of 2^4096 and more.
    pub fn sin(&self) -> Result<Self, NumberError> {
        if self.is_zero() {
            return Ok(Self::ZERO);
        }
        self.to_real().sin_cos().map(|(sin, _)| Self::from(sin))
    }

    /// Cosine of an angle in radians.
    ///
    /// # Errors
    /// `Domain` for angles of 2^4096 and more.
    pub fn cos(&self) -> Result<Self, NumberError> {
        if self.is_zero() {
            return Ok(Self::ONE);
        }
        self.to_real().sin_cos().map(|(_, cos)| Self::from(cos))
    }

    /// Angle of the point (x, y), in (-pi, pi]; 0 at the origin, as in C, Python and every kernel.
    ///
    /// # Errors
    /// `Overflow`, for coordinates that no formula reaches.
    pub fn atan2(y: &Self, x: &Self) -> Result<Self, NumberError> {
        if y.is_zero() && !x.is_negative() {
            return Ok(Self::ZERO);
        }
        y.to_real().atan2(&x.to_real()).map(Self::from)
    }

    /// Order for conditions of a spec: as `cmp` for exact numbers; where one side is a real, numbers that agree to
    /// 2^-100 (|self| + |other| + 1) are equal. That is far below what any backend resolves, and far above what rounding
    /// at 256 bits leaves behind. Not transitive, so nothing may be sorted by it.
    #[must_use]
    pub fn compare(&self, other: &Self) -> Ordering {
        let order = self.cmp(other);
        if order.is_eq() || (self.is_exact() && other.is_exact()) {
            return order;
        }
        match self.agrees(other) {
            Ok(true) => Ordering::Equal,
            // Where the difference overflows the two are far apart.
            Ok(false) | Err(_) => order,
        }
    }

    fn agrees(&self, other: &Self) -> Result<bool, NumberError> {
        let scale = self.abs().add(&other.abs())?.add(&Self::ONE)?;
        let tolerance = scale.mul(&Self::ratio(1, 1 << AGREEING_BITS)?)?;
        Ok(self.sub(other)?.abs() <= tolerance)
    }

    /// Natural logarithm.
    ///
    /// # Errors
    /// `Domain` for 0 and below.
    pub fn ln(&self) -> Result<Self, NumberError> {
        if *self == Self::ONE {
            return Ok(Self::ZERO);
        }
        self.to_real().ln().map(Self::from)
    }

    /// e^self.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn exp(&self) -> Result<Self, NumberError> {
        if self.is_zero() {
            return Ok(Self::ONE);
        }
        self.to_real().exp().map(Self::from)
    }

    /// The number pi, to 256 bits.
    #[must_use]
    pub fn pi() -> Self {
        Self::from(Real::pi())
    }
}

/// base^power by squaring; `base` is not 0.
fn integer_power(base: Fraction, power: i128) -> Result<Fraction, NumberError> {
    if base.denominator == 1 && base.numerator.abs() == 1 {
        let odd = power & 1 == 1;
        return Fraction::integer(if base.numerator < 0 && odd { -1 } else { 1 });
    }
    // Anything else of |base| != 1 overflows by then.
    let mut left = u32::try_from(power.unsigned_abs()).ok().filter(|p| *p < 128).ok_or(NumberError::Overflow)?;
    let mut square = if power < 0 { base.reciprocal()? } else { base };
    let mut result = Fraction::integer(1)?;
    while left > 0 {
        if left & 1 == 1 {
            result = result.mul(square)?;
        }
        left >>= 1;
        if left > 0 {
            square = square.mul(square)?;
        }
    }
    Ok(result)
}

/// The fraction whose degree-th power is `f`, if there is one; for f > 0.
fn exact_root(f: Fraction, degree: i128) -> Option<Fraction> {
    let degree = u32::try_from(degree).ok()?;
    if f.numerator <= 0 {
        return None;
    }
    let root = |v: i128| {
        // Numbers have up to 127 bits, so the roots of higher degrees are those of degree 127: 1, and too small by far.
        let root = UBig::from(v.unsigned_abs()).nth_root(degree.min(127) as usize);
        i128::try_from(root).ok().filter(|root| root.checked_pow(degree) == Some(v))
    };
    Fraction::new(root(f.numerator)?, root(f.denominator)?).ok()
}
