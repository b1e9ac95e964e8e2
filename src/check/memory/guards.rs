//! `guards`: nothing outside of the buffers is read or written.

use super::common::{Watched, blame, schedule, sound, watched};
use crate::case::{Alias, Case, FLOAT_POISON, HUGE_POISON, Level, Memory, Part};
use crate::check::generator::Generator;
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Schedule, Verdict};

pub(in crate::check) struct Guards;

impl Check for Guards {
    fn id(&self) -> &'static str {
        "guards"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "No byte outside of a buffer is written, none before its first or after its last element is needed \
                        to be there, and none has an influence on the result.",
            formula: "with a page without access at the end, then at the start, of every buffer: no fault; every canary as \
                      it was; results within their bounds whatever the canaries are",
            source: "sgl-project/sglang PR 30123, ModelTC/LightLLM 1459, sgl-project/sglang 35096: padded lanes past the row",
            catches: "reads and writes that miss a buffer by one element or more, on either side",
            cannot_catch: "a miss inside the slack that the manifest's alignment leaves, if it is only read and changes \
                           nothing; layouts, segments and names, which are not in guarded memory; reads by a backend that \
                           runs in ropecheck's own process, unless they change a result",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        schedule(self.id(), g, &[Memory::GuardEnd, Memory::GuardStart], &[Alias::Out, Alias::In])
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    if !matches!(case.memory, Memory::GuardEnd | Memory::GuardStart) {
        return Err(Halt::not_judged("the memory of this case has no guards"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let first = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    let second = watched(harness, &mut prepared, inputs, HUGE_POISON)?;
    for run in [&first, &second] {
        if let Some(failure) = run.changed(Part::Outside) {
            return Ok(failure);
        }
    }
    let mut measure = if case.level == Level::Positions {
        if first.bits != second.bits {
            return Err(differ("positions"));
        }
        Measure { elements: (first.bits.len() / case.position_dtype.size()) as u64, ..Measure::default() }
    } else {
        compare(case, harness, &prepared, &first, &second)?
    };
    if !harness.backend.has_guards() {
        measure.notes.push("reads outside of buffers are not seen: the backend runs without guard pages".into());
    }
    Ok(Verdict::Pass(measure))
}

fn differ(what: &str) -> Halt {
    Halt::fail(Failure::new(format!("{what} depend on what lies outside of the buffers")))
}

fn compare(
    case: &Case,
    harness: &mut Harness,
    prepared: &crate::case::Prepared,
    first: &Watched,
    second: &Watched,
) -> Result<Measure, Halt> {
    if first.bits != second.bits && harness.backend.manifest().bit_stable == Some(true) {
        return Err(differ("bits of the result, which the manifest calls stable,"));
    }
    let what = "with other bytes around the buffers";
    let results = [first, second].map(|run| blame(harness, case, prepared, &run.outputs, what));
    match results {
        [Ok(measure), Ok(_)] => Ok(measure),
        // Equal and wrong is not about memory.
        [Err(_), Err(_)] if first.bits == second.bits => {
            Err(Halt::not_judged("the result is wrong whatever lies around the buffers; see the other checks"))
        }
        [Err(halt), Err(_)] => {
            sound(harness, case)?;
            Err(halt)
        }
        // Right with some bytes around, wrong with others: so the others were used.
        [Err(halt), Ok(_)] | [Ok(_), Err(halt)] => Err(halt),
    }
}
