//! `q-k-independence`: queries and keys do not see each other.

use super::head_counts::head_counts;
use super::probe::spoil;
use crate::case::{Case, Level, Tensor};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::slices::{add, layouts, places, while_doing};
use crate::check::{Check, Docs, Failure, Gap, Halt, Harness, Measure, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct QKIndependence;

impl Check for QKIndependence {
    fn id(&self) -> &'static str {
        "q-k-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Keys stay within their bounds whatever the queries hold, and queries whatever the keys hold; zeros \
                        become zeros.",
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
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        let counts: Vec<_> = head_counts(g).into_iter().filter(|h| h.k_heads > 0).collect();
        if counts.is_empty() {
            schedule.gaps.push(Gap { band: "-".into(), why: "no case with keys fits the manifest".into() });
        }
        for preset in counts {
            for layout in layouts(&["text:1 image:1x2"]) {
                let case = g.case(self.id(), vec![layout], &preset, rng.next_u64());
                schedule.cases.push(Planned { band: "-".into(), case });
            }
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
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

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    if case.k_heads == 0 {
        return Err(Halt::not_judged("without keys there is nothing to be independent of"));
    }
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let largest = case.dtype.max_finite();
    let zeros = |tensor: &Tensor| Tensor::zeros(tensor.shape());
    let (of_q, of_k) = (0..judge.q_heads(), judge.q_heads()..judge.heads());
    let mut measure = Measure::default();
    for (what, inputs, judged, zero) in [
        ("keys, while the queries hold NaN and huge numbers", (spoiled(&q, largest), k.clone()), &of_k, None),
        ("queries, while the keys hold NaN and huge numbers", (q.clone(), spoiled(&k, largest)), &of_q, None),
        ("keys, while the queries are zero", (zeros(&q), k.clone()), &of_k, Some(&of_q)),
        ("queries, while the keys are zero", (q.clone(), zeros(&k)), &of_q, Some(&of_k)),
    ] {
        let outputs = harness.run(&prepared, inputs.0, inputs.1)?;
        for (row, token) in (0..case.batch()).flat_map(|b| (0..judge.tokens()).map(move |t| (b, t))) {
            for head in judged.clone() {
                let verdict = judge.row(&outputs, row, token, head, &mut measure);
                add(&mut measure, while_doing(verdict, || what.to_owned()))?;
            }
            for head in zero.cloned().unwrap_or(0..0) {
                let found = judge.output_row(&outputs, row, token, head);
                if let Some(channel) = found.iter().position(|v| *v != 0.0) {
                    let place = judge.place(row, token, head, channel);
                    return Ok(Verdict::Fail(Failure::new(format!("{place}: {:e}, of input 0", found[channel]))));
                }
                measure.elements += found.len() as u64;
            }
        }
    }
    Ok(Verdict::Pass(measure))
}
