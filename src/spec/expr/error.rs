//! Why a text is no formula, and why a formula has no value.

use std::ops::Range;

use super::names::Name;
use crate::numeric::NumberError;

/// Why a formula has no value.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum EvalError {
    /// Operator failed.
    #[error("{error} in `{part}`")]
    Number {
        /// What failed.
        error: NumberError,
        /// The part of the formula that failed.
        part: String,
    },
    /// The environment has no value for this name.
    #[error("{0:?} has no value here")]
    NoValue(Name),
    /// `cells_min` or `cells_max` where there are no cells.
    #[error("there are no cells here to take a minimum or maximum over")]
    NoCells,
    /// A truth value was asked of a number, or the reverse; the type check at load rules it out.
    #[error("`{0}` has the wrong type")]
    Type(String),
    /// Whatever else the environment has to say.
    #[error("{0}")]
    Other(String),
}

impl From<NumberError> for EvalError {
    fn from(error: NumberError) -> Self {
        EvalError::Number { error, part: String::new() }
    }
}

/// Why a text is not a formula. Spans are bytes of the formula's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ExprError {
    /// What was expected and what was found.
    pub message: String,
    /// Where, in bytes of the formula.
    pub span: Range<usize>,
    /// Further lines.
    pub notes: Vec<String>,
    /// A name that may have been meant.
    pub suggestion: Option<String>,
}

impl ExprError {
    pub(super) fn new(message: impl Into<String>, span: Range<usize>) -> Self {
        ExprError { message: message.into(), span, notes: Vec::new(), suggestion: None }
    }
}
