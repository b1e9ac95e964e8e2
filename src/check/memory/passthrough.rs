//! `passthrough`: channels outside the rotary width are copied, whatever they hold.

use super::common::{CALLS, sound};
use crate::case::{Alias, Case, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::{Element, Judge};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};
use crate::check::slices::places;
use crate::numeric::DType;

pub(in crate::check) struct Passthrough;

impl Check for Passthrough {
    fn id(&self) -> &'static str {
        "passthrough"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Channels outside the rotary width come back bit by bit, but for the payload of a NaN: \
                        finite numbers, both zeros and infinities as they were, NaN as some NaN; and they \
                        reach no rotated channel.",
            formula: "y'_d = x_d for d outside [rotary_offset, rotary_offset + rotary_dim); NaN where x_d is NaN",
            source: "vllm-project/vllm PR 43676: rotary_dim not passed on; include/ropecheck.h",
            catches: "a tail that is left out, rotated by angle 0 with a rounding, masked by a product with \
                      0, scaled or flushed",
            cannot_catch: "another payload of a NaN, which is allowed; subnormals, where the contract may flush them",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if !g.manifest.partial_rotary {
            return Schedule::nothing("the manifest rotates every channel");
        }
        let mut s = Scheduler::new(g, self.id()).partial();
        let aliases: Vec<Alias> =
            [Alias::Out, Alias::In].into_iter().filter(|a| g.manifest.alias.contains(a)).collect();
        let (text, rows) = CALLS[0];
        let call = || layouts(&vec![text; rows]);
        // The first shape comes again at the end: an answer that was kept shows.
        for (alias, preset) in aliases.iter().chain(aliases.first()).zip(s.heads().iter().take(2).cycle()) {
            s.add(call(), preset, |case| case.alias = *alias);
        }
        if let Some(wide) = s.wide() {
            s.add(call(), &wide, |_| {});
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// What a tail must survive. Subnormals last.
fn special(dtype: DType, flushes: bool) -> Vec<f64> {
    let (largest, normal) = (dtype.max_finite(), dtype.min_normal());
    let mut values =
        vec![0.0, -0.0, f64::INFINITY, f64::NEG_INFINITY, f64::NAN, largest, -largest, normal, -normal, 1.0, -1.5];
    if !flushes {
        values.extend([normal / 2.0, -normal / 2.0]);
    }
    values
}

fn fill(tensor: &mut Tensor, tail: &[usize], values: &[f64]) {
    let [batch, tokens, heads, _] = tensor.shape();
    let mut next = values.iter().cycle();
    for (b, t, h) in places([batch, tokens, heads]) {
        let row = tensor.row_mut(b, t, h);
        for (channel, value) in tail.iter().zip(&mut next) {
            row[*channel] = *value;
        }
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let Some(truth) = &prepared.truth else { return Err(Stop::broken("this level has no tensors")) };
    let rotated = truth.rotary_offset..truth.rotary_offset + truth.rotary_dim;
    let tail: Vec<usize> = (0..case.head_dim as usize).filter(|d| !rotated.contains(d)).collect();
    if tail.is_empty() {
        return Err(Stop::not_judged("every channel is rotated"));
    }
    let mut values = special(case.dtype, harness.contract(case)?.class.flushes);
    // Cases of one shape have other tails.
    let turn = usize::try_from(case.seed % values.len() as u64).unwrap_or(0);
    values.rotate_left(turn);
    let (mut q, mut k) = Harness::inputs(case, &prepared);
    fill(&mut q, &tail, &values);
    fill(&mut k, &tail, &values);
    let outputs = harness.run(&prepared, q, k)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    for (row, token, head) in places([case.batch(), judge.tokens(), judge.heads()]) {
        let x = judge.input_row(&outputs, row, token, head);
        let y = judge.output_row(&outputs, row, token, head);
        // As f64 every value of the storage types keeps its bits apart from the payload of a NaN.
        let changed = |d: &usize| {
            let same = x[*d].to_bits() == y[*d].to_bits() || x[*d].is_nan() && y[*d].is_nan();
            !same && !judge.types(head).keeps(x[*d], y[*d])
        };
        if let Some(channel) = tail.iter().copied().find(changed) {
            return Err(judge.not_preserved(Element { row, token, head, channel }, x, y).into());
        }
        measure.elements += tail.len() as u64;
    }
    if let Err(stop) = judge.all(&outputs) {
        sound(harness, case)?;
        return Err(stop.during(Circumstance::SpecialValuesOutside));
    }
    Ok(measure)
}
