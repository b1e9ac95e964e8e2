//! `guards`: nothing outside of the buffers is read or written.

use super::common::{Watched, blame, schedule, sound, watched};
use crate::case::{Alias, Case, FLOAT_POISON, HUGE_POISON, Level, Memory, Part, Prepared};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, Circumstance, Stop, Surroundings};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::claims_bits;

pub(in crate::check) struct Guards;

impl Check for Guards {
    fn id(&self) -> &'static str {
        "guards"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "No byte outside of a buffer is written, none before its first or after its last \
                        element is needed to be there, and none has an influence on the result.",
            formula: "with a page without access at the end, then at the start, of every buffer: no fault; \
                      every canary as it was; results within their bounds whatever the canaries are",
            source: "sgl-project/sglang PR 30123, ModelTC/LightLLM 1459, sgl-project/sglang 35096: padded \
                     lanes past the row",
            catches: "reads and writes that miss a buffer by one element or more, on either side",
            cannot_catch: "a miss inside the slack that the manifest's alignment leaves, if it is only read \
                           and changes nothing; layouts, segments and names, which are not in guarded \
                           memory; reads by a backend that runs in ropecheck's own process, unless they \
                           change a result",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        schedule(Scheduler::new(g, self.id()), &[Memory::GuardEnd, Memory::GuardStart], &[Alias::Out, Alias::In])
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    if !matches!(case.memory, Memory::GuardEnd | Memory::GuardStart) {
        return Err(Stop::not_judged("the memory of this case has no guards"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let first = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    let second = watched(harness, &mut prepared, inputs, HUGE_POISON)?;
    for run in [&first, &second] {
        run.unchanged(Part::Outside)?;
    }
    let mut measure = if case.level == Level::Positions {
        if first.bits != second.bits {
            return Err(differ(Surroundings::Positions));
        }
        Measure::of((first.bits.len() / case.position_dtype.size()) as u64)
    } else {
        compare(case, harness, &prepared, &first, &second)?
    };
    if !harness.backend.has_guards() {
        measure.note("reads outside of buffers are not seen: the backend runs without guard pages".into());
    }
    Ok(measure)
}

fn differ(what: Surroundings) -> Stop {
    Stop::of_call(Cause::DependsOnSurroundings { what })
}

fn compare(
    case: &Case,
    harness: &mut Harness,
    prepared: &Prepared,
    first: &Watched,
    second: &Watched,
) -> Result<Measure, Stop> {
    if first.bits != second.bits && claims_bits(harness) {
        return Err(differ(Surroundings::StableBits));
    }
    let what = Circumstance::OtherSurroundings;
    match [first, second].map(|run| blame(harness, case, prepared, &run.outputs, what)) {
        [Ok(measure), Ok(_)] => Ok(measure),
        // Equal and wrong is not about memory.
        [Err(stop), Err(_)] if first.bits == second.bits => {
            Err(stop.owed("the result is wrong whatever lies around the buffers; see the other checks"))
        }
        [Err(stop), Err(_)] => {
            sound(harness, case)?;
            Err(stop)
        }
        // Right with some bytes around, wrong with others: so the others were used.
        [Err(stop), Ok(_)] | [Ok(_), Err(stop)] => Err(stop),
    }
}
