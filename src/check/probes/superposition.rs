//! `superposition`: a pair's output is the sum of what its two inputs give alone. Sees truncating stores in
//! every type.

use crate::case::{Case, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Scalar, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::{Element, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::contract::{Rotation, superposition_allowance};

pub(in crate::check) struct Superposition;

impl Check for Superposition {
    fn id(&self) -> &'static str {
        "superposition"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "At one position, the output of (a, b) is the sum of the outputs of (a, 0) and (0, \
                        b), up to the roundings of the last operations.",
            formula: "|y - (p1 + p2)| <= sum over y, p1, p2 of h_S, and of h_A where arithmetic and storage \
                      types differ (m = 1)",
            source: "derived; docs/numerics.md",
            catches: "truncation instead of rounding at the store, in any type; products that do not use the \
                      same factors",
            cannot_catch: "wrong angles: any pair of factors is linear",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        for preset in s.probed() {
            let layout = g.layout(&mut s.rng);
            s.add(vec![layout], &preset, |_| {});
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// The inputs with one channel of every pair silenced.
fn only(judge: &Judge, tensor: &Tensor, second: bool) -> Tensor {
    let mut silenced = tensor.clone();
    let width = tensor.shape()[3].max(1);
    for row in silenced.values_mut().chunks_exact_mut(width) {
        for pair in 0..judge.truth().pairs {
            let (a, b) = judge.channels(pair);
            row[if second { a } else { b }] = 0.0;
        }
    }
    silenced
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    if judge.truth().plan.attention_scaling != 1.0 {
        return Err(Stop::not_judged("attention_scaling is not 1, and its roundings have no such bound"));
    }
    let types = *judge.types(0);
    if types.truncates {
        return Err(Stop::not_judged("the contract declares a store that does not round to nearest"));
    }
    let (q, k) = Harness::inputs(case, &prepared);
    let both = harness.run(&prepared, q.clone(), k.clone())?;
    let first = harness.run(&prepared, only(&judge, &q, false), only(&judge, &k, false))?;
    let second = harness.run(&prepared, only(&judge, &q, true), only(&judge, &k, true))?;
    let mut measure = Measure::default();
    let row = |o: &'_ Outputs, t: usize, h: usize| judge.output_row(o, 0, t, h).to_vec();
    for token in 0..judge.tokens() {
        for head in 0..judge.heads() {
            let (y, p1, p2) = (row(&both, token, head), row(&first, token, head), row(&second, token, head));
            for pair in 0..judge.truth().pairs {
                // What other ways to rotate cost depends on what is rotated.
                let bound = (types.rotation != Rotation::FourProducts).then(|| judge.bound(0, token, head, pair));
                let channels = judge.channels(pair);
                let inputs = judge.input_row(&both, 0, token, head);
                let inputs = (inputs[channels.0], inputs[channels.1]);
                if bound.as_ref().is_some_and(|bound| bound.beyond_limit || bound.too_wide) {
                    continue;
                }
                for channel in <[usize; 2]>::from(channels) {
                    let (y, p1, p2) = (y[channel], p1[channel], p2[channel]);
                    let allowance = |y: f64, p1: f64, p2: f64| match &bound {
                        Some(bound) => bound.superposition(&types, channel == channels.1, inputs),
                        None => superposition_allowance(&types, y, p1, p2),
                    };
                    // The sum of two numbers of at most 24 bits is exact in f64 here or errs by 2^-53 of
                    // itself, which is below 2^-28 of the smallest allowance.
                    let (error, allowed) = ((y - (p1 + p2)).abs(), allowance(y, p1, p2));
                    // Two honest halves may add up to more than there is; accuracy says whether they may
                    // here.
                    let near = p1.abs().max(p2.abs()).max((p1 + p2).abs())
                        >= types.output.max_finite().min(types.storage.max_finite()) / 2.0;
                    if near && !(y.is_finite() && p1.is_finite() && p2.is_finite()) {
                        measure.range_not_judged += 1;
                        continue;
                    }
                    measure.add(error / allowed);
                    if error > allowed || error.is_nan() || allowed.is_nan() {
                        let cause = Cause::LawBroken {
                            law: Box::new(Law::Superposition { first: Scalar(p1), second: Scalar(p2) }),
                            expected: Scalar(p1 + p2),
                            observed: Scalar(y),
                            error: Scalar(error),
                            allowed: Scalar(allowed),
                        };
                        let place = judge.place(Element { row: 0, token, head, channel });
                        return Err(Failure::at(place, cause).into());
                    }
                }
            }
        }
    }
    if measure.elements == 0 {
        return Err(Stop::not_judged("every sum may overflow"));
    }
    Ok(measure)
}
