//! `in-place`: outputs on the inputs give what outputs of their own give.

use super::common::{blame, gap, schedule, sound, watched};
use super::strides::offered;
use crate::case::{Alias, Case, FLOAT_POISON, Level, Part};
use crate::check::generator::Generator;
use crate::check::{Check, Docs, Failure, Halt, Harness, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct InPlace;

impl Check for InPlace {
    fn id(&self) -> &'static str {
        "in-place"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "With outputs on the inputs the result is as right as with outputs of their own, and nothing between \
                        the elements is written.",
            formula: "q_out = q, k_out = k: |y' - y| <= E, the same bound; gaps: bytes before = bytes after",
            source: "flagos-ai/FlagGems 5142, ggml-org/llama.cpp 20274",
            catches: "a pair's second channel computed from its first output; copies of the input made too late",
            cannot_catch: "errors below the bound; outputs that overlap inputs in part, which the ABI does not allow",
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
            return gap("the manifest offers calls in place only: every other check judges them");
        }
        schedule(self.id(), g, offered(g.manifest.strides), &[Alias::In])
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    if case.alias != Alias::In {
        return Err(Halt::not_judged("this case is not in place"));
    }
    let mut prepared = harness.prepare(case)?;
    let inputs = Harness::inputs(case, &prepared);
    let here = watched(harness, &mut prepared, inputs.clone(), FLOAT_POISON)?;
    if let Some(failure) = here.changed(Part::Gap) {
        return Ok(failure);
    }
    let judged = blame(harness, case, &prepared, &here.outputs, "in place");
    // The same memory, not in place: what is wrong there too is not about places.
    let apart = Case { alias: Alias::Out, ..case.clone() };
    if judged.is_err() {
        sound(harness, &apart)?;
        let (prepared, outputs) = harness.execute(&apart)?;
        blame(harness, &apart, &prepared, &outputs, "out of place")
            .map_err(|_| Halt::not_judged("the result is wrong out of place too; see the other checks"))?;
    } else if harness.backend.manifest().bit_stable == Some(true) {
        let mut prepared = harness.prepare(&apart)?;
        if watched(harness, &mut prepared, inputs, FLOAT_POISON)?.bits != here.bits {
            return Ok(Verdict::Fail(Failure::new(
                "in place gives other bits than out of place, though the manifest calls them stable",
            )));
        }
    }
    judged.map(Verdict::Pass)
}
