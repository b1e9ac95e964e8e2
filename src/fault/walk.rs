//! Index mistakes, as formulas over the indices of a kernel's loops.

use crate::backend::emulated::{self, Action, Fetch, Operand, PairPlace, Scene};
use crate::case::Level;
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
pub struct IndexFault {
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
    /// Operand that the input is read from.
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
    pub tail: Option<Action>,
}

/// A [`IndexFault`] on a plan whose axes are known.
pub(super) struct FormulaWalk {
    pub(super) formulas: IndexFault,
}

/// Value of a name at a place.
fn name(place: PairPlace, scene: &Scene<'_>, position: f64, name: Name) -> f64 {
    let Name::Slot(slot) = name else { return f64::NAN };
    let flag = |b: bool| f64::from(u8::from(b));
    let key = place.side == Operand::Key;
    match slot {
        0 => place.row as f64,
        1 => place.token as f64,
        2 => place.head as f64,
        3 => place.pair as f64,
        4 => flag(key),
        5 => f64::from(place.axis),
        6 => scene.rows as f64,
        7 => scene.tokens as f64,
        8 => (if key { scene.k_heads } else { scene.q_heads }) as f64,
        9 => (scene.rotary_dim / 2) as f64,
        10 => scene.head_dim as f64,
        11 => scene.axes as f64,
        12 => scene.start as f64,
        13 => scene.total as f64,
        14 => f64::from(scene.direction),
        15 => scene.scaling,
        16 => flag(scene.in_place),
        17 => scene.call as f64,
        18 => flag(scene.level != Level::Rotate),
        _ => position,
    }
}

fn value(formula: Option<&Expr>, place: PairPlace, scene: &Scene<'_>) -> Option<f64> {
    formula.map(|formula| formula.float(&|id| name(place, scene, f64::NAN, id)))
}

/// The formula as an index, wrapped into `0..limit` so that a fault stays inside memory.
fn index(formula: Option<&Expr>, place: PairPlace, scene: &Scene<'_>, otherwise: usize, limit: usize) -> usize {
    match value(formula, place, scene) {
        Some(v) if v.is_finite() => (v.floor() as i64).rem_euclid(limit.max(1) as i64) as usize,
        _ => otherwise,
    }
}

fn holds(formula: Option<&Expr>, place: PairPlace, scene: &Scene<'_>) -> bool {
    value(formula, place, scene).is_some_and(|v| v != 0.0)
}

impl emulated::Walk for FormulaWalk {
    fn fetch(&self, place: PairPlace, scene: &Scene<'_>) -> Fetch {
        let f = &self.formulas;
        let honest = Fetch::honest(place, scene);
        let pairs = scene.rotary_dim / 2;
        let mut axis = place.axis;
        if let (Some(formula), Some(plan)) = (&f.axis_pair, scene.plan) {
            let pair = index(Some(formula), place, scene, place.pair, pairs);
            axis = plan.axes(0).get(pair).copied().unwrap_or(axis);
        }
        if axis != crate::rotation::NO_AXIS {
            let own = index(f.axis.as_ref(), place, scene, usize::from(axis), scene.axes);
            axis = u8::try_from(own).unwrap_or(axis);
        }
        Fetch {
            row: index(f.row.as_ref(), place, scene, honest.row, scene.rows),
            token: index(f.token.as_ref(), place, scene, honest.token, scene.total.max(scene.tokens)),
            axis,
            pair: index(f.pair.as_ref(), place, scene, honest.pair, pairs),
        }
    }

    fn position(&self, place: PairPlace, scene: &Scene<'_>, position: Dd) -> Dd {
        let Some(offset) = &self.formulas.offset else { return position };
        let by = offset.float(&|id| name(place, scene, position.to_f64(), id));
        if by.is_finite() { position.plus(Dd::from_f64(by)) } else { position }
    }

    fn factors(&self, place: PairPlace, scene: &Scene<'_>) -> (f64, f64) {
        let f = &self.formulas;
        let one = |formula: &Option<Expr>| value(formula.as_ref(), place, scene).unwrap_or(1.0);
        (one(&f.cos), one(&f.sin))
    }

    fn input(&self, place: PairPlace, scene: &Scene<'_>) -> (Operand, usize, usize, usize) {
        let f = &self.formulas;
        let side = match value(f.from_side.as_ref(), place, scene) {
            Some(1.0) if scene.k_heads > 0 => Operand::Key,
            Some(0.0) => Operand::Query,
            _ => place.side,
        };
        let heads = if side == Operand::Key { scene.k_heads } else { scene.q_heads };
        let head = index(f.from_head.as_ref(), place, scene, place.head, heads) % heads.max(1);
        let row = index(f.from_row.as_ref(), place, scene, place.row, scene.rows);
        (side, row, index(f.from_token.as_ref(), place, scene, place.token, scene.tokens), head)
    }

    fn action(&self, place: PairPlace, scene: &Scene<'_>) -> Action {
        let f = &self.formulas;
        if holds(f.skip.as_ref(), place, scene) {
            Action::Skip
        } else if holds(f.copy.as_ref(), place, scene) {
            Action::Copy
        } else if holds(f.zero.as_ref(), place, scene) {
            Action::Zero
        } else {
            Action::Turn
        }
    }

    fn tail(&self, _: PairPlace, _: &Scene<'_>) -> Action {
        self.formulas.tail.unwrap_or(Action::Copy)
    }

    fn pairing(&self, _: &Scene<'_>, pairing: Pairing) -> Pairing {
        match (self.formulas.pairing, pairing) {
            (None, asked) => asked,
            (Some(OwnPairing::Always(own)), _) => own,
            (Some(OwnPairing::Other), Pairing::Half) => Pairing::Adjacent,
            (Some(OwnPairing::Other), Pairing::Adjacent) => Pairing::Half,
        }
    }

    fn width(&self, scene: &Scene<'_>) -> usize {
        if self.formulas.whole_head { scene.head_dim } else { scene.rotary_dim }
    }
}
