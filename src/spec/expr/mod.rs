//! Formulas: parsed once, with every name resolved and every type checked, then evaluated as often as needed.
//!
//! ```text
//! let names = Names::new("text").with("p", Name::P).with("i", Name::I);
//! let formula = Expr::parse("p + i", &names, Type::Number)?;
//! let position = formula.number(&env)?;          // `env` gives P and I their values
//! ```

mod eval;
mod float;
mod lexer;
pub mod names;
mod parser;
#[cfg(test)]
mod tests;
mod tree;

use std::ops::Range;
use std::sync::Arc;

use crate::numeric::{Number, NumberError};

pub use names::{Name, NameId, Names};
use tree::ExprNode;

/// Longest formula, in bytes.
pub const MAX_LENGTH: usize = 4096;
/// Deepest nesting of a formula, counted in operators and calls on the way from the root.
pub const MAX_DEPTH: usize = 96;

/// What a formula yields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Type {
    /// A number.
    Number,
    /// True or false.
    Boolean,
}

/// Which extreme a formula takes over the cells of a segment (in scope `frame`: of the frame).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Fold {
    /// `cells_min`
    Min,
    /// `cells_max`
    Max,
}

/// A formula: its text and its tree, with names resolved and types checked.
#[derive(Debug, Clone)]
pub struct Expr {
    /// The text that the tree's spans count in.
    source: Arc<str>,
    /// The part of `source` that is this formula: all of it, but for the inside of a fold over cells.
    part: Range<usize>,
    root: Arc<ExprNode>,
    names: Arc<[Name]>,
    /// The names that stand outside of folds over cells.
    outer: Arc<[Name]>,
    ty: Type,
    real: bool,
}

/// Gives the names of a formula their values.
pub trait Env {
    /// Value of a name.
    ///
    /// # Errors
    /// If the name has no value here ([`EvalError::NoValue`]) or computing it fails.
    fn value(&self, name: NameId) -> Result<Number, EvalError>;

    /// Smallest or largest value of `inner` over all cells of the segment (in scope `frame`: of the frame).
    ///
    /// # Errors
    /// If there is no cell to range over ([`EvalError::NoCells`]) or a value cannot be computed.
    fn over_cells(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError>;
}

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

/// Every name and function that a text mentions, in order; empty if it is no formula.
#[must_use]
pub fn words(text: &str) -> Vec<&str> {
    let tokens = lexer::tokens(text).unwrap_or_default();
    tokens.iter().filter(|token| token.kind == lexer::TokenKind::Word).map(|token| &text[token.span()]).collect()
}

impl Expr {
    /// Parses a formula, resolves its names and checks its types.
    ///
    /// # Errors
    /// [`ExprError`] with the place of the first mistake.
    pub fn parse(text: &str, names: &Names, expected: Type) -> Result<Self, ExprError> {
        parser::parse(text, names, expected)
    }

    /// The formula as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source[self.part.clone()]
    }

    /// Value of a formula of type [`Type::Number`].
    ///
    /// # Errors
    /// [`EvalError`] if arithmetic fails or the environment has no value for a name.
    pub fn number(&self, env: &dyn Env) -> Result<Number, EvalError> {
        eval::number(&self.root, &self.source, env)
    }

    /// Value of a formula of type [`Type::Boolean`].
    ///
    /// # Errors
    /// [`EvalError`] if arithmetic fails or the environment has no value for a name.
    pub fn truth(&self, env: &dyn Env) -> Result<bool, EvalError> {
        eval::truth(&self.root, &self.source, env)
    }

    /// The value in f64, a condition as 0 or 1, with names from `name`; NaN where there is none. Quick and inexact.
    #[must_use]
    pub fn float(&self, name: &dyn Fn(Name) -> f64) -> f64 {
        float::value(&self.root, name)
    }

    /// Every name used, folds over cells included, sorted and each once.
    #[must_use]
    pub fn names(&self) -> &[Name] {
        &self.names
    }

    /// The names used outside of folds over cells, sorted and each once: what the value varies with.
    #[must_use]
    pub fn outer_names(&self) -> &[Name] {
        &self.outer
    }

    /// Whether the formula uses this name.
    #[must_use]
    pub fn uses(&self, name: Name) -> bool {
        self.names.binary_search(&name).is_ok()
    }

    /// What the formula yields.
    #[must_use]
    pub fn ty(&self) -> Type {
        self.ty
    }

    /// Whether the formula itself uses a real function or constant (sqrt, sin, cos, atan2, log, exp, pow, pi),
    /// so that its values may be irrational.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.real
    }

    /// The value, if the formula is a literal or was folded to one.
    #[must_use]
    pub fn constant(&self) -> Option<&Number> {
        match &self.root.op {
            tree::Op::Number(value) => Some(value),
            _ => None,
        }
    }
}
