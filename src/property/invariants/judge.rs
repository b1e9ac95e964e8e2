//! Walks the places that a statement speaks of.

use crate::numeric::Number;
use crate::positions::Positions;
use crate::positions::Segment;
use crate::positions::{TextScope, VisualScope};
use crate::spec::Parameters;
use crate::spec::expr::{EvalError, Expr, Name};
use crate::spec::model::{Invariant, Scheme, Scope};

use super::scope::{Base, PlaceScope, measured_cells};
use super::{InvariantError, Violation, ViolationPlace};

/// One evaluation: walks the places of the scope until one is violated.
pub(super) struct Judge<'a> {
    pub scheme: &'a Scheme,
    pub invariant: &'a Invariant,
    pub parameters: &'a Parameters,
    pub positions: &'a Positions,
    pub places: u64,
    pub first: Option<Violation>,
}

/// Smallest and largest position of a frame, per axis.
struct Extremes {
    min: Vec<Number>,
    max: Vec<Number>,
}

impl<'a> Judge<'a> {
    pub(super) fn scope(&self, base: Base<'a>) -> PlaceScope<'a> {
        PlaceScope::new(self.scheme, self.parameters, base)
    }

    /// Judges one place, on each axis if the statement has one value per axis.
    pub(super) fn at(
        &mut self,
        claim: &Expr,
        scope: &mut PlaceScope<'_>,
        mut place: ViolationPlace,
    ) -> Result<(), InvariantError> {
        if self.first.is_some() {
            return Ok(());
        }
        let axes = if self.invariant.per_axis { self.scheme.axes.len() } else { 1 };
        for axis in 0..axes {
            scope.axis = self.invariant.per_axis.then_some(axis);
            place.axis = scope.axis.and_then(|axis| self.scheme.axes.get(axis)).cloned();
            scope.absent.set(false);
            if let Some(when) = &self.invariant.when {
                match when.truth(scope) {
                    Ok(true) => {}
                    Ok(false) => continue,
                    Err(_) if scope.absent.get() => continue,
                    Err(error) => return Err(self.error(&place, when, error)),
                }
            }
            match claim.truth(scope) {
                Ok(true) => self.places += 1,
                Ok(false) => {
                    let values = scope.values_of(claim);
                    let formula = claim.text().to_owned();
                    self.first = Some(Violation { place, formula, values, note: None });
                    return Ok(());
                }
                // A name that has no value at this place, such as the step of the first token of a run.
                Err(_) if scope.absent.get() => {}
                Err(error) => return Err(self.error(&place, claim, error)),
            }
        }
        Ok(())
    }

    pub(super) fn error(&self, place: &ViolationPlace, formula: &Expr, error: EvalError) -> InvariantError {
        let place = format!("{} on `{}`, {place}", self.scheme.id(), self.positions.layout());
        let (invariant, formula) = (self.invariant.id.clone(), formula.text().to_owned());
        InvariantError::Formula { invariant, place, formula, error: Box::new(error) }
    }

    pub(super) fn holds(&mut self, claim: &Expr) -> Result<(), InvariantError> {
        if self.invariant.scope == Scope::Sequence {
            return self.sequence(claim);
        }
        let positions = self.positions;
        for (index, context) in positions.contexts().iter().enumerate() {
            if self.first.is_some() {
                break;
            }
            let place = ViolationPlace::of(index, &context.segment);
            let visual = VisualScope::new(self.scheme, self.parameters, context, measured_cells(positions));
            match (self.invariant.scope, &visual) {
                (Scope::Token, _) => self.tokens(claim, index, &place, None)?,
                (Scope::TextToken, None) => self.text_tokens(claim, index, &place)?,
                (Scope::VideoToken, Some(visual)) => self.tokens(claim, index, &place, Some(visual))?,
                (Scope::Frame | Scope::FrameToFrame, Some(visual)) => self.frames(claim, index, &place, visual)?,
                (Scope::TextToVideo | Scope::VideoToText, Some(visual)) => {
                    self.boundary(claim, index, &place, visual)?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn tokens(
        &mut self,
        claim: &Expr,
        segment: usize,
        place: &ViolationPlace,
        visual: Option<&VisualScope<'_>>,
    ) -> Result<(), InvariantError> {
        let range = self.positions.layout().token_range(segment);
        let [_, height, width] = self.positions.layout().segments()[segment].grid().unwrap_or([1, 1, 1]);
        let mut frame = None;
        for token in range.clone() {
            let Some(axes) = self.positions.token(token) else { continue };
            let mut place = ViolationPlace { token: Some(token), ..place.clone() };
            let Some(visual) = visual else {
                let mut scope = self.scope(Base::Nothing).with_token(token, &axes);
                self.at(claim, &mut scope, place)?;
                continue;
            };
            // Raster indices inside a segment of u32 sizes.
            let k = u32::try_from(token - range.start).unwrap_or(u32::MAX);
            let (t, h, w) = (k / (height * width), k / width % height, k % width);
            if frame.as_ref().is_none_or(|(at, _)| *at != t) {
                frame = Some((t, visual.frame(t)));
            }
            let Some((_, frame)) = &frame else { continue };
            place.cell = Some([t, h, w]);
            let cell = visual.cell(frame, h, w);
            let mut scope = PlaceScope::new(self.scheme, self.parameters, Base::Cell(&cell)).with_token(token, &axes);
            self.at(claim, &mut scope, place)?;
        }
        Ok(())
    }

    fn text_tokens(&mut self, claim: &Expr, segment: usize, place: &ViolationPlace) -> Result<(), InvariantError> {
        let positions = self.positions;
        let range = positions.layout().token_range(segment);
        let Some(context) = positions.contexts().get(segment) else { return Ok(()) };
        let mut previous: Option<Vec<Number>> = None;
        for token in range.clone() {
            let Some(axes) = positions.token(token) else { continue };
            let place = ViolationPlace { token: Some(token), ..place.clone() };
            let text = TextScope { context, parameters: self.parameters, i: Some(token - range.start) };
            let mut scope = PlaceScope::new(self.scheme, self.parameters, Base::Text(&text)).with_token(token, &axes);
            if let Some(previous) = &previous {
                let steps = axes.iter().zip(previous).map(|(here, before)| here.sub(before));
                let steps = steps.collect::<Result<Vec<_>, _>>();
                let steps = steps.map_err(|error| self.error(&place, claim, EvalError::from(error)))?;
                scope.set(Name::Step, steps);
            }
            self.at(claim, &mut scope, place)?;
            previous = Some(axes);
        }
        Ok(())
    }

    fn frames(
        &mut self,
        claim: &Expr,
        segment: usize,
        place: &ViolationPlace,
        visual: &VisualScope<'_>,
    ) -> Result<(), InvariantError> {
        let [frames, ..] = self.positions.layout().segments()[segment].grid().unwrap_or_default();
        let pairs = self.invariant.scope == Scope::FrameToFrame;
        let mut here = self.extremes(segment, 0);
        for t in 0..frames {
            let next = if t + 1 < frames { Some(self.extremes(segment, t + 1)) } else { None };
            if pairs && next.is_none() {
                break;
            }
            let place = ViolationPlace { frame: Some(t), ..place.clone() };
            let frame = visual.frame(t);
            let in_frame = visual.in_frame(&frame);
            let base = Base::Frame { whole: &in_frame, visual, frame: &frame };
            let mut scope = PlaceScope::new(self.scheme, self.parameters, base);
            scope.set(Name::MinFrame, here.min);
            scope.set(Name::MaxFrame, here.max);
            let Some(next) = next else {
                return self.at(claim, &mut scope, place);
            };
            if pairs {
                scope.set(Name::MinNextFrame, next.min.clone());
                scope.set(Name::MaxNextFrame, next.max.clone());
            }
            self.at(claim, &mut scope, place)?;
            here = next;
        }
        Ok(())
    }

    fn boundary(
        &mut self,
        claim: &Expr,
        segment: usize,
        place: &ViolationPlace,
        visual: &VisualScope<'_>,
    ) -> Result<(), InvariantError> {
        let layout = self.positions.layout();
        let whole = visual.whole();
        let mut scope = PlaceScope::new(self.scheme, self.parameters, Base::Cell(&whole));
        let [frames, ..] = layout.segments()[segment].grid().unwrap_or_default();
        if self.invariant.scope == Scope::TextToVideo {
            let after_text = segment > 0 && matches!(layout.segments()[segment - 1], Segment::Text(_));
            let start = layout.token_range(segment).start;
            let Some(previous) = (if after_text { self.positions.token(start - 1) } else { None }) else {
                return Ok(());
            };
            let first = self.extremes(segment, 0);
            scope.set(Name::Previous, previous);
            scope.set(Name::MinFirstFrame, first.min);
            scope.set(Name::MaxFirstFrame, first.max);
        } else {
            let last = self.extremes(segment, frames.saturating_sub(1));
            if let Some(next) = self.positions.resume_after(segment) {
                scope.set(Name::Next, next.to_vec());
            }
            scope.set(Name::MinLastFrame, last.min);
            scope.set(Name::MaxLastFrame, last.max);
        }
        self.at(claim, &mut scope, place.clone())
    }

    fn extremes(&self, segment: usize, t: u32) -> Extremes {
        let layout = self.positions.layout();
        let [_, height, width] = layout.segments()[segment].grid().unwrap_or_default().map(u64::from);
        let start = layout.token_range(segment).start + u64::from(t) * height * width;
        let axes = 0..self.scheme.axes.len();
        let over =
            |axis: usize| (start..start + height * width).filter_map(move |token| self.positions.get(axis, token));
        // A frame has at least one cell, and the positions are whole.
        Extremes {
            min: axes.clone().map(|axis| over(axis).min().unwrap_or(Number::ZERO)).collect(),
            max: axes.map(|axis| over(axis).max().unwrap_or(Number::ZERO)).collect(),
        }
    }
}
