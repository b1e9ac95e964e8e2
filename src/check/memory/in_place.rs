//! `in-place`: outputs on the inputs give what outputs of their own give.

use super::common::{blame, schedule, sound, watched};
use super::strides::offered;
use crate::case::{Alias, Case, FLOAT_POISON, Level, Part};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{BitsOf, Cause, Circumstance, Failure, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::claims_bits;

pub(in crate::check) struct InPlace;

impl Check for InPlace {
    fn id(&self) -> &'static str {
        "in-place"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "With outputs on the inputs the result is as right as with outputs of their own, and \
                        nothing between the elements is written.",
            formula: "q_out = q, k_out = k: |y' - y| <= E, the same bound; gaps: bytes before = bytes after",
            source: "flagos-ai/FlagGems 5142, ggml-org/llama.cpp 20274",
            catches: "a pair's second channel computed from its first output; copies of the input made too \
                      late",
            cannot_catch: "errors below the bound; outputs that overlap inputs in part, which the ABI does \
                           not allow",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if !g.manifest.alias.contains(&Alias::Out) {
            return Schedule::nothing("the manifest offers calls in place only: every other check judges them");
        }
        schedule(Scheduler::new(g, self.id()), &offered(g.manifest), &[Alias::In])
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    if case.alias != Alias::In {
        return Err(Stop::not_judged("this case is not in place"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let here = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    here.unchanged(Part::Gap)?;
    let judged = blame(harness, case, &prepared, &here.outputs, Circumstance::InPlace);
    // The same memory, not in place: what is wrong there too is not about places.
    let apart = Case { alias: Alias::Out, ..case.clone() };
    if judged.is_err() {
        sound(harness, &apart)?;
        let (prepared, outputs) = harness.execute(&apart)?;
        blame(harness, &apart, &prepared, &outputs, Circumstance::OutOfPlace)
            .map_err(|stop| stop.owed("the result is wrong out of place too; see the other checks"))?;
    } else if claims_bits(harness) {
        let mut prepared = harness.prepare(&apart)?;
        if watched(harness, &mut prepared, inputs, FLOAT_POISON)?.bits != here.bits {
            let cause = Cause::BitsDiffer { than: Box::new(BitsOf::OutOfPlace), elements: None };
            return Err(Failure::of_call(cause).during(Circumstance::InPlace).into());
        }
    }
    judged
}
