//! `inputs-untouched`: what the call is given is the same afterwards.

use super::common::{schedule, watched};
use crate::case::{Alias, Case, FLOAT_POISON, Level, Memory, Part};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::Stop;
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct InputsUntouched;

impl Check for InputsUntouched {
    fn id(&self) -> &'static str {
        "inputs-untouched"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A call changes no input: neither q and k, unless it is in place, nor positions or \
                        any table.",
            formula: "bytes before = bytes after, for q, k, positions, axis_of_pair, inv_freq, sections, \
                      cos, sin, cache",
            source: "unslothai/unsloth 5001, NVIDIA/Megatron-LM PR 5412",
            catches: "kernels that scale, convert or advance in their inputs; outputs on the wrong tensor",
            cannot_catch: "changes that are undone before the call returns",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = schedule(Scheduler::new(g, self.id()), &[Memory::Packed; 2], &[Alias::Out, Alias::In]);
        schedule.cases.truncate(3);
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    watched(harness, &mut prepared, inputs, FLOAT_POISON)?.unchanged(Part::Input)?;
    let given = prepared.buffers.iter().filter(|b| case.alias == Alias::Out || !matches!(b.name, "q" | "k"));
    let given = given.filter(|b| !matches!(b.name, "q_out" | "k_out"));
    Ok(Measure::of(given.map(|b| (b.bytes / b.element.max(1)) as u64).sum()))
}
