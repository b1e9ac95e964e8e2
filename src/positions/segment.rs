//! What the formulas of one segment can see: its place in the sequence, its grid, its lets, its cells.

use std::cell::RefCell;

use crate::numeric::Number;
use crate::spec::Parameters;
use crate::spec::expr::{Env, EvalError, Expr, Fold, Name, NameId};
use crate::spec::model::{Let, Scheme, Tier, VisualRule};

use super::column::Column;
use super::layout::MAX_MATERIALISED;
use super::layout::Segment;

/// A segment and everything before it that a formula may ask for.
#[derive(Debug, Clone, PartialEq)]
pub struct SegmentContext {
    /// The segment itself.
    pub segment: Segment,
    /// Its index in the sequence, from 0.
    pub index: u64,
    /// Raw index of its first token.
    pub token0: u64,
    /// Frames of all earlier segments; an image counts one.
    pub frames_before: u64,
    /// Images and videos before it.
    pub visual_before: u64,
    /// Raw index of the first visual token of the sequence; the token count if there is none.
    pub first_visual: u64,
    /// Running position before the segment: one number if the axes share it, else one per axis.
    pub running: Vec<Number>,
}

pub(crate) fn count(value: u64) -> Number {
    // Counts are at most 2^31.
    Number::from_i64(i64::try_from(value).unwrap_or(i64::MAX))
}

impl SegmentContext {
    /// Value of a name that does not depend on the token inside the segment.
    fn value(&self, name: Name, parameters: &Parameters) -> Result<Number, EvalError> {
        let grid = |at: usize| {
            let size = self.segment.grid().map(|grid| count(u64::from(grid[at])));
            size.ok_or(EvalError::NoValue(name))
        };
        let shared = self.running.len() == 1;
        match name {
            Name::P if shared => Ok(self.running[0].clone()),
            Name::PAxis(axis) => {
                let value = if shared { self.running.first() } else { self.running.get(axis) };
                value.cloned().ok_or(EvalError::NoValue(name))
            }
            Name::N => Ok(count(self.segment.tokens())),
            Name::T => grid(0),
            Name::H => grid(1),
            Name::W => grid(2),
            Name::Seconds if self.segment.is_visual() => Ok(self.segment.seconds()),
            Name::Token0 => Ok(count(self.token0)),
            Name::Segment => Ok(count(self.index)),
            Name::FramesBefore => Ok(count(self.frames_before)),
            Name::VisualBefore => Ok(count(self.visual_before)),
            Name::FirstVisual => Ok(count(self.first_visual)),
            Name::Param(_) | Name::Layer => parameters.value(name),
            _ => Err(EvalError::NoValue(name)),
        }
    }
}

impl SegmentContext {
    /// The same, of those that are i64.
    fn integer(&self, name: Name, parameters: &Parameters) -> Option<i64> {
        let known = |value: u64| i64::try_from(value).ok();
        let grid = |at: usize| self.segment.grid().map(|grid| i64::from(grid[at]));
        match name {
            Name::P if self.running.len() == 1 => self.running[0].to_i64(),
            Name::N => known(self.segment.tokens()),
            Name::T => grid(0),
            Name::H => grid(1),
            Name::W => grid(2),
            Name::Token0 => known(self.token0),
            _ => self.value(name, parameters).ok()?.to_i64(),
        }
    }
}

/// Values computed at most once, on demand.
struct OnDemand(RefCell<Vec<Slot>>);

#[derive(Clone)]
enum Slot {
    Empty,
    Busy,
    Done(Number),
}

impl OnDemand {
    fn new(length: usize) -> Self {
        OnDemand(RefCell::new(vec![Slot::Empty; length]))
    }

    /// Forgets the values and keeps the memory.
    fn clear(&mut self) {
        self.0.get_mut().fill(Slot::Empty);
    }

    fn get(
        &self,
        index: usize,
        name: Name,
        compute: impl FnOnce() -> Result<Number, EvalError>,
    ) -> Result<Number, EvalError> {
        match self.0.borrow().get(index) {
            Some(Slot::Done(value)) => return Ok(value.clone()),
            Some(Slot::Busy) => return Err(EvalError::Other(format!("{name:?} depends on itself"))),
            None => return Err(EvalError::NoValue(name)),
            Some(Slot::Empty) => {}
        }
        self.0.borrow_mut()[index] = Slot::Busy;
        let value = compute();
        self.0.borrow_mut()[index] = value.as_ref().map_or(Slot::Empty, |value| Slot::Done(value.clone()));
        value
    }
}

/// Values of a text token's names.
pub(crate) struct TextScope<'a> {
    pub context: &'a SegmentContext,
    pub parameters: &'a Parameters,
    /// Index in the run; `None` in the formula that says how positions go on.
    pub i: Option<u64>,
}

impl Env for TextScope<'_> {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        match (name, self.i) {
            (Name::I, Some(i)) => Ok(count(i)),
            (Name::Token, Some(i)) => Ok(count(self.context.token0 + i)),
            _ => self.context.value(name, self.parameters),
        }
    }

    fn integer(&self, name: NameId) -> Option<i64> {
        match (name, self.i) {
            (Name::I, Some(i)) => i64::try_from(i).ok(),
            (Name::Token, Some(i)) => i64::try_from(self.context.token0 + i).ok(),
            _ => self.context.integer(name, self.parameters),
        }
    }

    fn over_cells(&self, _fold: Fold, _inner: &Expr) -> Result<Number, EvalError> {
        Err(EvalError::NoCells)
    }
}

/// Where the positions of cells come from.
#[derive(Clone, Copy)]
pub(crate) enum CellSource<'a> {
    /// The rule's formulas.
    Rule,
    /// Positions that were computed or measured before: a column for each axis, from this raw token on.
    Given(&'a [Column], u64),
}

/// A visual segment with its rule; holds what is the same for all of its cells.
pub(crate) struct VisualScope<'a> {
    pub context: &'a SegmentContext,
    parameters: &'a Parameters,
    rule: &'a VisualRule,
    source: CellSource<'a>,
    grid: [u32; 3],
    lets: OnDemand,
    /// Of cells that are not needed any more, to be used again.
    spare: RefCell<Vec<(OnDemand, OnDemand)>>,
    /// Folds over all cells, by the address of their formula, which lives as long as the rule.
    folds: RefCell<Vec<(Fold, *const Expr, Number)>>,
}

impl<'a> VisualScope<'a> {
    /// `None` if the segment is text.
    pub(crate) fn new(
        scheme: &'a Scheme,
        parameters: &'a Parameters,
        context: &'a SegmentContext,
        source: CellSource<'a>,
    ) -> Option<Self> {
        let grid = context.segment.grid()?;
        let rule = rule(scheme, &context.segment);
        let lets = OnDemand::new(rule.lets.len());
        let (spare, folds) = (RefCell::default(), RefCell::default());
        Some(VisualScope { context, parameters, rule, source, grid, lets, spare, folds })
    }

    /// The scope of the segment as a whole.
    pub(crate) fn whole(&self) -> CellScope<'_> {
        CellScope { visual: self, frame: None, cell: None }
    }

    pub(crate) fn frame(&self, t: u32) -> FrameScope {
        FrameScope { t, lets: OnDemand::new(self.rule.lets.len()) }
    }

    pub(crate) fn in_frame<'b>(&'b self, frame: &'b FrameScope) -> CellScope<'b> {
        CellScope { visual: self, frame: Some(frame), cell: None }
    }

    pub(crate) fn cell<'b>(&'b self, frame: &'b FrameScope, h: u32, w: u32) -> CellScope<'b> {
        let new = || (OnDemand::new(self.rule.lets.len()), OnDemand::new(self.rule.axes.len()));
        let (lets, axes) = self.spare.borrow_mut().pop().unwrap_or_else(new);
        CellScope { visual: self, frame: Some(frame), cell: Some(CellValues { h, w, lets, axes }) }
    }

    pub(crate) fn fold_frame(
        &self,
        fold: Fold,
        inner: &Expr,
        frame: &FrameScope,
        best: &mut Option<Number>,
    ) -> Result<(), EvalError> {
        for h in 0..self.grid[1] {
            for w in 0..self.grid[2] {
                let value = inner.number(&self.cell(frame, h, w))?;
                let better = best.as_ref().is_none_or(|best| match fold {
                    Fold::Min => value < *best,
                    Fold::Max => value > *best,
                });
                if better {
                    *best = Some(value);
                }
            }
        }
        Ok(())
    }

    fn fold_segment(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError> {
        let key = std::ptr::from_ref(inner);
        let known = self.folds.borrow().iter().find(|(f, k, _)| *f == fold && *k == key).map(|(_, _, v)| v.clone());
        if let Some(value) = known {
            return Ok(value);
        }
        if self.context.segment.tokens() > MAX_MATERIALISED {
            return Err(EvalError::Other(format!("a fold over more than {MAX_MATERIALISED} cells")));
        }
        let mut best = None;
        for t in 0..self.grid[0] {
            self.fold_frame(fold, inner, &self.frame(t), &mut best)?;
        }
        let value = best.ok_or(EvalError::NoCells)?;
        self.folds.borrow_mut().push((fold, key, value.clone()));
        Ok(value)
    }
}

/// The rule for a visual segment; an image without its own rule is a video of one frame.
pub(crate) fn rule<'a>(scheme: &'a Scheme, segment: &Segment) -> &'a VisualRule {
    match segment {
        Segment::Image { .. } => scheme.image.as_ref().unwrap_or(&scheme.video),
        _ => &scheme.video,
    }
}

/// A frame: what is the same for all cells of it.
pub(crate) struct FrameScope {
    t: u32,
    lets: OnDemand,
}

struct CellValues {
    h: u32,
    w: u32,
    lets: OnDemand,
    axes: OnDemand,
}

/// Values of the names of a segment, of a frame, or of a cell.
pub(crate) struct CellScope<'a> {
    visual: &'a VisualScope<'a>,
    frame: Option<&'a FrameScope>,
    cell: Option<CellValues>,
}

impl Drop for CellScope<'_> {
    fn drop(&mut self) {
        if let Some(CellValues { mut lets, mut axes, .. }) = self.cell.take() {
            lets.clear();
            axes.clear();
            self.visual.spare.borrow_mut().push((lets, axes));
        }
    }
}

impl CellScope<'_> {
    /// Raster index of the cell.
    fn k(&self) -> Option<u64> {
        let (frame, cell) = (self.frame?, self.cell.as_ref()?);
        let [_, height, width] = self.visual.grid.map(u64::from);
        Some((u64::from(frame.t) * height + u64::from(cell.h)) * width + u64::from(cell.w))
    }

    fn let_value(&self, index: usize, name: Name) -> Result<Number, EvalError> {
        let Some(Let { formula, tier, .. }) = self.visual.rule.lets.get(index) else {
            return Err(EvalError::NoValue(name));
        };
        // A value is kept where it is the same for all that ask, so that it is computed once there.
        match tier {
            Tier::Segment => self.visual.lets.get(index, name, || formula.number(&self.visual.whole())),
            Tier::Frame => {
                let frame = self.frame.ok_or(EvalError::NoValue(name))?;
                frame.lets.get(index, name, || formula.number(&self.visual.in_frame(frame)))
            }
            Tier::Cell => {
                let cell = self.cell.as_ref().ok_or(EvalError::NoValue(name))?;
                cell.lets.get(index, name, || formula.number(self))
            }
        }
    }

    /// Position of the cell on an axis.
    pub(crate) fn axis(&self, axis: usize) -> Result<Number, EvalError> {
        let name = Name::Axis(axis);
        let (Some(cell), Some(k)) = (&self.cell, self.k()) else { return Err(EvalError::NoValue(name)) };
        match self.visual.source {
            CellSource::Given(columns, first) => {
                let index = (self.visual.context.token0 + k).checked_sub(first).and_then(|i| usize::try_from(i).ok());
                index.and_then(|index| columns.get(axis)?.get(index)).ok_or(EvalError::NoValue(name))
            }
            CellSource::Rule => {
                let Some(formula) = self.visual.rule.axes.get(axis) else { return Err(EvalError::NoValue(name)) };
                cell.axes.get(axis, name, || formula.number(self))
            }
        }
    }

    fn over_axes(&self, name: Name) -> Result<Number, EvalError> {
        let values = (0..self.visual.rule.axes.len()).map(|axis| self.axis(axis)).collect::<Result<Vec<_>, _>>()?;
        across_axes(name, &values)
    }
}

/// `min_axis`, `max_axis` or `sum_axis` of a token.
pub(crate) fn across_axes(name: Name, values: &[Number]) -> Result<Number, EvalError> {
    let mut best: Option<Number> = None;
    for value in values {
        best = Some(match (best, name) {
            (None, _) => value.clone(),
            (Some(best), Name::MinAxis) => {
                if *value < best {
                    value.clone()
                } else {
                    best
                }
            }
            (Some(best), Name::MaxAxis) => {
                if *value > best {
                    value.clone()
                } else {
                    best
                }
            }
            (Some(best), _) => best.add(value)?,
        });
    }
    best.ok_or(EvalError::NoValue(name))
}

impl Env for CellScope<'_> {
    fn value(&self, name: NameId) -> Result<Number, EvalError> {
        let missing = EvalError::NoValue(name);
        match name {
            Name::CellT => self.frame.map(|frame| count(u64::from(frame.t))).ok_or(missing),
            Name::CellH => self.cell.as_ref().map(|cell| count(u64::from(cell.h))).ok_or(missing),
            Name::CellW => self.cell.as_ref().map(|cell| count(u64::from(cell.w))).ok_or(missing),
            Name::K => self.k().map(count).ok_or(missing),
            Name::Token => self.k().map(|k| count(self.visual.context.token0 + k)).ok_or(missing),
            Name::Let(index) => self.let_value(index, name),
            Name::Axis(axis) => self.axis(axis),
            Name::MinAxis | Name::MaxAxis | Name::SumAxis => self.over_axes(name),
            _ => self.visual.context.value(name, self.visual.parameters),
        }
    }

    fn integer(&self, name: NameId) -> Option<i64> {
        match name {
            Name::CellT => Some(i64::from(self.frame?.t)),
            Name::CellH => Some(i64::from(self.cell.as_ref()?.h)),
            Name::CellW => Some(i64::from(self.cell.as_ref()?.w)),
            Name::Let(index) => self.let_value(index, name).ok()?.to_i64(),
            Name::Axis(axis) => self.axis(axis).ok()?.to_i64(),
            Name::K | Name::Token | Name::MinAxis | Name::MaxAxis | Name::SumAxis => self.value(name).ok()?.to_i64(),
            _ => self.visual.context.integer(name, self.visual.parameters),
        }
    }

    fn over_cells(&self, fold: Fold, inner: &Expr) -> Result<Number, EvalError> {
        self.visual.fold_segment(fold, inner)
    }
}
