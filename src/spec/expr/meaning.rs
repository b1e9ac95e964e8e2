//! A formula as one text that its spelling does not change: what tells one meaning from another.

use std::fmt::Write as _;

use super::names::Name;
use super::tree::{Expr, ExprNode, Op};

impl Expr {
    /// Adds the formula's tree to `text`, operators first. `name` is what a name is called there: a number alone would
    /// change with the order in which names were declared.
    pub(in crate::spec) fn meaning(&self, name: &dyn Fn(Name) -> String, text: &mut String) {
        node(&self.root, name, text);
    }
}

fn node(node: &ExprNode, name: &dyn Fn(Name) -> String, text: &mut String) {
    let (word, parts): (String, &[ExprNode]) = match &node.op {
        Op::Number(number) => (number.to_string(), &[]),
        Op::Name(id) => (name(*id), &[]),
        Op::Negate(part) => ("negate".into(), std::slice::from_ref(part)),
        Op::Not(part) => ("not".into(), std::slice::from_ref(part)),
        Op::Operator(operator, parts) => (format!("{operator:?}"), &parts[..]),
        Op::Compare(operator, parts) => (format!("{operator:?}"), &parts[..]),
        Op::And(parts) => ("and".into(), &parts[..]),
        Op::Or(parts) => ("or".into(), &parts[..]),
        Op::Call(function, parts) => (format!("{function:?}"), parts),
        Op::If(parts) => ("if".into(), &parts[..]),
        Op::Cells(fold, inner) => {
            let _ = write!(text, "({fold:?} ");
            inner.meaning(name, text);
            text.push(')');
            return;
        }
    };
    if parts.is_empty() {
        text.push_str(&word);
        return;
    }
    let _ = write!(text, "({word}");
    for part in parts {
        text.push(' ');
        self::node(part, name, text);
    }
    text.push(')');
}
