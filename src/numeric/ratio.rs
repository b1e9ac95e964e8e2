//! Fractions of two i128, in lowest terms; every operation that does not fit says so.

use std::cmp::Ordering;

use super::NumberError;

/// numerator / denominator in lowest terms; denominator > 0; neither is i128::MIN, so that negation always works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Fraction {
    pub(super) numerator: i128,
    pub(super) denominator: i128,
}

impl Fraction {
    /// In lowest terms.
    pub(super) fn new(numerator: i128, denominator: i128) -> Result<Self, NumberError> {
        if denominator == 0 {
            return Err(NumberError::DivisionByZero);
        }
        let divisor = gcd(numerator.unsigned_abs(), denominator.unsigned_abs());
        let n = signed(numerator.unsigned_abs() / divisor, (numerator < 0) != (denominator < 0))?;
        let d = signed(denominator.unsigned_abs() / divisor, false)?;
        Ok(Self { numerator: n, denominator: d })
    }

    pub(super) fn integer(value: i128) -> Result<Self, NumberError> {
        Self::new(value, 1)
    }

    pub(super) fn add(self, other: Self) -> Result<Self, NumberError> {
        let divisor = gcd(self.denominator.unsigned_abs(), other.denominator.unsigned_abs()) as i128;
        let (left, right) = (other.denominator / divisor, self.denominator / divisor);
        let sum = product(self.numerator, left)?
            .checked_add(product(other.numerator, right)?)
            .ok_or(NumberError::Overflow)?;
        Self::new(sum, product(self.denominator, left)?)
    }

    pub(super) fn mul(self, other: Self) -> Result<Self, NumberError> {
        let a = gcd(self.numerator.unsigned_abs(), other.denominator.unsigned_abs()).max(1) as i128;
        let b = gcd(other.numerator.unsigned_abs(), self.denominator.unsigned_abs()).max(1) as i128;
        let n = product(self.numerator / a, other.numerator / b)?;
        Self::new(n, product(self.denominator / b, other.denominator / a)?)
    }

    pub(super) fn reciprocal(self) -> Result<Self, NumberError> {
        Self::new(self.denominator, self.numerator)
    }

    pub(super) fn neg(self) -> Self {
        Self { numerator: -self.numerator, ..self }
    }

    pub(super) fn floor(self) -> i128 {
        self.numerator.div_euclid(self.denominator)
    }

    pub(super) fn compare(self, other: Self) -> Ordering {
        if let (Some(a), Some(b)) =
            (self.numerator.checked_mul(other.denominator), other.numerator.checked_mul(self.denominator))
        {
            return a.cmp(&b);
        }
        // Whole parts first, then the reciprocals of the rests, as in Euclid's algorithm.
        let (a, b) = (self.floor(), other.floor());
        if a != b {
            return a.cmp(&b);
        }
        // Whole part times denominator may not fit where the fraction is negative.
        let rest = |f: Self| (f.numerator.rem_euclid(f.denominator), f.denominator);
        match (rest(self), rest(other)) {
            ((0, _), (0, _)) => Ordering::Equal,
            ((0, _), _) => Ordering::Less,
            (_, (0, _)) => Ordering::Greater,
            ((n, d), (m, e)) => {
                let (a, b) = (Self { numerator: d, denominator: n }, Self { numerator: e, denominator: m });
                b.compare(a)
            }
        }
    }
}

fn product(a: i128, b: i128) -> Result<i128, NumberError> {
    a.checked_mul(b).ok_or(NumberError::Overflow)
}

fn signed(magnitude: u128, negative: bool) -> Result<i128, NumberError> {
    let value = i128::try_from(magnitude).map_err(|_| NumberError::Overflow)?;
    Ok(if negative { -value } else { value })
}

/// Greatest common divisor; gcd(0, x) = x.
fn gcd(mut a: u128, mut b: u128) -> u128 {
    if a == 0 || b == 0 {
        return a | b;
    }
    let shift = (a | b).trailing_zeros();
    a >>= a.trailing_zeros();
    b >>= b.trailing_zeros();
    while a != b {
        if let (Ok(mut x), Ok(mut y)) = (u64::try_from(a), u64::try_from(b)) {
            // Half the width is much faster.
            while x != y {
                if x > y {
                    x -= y;
                    x >>= x.trailing_zeros();
                } else {
                    y -= x;
                    y >>= y.trailing_zeros();
                }
            }
            return u128::from(x) << shift;
        }
        if a > b {
            a -= b;
            a >>= a.trailing_zeros();
        } else {
            b -= a;
            b >>= b.trailing_zeros();
        }
    }
    a << shift
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_in_lowest_terms() {
        let f = Fraction::new(-6, -4).unwrap();
        assert_eq!((f.numerator, f.denominator), (3, 2));
        assert_eq!(Fraction::new(0, -7).unwrap(), Fraction { numerator: 0, denominator: 1 });
        assert_eq!(Fraction::new(1, 0), Err(NumberError::DivisionByZero));
        assert_eq!(Fraction::new(i128::MIN, 1), Err(NumberError::Overflow));
        assert_eq!(Fraction::new(i128::MIN, 2).unwrap().numerator, i128::MIN / 2);
        assert_eq!(Fraction::new(i128::MIN, i128::MIN).unwrap(), Fraction { numerator: 1, denominator: 1 });
    }

    #[test]
    fn comparing_never_overflows() {
        let f = |n, d| Fraction::new(n, d).unwrap();
        let (big, bigger) = (f(i128::MAX - 1, i128::MAX), f(i128::MAX - 2, i128::MAX - 1));
        assert_eq!(big.compare(bigger), Ordering::Greater);
        assert_eq!(bigger.compare(big), Ordering::Less);
        assert_eq!(big.compare(big), Ordering::Equal);
        assert_eq!(f(-i128::MAX, 3).compare(f(-i128::MAX, 2)), Ordering::Greater);
        // Found by fuzzing: -2 times the denominator is below the smallest i128, and both have that whole part.
        let (low, high) = (f(-i128::MAX, i128::MAX - 1), f(2 - i128::MAX, i128::MAX - 3));
        assert_eq!((low.floor(), high.floor()), (-2, -2));
        assert_eq!(
            (low.compare(low), low.compare(high), high.compare(low)),
            (Ordering::Equal, Ordering::Greater, Ordering::Less)
        );
    }
}
