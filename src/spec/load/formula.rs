//! A node as a formula, with the place of a mistake in the file.

use crate::spec::diagnostic::SpecError;
use crate::spec::expr::{Expr, Names, Type};
use crate::spec::yaml::Node;

/// Parses a scalar as a formula.
pub(super) fn formula(node: &Node, names: &Names, expected: Type) -> Result<Expr, SpecError> {
    let text = node.text(match expected {
        Type::Number => "a formula",
        Type::Boolean => "a condition",
    })?;
    Expr::parse(text, names, expected).map_err(|wrong| {
        let mut error = SpecError::new(&node.locate(wrong.span), wrong.message);
        (error.notes, error.suggestion) = (wrong.notes, wrong.suggestion);
        error
    })
}

/// Parses a scalar as a formula of a number.
pub(super) fn number(node: &Node, names: &Names) -> Result<Expr, SpecError> {
    formula(node, names, Type::Number)
}
