//! Values of the names that an invariant's scope offers, at one place.

use std::cell::Cell;

use crate::numeric::Number;
use crate::positions::{CellScope, CellSource, FrameScope, Positions, TextScope, VisualScope, across_axes, count};
use crate::spec::Parameters;
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use crate::spec::model::Scheme;

/// What lies under a place: the names of its segment.
#[derive(Clone, Copy)]
pub(super) enum Base<'a> {
    Nothing,
    Text(&'a TextScope<'a>),
    Cell(&'a CellScope<'a>),
    /// Folds range over the frame alone.
    Frame {
        whole: &'a CellScope<'a>,
        visual: &'a VisualScope<'a>,
        frame: &'a FrameScope,
    },
}

/// Names of a place.
pub(super) struct PlaceScope<'a> {
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    base: Base<'a>,
    /// The axis that names with one value per axis are taken on.
    pub axis: Option<usize>,
    token: Option<(u64, &'a [Number])>,
    /// Names with one value per axis.
    per_axis: Vec<(Name, Vec<Number>)>,
    /// Names with one value.
    single: Vec<(Name, Number)>,
    /// Set when a name was asked for that this place does not have, so that the place is not judged.
    pub absent: Cell<bool>,
}

impl<'a> PlaceScope<'a> {
    pub(super) fn new(scheme: &'a Scheme, parameters: &'a Parameters, base: Base<'a>) -> Self {
        let (axis, token, absent) = (None, None, Cell::new(false));
        PlaceScope { scheme, parameters, base, axis, token, per_axis: Vec::new(), single: Vec::new(), absent }
    }

    pub(super) fn with_token(mut self, token: u64, axes: &'a [Number]) -> Self {
        self.token = Some((token, axes));
        self
    }

    pub(super) fn set(&mut self, name: Name, per_axis: Vec<Number>) {
        self.per_axis.push((name, per_axis));
    }

    pub(super) fn set_one(&mut self, name: Name, value: Number) {
        self.single.push((name, value));
    }

    /// The names a formula uses and their values here, for people.
    pub(super) fn values_of(&self, formula: &Expr) -> Vec<(String, Number)> {
        let named = formula.names().iter();
        // Names inside of a fold have no value out here.
        named.filter_map(|&name| Some((spell(name, self.scheme), self.value(name).ok()?))).collect()
    }
}

impl Env for PlaceScope<'_> {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        if name.is_per_axis() {
            let values = self.per_axis.iter().find(|(other, _)| *other == name);
            let value = values.zip(self.axis).and_then(|((_, values), axis)| values.get(axis));
            self.absent.set(self.absent.get() || value.is_none());
            return value.cloned().ok_or(EvalError::NoValue(name));
        }
        if let Some((_, value)) = self.single.iter().find(|(other, _)| *other == name) {
            return Ok(value.clone());
        }
        match (name, self.token) {
            (Name::Token, Some((token, _))) => return Ok(count(token)),
            (Name::Axis(axis), Some((_, axes))) => {
                return axes.get(axis).cloned().ok_or(EvalError::NoValue(name));
            }
            (Name::MinAxis | Name::MaxAxis | Name::SumAxis, Some((_, axes))) => return across_axes(name, axes),
            (Name::FastestOn(_) | Name::SlowestOn(_), _) => self.absent.set(true),
            _ => {}
        }
        match self.base {
            Base::Nothing => self.parameters.value(name),
            Base::Text(text) => text.value(name),
            Base::Cell(cell) | Base::Frame { whole: cell, .. } => cell.value(name),
        }
    }

    fn over_cells(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError> {
        match self.base {
            Base::Nothing | Base::Text(_) => Err(EvalError::NoCells),
            Base::Cell(cell) => cell.over_cells(fold, inner),
            Base::Frame { visual, frame, .. } => {
                let mut best = None;
                visual.fold_frame(fold, inner, frame, &mut best)?;
                best.ok_or(EvalError::NoCells)
            }
        }
    }
}

/// A name as formulas write it.
pub(super) fn spell(name: Name, scheme: &Scheme) -> String {
    let axis = |axis: usize| scheme.axes.get(axis).map_or("?", String::as_str);
    let fixed = match name {
        Name::P => "p",
        Name::I | Name::PairI => "i",
        Name::N => "n",
        Name::T => "T",
        Name::H => "H",
        Name::W => "W",
        Name::CellT => "t",
        Name::CellH => "h",
        Name::CellW => "w",
        Name::K => "k",
        Name::Seconds => "seconds",
        Name::Token => "token",
        Name::Token0 => "token0",
        Name::Segment => "segment",
        Name::FramesBefore => "frames_before",
        Name::VisualBefore => "visual_before",
        Name::FirstVisual => "first_visual",
        Name::Layer => "layer",
        Name::MinAxis => "min_axis",
        Name::MaxAxis => "max_axis",
        Name::SumAxis => "sum_axis",
        Name::Step => "step",
        Name::Previous => "previous",
        Name::Next => "next",
        Name::MinFrame => "min_frame",
        Name::MaxFrame => "max_frame",
        Name::MinNextFrame => "min_next_frame",
        Name::MaxNextFrame => "max_next_frame",
        Name::MinFirstFrame => "min_first_frame",
        Name::MaxFirstFrame => "max_first_frame",
        Name::MinLastFrame => "min_last_frame",
        Name::MaxLastFrame => "max_last_frame",
        Name::Collisions => "collisions",
        Name::Tokens => "tokens",
        Name::HeadDim => "head_dim",
        Name::D => "d",
        Name::R => "R",
        Name::PairJ => "j",
        Name::NAxisPairs => "n_axis",
        Name::Length => "length",
        Name::QHeads => "q_heads",
        Name::KHeads => "k_heads",
        Name::PAxis(at) => return format!("p_{}", axis(at)),
        Name::Axis(at) => return format!("axis.{}", axis(at)),
        Name::FastestOn(at) => return format!("fastest.{}", axis(at)),
        Name::SlowestOn(at) => return format!("slowest.{}", axis(at)),
        Name::PairsOn(at) => return format!("pairs.{}", axis(at)),
        Name::Slot(at) => return format!("slot {at}"),
        Name::Param(at) => return scheme.parameters.get(at).map_or_else(|| "?".to_owned(), |one| one.name.clone()),
        Name::PerPair(at) => return scheme.per_pair.get(at).map_or_else(|| "?".to_owned(), |one| one.name.clone()),
        Name::Let(at) => return scheme.video.lets.get(at).map_or_else(|| "?".to_owned(), |one| one.name.clone()),
    };
    fixed.to_owned()
}

/// Cells whose positions are those of `positions`.
pub(super) fn measured_cells(positions: &Positions) -> CellSource<'_> {
    CellSource::Given(positions.columns(), positions.window().start)
}
