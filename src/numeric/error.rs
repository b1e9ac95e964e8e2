//! What can go wrong with a number.

/// Why a number does not exist, or not here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NumberError {
    /// An exact result needs a numerator or denominator of 2^127 or more, or a real one leaves 2^±65536.
    #[error("the result is too large for exact arithmetic")]
    Overflow,
    /// A division by zero, or zero to a negative power.
    #[error("division by zero")]
    DivisionByZero,
    /// A function was asked for a value it does not have.
    #[error("{0}")]
    Domain(&'static str),
    /// The text is not a number.
    #[error("not a number")]
    Syntax,
}
