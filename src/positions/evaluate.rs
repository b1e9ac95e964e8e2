//! Runs a scheme's formulas on a layout.

use std::ops::Range;

use crate::numeric::Number;
use crate::spec::Parameters;
use crate::spec::expr::{Env, EvalError, Expr, Name};
use crate::spec::model::{Running, Scheme, Step};

use super::column::Column;
use super::layout::Layout;
use super::layout::MAX_MATERIALISED;
use super::layout::Segment;
use super::segment::CellSource;
use super::segment::SegmentContext;
use super::segment::TextScope;
use super::segment::VisualScope;
use super::segment::rule;
use super::sequence::Next;
use super::sequence::Origin;
use super::sequence::PositionError;
use super::sequence::Positions;

/// Positions of every token of a layout.
///
/// # Errors
/// [`PositionError`] if a formula fails or the layout has more than [`MAX_MATERIALISED`] tokens.
pub fn positions(scheme: &Scheme, parameters: &Parameters, layout: &Layout) -> Result<Positions, PositionError> {
    Evaluation::new(scheme, parameters, layout).run()
}

/// How to run a scheme on a layout: where it begins, and which tokens are wanted.
#[derive(Debug, Clone)]
pub struct Evaluation<'a> {
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    layout: &'a Layout,
    window: Option<Range<u64>>,
    origin: Origin,
}

impl<'a> Evaluation<'a> {
    /// The whole layout, from the start of a sequence.
    #[must_use]
    pub fn new(scheme: &'a Scheme, parameters: &'a Parameters, layout: &'a Layout) -> Self {
        Evaluation { scheme, parameters, layout, window: None, origin: Origin::START }
    }

    /// Only these tokens (indices in the layout). What lies before them is skipped without being computed, as far as the
    /// scheme's formulas allow.
    #[must_use]
    pub fn window(mut self, window: Range<u64>) -> Self {
        self.window = Some(window);
        self
    }

    /// The layout continues a sequence.
    #[must_use]
    pub fn from(mut self, origin: Origin) -> Self {
        self.origin = origin;
        self
    }

    /// Computes the positions.
    ///
    /// # Errors
    /// [`PositionError`] if a formula fails, the window is outside of the layout, or it is too large.
    pub fn run(self) -> Result<Positions, PositionError> {
        let tokens = self.layout.tokens();
        let window = self.window.clone().unwrap_or(0..tokens);
        if window.start > window.end || window.end > tokens {
            return Err(PositionError::Window { window, tokens });
        }
        let count = window.end - window.start;
        if count > MAX_MATERIALISED {
            return Err(PositionError::TooLarge { tokens: count });
        }
        let scheme = self.scheme;
        let axes = scheme.axes.len();
        let width = match scheme.running {
            Running::Shared => 1,
            Running::PerAxis => axes,
        };
        let start = self.origin.running.clone().map_or_else(|| vec![Number::zero(); width], Next::into_values);
        if start.len() != width {
            return Err(PositionError::Shape { axes: width, tokens: 0 });
        }
        let layout = self.layout;
        let first_visual = self.origin.first_visual.unwrap_or(self.origin.tokens + layout.first_visual());
        let mut next = SegmentContext {
            segment: Segment::Text(1),
            index: self.origin.segments,
            token0: self.origin.tokens,
            frames_before: self.origin.frames,
            visual_before: self.origin.visuals,
            first_visual,
            running: start,
        };
        let capacity = usize::try_from(count).unwrap_or(0);
        let mut positions = Positions {
            axes: scheme.axes.clone(),
            layout: layout.clone(),
            window: window.clone(),
            columns: vec![Column::with_capacity(capacity); axes],
            contexts: Vec::with_capacity(layout.segments().len()),
            resume: Vec::with_capacity(layout.segments().len()),
            next: Next::of(&next.running, scheme.running),
        };
        for (index, segment) in layout.segments().iter().enumerate() {
            let here = SegmentContext { segment: segment.clone(), ..next.clone() };
            let range = layout.token_range(index);
            let wanted = window.start.max(range.start)..window.end.min(range.end).max(window.start);
            let inside = wanted.start.saturating_sub(range.start)..wanted.end.saturating_sub(range.start);
            let running = self.segment(&here, inside, &mut positions.columns)?;
            next = after(&here, running);
            let resume = if segment.is_visual() { Some(self.text_position(&next)?) } else { None };
            positions.resume.push(resume);
            positions.contexts.push(here);
        }
        positions.next = Next::of(&next.running, scheme.running);
        Ok(positions)
    }

    /// Writes the positions of some tokens of a segment, and gives the running position after it.
    fn segment(
        &self,
        context: &SegmentContext,
        wanted: Range<u64>,
        columns: &mut [Column],
    ) -> Result<Vec<Number>, PositionError> {
        let Some(visual) = VisualScope::new(self.scheme, self.parameters, context, CellSource::Rule) else {
            let text = &self.scheme.text;
            for i in wanted {
                self.text_token(context, i, columns)?;
            }
            let scope = TextScope { context, parameters: self.parameters, i: None };
            return self.step(context, &text.step, &scope);
        };
        let rule = rule(self.scheme, &context.segment);
        let [_, height, width] = context.segment.grid().unwrap_or([1, 1, 1]).map(u64::from);
        let mut frame: Option<(u64, _)> = None;
        for k in wanted {
            let (t, h, w) = (k / (height * width), k / width % height, k % width);
            // Sizes are u32, so the indices are too.
            let [t32, h32, w32] = [t, h, w].map(|index| u32::try_from(index).unwrap_or(u32::MAX));
            if frame.as_ref().is_none_or(|(at, _)| *at != t) {
                frame = Some((t, visual.frame(t32)));
            }
            let Some((_, frame)) = &frame else { continue };
            let cell = visual.cell(frame, h32, w32);
            for (axis, column) in columns.iter_mut().enumerate() {
                let value = cell.axis(axis).map_err(|error| {
                    let place = format!("cell (t, h, w) = ({t}, {h}, {w})");
                    self.error(context, &place, axis, &rule.axes[axis], error)
                })?;
                column.push(value);
            }
        }
        self.step(context, &rule.step, &visual.whole())
    }

    fn text_token(&self, context: &SegmentContext, i: u64, columns: &mut [Column]) -> Result<(), PositionError> {
        let scope = TextScope { context, parameters: self.parameters, i: Some(i) };
        let formulas = &self.scheme.text.axes;
        let mut first: Option<Number> = None;
        for (axis, column) in columns.iter_mut().enumerate() {
            // Mostly all axes have the same formula: computing it once is enough.
            let value = match &first {
                Some(value) if formulas[axis].is_same(&formulas[0]) => value.clone(),
                _ => formulas[axis].number(&scope).map_err(|error| {
                    self.error(context, &format!("text token i = {i}"), axis, &formulas[axis], error)
                })?,
            };
            if axis == 0 {
                first = Some(value.clone());
            }
            column.push(value);
        }
        Ok(())
    }

    /// Position of a text token that stands at a context, on every axis.
    fn text_position(&self, context: &SegmentContext) -> Result<Vec<Number>, PositionError> {
        let mut columns = vec![Column::with_capacity(1); self.scheme.axes.len()];
        self.text_token(context, 0, &mut columns)?;
        Ok(columns.iter().filter_map(|column| column.get(0)).collect())
    }

    fn step(&self, context: &SegmentContext, step: &Step, scope: &dyn Env) -> Result<Vec<Number>, PositionError> {
        let (formulas, advance) = match step {
            Step::Advance(formulas) => (formulas, true),
            Step::Next(formulas) => (formulas, false),
        };
        let mut running = Vec::with_capacity(formulas.len());
        for (axis, formula) in formulas.iter().enumerate() {
            let value = formula.number(scope).and_then(|value| match context.running.get(axis) {
                Some(p) if advance => Ok(p.add(&value)?),
                Some(_) => Ok(value),
                None => Err(EvalError::NoValue(Name::PAxis(axis))),
            });
            let name = if advance { "advance" } else { "next" };
            running.push(value.map_err(|error| self.error(context, name, axis, formula, error))?);
        }
        Ok(running)
    }

    fn error(
        &self,
        context: &SegmentContext,
        place: &str,
        axis: usize,
        formula: &Expr,
        error: EvalError,
    ) -> PositionError {
        let axis = self.scheme.axes.get(axis).map_or("?", String::as_str);
        PositionError::Formula {
            place: format!(
                "{}, segment {} (`{}`), {place}, axis {axis}",
                self.scheme.id(),
                context.index,
                context.segment
            ),
            formula: formula.text().to_owned(),
            error,
        }
    }
}

impl Positions {
    /// Positions that came from somewhere else (a backend), with the contexts that the scheme gives this layout, so that
    /// the scheme's invariants can be evaluated on them. `columns` are whole, axis by axis; `next` is what the source
    /// says text goes on with after the layout, per axis, if it says so.
    ///
    /// What text gets after a visual segment is read from the text token that follows it, or from `next`.
    ///
    /// # Errors
    /// [`PositionError`] if the scheme cannot run on the layout, or the shape does not fit it.
    pub fn measured(
        scheme: &Scheme,
        parameters: &Parameters,
        layout: &Layout,
        columns: Vec<Column>,
        next: Option<Vec<Number>>,
    ) -> Result<Self, PositionError> {
        let mut positions = Evaluation::new(scheme, parameters, layout).window(0..0).run()?;
        let tokens = layout.tokens();
        let axes = scheme.axes.len();
        let fits = |column: &Column| column.len() as u64 == tokens;
        if columns.len() != axes || !columns.iter().all(fits) || next.as_ref().is_some_and(|next| next.len() != axes) {
            return Err(PositionError::Shape { axes, tokens });
        }
        positions.columns = columns;
        positions.window = 0..tokens;
        for segment in 0..layout.segments().len() {
            if !layout.segments()[segment].is_visual() {
                continue;
            }
            let end = layout.token_range(segment).end;
            positions.resume[segment] = match layout.segments().get(segment + 1) {
                Some(Segment::Text(_)) => positions.token(end),
                Some(_) => None,
                None => next.clone(),
            };
        }
        if let Some(next) = next {
            let same = next.windows(2).all(|pair| pair[0] == pair[1]);
            positions.next = match (scheme.running, next.first()) {
                (Running::Shared, Some(first)) if same => Next::Shared(first.clone()),
                _ => Next::PerAxis(next),
            };
        }
        Ok(positions)
    }
}

/// The context of whatever follows a segment; its kind is yet to be said.
fn after(context: &SegmentContext, running: Vec<Number>) -> SegmentContext {
    let frames = context.segment.grid().map_or(0, |[t, _, _]| u64::from(t));
    SegmentContext {
        segment: Segment::Text(1),
        index: context.index + 1,
        token0: context.token0 + context.segment.tokens(),
        frames_before: context.frames_before + frames,
        visual_before: context.visual_before + u64::from(context.segment.is_visual()),
        first_visual: context.first_visual,
        running,
    }
}
