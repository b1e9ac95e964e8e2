//! What arithmetic a backend turns out to have: the strictest class whose bound it keeps, and the K that its angles need.

use super::elements::{Element, Judge};
use super::graded_class::GradedClass;
use crate::check::measure::{ClassTally, Measure, MeasuredK};
use crate::contract::{Judgement, PairBound, PairRow, Precision};
use crate::rotation::NO_AXIS;

/// Tokens of each batch row that are graded, one head each: a grade needs examples, not everything.
const GRADED_TOKENS: usize = 32;

impl Judge<'_> {
    /// Grades one head of one token.
    pub(super) fn grade(
        &self,
        at: (usize, usize, usize),
        columns: PairRow<'_>,
        declared: &[PairBound],
        measure: &mut Measure,
    ) {
        let (row, token, head) = at;
        if token >= GRADED_TOKENS || self.truth.given.is_some() {
            return;
        }
        let (tally, errors) = (&mut measure.grade, &mut measure.errors);
        tally.classes.resize_with(self.candidates.len(), || ClassTally {
            class: String::new(),
            worst: 0.0,
            place: None,
            elements: 0,
        });
        for (number, (candidate, class)) in self.candidates.iter().zip(&mut tally.classes).enumerate() {
            class.class.clone_from(&candidate.contract.class.name);
            if class.worst.is_finite() {
                // The last is the declared one.
                let known = (number + 1 == self.candidates.len()).then_some(declared);
                self.grade_class(at, columns, candidate, known, class);
            }
        }
        for (pair, bound) in declared.iter().enumerate() {
            let axis = self.axis(head, pair);
            if axis == NO_AXIS {
                continue;
            }
            let position = self.position(axis, row, token);
            let angle = (position.hi * self.frequency(head, pair)).abs();
            let unit = match self.contract.class.angles {
                Precision::F64 => f64::EPSILON / 2.0,
                _ => crate::contract::F32_ROUNDING,
            };
            if bound.too_wide || bound.beyond_limit || angle == 0.0 {
                continue;
            }
            let inputs = (columns.a[pair], columns.b[pair]);
            let (y, z) = bound.turn.apply(inputs.0, inputs.1);
            let length = (y * y + z * z).sqrt();
            for (second, value, partner, found) in
                [(false, y, z, columns.first[pair]), (true, z, y, columns.second[pair])]
            {
                let error = (found - value).abs();
                let allowance = bound.allowance(self.types(head), second, inputs, value, partner);
                errors.add(position.hi, length, error, allowance.total());
                if bound.shift >= 1.0 {
                    continue;
                }
                // What is left for sin(angle error) |y'| once everything else, the second-order part of the angle
                // included, has been granted in full; so K is never above what is allowed where the element passes.
                let others = allowance.total() - allowance.angle + bound.versine * value.abs();
                let k = (error - others) / partner.abs() / (angle * unit);
                // A comparison with NaN is false.
                if k > tally.k.k && k.is_finite() {
                    let allowed = self.angle_error(head, pair, position) / (angle * unit);
                    let (a, b) = self.channels(pair);
                    let channel = if second { b } else { a };
                    let place = Some(self.place(Element { row, token, head, channel }));
                    tally.k = MeasuredK { k, allowed, place };
                }
            }
        }
    }

    fn grade_class(
        &self,
        (row, token, head): (usize, usize, usize),
        columns: PairRow<'_>,
        candidate: &GradedClass,
        known: Option<&[PairBound]>,
        class: &mut ClassTally,
    ) {
        let plan = &self.truth.plan;
        let (m, forward) = (plan.attention_scaling, self.truth.direction > 0.0);
        for pair in 0..self.truth.pairs {
            let made;
            let bound = match known {
                Some(known) => &known[pair],
                None => {
                    let (axis, frequency) = (self.axis(head, pair), self.frequency(head, pair));
                    let Some(steps) = candidate.contract.steps(&self.frequency_of(head, pair)) else { return };
                    let (position, types) = (self.position(axis, row, token), &candidate.types);
                    made = PairBound::new(&candidate.contract, types, steps, frequency, position, m, forward);
                    &made
                }
            };
            let inputs = (columns.a[pair], columns.b[pair]);
            for (second, found) in [(false, columns.first[pair]), (true, columns.second[pair])] {
                let ratio = match bound.judge(&candidate.types, second, inputs, found) {
                    Judgement::Pass { ratio } => ratio,
                    Judgement::Fail => f64::INFINITY,
                    _ => continue,
                };
                class.elements += 1;
                if ratio > class.worst {
                    class.worst = ratio;
                    let (a, b) = self.channels(pair);
                    let channel = if second { b } else { a };
                    class.place = Some(self.place(Element { row, token, head, channel }));
                    if ratio.is_infinite() {
                        return;
                    }
                }
            }
        }
    }
}
