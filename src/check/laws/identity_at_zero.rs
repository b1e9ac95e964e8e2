//! `identity-at-zero`: at position 0 nothing turns.

use super::pairs::small_cases;
use crate::case::{Case, Data, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;
use crate::contract::{Judgement, Rotation};
use crate::rotation::NO_AXIS;

pub(in crate::check) struct IdentityAtZero;

impl Check for IdentityAtZero {
    fn id(&self) -> &'static str {
        "identity-at-zero"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "At position 0 a pair comes back as it was, times m: exactly, for m = 1.",
            formula: "p = 0: y = a, y' = b for m = 1 (zeros of either sign are the same); else |y - m a| <= E",
            source: "cos 0 = 1 and sin 0 = 0 exactly; derived, docs/numerics.md",
            catches: "positions that start at 1, tables shifted by a row, approximations of the cosine that miss 1, a \
                      store that rounds what needs no rounding",
            cannot_catch: "anything at other positions. Exactness is not asked of contracts with an absolute error of \
                           sine and cosine (fast), nor of three products: there, and for m other than 1, it is accuracy at one \
                           position",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        small_cases(g, self.id(), Data::Mixed, |case, _| {
            case.layouts = vec![text(5)];
            if case.level != Level::Fused {
                case.place = PositionSource::Random { low: 0, high: 0 };
            }
        })
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let truth = judge.truth();
    let known = judge.contract.class.trig_error == 0.0 || truth.given.is_some();
    // Of three products the sum of both inputs is rounded, and one of them taken off again.
    let types = *judge.types(0);
    let keeps = types.rotation != Rotation::ThreeProducts && types.output.holds_all(types.storage);
    let exact = known && keeps && truth.plan.attention_scaling == 1.0;
    let flushed = if types.flushes { case.dtype.min_normal() } else { 0.0 };
    let mut measure = Measure::default();
    judge.every_pair(|at, bound| {
        let axis = judge.axis(at.head, at.pair);
        let position = judge.position(axis, at.row, at.token);
        if axis != NO_AXIS && (position.hi != 0.0 || position.lo != 0.0) {
            return Ok(());
        }
        let (a, b) = judge.inputs_of(&outputs, at);
        for (side, input) in judge.sides(&outputs, at, bound).into_iter().zip([a, b]) {
            let same = side.observed == input || (side.observed == 0.0 && input.abs() < flushed);
            let ratio = match side.judgement {
                Judgement::Pass { ratio } => ratio,
                Judgement::RangeNotJudged => {
                    measure.range_not_judged += 1;
                    continue;
                }
                // Position 0 is within every limit; random numbers are finite.
                Judgement::InputNotFinite | Judgement::BeyondAngleLimit | Judgement::ContractTooWide => continue,
                Judgement::Fail => f64::INFINITY,
            };
            if ratio > 1.0 || (exact && !same) {
                // cos 0 = 1 and sin 0 = 0 leave nothing to round.
                let allowed = if exact { 0.0 } else { side.allowance.total() };
                let law = Cause::law(Law::IdentityAtZero { exact }, side.expected, side.observed, allowed);
                return Err(Failure::at(judge.place_of(at, side.channel), law));
            }
            measure.add(if exact { 0.0 } else { ratio });
        }
        Ok(())
    })?;
    if measure.elements == 0 {
        return Err(Stop::not_judged("the scheme puts no token of this text at position 0"));
    }
    Ok(measure)
}
