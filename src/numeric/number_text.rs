//! Numbers as text.

use std::fmt;
use std::str::FromStr;

use super::{Number, NumberError};

impl Number {
    /// Reads `12`, `-3`, `0.25`, `1e6`, `2.5e-3` or `10/3`; the value is exact. No spaces, no infinities.
    ///
    /// # Errors
    /// `Syntax`; `Overflow` where numerator or denominator do not fit 127 bits; `DivisionByZero` for `1/0`.
    pub fn parse(text: &str) -> Result<Self, NumberError> {
        match text.split_once('/') {
            Some((num, den)) => {
                let (num, den) = (decimal(num)?, decimal(den)?);
                if num.is_integer() && den.is_integer() { num.div(&den) } else { Err(NumberError::Syntax) }
            }
            None => decimal(text),
        }
    }
}

fn decimal(text: &str) -> Result<Number, NumberError> {
    let (negative, unsigned) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
        Some(at) => (&unsigned[..at], exponent(&unsigned[at + 1..])?),
        None => (unsigned, 0),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) if !fraction.is_empty() => (whole, fraction),
        Some(_) => return Err(NumberError::Syntax),
        None => (mantissa, ""),
    };
    if whole.is_empty() {
        return Err(NumberError::Syntax);
    }
    let mut digits: i128 = 0;
    let fraction = fraction.trim_end_matches('0');
    for c in whole.bytes().chain(fraction.bytes()) {
        if !c.is_ascii_digit() {
            return Err(NumberError::Syntax);
        }
        let grown = digits.checked_mul(10).and_then(|d| d.checked_add(i128::from(c - b'0')));
        digits = grown.ok_or(NumberError::Overflow)?;
    }
    if negative {
        digits = -digits;
    }
    if digits == 0 {
        return Ok(Number::ZERO);
    }
    let scale = exponent - i64::try_from(fraction.len()).map_err(|_| NumberError::Overflow)?;
    let power = u32::try_from(scale.unsigned_abs()).ok().and_then(|s| 10i128.checked_pow(s));
    let power = power.ok_or(NumberError::Overflow)?;
    if scale >= 0 {
        Number::from_i128(digits.checked_mul(power).ok_or(NumberError::Overflow)?)
    } else {
        Number::ratio(digits, power)
    }
}

fn exponent(text: &str) -> Result<i64, NumberError> {
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    if digits.is_empty() || !digits.bytes().all(|c| c.is_ascii_digit()) {
        return Err(NumberError::Syntax);
    }
    let value: i64 = digits.parse().map_err(|_| NumberError::Overflow)?;
    if value > 10_000 {
        return Err(NumberError::Overflow);
    }
    Ok(if text.starts_with('-') { -value } else { value })
}

impl FromStr for Number {
    type Err = NumberError;

    fn from_str(text: &str) -> Result<Self, NumberError> {
        Self::parse(text)
    }
}

/// Denominators up to this are written as decimals.
const DECIMAL: i128 = 1 << 20;

impl fmt::Display for Number {
    /// `12`, `2.5` (a binary fraction of at most 20 places), `10/3`; a real as the shortest text of its nearest f64.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some((numerator, denominator)) = self.as_ratio() else {
            return write!(f, "{}", self.to_f64());
        };
        if denominator == 1 {
            return write!(f, "{numerator}");
        }
        // n/2^k has the digits of n 5^k. Where they do not fit they could not be read back.
        let digits = 5i128.checked_pow(denominator.trailing_zeros()).and_then(|fives| numerator.checked_mul(fives));
        if !self.is_dyadic() || denominator > DECIMAL || digits.is_none() {
            return write!(f, "{numerator}/{denominator}");
        }
        let magnitude = numerator.unsigned_abs();
        let (whole, mut rest) = (magnitude / denominator as u128, magnitude % denominator as u128);
        write!(f, "{}{whole}.", if numerator < 0 { "-" } else { "" })?;
        while rest > 0 {
            rest *= 10;
            write!(f, "{}", rest / denominator as u128)?;
            rest %= denominator as u128;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_exact_and_come_back() {
        for (text, num, den) in [
            ("12", 12, 1),
            ("-3", -3, 1),
            ("+7", 7, 1),
            ("0.25", 1, 4),
            ("0.1", 1, 10),
            ("1e6", 1_000_000, 1),
            ("2.50e-3", 1, 400),
            ("10/3", 10, 3),
            ("-10/4", -5, 2),
            ("0.000", 0, 1),
            ("0e9999", 0, 1),
            ("170141183460469231731687303715884105727", i128::MAX, 1),
        ] {
            let n = Number::parse(text).unwrap();
            assert_eq!(n.as_ratio(), Some((num, den)), "{text}");
            assert_eq!(Number::parse(&n.to_string()).unwrap(), n, "{text}");
        }
        assert_eq!(Number::parse("0.5").unwrap().to_string(), "0.5");
        assert_eq!(Number::parse("-10/3").unwrap().to_string(), "-10/3");
        assert_eq!(Number::ratio(-5, 1 << 20).unwrap().to_string(), "-0.00000476837158203125");
        // A decimal of more digits than fit would be refused when it is read.
        for (num, den) in [(i128::MAX, 2), (i128::MIN + 1, 1 << 20), (i128::MAX / 5, 2), (i128::MAX / 5 + 1, 2)] {
            let n = Number::ratio(num, den).unwrap();
            assert_eq!(Number::parse(&n.to_string()).as_ref(), Ok(&n));
        }
        assert_eq!(Number::parse("2").unwrap().sqrt().unwrap().to_string(), "1.4142135623730951");
    }

    #[test]
    fn bad_texts_are_refused() {
        use NumberError::*;
        let cases = [
            ("", Syntax),
            (".5", Syntax),
            ("5.", Syntax),
            ("1e", Syntax),
            ("1e+-2", Syntax),
            ("--1", Syntax),
            ("1/2/3", Syntax),
            ("1.5/2", Syntax),
            ("0x10", Syntax),
            ("1_000", Syntax),
            (" 1", Syntax),
            ("inf", Syntax),
            ("nan", Syntax),
            ("١", Syntax),
            ("1/0", DivisionByZero),
            ("1e39", Overflow),
            ("1e-39", Overflow),
            ("1e99999999999999999999", Overflow),
            ("170141183460469231731687303715884105728", Overflow),
        ];
        for (text, error) in cases {
            assert_eq!(Number::parse(text).unwrap_err(), error, "{text}");
        }
    }
}
