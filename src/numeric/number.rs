//! Exact numbers, and reals where a formula leaves them.

use std::cmp::Ordering;
use std::hash::{Hash, Hasher};

use super::ratio::Fraction;
use super::{Dd, NumberError, Real, round};

/// A number of a spec: exact as long as the operations allow it, else a real of 256 bits.
///
/// An exact number has one representation only: an integer that fits i64 is an `Integer`.
#[derive(Debug, Clone)]
pub enum Number {
    /// An integer; the fast path.
    Integer(i64),
    /// Any other fraction (integers beyond i64 too). Made by [`Number::ratio`] only.
    Ratio(ExactRatio),
    /// Result of a function whose values are not rational: correct to 256 bits, then carried with that precision.
    Real(Box<Real>),
}

/// A fraction in lowest terms that is no i64.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExactRatio(pub(super) Fraction);

impl Number {
    /// 0
    pub const ZERO: Self = Self::Integer(0);
    /// 1
    pub const ONE: Self = Self::Integer(1);

    /// 0
    #[must_use]
    pub const fn zero() -> Self {
        Self::ZERO
    }

    /// 1
    #[must_use]
    pub const fn one() -> Self {
        Self::ONE
    }

    /// An integer.
    #[must_use]
    pub const fn from_i64(value: i64) -> Self {
        Self::Integer(value)
    }

    /// An integer of up to 127 bits.
    ///
    /// # Errors
    /// `Overflow` for i128::MIN.
    pub fn from_i128(value: i128) -> Result<Self, NumberError> {
        Fraction::integer(value).map(Self::from)
    }

    /// num / den.
    ///
    /// # Errors
    /// `DivisionByZero`; `Overflow` where the reduced fraction needs i128::MIN.
    pub fn ratio(num: i128, den: i128) -> Result<Self, NumberError> {
        Fraction::new(num, den).map(Self::from)
    }

    /// Exactly this f64.
    ///
    /// # Errors
    /// `Domain` for NaN and infinities, `Overflow` where its leading bit is above 2^126 or its last bit below 2^-126.
    pub fn from_f64(value: f64) -> Result<Self, NumberError> {
        if !value.is_finite() {
            return Err(NumberError::Domain("not a finite number"));
        }
        if value.abs() < 9e15 && value.fract() == 0.0 {
            return Ok(Self::Integer(value as i64));
        }
        let bits = value.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i64;
        let fraction = i128::from(bits & ((1 << 52) - 1)) | (i128::from(exponent != 0) << 52);
        let zeros = fraction.trailing_zeros();
        let (significand, exponent) = (fraction >> zeros, exponent.max(1) - 1075 + i64::from(zeros));
        let significand = if value < 0.0 { -significand } else { significand };
        match u32::try_from(exponent) {
            Ok(up) if up < 127 && significand.unsigned_abs().leading_zeros() > up => Self::from_i128(significand << up),
            Err(_) if exponent > -127 => Self::ratio(significand, 1i128 << -exponent),
            _ => Err(NumberError::Overflow),
        }
    }

    pub(super) fn fraction(&self) -> Option<Fraction> {
        match self {
            Self::Integer(v) => Some(Fraction { numerator: i128::from(*v), denominator: 1 }),
            Self::Ratio(f) => Some(f.0),
            Self::Real(_) => None,
        }
    }

    /// This number as a real of 256 bits: rounded once if it is a fraction.
    #[must_use]
    pub fn to_real(&self) -> Real {
        match self {
            Self::Integer(v) => Real::from_i128(i128::from(*v)),
            Self::Ratio(f) => Real::from_ratio(f.0.numerator, f.0.denominator),
            Self::Real(r) => (**r).clone(),
        }
    }

    fn exactly(
        &self,
        other: &Self,
        exact: impl Fn(Fraction, Fraction) -> Result<Fraction, NumberError>,
        real: impl Fn(&Real, &Real) -> Result<Real, NumberError>,
    ) -> Result<Self, NumberError> {
        match (self.fraction(), other.fraction()) {
            (Some(a), Some(b)) => exact(a, b).map(Self::from),
            _ => real(&self.to_real(), &other.to_real()).map(Self::from),
        }
    }

    /// self + other.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && let Some(sum) = a.checked_add(*b)
        {
            return Ok(Self::Integer(sum));
        }
        self.exactly(other, Fraction::add, Real::add)
    }

    /// self - other.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn sub(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && let Some(difference) = a.checked_sub(*b)
        {
            return Ok(Self::Integer(difference));
        }
        self.exactly(other, |a, b| a.add(b.neg()), Real::sub)
    }

    /// self * other.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn mul(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && let Some(product) = a.checked_mul(*b)
        {
            return Ok(Self::Integer(product));
        }
        self.exactly(other, Fraction::mul, Real::mul)
    }

    /// self / other.
    ///
    /// # Errors
    /// `DivisionByZero`, `Overflow`.
    pub fn div(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && *b > 0
            && a % b == 0
        {
            return Ok(Self::Integer(a / b));
        }
        self.exactly(other, |a, b| a.mul(b.reciprocal()?), Real::div)
    }

    /// Floor modulo: self - other * floor(self / other); it has the sign of `other`.
    ///
    /// # Errors
    /// `DivisionByZero`, `Overflow`.
    pub fn rem(&self, other: &Self) -> Result<Self, NumberError> {
        if let (Self::Integer(a), Self::Integer(b)) = (self, other)
            && *b > 0
        {
            return Ok(Self::Integer(a.rem_euclid(*b)));
        }
        self.sub(&other.mul(&self.div(other)?.floor()?)?)
    }

    /// -self.
    #[must_use]
    pub fn neg(&self) -> Self {
        match self {
            Self::Integer(v) if *v != i64::MIN => Self::Integer(-v),
            Self::Real(r) => Self::from(r.neg()),
            // An exact number has a numerator above i128::MIN.
            _ => self.fraction().map_or(Self::ZERO, |f| Self::from(f.neg())),
        }
    }

    /// Absolute value.
    #[must_use]
    pub fn abs(&self) -> Self {
        if self.is_negative() { self.neg() } else { self.clone() }
    }

    /// Largest integer that is not above self.
    ///
    /// # Errors
    /// `Overflow` for a real beyond 2^127.
    pub fn floor(&self) -> Result<Self, NumberError> {
        match self {
            Self::Integer(_) => Ok(self.clone()),
            Self::Ratio(f) => Self::from_i128(f.0.floor()),
            Self::Real(r) => Self::from_i128(r.floor()?),
        }
    }

    /// Smallest integer that is not below self.
    ///
    /// # Errors
    /// `Overflow` for a real beyond 2^127.
    pub fn ceil(&self) -> Result<Self, NumberError> {
        Ok(self.neg().floor()?.neg())
    }

    /// Below 0.
    #[must_use]
    pub fn is_negative(&self) -> bool {
        match self {
            Self::Integer(v) => *v < 0,
            Self::Ratio(f) => f.0.numerator < 0,
            Self::Real(r) => r.is_negative(),
        }
    }

    /// Equal to 0.
    #[must_use]
    pub fn is_zero(&self) -> bool {
        match self {
            Self::Integer(v) => *v == 0,
            Self::Ratio(_) => false,
            Self::Real(r) => r.is_zero(),
        }
    }

    /// Rational, and known without error.
    #[must_use]
    pub fn is_exact(&self) -> bool {
        !matches!(self, Self::Real(_))
    }

    /// An exact integer.
    #[must_use]
    pub fn is_integer(&self) -> bool {
        self.fraction().is_some_and(|f| f.denominator == 1)
    }

    /// Exact, and a finite binary fraction.
    #[must_use]
    pub fn is_dyadic(&self) -> bool {
        self.fraction().is_some_and(|f| f.denominator.count_ones() == 1)
    }

    /// The value, if it is an exact integer that fits.
    #[must_use]
    pub fn to_i64(&self) -> Option<i64> {
        match self {
            Self::Integer(v) => Some(*v),
            _ => None,
        }
    }

    /// (numerator, denominator) in lowest terms, denominator above 0, if exact.
    #[must_use]
    pub fn as_ratio(&self) -> Option<(i128, i128)> {
        self.fraction().map(|f| (f.numerator, f.denominator))
    }

    /// The nearest f64, ties to even. A real's own 256 bits are rounded, so its result is correct unless the true value
    /// lies within 2^-255 of it (relative) of the middle between two neighbours.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        match self {
            // An `as` cast from an integer rounds to nearest even.
            Self::Integer(v) => *v as f64,
            Self::Ratio(f) => ratio_to_f64(f.0),
            Self::Real(r) => r.to_f64(),
        }
    }

    /// The nearest double-double: `hi` is [`Number::to_f64`], `lo` the f64 nearest to what is left; relative error at most
    /// 2^-106 (absolute 2^-1075 where `lo` is subnormal).
    #[must_use]
    pub fn to_dd(&self) -> Dd {
        let hi = self.to_f64();
        if !hi.is_finite() {
            return Dd { hi, lo: 0.0 };
        }
        let lo = match self {
            // |hi| <= 2^63, hence an i128.
            Self::Integer(v) => (i128::from(*v) - hi as i128) as f64,
            Self::Ratio(f) => {
                let (hi_num, hi_exp) = Real::from_f64(hi).parts();
                let (n, d) =
                    (dashu_int::IBig::from(f.0.numerator), dashu_int::UBig::from(f.0.denominator.unsigned_abs()));
                let down = usize::try_from(-hi_exp).unwrap_or(0);
                let up = usize::try_from(hi_exp).unwrap_or(0);
                let left = (n << down) - (hi_num << up) * dashu_int::IBig::from(d.clone());
                round::big_ratio_to_f64(&left, &(d << down))
            }
            Self::Real(r) => r.sub(&Real::from_f64(hi)).map_or(0.0, |left| left.to_f64()),
        };
        Dd { hi, lo }
    }
}

fn ratio_to_f64(f: Fraction) -> f64 {
    let (n, d) = (f.numerator.unsigned_abs(), f.denominator.unsigned_abs());
    if d.leading_zeros() >= 64 {
        // The quotient has at least 64 bits.
        let shift = n.leading_zeros();
        let scaled = n << shift;
        return round::to_f64(f.numerator < 0, scaled / d, -i64::from(shift), scaled % d != 0);
    }
    round::big_ratio_to_f64(&dashu_int::IBig::from(f.numerator), &dashu_int::UBig::from(d))
}

impl From<Fraction> for Number {
    fn from(f: Fraction) -> Self {
        match i64::try_from(f.numerator) {
            Ok(v) if f.denominator == 1 => Self::Integer(v),
            _ => Self::Ratio(ExactRatio(f)),
        }
    }
}

impl From<Real> for Number {
    fn from(r: Real) -> Self {
        Self::Real(Box::new(r))
    }
}

impl From<i64> for Number {
    fn from(v: i64) -> Self {
        Self::Integer(v)
    }
}

impl Ord for Number {
    fn cmp(&self, other: &Self) -> Ordering {
        match (self, other) {
            (Self::Integer(a), Self::Integer(b)) => a.cmp(b),
            (Self::Real(a), Self::Real(b)) => a.compare(b),
            (Self::Real(a), _) => {
                other.fraction().map_or(Ordering::Equal, |b| a.compare_ratio(b.numerator, b.denominator))
            }
            (_, Self::Real(_)) => other.cmp(self).reverse(),
            _ => match (self.fraction(), other.fraction()) {
                (Some(a), Some(b)) => a.compare(b),
                _ => Ordering::Equal,
            },
        }
    }
}

impl PartialOrd for Number {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Number {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Number {}

impl Hash for Number {
    /// Equal numbers have equal nearest f64, whatever their representation.
    fn hash<H: Hasher>(&self, state: &mut H) {
        (self.to_f64() + 0.0).to_bits().hash(state);
    }
}

#[cfg(test)]
#[path = "number_tests.rs"]
mod tests;
