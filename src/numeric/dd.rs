//! Double-double: about 106 bits as the sum of two f64, without fused multiply-add, so that every platform gets the
//! same bits.

use std::ops::Neg;

/// `hi + lo`, with |lo| at most half an ulp of hi.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Dd {
    /// The f64 nearest to the value.
    pub hi: f64,
    /// What is left.
    pub lo: f64,
}

/// a + b = sum + error exactly (Knuth), for finite results.
#[inline]
#[must_use]
pub fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let from_b = sum - a;
    (sum, (a - (sum - from_b)) + (b - from_b))
}

/// a + b = sum + error exactly (Dekker), for |a| >= |b| or a = 0.
#[inline]
#[must_use]
pub fn quick_two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    (sum, b - (sum - a))
}

/// v as the sum of two numbers of 26 bits (Veltkamp), for |v| < 2^995.
#[inline]
fn split(v: f64) -> (f64, f64) {
    let scaled = 134_217_729.0 * v;
    let high = scaled - (scaled - v);
    (high, v - high)
}

/// a * b = product + error exactly (Dekker), for operands below 2^995 and a product in 2^-916 .. 2^1023, or 0.
#[inline]
#[must_use]
pub fn two_prod(a: f64, b: f64) -> (f64, f64) {
    let product = a * b;
    let ((a1, a2), (b1, b2)) = (split(a), split(b));
    (product, ((a1 * b1 - product) + a1 * b2 + a2 * b1) + a2 * b2)
}

impl Dd {
    /// 0
    pub const ZERO: Self = Self { hi: 0.0, lo: 0.0 };

    /// Exactly this f64.
    #[must_use]
    pub const fn from_f64(value: f64) -> Self {
        Self { hi: value, lo: 0.0 }
    }

    /// num / den; relative error below 2^-100. Use [`crate::numeric::Number::to_dd`] for the nearest.
    #[must_use]
    pub fn from_ratio(num: f64, den: f64) -> Self {
        let first = num / den;
        let (product, error) = two_prod(first, den);
        let second = ((num - product) - error) / den;
        let (hi, lo) = quick_two_sum(first, second);
        Self { hi, lo }
    }

    /// Sum; relative error below 2^-104 where the operands have one sign, absolute 2^-104 of the larger one otherwise.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        let (sum, error) = two_sum(self.hi, other.hi);
        let (low, low_error) = two_sum(self.lo, other.lo);
        let (sum, error) = quick_two_sum(sum, error + low);
        let (hi, lo) = quick_two_sum(sum, error + low_error);
        Self { hi, lo }
    }

    /// Product; relative error below 2^-102.
    #[must_use]
    pub fn times(self, other: Self) -> Self {
        let (product, error) = two_prod(self.hi, other.hi);
        let (hi, lo) = quick_two_sum(product, error + (self.hi * other.lo + self.lo * other.hi));
        Self { hi, lo }
    }

    /// Product with an f64; relative error below 2^-103, none where `self` is an f64.
    #[inline]
    #[must_use]
    pub fn times_f64(self, other: f64) -> Self {
        let (product, error) = two_prod(self.hi, other);
        let (hi, lo) = quick_two_sum(product, error + self.lo * other);
        Self { hi, lo }
    }

    /// The nearest f64.
    #[must_use]
    pub fn to_f64(self) -> f64 {
        self.hi + self.lo
    }

    /// Whether the value is exactly a number of type f32.
    #[must_use]
    pub fn is_f32(self) -> bool {
        self.lo == 0.0 && f64::from(self.hi as f32) == self.hi
    }
}

impl Neg for Dd {
    type Output = Self;

    fn neg(self) -> Self {
        Self { hi: -self.hi, lo: -self.lo }
    }
}

impl From<f64> for Dd {
    fn from(value: f64) -> Self {
        Self::from_f64(value)
    }
}
