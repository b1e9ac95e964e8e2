//! Equality of positions that may be irrational.

use crate::numeric::{Number, NumberError};

/// Bits to which two reals must agree to count as equal: far below what any backend resolves, and far above what
/// rounding at 256 bits leaves behind.
const BITS: u32 = 100;

/// Equality: of exact numbers, or of reals to 100 bits (relative, absolute below 1).
///
/// # Errors
/// `Overflow`, for numbers that positions never reach.
pub(super) fn equal(a: &Number, b: &Number) -> Result<bool, NumberError> {
    if a.is_exact() && b.is_exact() {
        return Ok(a == b);
    }
    let scale = a.abs().add(&b.abs())?.add(&Number::ONE)?;
    let tolerance = scale.mul(&Number::ratio(1, 1 << BITS)?)?;
    Ok(a.sub(b)?.abs() <= tolerance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reals_are_equal_to_a_hundred_bits_and_exact_numbers_to_all() {
        let third = Number::ratio(1, 3).expect("a fraction");
        let root = Number::from_i64(2).sqrt().expect("a root");
        let again = root.add(&third).and_then(|sum| sum.sub(&third)).expect("small");
        assert!(equal(&root, &again).expect("small"));
        let near = root.add(&Number::ratio(1, 1 << 90).expect("a fraction")).expect("small");
        assert!(!equal(&root, &near).expect("small"));
        let exact = Number::ratio(1, 1 << 110).expect("a fraction");
        assert!(!equal(&exact, &Number::ZERO).expect("small"));
    }
}
