//! Reals of 256 bits.

use std::cell::RefCell;
use std::cmp::Ordering;

use dashu_base::{Abs, BitTest, Sign};
use dashu_float::round::mode::HalfEven;
use dashu_float::{ConstCache, Context, FBig};
use dashu_int::{IBig, UBig};

use super::memo::Memo;
use super::{NumberError, round};

type Binary = FBig<HalfEven, 2>;
type Rounded = Result<dashu_base::Approximation<Binary, dashu_float::round::Rounding>, dashu_float::FpError>;

/// Bits of a real.
const PRECISION: usize = 256;
/// Reals stay within 2^±LIMIT, so that no operation can run away.
const LIMIT: i64 = 65_536;
/// Arguments of sine and cosine stay below 2^ANGLE_LIMIT.
const ANGLE_LIMIT: i64 = 4096;

/// A finite binary number of at most 256 bits. Each function below is the correctly rounded result for its operands.
#[derive(Debug, Clone)]
pub struct Real(Binary);

const CONTEXT: Context<HalfEven> = Context::new(PRECISION);
/// What powers are computed in before they are rounded.
const WIDE: Context<HalfEven> = Context::new(PRECISION + 96);

thread_local! {
    /// pi and logarithms of small integers, as far as they were ever needed: most of the time of a logarithm otherwise. Results are
    /// correctly rounded with and without it.
    static CONSTANTS: RefCell<ConstCache> = const { RefCell::new(ConstCache::new()) };
}

/// Significand and exponent: exactly a value.
type Parts = (IBig, i64);

/// Powers and logarithms: plans of other schemes and widths ask for the same frequencies again. Angles: grids of one size are
/// laid out again and again, by every statement, part of a layout and case.
static POWERS: Memo<[Parts; 2], Real> = Memo::new();
static SINES: Memo<Parts, [Real; 2]> = Memo::new();
static ANGLES: Memo<[Parts; 2], Real> = Memo::new();
static LOGARITHMS: Memo<Parts, Real> = Memo::new();
static WIDE_LOGARITHMS: Memo<Parts, Binary> = Memo::new();

fn with_constants<T>(work: impl FnOnce(Option<&mut ConstCache>) -> T) -> T {
    CONSTANTS.with(|cache| match cache.try_borrow_mut() {
        Ok(mut cache) => work(Some(&mut cache)),
        Err(_) => work(None),
    })
}

impl Real {
    fn checked(outcome: Rounded) -> Result<Self, NumberError> {
        use dashu_float::FpError;
        let value = match outcome {
            Ok(value) => value.value(),
            Err(FpError::Overflow(_) | FpError::Underflow(_)) => return Err(NumberError::Overflow),
            Err(_) => return Err(NumberError::Domain("the function has no value here")),
        };
        if value.repr().is_infinite() {
            return Err(NumberError::Overflow);
        }
        let real = Self(value);
        if real.magnitude().is_some_and(|m| m.abs() > LIMIT) { Err(NumberError::Overflow) } else { Ok(real) }
    }

    /// Rounded to 256 bits if it has more.
    fn from_parts(significand: IBig, exponent: i64) -> Self {
        // `exponent` is at most a few thousand in this module.
        Self(Binary::from_parts(significand, exponent as isize).with_precision(PRECISION).value())
    }

    /// An integer.
    #[must_use]
    pub fn from_i128(value: i128) -> Self {
        Self::from_parts(IBig::from(value), 0)
    }

    /// num / den, rounded once. den = 0 gives 0.
    #[must_use]
    pub fn from_ratio(num: i128, den: i128) -> Self {
        Self::from_i128(num).div(&Self::from_i128(den)).unwrap_or_else(|_| Self::from_i128(0))
    }

    /// Exactly this f64; 0 for NaN and infinities.
    #[must_use]
    pub fn from_f64(value: f64) -> Self {
        if !value.is_finite() {
            return Self::from_i128(0);
        }
        let bits = value.to_bits();
        let exponent = ((bits >> 52) & 0x7ff) as i64;
        let fraction = (bits & ((1 << 52) - 1)) as i64 + (i64::from(exponent != 0) << 52);
        Self::from_parts(IBig::from(if value < 0.0 { -fraction } else { fraction }), exponent.max(1) - 1075)
    }

    /// (significand, exponent): the value is significand * 2^exponent.
    #[must_use]
    pub fn parts(&self) -> (IBig, i64) {
        let repr = self.0.repr();
        (repr.significand().clone(), repr.exponent() as i64)
    }

    /// e with 2^(e-1) <= |self| < 2^e; `None` for zero.
    fn magnitude(&self) -> Option<i64> {
        let (significand, exponent) = self.parts();
        let bits = significand.abs().bit_len() as i64;
        (bits > 0).then(|| exponent.saturating_add(bits))
    }

    pub(super) fn is_zero(&self) -> bool {
        self.magnitude().is_none()
    }

    pub(super) fn is_negative(&self) -> bool {
        !self.is_zero() && self.0.repr().sign() == Sign::Negative
    }

    pub(super) fn neg(&self) -> Self {
        if self.is_zero() { self.clone() } else { Self(-self.0.clone()) }
    }

    /// Sum.
    ///
    /// # Errors
    /// `Overflow`, as for all operations here.
    pub fn add(&self, other: &Self) -> Result<Self, NumberError> {
        Self::checked(CONTEXT.add(self.0.repr(), other.0.repr()))
    }

    /// Difference.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn sub(&self, other: &Self) -> Result<Self, NumberError> {
        Self::checked(CONTEXT.sub(self.0.repr(), other.0.repr()))
    }

    /// Product.
    ///
    /// # Errors
    /// `Overflow`.
    pub fn mul(&self, other: &Self) -> Result<Self, NumberError> {
        Self::checked(CONTEXT.mul(self.0.repr(), other.0.repr()))
    }

    /// Quotient.
    ///
    /// # Errors
    /// `DivisionByZero`, `Overflow`.
    pub fn div(&self, other: &Self) -> Result<Self, NumberError> {
        if other.is_zero() {
            return Err(NumberError::DivisionByZero);
        }
        Self::checked(CONTEXT.div(self.0.repr(), other.0.repr()))
    }

    /// Square root.
    ///
    /// # Errors
    /// `Domain` below 0.
    pub fn sqrt(&self) -> Result<Self, NumberError> {
        if self.is_negative() {
            return Err(NumberError::Domain("square root of a negative number"));
        }
        Self::checked(CONTEXT.sqrt(self.0.repr()))
    }

    /// Sine and cosine of an angle in radians.
    ///
    /// # Errors
    /// `Domain` for angles of 2^4096 and more.
    pub fn sin_cos(&self) -> Result<(Self, Self), NumberError> {
        if self.is_zero() {
            return Ok((Self::from_i128(0), Self::from_i128(1)));
        }
        if self.magnitude().is_some_and(|m| m > ANGLE_LIMIT) {
            return Err(NumberError::Domain("the angle is too large"));
        }
        if self.magnitude().is_some_and(|m| m < -(PRECISION as i64)) {
            // sin x = x and cos x = 1 to more than 2^-512 (relative).
            return Ok((self.clone(), Self::from_i128(1)));
        }
        let [sin, cos] = SINES.get(self.parts(), || {
            let (sin, cos) = with_constants(|cache| CONTEXT.sin_cos(self.0.repr(), cache));
            Ok::<_, NumberError>([Self::checked(sin)?, Self::checked(cos)?])
        })?;
        Ok((sin, cos))
    }

    /// Natural logarithm.
    ///
    /// # Errors
    /// `Domain` for 0 and below.
    pub fn ln(&self) -> Result<Self, NumberError> {
        if self.is_zero() || self.is_negative() {
            return Err(NumberError::Domain("logarithm of a number that is not positive"));
        }
        LOGARITHMS.get(self.parts(), || Self::checked(with_constants(|cache| CONTEXT.ln(self.0.repr(), cache))))
    }

    /// e^self.
    ///
    /// # Errors
    /// `Overflow`, also for results below 2^-65536.
    pub fn exp(&self) -> Result<Self, NumberError> {
        match self.magnitude() {
            None => Ok(Self::from_i128(1)),
            // |self| >= 2^16 leaves 2^±65536 for sure.
            Some(m) if m > 17 => Err(NumberError::Overflow),
            Some(m) if m < -300 => Ok(Self::from_i128(1)),
            Some(_) => Self::checked(with_constants(|cache| CONTEXT.exp(self.0.repr(), cache))),
        }
    }

    /// self^exponent for self > 0.
    ///
    /// # Errors
    /// `Domain` for a base of 0 and below, `Overflow`.
    pub fn pow(&self, exponent: &Self) -> Result<Self, NumberError> {
        if self.is_zero() || self.is_negative() {
            return Err(NumberError::Domain("a base that is not positive needs an integer exponent"));
        }
        if exponent.is_zero() {
            return Ok(Self::from_i128(1));
        }
        POWERS.get([self.parts(), exponent.parts()], || {
            // The size first: the power itself is computed in one correctly rounded step.
            if !self.power_is_surely_small(exponent) {
                exponent.mul(&self.ln()?)?.exp()?;
            }
            self.power_by_logarithm(exponent).map_or_else(|| self.power_at_once(exponent), Ok)
        })
    }

    fn power_at_once(&self, exponent: &Self) -> Result<Self, NumberError> {
        Self::checked(with_constants(|cache| CONTEXT.powf(self.0.repr(), exponent.0.repr(), cache)))
    }

    /// The power as e^(exponent ln self), of a logarithm that is computed once for every base; `None` where that leaves open
    /// how it rounds.
    ///
    /// With p = 352 bits the logarithm, the product and e^x each err by 2^-p of their value. The product stays below 2^16, so
    /// that the power errs by 2^16 2^(1-p) + 2^-p < 2^-334 of its value, and a margin of 2^-320 holds it.
    fn power_by_logarithm(&self, exponent: &Self) -> Option<Self> {
        const MARGIN: isize = -320;
        let logarithm = WIDE_LOGARITHMS
            .get(self.parts(), || with_constants(|cache| WIDE.ln(self.0.repr(), cache)).map(|ln| ln.value()))
            .ok()?;
        let product = WIDE.mul(logarithm.repr(), exponent.0.repr()).ok()?.value();
        let power = with_constants(|cache| WIDE.exp(product.repr(), cache)).ok()?.value();
        let margin = WIDE.mul(power.repr(), Binary::from_parts(IBig::ONE, MARGIN).repr()).ok()?;
        let [low, high] = [-margin.clone().value(), margin.value()].map(|margin| {
            let end = WIDE.add(power.repr(), margin.repr()).ok()?.value();
            Some(end.with_precision(PRECISION).value())
        });
        let (low, high) = (low?, high?);
        (low == high).then_some(Self(low)).filter(|real| real.magnitude().is_some_and(|m| m.abs() <= LIMIT))
    }

    /// Whether |exponent * log2(self)| is below `LIMIT` by the sizes of both alone: |log2| of 2^(m-1)..2^m is at most the larger
    /// of |m - 1| and |m|, and |exponent| is below 2^e.
    fn power_is_surely_small(&self, exponent: &Self) -> bool {
        match (self.magnitude(), exponent.magnitude()) {
            (Some(m), Some(e)) => {
                let log = m.abs().max((m - 1).abs());
                e <= 16 && log <= LIMIT && (log << e.max(0)) < LIMIT
            }
            _ => false,
        }
    }

    /// Angle of the point (x, y) = (other, self), in (-pi, pi].
    ///
    /// # Errors
    /// `Domain` at the origin.
    pub fn atan2(&self, other: &Self) -> Result<Self, NumberError> {
        if self.is_zero() && other.is_zero() {
            return Err(NumberError::Domain("atan2(0, 0)"));
        }
        ANGLES.get([self.parts(), other.parts()], || {
            Self::checked(with_constants(|cache| CONTEXT.atan2(self.0.repr(), other.0.repr(), cache)))
        })
    }

    /// pi.
    #[must_use]
    pub fn pi() -> Self {
        Self(with_constants(|cache| CONTEXT.pi::<2>(cache).value()))
    }

    pub(super) fn floor(&self) -> Result<i128, NumberError> {
        let (significand, exponent) = self.parts();
        if self.magnitude().is_some_and(|m| m > 127) {
            return Err(NumberError::Overflow);
        }
        let value = match usize::try_from(exponent) {
            Ok(up) => significand << up,
            Err(_) => {
                let down = usize::try_from(-exponent).unwrap_or(usize::MAX);
                let (sign, magnitude) = significand.into_parts();
                let lost = magnitude.trailing_zeros().is_some_and(|zeros| zeros < down);
                let whole = IBig::from(if down > magnitude.bit_len() { UBig::ZERO } else { magnitude >> down });
                if sign == Sign::Negative { -whole - IBig::from(u8::from(lost)) } else { whole }
            }
        };
        i128::try_from(value).map_err(|_| NumberError::Overflow)
    }

    pub(super) fn compare(&self, other: &Self) -> Ordering {
        self.0.cmp(&other.0)
    }

    /// Compares with num / den exactly, for den > 0.
    pub(super) fn compare_ratio(&self, num: i128, den: i128) -> Ordering {
        let (significand, exponent) = self.parts();
        // |exponent| <= LIMIT + PRECISION, so the shifts are small.
        let (up, down) = (usize::try_from(exponent).unwrap_or(0), usize::try_from(-exponent).unwrap_or(0));
        ((significand << up) * IBig::from(den)).cmp(&(IBig::from(num) << down))
    }

    /// The nearest f64, ties to even.
    #[must_use]
    pub fn to_f64(&self) -> f64 {
        let (significand, exponent) = self.parts();
        round::big_to_f64(&significand, exponent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::Rng;

    /// The two ways to a power agree in every bit, and the quick one nearly always says something.
    #[test]
    fn a_power_by_its_logarithm_is_the_power_rounded_once() {
        let mut rng = Rng::new(1);
        let mut said = 0;
        for _ in 0..300 {
            let base = Real::from_ratio(i128::from(rng.between(1, 1 << 40)), i128::from(rng.between(1, 1 << 12)));
            let exponent = Real::from_ratio(i128::from(rng.between(-4096, 4096)), i128::from(rng.between(1, 512)));
            let quick = base.power_by_logarithm(&exponent);
            let parts = |real: &Real| real.parts();
            match (&quick, base.power_at_once(&exponent)) {
                (Some(quick), Ok(once)) => assert_eq!(parts(quick), parts(&once), "{base:?} {exponent:?}"),
                (Some(quick), Err(error)) => panic!("{base:?} {exponent:?}: {quick:?} and {error}"),
                (None, _) => {}
            }
            said += u32::from(quick.is_some());
        }
        assert!(said > 280, "{said} of 300");
        // The power is exact, and its margin holds both sides of it: nothing is lost where both round to it.
        let quick = Real::from_i128(4).power_by_logarithm(&Real::from_ratio(1, 2));
        assert!(quick.is_none_or(|quick| quick.parts() == Real::from_i128(2).parts()));
    }
}
