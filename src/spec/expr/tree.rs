//! The tree of a formula.

use std::ops::Range;

use crate::numeric::Number;

use super::names::Name;
use super::{Expr, Fold};

/// A node and the bytes of the formula that it came from.
#[derive(Debug, Clone)]
pub(super) struct ExprNode {
    pub op: Op,
    pub start: u32,
    pub end: u32,
}

impl ExprNode {
    pub(super) fn span(&self) -> Range<usize> {
        self.start as usize..self.end as usize
    }

    /// The part of the formula that the node came from.
    pub(super) fn part<'a>(&self, text: &'a str) -> &'a str {
        text.get(self.span()).unwrap_or(text)
    }
}

#[derive(Debug, Clone)]
pub(super) enum Op {
    Number(Number),
    Name(Name),
    Negate(Box<ExprNode>),
    Not(Box<ExprNode>),
    Operator(Operator, Box<[ExprNode; 2]>),
    Compare(Compare, Box<[ExprNode; 2]>),
    And(Box<[ExprNode; 2]>),
    Or(Box<[ExprNode; 2]>),
    Call(Function, Box<[ExprNode]>),
    /// condition, value if true, value if false: numbers.
    If(Box<[ExprNode; 3]>),
    Cells(Fold, Box<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// Floor modulo.
    Remainder,
    Power,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Compare {
    Equal,
    NotEqual,
    Less,
    LessEqual,
    Greater,
    GreaterEqual,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Function {
    Floor,
    Ceil,
    Min,
    Max,
    Abs,
    Sqrt,
    Sin,
    Cos,
    Atan2,
    Log,
    Exp,
    Pow,
}

impl Function {
    /// Every function of numbers, for look-up and for suggestions.
    pub(super) const ALL: [(&'static str, Function); 12] = [
        ("floor", Function::Floor),
        ("ceil", Function::Ceil),
        ("min", Function::Min),
        ("max", Function::Max),
        ("abs", Function::Abs),
        ("sqrt", Function::Sqrt),
        ("sin", Function::Sin),
        ("cos", Function::Cos),
        ("atan2", Function::Atan2),
        ("log", Function::Log),
        ("exp", Function::Exp),
        ("pow", Function::Pow),
    ];

    /// Fewest and most arguments.
    pub(super) fn arity(self) -> (usize, usize) {
        match self {
            Function::Min | Function::Max => (2, 16),
            Function::Atan2 | Function::Pow => (2, 2),
            _ => (1, 1),
        }
    }

    /// Whether the result may be irrational for rational arguments.
    pub(super) fn is_real(self) -> bool {
        matches!(
            self,
            Function::Sqrt
                | Function::Sin
                | Function::Cos
                | Function::Atan2
                | Function::Log
                | Function::Exp
                | Function::Pow
        )
    }
}
