//! A formula, its tree, and where its names get their values.

use std::ops::Range;
use std::sync::Arc;

use crate::numeric::Number;

use super::error::EvalError;
use super::names::{Name, NameId};

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
    pub(super) source: Arc<str>,
    /// The part of `source` that is this formula: all of it, but for the inside of a fold over cells.
    pub(super) part: Range<usize>,
    pub(super) root: Arc<ExprNode>,
    pub(super) names: Arc<[Name]>,
    /// The names that stand outside of folds over cells.
    pub(super) outer: Arc<[Name]>,
    pub(super) ty: Type,
    pub(super) real: bool,
}

/// Gives the names of a formula their values.
pub trait Env {
    /// Value of a name.
    ///
    /// # Errors
    /// If the name has no value here ([`EvalError::NoValue`]) or computing it fails.
    fn value(&self, name: NameId) -> Result<Number, EvalError>;

    /// The value of a name if it has one here that is an i64.
    fn integer(&self, name: NameId) -> Option<i64> {
        self.value(name).ok()?.to_i64()
    }

    /// Smallest or largest value of `inner` over all cells of the segment (in scope `frame`: of the frame).
    ///
    /// # Errors
    /// If there is no cell to range over ([`EvalError::NoCells`]) or a value cannot be computed.
    fn over_cells(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError>;
}

impl Expr {
    /// The formula as it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.source[self.part.clone()]
    }

    /// Whether this is the same formula, word for word, of the same names.
    #[must_use]
    pub fn is_same(&self, other: &Expr) -> bool {
        Arc::ptr_eq(&self.root, &other.root) || self.text() == other.text() && self.names == other.names
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

    /// Whether the formula itself uses a real function or constant (sqrt, sin, cos, atan2, log, exp, pow,
    /// pi), so that its values may be irrational.
    #[must_use]
    pub fn is_real(&self) -> bool {
        self.real
    }

    /// The value, if the formula is a literal or was folded to one.
    #[must_use]
    pub fn constant(&self) -> Option<&Number> {
        match &self.root.op {
            Op::Number(value) => Some(value),
            _ => None,
        }
    }
}

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
