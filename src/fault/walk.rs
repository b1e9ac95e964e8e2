//! Index mistakes, as formulas over the indices of a kernel's loops.

use crate::backend::emulated::{self, Fetch, Fill, Place, Side, Sizes};
use crate::case::channels_of_pair;
use crate::numeric::Dd;
use crate::spec::expr::{Expr, Name};
use crate::spec::model::Pairing;

/// The names that formulas of a walk can use, in the order of their slots.
pub const NAMES: [&str; 20] = [
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
    "fused",
    "position",
];

/// What becomes of something that should have been copied through.
pub use crate::backend::emulated::Tail;

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
    /// Pair whose frequency is used.
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
    /// Pairing that is used.
    pub pairing: Option<OwnPairing>,
    /// The whole head is rotated.
    pub whole_head: bool,
    /// What becomes of channels outside the rotary width.
    pub tail: Tail,
}

/// A [`Walk`] on a plan whose axes are known.
pub(super) struct FormulaWalk {
    pub(super) formulas: Walk,
}

/// Value of a name at a place.
fn name(place: Place, sizes: &Sizes, position: f64, name: Name) -> f64 {
    let Name::Slot(slot) = name else { return f64::NAN };
    let flag = |b: bool| f64::from(u8::from(b));
    let key = place.side == Side::Key;
    match slot {
        0 => place.row as f64,
        1 => place.token as f64,
        2 => place.head as f64,
        3 => place.pair as f64,
        4 => flag(key),
        5 => f64::from(place.axis),
        6 => sizes.rows as f64,
        7 => sizes.tokens as f64,
        8 => (if key { sizes.k_heads } else { sizes.q_heads }) as f64,
        9 => sizes.pairs as f64,
        10 => sizes.head_dim as f64,
        11 => sizes.axes as f64,
        12 => sizes.start as f64,
        13 => sizes.total as f64,
        14 => f64::from(sizes.direction),
        15 => sizes.scaling,
        16 => flag(sizes.in_place),
        17 => sizes.call as f64,
        18 => flag(sizes.finds_positions),
        _ => position,
    }
}

fn value(formula: Option<&Expr>, place: Place, sizes: &Sizes) -> Option<f64> {
    formula.map(|formula| formula.float(&|id| name(place, sizes, f64::NAN, id)))
}

/// The formula as an index, wrapped into `0..limit` so that a fault stays inside memory.
fn index(formula: Option<&Expr>, place: Place, sizes: &Sizes, otherwise: usize, limit: usize) -> usize {
    match value(formula, place, sizes) {
        Some(v) if v.is_finite() => (v.floor() as i64).rem_euclid(limit.max(1) as i64) as usize,
        _ => otherwise,
    }
}

fn holds(formula: Option<&Expr>, place: Place, sizes: &Sizes) -> bool {
    value(formula, place, sizes).is_some_and(|v| v != 0.0)
}

impl emulated::Walk for FormulaWalk {
    fn fetch(&self, place: Place, sizes: &Sizes) -> Fetch {
        let f = &self.formulas;
        let honest = Fetch::honest(place, sizes);
        let fill = if holds(f.skip.as_ref(), place, sizes) {
            Fill::Nothing
        } else if holds(f.copy.as_ref(), place, sizes) {
            Fill::Copied
        } else if holds(f.zero.as_ref(), place, sizes) {
            Fill::Zero
        } else {
            Fill::Rotated
        };
        let no_axis = place.axis == crate::plan::NO_AXIS;
        let axis = index(f.axis.as_ref(), place, sizes, usize::from(place.axis), sizes.axes);
        Fetch {
            row: index(f.row.as_ref(), place, sizes, honest.row, sizes.rows),
            token: index(f.token.as_ref(), place, sizes, honest.token, sizes.start + sizes.total.max(sizes.tokens)),
            axis: if no_axis { place.axis } else { u8::try_from(axis).unwrap_or(place.axis) },
            axis_pair: index(f.axis_pair.as_ref(), place, sizes, honest.axis_pair, sizes.pairs),
            pair: index(f.pair.as_ref(), place, sizes, honest.pair, sizes.pairs),
            factors: (
                value(f.cos.as_ref(), place, sizes).unwrap_or(1.0),
                value(f.sin.as_ref(), place, sizes).unwrap_or(1.0),
            ),
            fill,
            ..honest
        }
    }

    fn position(&self, place: Place, sizes: &Sizes, position: Dd) -> Dd {
        let Some(offset) = &self.formulas.offset else { return position };
        let by = offset.float(&|id| name(place, sizes, position.to_f64(), id));
        if by.is_finite() { position.plus(Dd::from_f64(by)) } else { position }
    }

    fn channels(&self, place: Place, sizes: &Sizes, honest: (usize, usize)) -> (usize, usize) {
        let width = 2 * sizes.pairs;
        // The first pair of either pairing begins at the offset.
        let is_half = honest.1 != honest.0 + 1 || sizes.pairs == 1;
        let own = match self.formulas.pairing {
            None => return honest,
            Some(OwnPairing::Always(pairing)) => pairing,
            Some(OwnPairing::Other) if is_half => Pairing::Adjacent,
            Some(OwnPairing::Other) => Pairing::Half,
        };
        let offset = honest.0 - if is_half { place.pair } else { 2 * place.pair };
        channels_of_pair(own, width, offset, place.pair)
    }

    fn input(&self, place: Place, sizes: &Sizes) -> (Side, usize, usize, usize) {
        let f = &self.formulas;
        let side = match value(f.from_side.as_ref(), place, sizes) {
            Some(1.0) if sizes.k_heads > 0 => Side::Key,
            Some(0.0) => Side::Query,
            _ => place.side,
        };
        let heads = if side == Side::Key { sizes.k_heads } else { sizes.q_heads };
        let head = index(f.from_head.as_ref(), place, sizes, place.head, heads) % heads.max(1);
        let row = index(f.from_row.as_ref(), place, sizes, place.row, sizes.rows);
        (side, row, index(f.from_token.as_ref(), place, sizes, place.token, sizes.tokens), head)
    }
}
