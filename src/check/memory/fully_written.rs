//! `fully-written`: every element of every output is written.

use super::common::{gap, schedule, watched};
use crate::case::{Alias, Case, FLOAT_POISON, HUGE_POISON, Level, Memory};
use crate::check::generator::Generator;
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Schedule, Verdict};

pub(in crate::check) struct FullyWritten;

impl Check for FullyWritten {
    fn id(&self) -> &'static str {
        "fully-written"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Every element of an output is written, channels outside the rotary width included.",
            formula: "no element holds the poison that was there before the call, in two runs with different poisons",
            source: "KernelBench 165: outputs in memory that still held an earlier, right answer",
            catches: "tails, rows, heads and channels that are skipped",
            cannot_catch: "an element that is written with exactly the poison's bits in both runs, which no finite result is",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.group.level != Level::Positions && !g.manifest.alias.contains(&Alias::Out) {
            return gap("the manifest offers calls in place only: an output is an input there");
        }
        let mut schedule = schedule(self.id(), g, &[Memory::Packed; 2], &[Alias::Out]);
        // One of them with channels outside the rotary width, if that is offered.
        if let (Some(preset), Some(last)) = (g.heads().iter().find(|h| h.rotary.is_some()), schedule.cases.last_mut()) {
            let case = &mut last.case;
            (case.q_heads, case.k_heads) = (preset.q_heads, preset.k_heads);
            (case.head_dim, case.rotary) = (preset.head_dim, preset.rotary);
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    if case.alias != Alias::Out {
        return Err(Halt::not_judged("in place, every output holds an input before the call"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let first = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    let second = watched(harness, &mut prepared, inputs, HUGE_POISON)?;
    let size = if case.level == Level::Positions { case.position_dtype.size() } else { case.dtype.size() };
    let untouched = |(a, b): (&[u8], &[u8])| {
        a.iter().all(|byte| *byte == FLOAT_POISON) && b.iter().all(|byte| *byte == HUGE_POISON)
    };
    let index = first.bits.chunks_exact(size).zip(second.bits.chunks_exact(size)).position(untouched);
    if let Some(index) = index {
        let (mut left, mut place) = (index * size, None);
        prepared.output_bytes(|range| {
            if place.is_none() && left < range.len() {
                place = Some(prepared.place_of(range.start + left));
            }
            left = left.saturating_sub(range.len());
        });
        let place = place.unwrap_or_else(|| format!("element {index} of the outputs"));
        return Ok(Verdict::Fail(Failure::new(format!("never written: {place}"))));
    }
    Ok(Verdict::Pass(Measure { elements: (first.bits.len() / size) as u64, ..Measure::default() }))
}
