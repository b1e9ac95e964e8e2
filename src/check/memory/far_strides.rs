//! `far-strides`: rows so far apart that their offsets do not fit in 32 bits.

use super::common::{blame, sound};
use crate::case::{Case, Level, Memory, Strides};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct FarStrides;

/// The last of three rows lies at twice a little more than 2^31 elements.
const REACH: i64 = (1 << 32) + (1 << 20);

impl Check for FarStrides {
    fn id(&self) -> &'static str {
        "far-strides"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Rows that lie more than 2^31 elements apart are rotated as rightly as neighbours.",
            formula: "|y' - y| <= E with strides of batch, then of tokens, above 2^31: offsets of 0, 2^31 \
                      and 2^32 elements",
            source: "linkedin/Liger-Kernel 803, 1335: 32-bit products",
            catches: "offsets of 32 bits, with or without a sign, in elements or in bytes",
            cannot_catch: "offsets of heads and channels; products of sizes that overflow while every stride \
                           is small",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn takes_long(&self) -> bool {
        true
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.manifest.strides == Strides::Packed {
            return Schedule::nothing("the manifest offers packed tensors only");
        }
        if g.manifest.max_offset < REACH {
            return Schedule::nothing(format!("the manifest's max_offset is {}", g.manifest.max_offset));
        }
        let mut s = Scheduler::new(g, self.id());
        let far = [("batch", Memory::FarRows, vec![text(2); 3]), ("tokens", Memory::FarTokens, vec![text(3)])];
        for (turn, (band, memory, layouts)) in far.into_iter().enumerate() {
            let Some(heads) = s.turn(turn) else { continue };
            let case = s.case(layouts, &heads);
            s.plan(band, Case { memory, ..case });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let rows = match case.memory {
        Memory::FarRows => case.batch() as u64,
        Memory::FarTokens => case.tokens(),
        _ => 0,
    };
    if rows < 2 {
        return Err(Stop::not_judged("no two rows of this case are far apart"));
    }
    sound(harness, case)?;
    let (prepared, outputs) = harness.execute(case)?;
    blame(harness, case, &prepared, &outputs, Circumstance::FarRows)
}
