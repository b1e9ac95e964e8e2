//! `q-k-independence`: queries and keys do not see each other.

use super::head_counts::head_counts;
use super::probe::spoil;
use crate::case::{Case, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Cause, Circumstance, During, Failure, Law, OtherTensor, Scalar, Side, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::{Element, Judge, KeptBounds};
use crate::check::measure::Measure;
use crate::check::schedule::{NO_BAND, Schedule, Scheduler, layouts};
use crate::check::slices::places;

pub(in crate::check) struct QKIndependence;

impl Check for QKIndependence {
    fn id(&self) -> &'static str {
        "q-k-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Keys stay within their bounds whatever the queries hold, and queries whatever the \
                        keys hold; zeros become zeros.",
            formula: "k' within E for any q, q' within E for any k; R 0 = 0",
            source: "derived: rotation acts on q and k alone",
            catches: "q and k in one buffer with the wrong offset, k written over q, an offset that is added",
            cannot_catch: "the same mistake on both",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let counts: Vec<_> = head_counts(&mut s).into_iter().filter(|h| h.k_heads > 0).collect();
        if counts.is_empty() {
            let why = g.heads_with_keys().err();
            s.gap(NO_BAND, why.unwrap_or_else(|| "no case with keys fits the manifest".into()));
        }
        for preset in counts {
            s.add(layouts(&["text:1 image:1x2"]), &preset, |_| {});
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn spoiled(tensor: &Tensor, largest: f64) -> Tensor {
    let mut spoiled = tensor.clone();
    let [batch, tokens, heads, _] = tensor.shape();
    for (index, (b, t, h)) in places([batch, tokens, heads]).enumerate() {
        spoil(spoiled.row_mut(b, t, h), index, largest);
    }
    spoiled
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    if case.k_heads == 0 {
        return Err(Stop::not_judged("without keys there is nothing to be independent of"));
    }
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let largest = case.dtype.max_finite();
    let zeros = |tensor: &Tensor| Tensor::zeros(tensor.shape());
    let (of_q, of_k) = (0..judge.q_heads(), judge.q_heads()..judge.heads());
    let (mut measure, mut kept) = (Measure::default(), KeptBounds::default());
    for (judged, other, inputs) in [
        (Side::K, OtherTensor::Spoiled, (spoiled(&q, largest), k.clone())),
        (Side::Q, OtherTensor::Spoiled, (q.clone(), spoiled(&k, largest))),
        (Side::K, OtherTensor::Zero, (zeros(&q), k.clone())),
        (Side::Q, OtherTensor::Zero, (q.clone(), zeros(&k))),
    ] {
        let outputs = harness.run(&prepared, inputs.0, inputs.1)?;
        let (ours, theirs) = if judged == Side::Q { (&of_q, &of_k) } else { (&of_k, &of_q) };
        for (row, token, head) in places([case.batch(), judge.tokens(), judge.heads()]) {
            if ours.contains(&head) {
                let what = Circumstance::OtherTensor { judged, other };
                judge.row(&outputs, (row, token, head), &mut measure, &mut kept).during(what)?;
            } else if theirs.contains(&head) && other == OtherTensor::Zero {
                let found = judge.output_row(&outputs, row, token, head);
                if let Some(channel) = found.iter().position(|v| *v != 0.0) {
                    let cause = Cause::LawBroken {
                        law: Box::new(Law::ZeroOfZero),
                        expected: Scalar(0.0),
                        observed: Scalar(found[channel]),
                        error: Scalar(found[channel].abs()),
                        allowed: Scalar(0.0),
                    };
                    return Err(Failure::at(judge.place(Element { row, token, head, channel }), cause).into());
                }
                measure.elements += found.len() as u64;
            }
        }
    }
    Ok(measure)
}
