//! `pair-norm`: a pair keeps its length, whatever its angle. Sees what the angle's own error hides far out.

use super::pairs::{exact_up_to, small_cases};
use crate::case::{Case, Data, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Scalar, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Planned, Schedule};
use crate::contract::Judgement;

pub(in crate::check) struct PairNorm;

/// Relative error of two sums of two squares in f64, and of the reference's own cos^2 + sin^2, many times
/// over.
const EVALUATION: f64 = 1.0 / (1u64 << 47) as f64;

impl Check for PairNorm {
    fn id(&self) -> &'static str {
        "pair-norm"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Each output pair is m times as long as its input pair, up to the roundings behind the angle.",
            formula: "|y^2 + y'^2 - m^2 (a^2 + b^2)| <= 2|y|F + F^2 + 2|y'|F' + F'^2, F the bound without its angle \
                      part",
            source: "rotations keep lengths; derived, docs/numerics.md",
            catches: "sines and cosines that are no pair any more: bad range reduction at large angles, where accuracy \
                      sees nothing; a missing attention factor; one of two products left out; mixed pairs",
            cannot_catch: "any wrong angle. Pairs whose bound exceeds their length are not judged",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = small_cases(g, self.id(), Data::Mixed, |_, _| {});
        if g.group.level == Level::Rotate
            && let Some(heads) = g.heads().first()
        {
            // Far out: fast pairs have lost their angle there, and only the length is left to judge.
            let mut case = g.case(self.id(), vec![text(6)], heads, g.rng("far").next_u64());
            let high = exact_up_to(case.position_dtype, g.max_position());
            case.place = PositionSource::Random { low: high / 2, high };
            schedule.cases.push(Planned { band: "far".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    let mut beyond = 0u64;
    judge.every_pair(|at, bound| {
        if bound.beyond_limit {
            beyond += 2;
            return Ok(());
        }
        if bound.too_wide {
            measure.contract_too_wide += 2;
            return Ok(());
        }
        let (a, b) = judge.inputs_of(&outputs, at);
        let sides = judge.sides(&outputs, at, bound);
        if sides.iter().any(|s| s.judgement == Judgement::RangeNotJudged) {
            measure.range_not_judged += 2;
            return Ok(());
        }
        let expected = (a * a + b * b) * (bound.turn.cos * bound.turn.cos + bound.turn.sin * bound.turn.sin);
        let observed: f64 = sides.iter().map(|s| s.observed * s.observed).sum();
        let allowed: f64 = sides
            .iter()
            .map(|s| {
                let f = s.allowance.total() - s.allowance.angle;
                // The subtraction may have rounded: by less than 2^-52 of the total.
                let f = f + s.allowance.total() * 2f64.powi(-51);
                2.0 * s.observed.abs() * f + f * f
            })
            .sum::<f64>()
            + EVALUATION * (expected + observed);
        let error = (observed - expected).abs();
        if error > allowed || error.is_nan() {
            let law = Law::PairNorm {
                input: [a, b].map(Scalar),
                output: sides.map(|s| Scalar(s.observed)),
                attention_scaling: Scalar(judge.truth().plan.attention_scaling),
            };
            let place = judge.place_of(at, sides[0].channel);
            return Err(Failure::at(place, Cause::law(law, expected, observed, allowed)));
        }
        if allowed < expected {
            measure.add(error / allowed);
        }
        Ok(())
    })?;
    if measure.elements == 0 {
        let why = if beyond > 0 { judge.limit_note() } else { "no pair is longer than its bound".to_owned() };
        return Err(Stop::not_judged(why));
    }
    judge.count_beyond(&mut measure, beyond);
    Ok(measure)
}
