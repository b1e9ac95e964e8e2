//! `controls`: the backend does something at all. Names the trivial kernel that it behaves as.

use super::explain::is_poison;
use super::generator::Generator;
use super::judge::Judge;
use super::{Check, Docs, Failure, Halt, Harness, Measure, Outputs, Planned, Schedule, TENSOR_LEVELS, Verdict};
use crate::case::{Alias, Case, Level, Tensor};

pub(super) struct Controls;

impl Check for Controls {
    fn id(&self) -> &'static str {
        "controls"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "The output is not that of a kernel that does nothing: not zero, not the input, not NaN, not what \
                        was in the output buffer before, and it changes when the input does.",
            formula: "q_out is none of 0, q, NaN, poison, and f(q) differs from f(q')",
            source: "reports of suites that such kernels passed: KernelBench 165, flashinfer 4365, BackendBench 104",
            catches: "kernels that are not launched, return early, copy, or answer from an earlier call",
            cannot_catch: "anything subtler; every other check",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut rng = g.rng(self.id());
        let mut schedule = Schedule::default();
        if let (Some(preset), Ok(layout)) = (g.heads().first(), Layout::parse("text:4 video:2x2x2 text:3")) {
            let mut case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            if g.manifest.alias.contains(&crate::case::Alias::Out) {
                case.alias = crate::case::Alias::Out;
            }
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

use crate::positions::Layout;

/// Every rotated element of tokens whose position is not 0.
fn rotated<'a>(judge: &'a Judge<'a>, tensor: &'a Tensor, key: bool) -> impl Iterator<Item = f64> + 'a {
    let [_, tokens, heads, _] = tensor.shape();
    let first = if key { judge.q_heads() } else { 0 };
    (0..tokens).flat_map(move |t| {
        (0..heads).flat_map(move |h| {
            let row = tensor.row(0, t, h);
            (0..judge.truth().pairs)
                .filter(move |i| judge.turns(0, t, first + h, *i))
                .flat_map(move |i| <[usize; 2]>::from(judge.channels(i)))
                .map(move |c| row[c])
        })
    })
}

fn trivial(judge: &Judge, outputs: &Outputs) -> Option<&'static str> {
    for (key, input, output) in [(false, &outputs.q, &outputs.q_out), (true, &outputs.k, &outputs.k_out)] {
        if output.values().is_empty() {
            continue;
        }
        let all = |test: &dyn Fn(f64) -> bool| rotated(judge, output, key).all(test);
        if all(&|v| v == 0.0) {
            return Some(if key { "zero: every element of k_out is 0" } else { "zero: every element of q_out is 0" });
        }
        let apart = judge.case.alias == Alias::Out;
        if apart && all(&|v| is_poison(judge.case.dtype, v)) {
            return Some("echo: every element still holds the poison from before the call, so nothing was written");
        }
        if all(&f64::is_nan) {
            return Some("NaN: every element was written, and is NaN");
        }
        let same = rotated(judge, output, key).zip(rotated(judge, input, key)).all(|(a, b)| a == b);
        if same && rotated(judge, output, key).next().is_some() {
            return Some(if key { "identity: k comes back as it was" } else { "identity: q comes back as it was" });
        }
    }
    None
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let (prepared, outputs) = harness.execute(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    if rotated(&judge, &outputs.q_out, false).next().is_none() {
        return Err(Halt::not_judged("no pair turns by enough in this case to tell a trivial kernel from a right one"));
    }
    if let Some(kind) = trivial(&judge, &outputs) {
        return Ok(Verdict::Fail(Failure::new(format!("the backend behaves as the control kernel {kind}"))));
    }
    let other = Case { seed: case.seed ^ 0x5555, ..case.clone() };
    let (_, second) = harness.execute(&other)?;
    if second.q_out == outputs.q_out {
        return Ok(Verdict::Fail(Failure::new(
            "the backend behaves as the control kernel stale: another input gives the same output",
        )));
    }
    let elements = outputs.q_out.values().len() as u64;
    Ok(Verdict::Pass(Measure { elements, ..Measure::default() }))
}
