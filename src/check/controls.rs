//! `controls`: the backend does something at all. Names the trivial kernel that it behaves as.

use super::definition::{Check, Docs, TENSOR_LEVELS};
use super::failure::{Cause, Side, Stop, TrivialKernel, is_poison};
use super::generator::Generator;
use super::harness::{Harness, Outputs};
use super::judge::Judge;
use super::measure::Measure;
use super::schedule::{Schedule, Scheduler};
use crate::case::{Alias, Case, Level, Tensor};
use crate::positions::Layout;

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
        let mut s = Scheduler::new(g, self.id());
        if let (Some(preset), Ok(layout)) = (s.heads().first(), Layout::parse("text:4 video:2x2x2 text:3")) {
            s.add(vec![layout], preset, |case| {
                if g.manifest.alias.contains(&Alias::Out) {
                    case.alias = Alias::Out;
                }
            });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let (prepared, outputs) = harness.execute(case)?;
        let judge = Judge::new(harness, case, &prepared)?;
        if rotated(&judge, &outputs.q_out, Side::Q).next().is_none() {
            return Err(Stop::not_judged(
                "no pair turns by enough in this case to tell a trivial kernel from a right one",
            ));
        }
        if let Some(kernel) = trivial(&judge, &outputs) {
            return Err(Stop::of_call(Cause::Trivial { kernel }));
        }
        // Two more: a kernel may leave out every third call.
        for other in [0x5555, 0xaaaa] {
            let (_, other) = harness.execute(&Case { seed: case.seed ^ other, ..case.clone() })?;
            let kernel = Some(TrivialKernel::Stale).filter(|_| other.q_out == outputs.q_out);
            if let Some(kernel) = kernel.or_else(|| trivial(&judge, &other)) {
                return Err(Stop::of_call(Cause::Trivial { kernel }));
            }
        }
        let observations = judge.observed_in(&outputs);
        Ok(Measure { observations, ..Measure::of(outputs.q_out.values().len() as u64) })
    }
}

/// Every rotated element of tokens whose position is not 0.
fn rotated<'a>(judge: &'a Judge<'a>, tensor: &'a Tensor, side: Side) -> impl Iterator<Item = f64> + 'a {
    let [_, tokens, heads, _] = tensor.shape();
    let first = if side == Side::K { judge.q_heads() } else { 0 };
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

fn trivial(judge: &Judge, outputs: &Outputs) -> Option<TrivialKernel> {
    for (side, input, output) in [(Side::Q, &outputs.q, &outputs.q_out), (Side::K, &outputs.k, &outputs.k_out)] {
        if output.values().is_empty() {
            continue;
        }
        let all = |test: &dyn Fn(f64) -> bool| rotated(judge, output, side).all(test);
        if all(&|v| v == 0.0) {
            return Some(TrivialKernel::Zero { side });
        }
        if judge.case.alias == Alias::Out && all(&|v| is_poison(judge.types(0).output, v)) {
            return Some(TrivialKernel::Echo);
        }
        if all(&f64::is_nan) {
            return Some(TrivialKernel::Nan);
        }
        let same = rotated(judge, output, side).zip(rotated(judge, input, side)).all(|(a, b)| a == b);
        if same && rotated(judge, output, side).next().is_some() {
            return Some(TrivialKernel::Identity { side });
        }
    }
    None
}
