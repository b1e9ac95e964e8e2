//! The scopes that are not walked segment by segment: the whole sequence, another scheme's positions, frequencies.

use crate::numeric::Number;
use crate::positions::Column;
use crate::positions::Layout;
use crate::positions::Positions;
use crate::positions::VisualScope;
use crate::positions::positions;
use crate::rotation::{HeadShape, PlanCache, PlanError};
use crate::spec::Parameters;
use crate::spec::expr::{EvalError, Expr, Name};
use crate::spec::{HeadError, Library};

use super::judge::StatementJudge;
use super::scope::{Base, PlaceScope, measured_cells};
use super::{InvariantError, Violation, ViolationPlace};

impl StatementJudge<'_> {
    pub(super) fn sequence(&mut self, claim: &Expr) -> Result<(), InvariantError> {
        let uses = |name| claim.uses(name) || self.invariant.when.as_ref().is_some_and(|when| when.uses(name));
        let mut scope = self.scope(Base::Nothing);
        let tokens = self.positions.layout().tokens();
        scope.set_one(Name::Tokens, Number::from_i64(i64::try_from(tokens).unwrap_or(i64::MAX)));
        let mut note = None;
        if uses(Name::Collisions) {
            let found = collisions(self.positions);
            scope.set_one(Name::Collisions, Number::from_i64(i64::try_from(found.count).unwrap_or(i64::MAX)));
            note = found.first.map(|[a, b]| {
                let at = self.positions.token(a).unwrap_or_default();
                let at: Vec<String> = at.iter().map(ToString::to_string).collect();
                format!("tokens {a} and {b} are both at ({})", at.join(", "))
            });
        }
        self.at(claim, &mut scope, ViolationPlace::default())?;
        if let Some(violation) = &mut self.first {
            violation.note = note;
        }
        Ok(())
    }

    /// Every position equals, on each axis, the one axis of another scheme.
    pub(super) fn equals(&mut self, library: &Library, other: &str) -> Result<(), InvariantError> {
        let reference = |problem: String| InvariantError::Reference {
            invariant: self.invariant.id.clone(),
            other: other.to_owned(),
            problem,
        };
        if !self.applies()? {
            return Ok(());
        }
        let found = library.get(other).map_err(|_| reference("there is no such scheme".to_owned()))?;
        if found.axes.len() != 1 {
            return Err(reference(format!("it has {} axes, not one", found.axes.len())));
        }
        let layout: &Layout = self.positions.layout();
        let expected = positions(found, &Parameters::defaults(found)?, layout)?;
        for token in 0..layout.tokens() {
            let Some(expected) = expected.get(0, token) else { continue };
            for (axis, name) in self.scheme.axes.iter().enumerate() {
                let Some(value) = self.positions.get(axis, token) else { continue };
                self.places += 1;
                if value.compare(&expected).is_eq() {
                    continue;
                }
                let mut place =
                    ViolationPlace { token: Some(token), axis: Some(name.clone()), ..ViolationPlace::default() };
                if let Some((segment, k)) = layout.locate(token) {
                    let segment_at = &layout.segments()[segment];
                    place.segment = Some((segment, segment_at.to_string()));
                    let cell = |[_, h, w]: [u32; 3]| {
                        let (h, w) = (u64::from(h), u64::from(w));
                        [k / (h * w), k / w % h, k % w].map(|index| u32::try_from(index).unwrap_or(u32::MAX))
                    };
                    place.cell = segment_at.grid().map(cell);
                }
                let values = vec![(format!("axis.{name}"), value), (found.name.clone(), expected)];
                let formula = format!("equals {}", found.name);
                self.first = Some(Violation { place, formula, values, note: None });
                return Ok(());
            }
        }
        Ok(())
    }

    /// Whether every visual segment meets the condition of an `equals`.
    fn applies(&self) -> Result<bool, InvariantError> {
        let Some(when) = &self.invariant.when else { return Ok(true) };
        for (index, context) in self.positions.contexts().iter().enumerate() {
            let visual = VisualScope::new(self.scheme, self.parameters, context, measured_cells(self.positions));
            let Some(visual) = visual else { continue };
            let whole = visual.whole();
            let scope = PlaceScope::new(self.scheme, self.parameters, Base::Cell(&whole));
            let place = ViolationPlace::of(index, &context.segment);
            if !when.truth(&scope).map_err(|error| self.error(&place, when, error))? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// A statement about frequencies, at every width that the scheme allows, for each row of its map.
    pub(super) fn frequencies(
        &mut self,
        claim: &Expr,
        plans: &PlanCache,
        head_dims: &[u32],
    ) -> Result<(), InvariantError> {
        let mut refused: Option<PlanError> = None;
        for shape in head_dims.iter().copied().map(HeadShape::of_dim) {
            let plan = match plans.plan(self.scheme, self.parameters, shape) {
                Ok(plan) => plan,
                Err(error @ PlanError { error: HeadError::Formula { .. }, .. }) => return Err(error.into()),
                Err(error) => {
                    refused = Some(error);
                    continue;
                }
            };
            for row in 0..plan.map_heads {
                let mut scope = self.scope(Base::Nothing);
                let integer = |value: u32| Number::from_i64(i64::from(value));
                scope.set_one(Name::HeadDim, integer(shape.head_dim));
                scope.set_one(Name::D, integer(plan.rotary_dim));
                scope.set_one(Name::R, integer(plan.pairs));
                scope.set_one(Name::Length, self.parameters.length());
                for (index, (_, value)) in plan.parameters.iter().enumerate() {
                    scope.set_one(Name::Param(index), value.clone());
                }
                for axis in 0..self.scheme.axes.len() {
                    let on: Vec<f64> = (plan.axes(row).iter().zip(plan.frequencies(row)))
                        .filter(|(other, _)| usize::from(**other) == axis)
                        .map(|(_, frequency)| *frequency)
                        .collect();
                    scope.set_one(Name::PairsOn(axis), Number::from_i64(on.len() as i64));
                    let place = ViolationPlace::default();
                    let exact = |value: f64| {
                        Number::from_f64(value).map_err(|error| self.error(&place, claim, EvalError::from(error)))
                    };
                    if let Some(fastest) = on.iter().copied().reduce(f64::max) {
                        scope.set_one(Name::FastestOn(axis), exact(fastest)?);
                    }
                    if let Some(slowest) = on.iter().copied().reduce(f64::min) {
                        scope.set_one(Name::SlowestOn(axis), exact(slowest)?);
                    }
                }
                let head = (plan.map_heads > 1).then_some(row);
                let place = ViolationPlace { head_dim: Some(shape.head_dim), head, ..ViolationPlace::default() };
                self.at(claim, &mut scope, place)?;
            }
        }
        match refused {
            // Some widths suit a scheme and others do not; that none does is worth an error.
            Some(error) if self.places == 0 && self.first.is_none() => Err(error.into()),
            _ => Ok(()),
        }
    }
}

struct Collisions {
    /// Tokens at the place of an earlier token.
    count: u64,
    /// The first such token and the earlier one.
    first: Option<[u64; 2]>,
}

fn collisions(positions: &Positions) -> Collisions {
    let mut tokens: Vec<u64> = (0..positions.layout().tokens()).collect();
    // Reals that are the same number may differ in their last bits; as f64 they are the same.
    let column = |column: &Column| match column.to_numbers().iter().all(Number::is_exact) {
        true => column.clone(),
        false => column.to_f64().into_iter().map(|value| Number::from_f64(value).unwrap_or(Number::ZERO)).collect(),
    };
    let columns: Vec<Column> = positions.columns().iter().map(column).collect();
    // The positions are in memory, so their indices fit.
    let compare = |a: &u64, b: &u64| {
        let mut orders = columns.iter().map(|column| column.compare(*a as usize, *b as usize));
        orders.find(|order| order.is_ne()).unwrap_or(std::cmp::Ordering::Equal)
    };
    // A stable sort keeps tokens at one place in token order.
    tokens.sort_by(compare);
    let mut found = Collisions { count: 0, first: None };
    for pair in tokens.windows(2) {
        if compare(&pair[0], &pair[1]).is_eq() {
            found.count += 1;
            if found.first.is_none_or(|[_, later]| pair[1] < later) {
                found.first = Some([pair[0], pair[1]]);
            }
        }
    }
    found
}
