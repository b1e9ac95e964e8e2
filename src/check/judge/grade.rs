//! What arithmetic a backend turns out to have: the strictest class whose bound it keeps, and the K that its angles need.

use super::{Harness, Judge};
use crate::contract::PairRow;
use crate::contract::{Contract, Precision};
use crate::contract::{Judgement, PairBound, Types};
use crate::rotation::NO_AXIS;

/// Tokens of each batch row that are graded, one head each: a grade needs examples, not everything.
const GRADED_TOKENS: usize = 32;

/// One class, held against what a backend wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassTally {
    /// Its name.
    pub class: String,
    /// Largest error / bound; infinite once an element was outside.
    pub worst: f64,
    /// Where.
    pub place: String,
    /// Elements.
    pub elements: u64,
}

/// The measured K: an angle error in units of the type's rounding, relative to the angle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeasuredK {
    /// What some element needs at least, if every other error was as large as it may be.
    pub k: f64,
    /// What the contract allows there.
    pub allowed: f64,
    /// Where.
    pub place: String,
}

/// What cases say of the arithmetic that a backend has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GradeTally {
    /// The classes up to the declared one, strictest first.
    pub classes: Vec<ClassTally>,
    /// The K that was measured.
    pub k: MeasuredK,
}

impl GradeTally {
    /// Adds what another case says.
    pub fn merge(&mut self, other: &GradeTally) {
        for theirs in &other.classes {
            match self.classes.iter_mut().find(|c| c.class == theirs.class) {
                Some(ours) => {
                    ours.elements += theirs.elements;
                    if theirs.worst > ours.worst {
                        (ours.worst, ours.place) = (theirs.worst, theirs.place.clone());
                    }
                }
                None => self.classes.push(theirs.clone()),
            }
        }
        if other.k.k > self.k.k {
            self.k = other.k.clone();
        }
    }
}

/// A class that a backend might keep.
pub(super) struct GradedClass {
    contract: Contract,
    types: Types,
}

/// The classes from the strictest to the declared one, each with the declared way to frequencies.
pub(super) fn candidates(harness: &Harness<'_>, declared: &Contract, types: &Types) -> Vec<GradedClass> {
    let classes = &harness.contracts.classes;
    let end = classes.iter().position(|c| c.name == declared.class.name).unwrap_or(0);
    let mut all: Vec<GradedClass> = classes[..end]
        .iter()
        .map(|class| {
            let contract = Contract { class: class.clone(), ..declared.clone() };
            let types = Types::new(&contract, types.storage);
            GradedClass { contract, types }
        })
        .collect();
    all.push(GradedClass { contract: declared.clone(), types: *types });
    all
}

impl Judge<'_> {
    /// Grades one head of one token.
    pub(super) fn grade(
        &self,
        at: (usize, usize, usize),
        columns: PairRow<'_>,
        declared: &[PairBound],
        tally: &mut GradeTally,
    ) {
        let (row, token, head) = at;
        if token >= GRADED_TOKENS || self.truth.given.is_some() {
            return;
        }
        tally.classes.resize_with(self.candidates.len(), || ClassTally {
            class: String::new(),
            worst: 0.0,
            place: String::new(),
            elements: 0,
        });
        for (candidate, class) in self.candidates.iter().zip(&mut tally.classes) {
            class.class.clone_from(&candidate.contract.class.name);
            if class.worst.is_finite() {
                self.grade_class(at, columns, candidate, class);
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
            if bound.shift >= 1.0 || angle == 0.0 {
                continue;
            }
            let inputs = (columns.a[pair], columns.b[pair]);
            let (y, z) = bound.turn.apply(inputs.0, inputs.1);
            for (second, value, partner, found) in
                [(false, y, z, columns.first[pair]), (true, z, y, columns.second[pair])]
            {
                let allowance = bound.allowance(&self.types, second, inputs, value, partner);
                // What is left for sin(angle error) |y'| once everything else, the second-order part of the angle
                // included, has been granted in full; so K is never above what is allowed where the element passes.
                let others = allowance.total() - allowance.angle + bound.versine * value.abs();
                let k = ((found - value).abs() - others) / partner.abs() / (angle * unit);
                // A comparison with NaN is false.
                if k > tally.k.k && k.is_finite() {
                    let allowed = self.angle_error(head, pair, position) / (angle * unit);
                    let (a, b) = self.channels(pair);
                    let place = self.place(row, token, head, if second { b } else { a });
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
        class: &mut ClassTally,
    ) {
        let plan = &self.truth.plan;
        let (m, forward) = (plan.attention_scaling, self.truth.direction > 0.0);
        for pair in 0..self.truth.pairs {
            let (axis, frequency) = (self.axis(head, pair), self.frequency(head, pair));
            let Some(steps) = candidate.contract.steps(&self.frequency_of(head, pair)) else { return };
            let position = self.position(axis, row, token);
            let bound = PairBound::new(&candidate.contract, &candidate.types, steps, frequency, position, m, forward);
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
                    class.place = self.place(row, token, head, if second { b } else { a });
                    if ratio.is_infinite() {
                        return;
                    }
                }
            }
        }
    }
}
