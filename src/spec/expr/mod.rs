//! Formulas: parsed once, with every name resolved and every type checked, then evaluated as often as needed.
//!
//! ```text
//! let names = Names::new("text").with("p", Name::P).with("i", Name::I);
//! let formula = Expr::parse("p + i", &names, Type::Number)?;
//! let position = formula.number(&env)?;          // `env` gives P and I their values
//! ```

mod error;
mod eval;
mod float;
mod lexer;
mod meaning;
pub mod names;
mod parser;
#[cfg(test)]
mod tests;
mod tree;

pub use error::{EvalError, ExprError};
pub use lexer::words;
pub use names::{Name, NameId, Names};
pub use parser::{MAX_DEPTH, MAX_LENGTH};
pub use tree::{Env, Expr, Fold, Type};
