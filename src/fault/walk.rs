//! Index mistakes, as formulas over the indices of a kernel's loops.

use crate::case::Level;
use crate::numeric::Number;
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use crate::spec::model::Pairing;

/// The names that formulas of a walk can use, in the order of their slots.
pub const NAMES: [&str; 21] = [
    "b",
    "t",
    "h",
    "i",
    "side",
    "axis",
    "B",
    "N",
    "H",
    "R",
    "d",
    "axes",
    "start",
    "total",
    "direction",
    "scaling",
    "in_place",
    "call",
    "position",
    "fused",
    "offset_channels",
];

/// Values of [`NAMES`] at one place.
#[derive(Debug, Clone, Default)]
pub struct Names {
    /// Batch row.
    pub b: i64,
    /// Token of the call.
    pub t: i64,
    /// Head of its side.
    pub h: i64,
    /// Pair.
    pub i: i64,
    /// 0 for q, 1 for k.
    pub side: i64,
    /// Axis of the pair; -1 for none.
    pub axis: i64,
    /// Rows of the batch.
    pub batch: i64,
    /// Tokens of the call.
    pub tokens: i64,
    /// Heads of this side.
    pub heads: i64,
    /// Rotated pairs.
    pub pairs: i64,
    /// Channels of a head.
    pub head_dim: i64,
    /// Axes of the scheme.
    pub axes: i64,
    /// First token of the call in its layout.
    pub start: i64,
    /// Tokens of the layout.
    pub total: i64,
    /// 1 or -1.
    pub direction: i64,
    /// Attention scaling.
    pub scaling: Option<Number>,
    /// 1 where outputs lie on the inputs.
    pub in_place: i64,
    /// Number of the call since the kernel was opened, from 0.
    pub call: i64,
    /// Position of this token on this axis.
    pub position: Option<Number>,
    /// 1 on level fused.
    pub fused: i64,
    /// First rotated channel.
    pub rotary_offset: i64,
}

impl Env for Names {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        let Name::Slot(slot) = name else { return Err(EvalError::NoValue(name)) };
        let whole = [
            self.b,
            self.t,
            self.h,
            self.i,
            self.side,
            self.axis,
            self.batch,
            self.tokens,
            self.heads,
            self.pairs,
            self.head_dim,
            self.axes,
            self.start,
            self.total,
            self.direction,
        ];
        if let Some(value) = whole.get(slot) {
            return Ok(Number::from_i64(*value));
        }
        match slot {
            15 => Ok(self.scaling.clone().unwrap_or(Number::ONE)),
            16 => Ok(Number::from_i64(self.in_place)),
            17 => Ok(Number::from_i64(self.call)),
            18 => self.position.clone().ok_or(EvalError::NoValue(name)),
            19 => Ok(Number::from_i64(self.fused)),
            20 => Ok(Number::from_i64(self.rotary_offset)),
            _ => Err(EvalError::NoValue(name)),
        }
    }

    fn over_cells(&self, _: Fold, _: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// What happens to something that should have been copied through.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tail {
    /// It becomes 0.
    Zero,
    /// It is not written.
    Skip,
}

/// Which pairing a kernel uses instead of the one that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OwnPairing {
    /// Always this one.
    Always(Pairing),
    /// The other one.
    Other,
}

/// Formulas for what a kernel reads and writes; what is `None` is as it should be.
#[derive(Debug, Clone, Default)]
pub struct Walk {
    /// Batch row whose position is used.
    pub row: Option<Expr>,
    /// Token of the layout (level rotate: of the call) whose position is used.
    pub token: Option<Expr>,
    /// Axis whose position is used.
    pub axis: Option<Expr>,
    /// Pair whose axis is used.
    pub axis_pair: Option<Expr>,
    /// Pair whose frequency and axis are used.
    pub pair: Option<Expr>,
    /// Added to the position.
    pub offset: Option<Expr>,
    /// Batch row that the input is read from.
    pub from_row: Option<Expr>,
    /// Token that the input is read from.
    pub from_token: Option<Expr>,
    /// Head that the input is read from.
    pub from_head: Option<Expr>,
    /// Side that the input is read from.
    pub from_side: Option<Expr>,
    /// Where nothing is written.
    pub skip: Option<Expr>,
    /// Where the input is copied.
    pub copy: Option<Expr>,
    /// Where zeros are written.
    pub zero: Option<Expr>,
    /// Factor on the cosine.
    pub cos: Option<Expr>,
    /// Factor on the sine.
    pub sin: Option<Expr>,
    /// Rotary width that is used.
    pub width: Option<Expr>,
    /// Pairing that is used.
    pub pairing: Option<OwnPairing>,
    /// What becomes of channels outside the rotary width.
    pub tail: Option<Tail>,
}

/// Value of a formula that may be absent.
pub struct WalkValue;

impl WalkValue {
    /// The formula as a whole number, or `otherwise`. Outside of `0..limit` it wraps, so that a fault stays inside memory.
    ///
    /// # Errors
    /// If it has no value.
    pub fn index(formula: Option<&Expr>, names: &Names, otherwise: i64, limit: i64) -> Result<i64, EvalError> {
        let Some(formula) = formula else { return Ok(otherwise) };
        let value = formula.number(names)?;
        let whole = value.to_i64().ok_or_else(|| EvalError::Other(format!("`{}` is no integer", formula.text())))?;
        Ok(whole.rem_euclid(limit.max(1)))
    }

    /// The formula as a number, or `otherwise`.
    ///
    /// # Errors
    /// If it has no value.
    pub fn number(formula: Option<&Expr>, names: &Names, otherwise: Number) -> Result<Number, EvalError> {
        formula.map_or(Ok(otherwise), |formula| formula.number(names))
    }

    /// The formula as a truth; false if it is absent.
    ///
    /// # Errors
    /// If it has no value.
    pub fn truth(formula: Option<&Expr>, names: &Names) -> Result<bool, EvalError> {
        formula.map_or(Ok(false), |formula| formula.truth(names))
    }
}

impl Walk {
    /// Whether it changes where positions come from, so that level positions shows it.
    #[must_use]
    pub fn moves_positions(&self, level: Level) -> bool {
        level == Level::Positions && [&self.row, &self.token, &self.offset].iter().any(|f| f.is_some())
    }
}
