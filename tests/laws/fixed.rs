//! Cosine and sine in fixed point of 126 bits: integers only, and nothing of the code under test. Slow libraries of arbitrary
//! precision are asked about some of the points; this one, which they confirm, about all.

use dashu_base::{Abs, BitTest, DivRem, Sign};
use dashu_int::{IBig, UBig};

/// Bits behind the point.
pub const FRACTION: u32 = 126;
/// Error of [`cos_sin`]: 2^-126 for the angle and for each of less than 60 terms, and the rest of the series, is below 2^-119.
pub const ERROR: f64 = 1.0 / (1u128 << 119) as f64;
/// Scale of angles: pi/2 is PI / 2^SCALE.
const SCALE: isize = 321;
/// Hexadecimal digits of pi, 320 bits behind the point (those that every Blowfish table begins with).
const PI: &str = "3243f6a8885a308d313198a2e03707344a4093822299f31d0082efa98ec4e6c89452821e638d01377";

/// An exact position num / den * 2^exponent.
#[derive(Debug, Clone)]
pub struct Rational {
    pub num: IBig,
    pub den: UBig,
    pub exponent: isize,
}

/// value = m * 2^e.
pub fn parts(value: f64) -> (i64, isize) {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as isize;
    let fraction = (bits & ((1 << 52) - 1)) as i64 | (i64::from(exponent != 0) << 52);
    (if value < 0.0 { -fraction } else { fraction }, exponent.max(1) - 1075)
}

impl Rational {
    pub fn of_f64(value: f64) -> Self {
        let (m, exponent) = parts(value);
        Self { num: IBig::from(m), den: UBig::ONE, exponent }
    }
}

fn half_pi() -> UBig {
    UBig::from_str_radix(PI, 16).expect("hexadecimal digits")
}

/// What [`cos_sin`] needs, made once.
pub struct Fixed {
    half_pi: UBig,
}

impl Fixed {
    pub fn new() -> Self {
        Self { half_pi: half_pi() }
    }

    /// Cosine and sine of position * inv_freq, times 2^FRACTION.
    pub fn cos_sin(&self, position: &Rational, inv_freq: f64) -> (i128, i128) {
        let (k, e) = parts(inv_freq);
        let product = &position.num * IBig::from(k);
        let shift = SCALE + position.exponent + e;
        let magnitude = product.clone().abs().into_parts().1;
        let angle =
            if shift >= 0 { magnitude << shift as usize } else { magnitude >> (-shift) as usize } / &position.den;
        let (quarters, rest) = angle.div_rem(&self.half_pi);
        // The nearer multiple of pi/2: the series needs |x| <= pi/4.
        let beyond = &self.half_pi - &rest;
        let (quarters, rest, below) =
            if beyond < rest { (quarters + UBig::ONE, beyond, true) } else { (quarters, rest, false) };
        let x = u128::try_from(rest >> (SCALE as usize - FRACTION as usize)).expect("less than pi/4");
        let (cos, sin) = series(x);
        let sin = if below { -sin } else { sin };
        let (cos, sin) = match (quarters.bit(1), quarters.bit(0)) {
            (false, false) => (cos, sin),
            (false, true) => (-sin, cos),
            (true, false) => (-cos, -sin),
            (true, true) => (sin, -cos),
        };
        (cos, if product.sign() == Sign::Negative { -sin } else { sin })
    }

    /// Denominators, up to `limit`, of the continued fraction of inv_freq / (pi/2): each is a position whose angle is nearer to a
    /// multiple of pi/2 than that of any smaller one.
    pub fn near_quarter_turns(&self, inv_freq: f64, limit: u64) -> Vec<u64> {
        let (k, e) = parts(inv_freq);
        let (mut n, mut d) = (UBig::from(k.unsigned_abs()) << (SCALE + e) as usize, self.half_pi.clone());
        let (mut before, mut last) = (1u64, 0u64);
        let mut found = Vec::new();
        while !d.is_zero() {
            let (whole, rest) = n.div_rem(&d);
            let Ok(whole) = u64::try_from(whole) else { break };
            let Some(next) = whole.checked_mul(last).and_then(|v| v.checked_add(before)).filter(|v| *v <= limit) else {
                break;
            };
            found.push(next);
            (before, last) = (last, next);
            (n, d) = (d, rest);
        }
        found
    }
}

/// a * b / 2^FRACTION for a, b <= 2^FRACTION, cut off.
fn times(a: u128, b: u128) -> u128 {
    const LOW: u128 = u64::MAX as u128;
    let (a1, a0, b1, b0) = (a >> 64, a & LOW, b >> 64, b & LOW);
    let (low, high) = (a0 * b0, a1 * b1);
    // a1 and b1 are at most 2^62, so these two products and the carry fit.
    let middle = a1 * b0 + a0 * b1 + (low >> 64);
    let high = high + (middle >> 64);
    (high << (128 - FRACTION)) | ((middle & LOW) >> (FRACTION - 64))
}

/// Taylor series of cosine and sine for 0 <= x <= pi/4, times 2^FRACTION.
fn series(x: u128) -> (i128, i128) {
    let square = times(x, x);
    let sum = |first: u128, mut n: u128| {
        let (mut term, mut total, mut negative) = (first, first as i128, true);
        while term != 0 {
            term = times(term, square) / (n * (n + 1));
            total += if negative { -(term as i128) } else { term as i128 };
            negative = !negative;
            n += 2;
        }
        total
    };
    (sum(1 << FRACTION, 1), sum(x, 2))
}

/// |value| <= 1 times 2^FRACTION, exact down to 2^-73 and cut off below.
pub fn of_f64(value: f64) -> i128 {
    let (m, e) = parts(value);
    let shift = e + FRACTION as isize;
    if shift >= 0 { i128::from(m) << shift } else { i128::from(m) >> (-shift).min(127) }
}

/// As a number.
pub fn to_f64(fixed: i128) -> f64 {
    fixed as f64 / (1u128 << FRACTION) as f64
}
