//! `fully-written`: every element of every output is written.

use super::common::{schedule, watched};
use crate::case::{Alias, Case, FLOAT_POISON, HUGE_POISON, Level, Memory};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::element_size;

pub(in crate::check) struct FullyWritten;

impl Check for FullyWritten {
    fn id(&self) -> &'static str {
        "fully-written"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Every element of an output is written, channels outside the rotary width included.",
            formula: "no element holds the poison that was there before the call, in two runs with different \
                      poisons",
            source: "KernelBench 165: outputs in memory that still held an earlier, right answer",
            catches: "tails, rows, heads and channels that are skipped",
            cannot_catch: "an element that is written with exactly the poison's bits in both runs, which no \
                           finite result is",
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
            return Schedule::nothing("the manifest offers calls in place only: an output is an input there");
        }
        let mut planned = schedule(Scheduler::new(g, self.id()), &[Memory::Packed; 2], &[Alias::Out]);
        if g.manifest.partial_rotary && g.group.level != Level::Positions {
            // And one with channels outside the rotary width.
            let partial = Scheduler::new(g, self.id()).partial();
            planned.cases.append(&mut schedule(partial, &[Memory::Packed], &[Alias::Out]).cases);
        }
        planned
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    if case.alias != Alias::Out {
        return Err(Stop::not_judged("in place, every output holds an input before the call"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let first = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    let second = watched(harness, &mut prepared, inputs, HUGE_POISON)?;
    let size = element_size(case);
    let mut starts = Vec::new();
    prepared.output_bytes(|range| starts.extend(range.step_by(size)));
    let untouched = |((_, a), b): &((&usize, &[u8]), &[u8])| {
        a.iter().all(|byte| *byte == FLOAT_POISON) && b.iter().all(|byte| *byte == HUGE_POISON)
    };
    let mut elements = starts.iter().zip(first.bits.chunks_exact(size)).zip(second.bits.chunks_exact(size));
    match elements.find(untouched) {
        Some(((start, _), _)) => Err(Stop::of_call(Cause::NotWritten { at: prepared.place_of(*start) })),
        None => Ok(Measure::of(starts.len() as u64)),
    }
}
