//! `far-strides`: rows so far apart that their offsets do not fit in 32 bits.

use super::common::{blame, gap, sound, tiny};
use crate::case::{Case, Level, Memory, Strides};
use crate::check::generator::{Generator, text};
use crate::check::{Check, Docs, Halt, Harness, Planned, Schedule, TENSOR_LEVELS, Verdict};

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
            formula: "|y' - y| <= E with strides of batch, then of tokens, above 2^31: offsets of 0, 2^31 and 2^32 elements",
            source: "linkedin/Liger-Kernel 803, 1335: 32-bit products",
            catches: "offsets of 32 bits, with or without a sign, in elements or in bytes",
            cannot_catch: "offsets of heads and channels; products of sizes that overflow while every stride is small",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_memory(&self) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.manifest.strides == Strides::Packed {
            return gap("the manifest offers packed tensors only");
        }
        if g.manifest.max_offset < REACH {
            return gap(format!("the manifest's max_offset is {}", g.manifest.max_offset));
        }
        let Some(preset) = tiny(g) else { return gap("no small heads fit the manifest and the scheme") };
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        for (band, memory, layouts) in
            [("batch", Memory::FarRows, vec![text(2); 3]), ("tokens", Memory::FarTokens, vec![text(3)])]
        {
            let mut case = g.case(self.id(), layouts, &preset, rng.next_u64());
            case.memory = memory;
            schedule.cases.push(Planned { band: band.into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let rows = match case.memory {
        Memory::FarRows => case.batch() as u64,
        Memory::FarTokens => case.tokens(),
        _ => 0,
    };
    if rows < 2 {
        return Err(Halt::not_judged("no two rows of this case are far apart"));
    }
    sound(harness, case)?;
    let (prepared, outputs) = harness.execute(case)?;
    Ok(Verdict::Pass(blame(harness, case, &prepared, &outputs, "with rows 2^31 elements apart")?))
}
