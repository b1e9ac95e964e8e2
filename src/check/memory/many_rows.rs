//! `many-rows`: more rows than 16 bits can count.

use super::common::{blame, few, gap, sound, tiny};
use crate::case::{Case, Level};
use crate::check::generator::{Generator, text};
use crate::check::{Check, Docs, Halt, Harness, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct ManyRows;

/// The first number of rows (tokens times batch) whose last index does not fit in 16 bits.
const ROWS: u64 = (1 << 16) + 1;
/// More batch rows than this make a case too long for a line.
const MOST_BATCH: u64 = 512;

impl Check for ManyRows {
    fn id(&self) -> &'static str {
        "many-rows"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "65,537 rows are rotated as rightly as six.",
            formula: "|y' - y| <= E on every row of batch x tokens = 65,537",
            source: "ggml-org/llama.cpp 18306: more rows than a grid has",
            catches: "rows left out or done twice beyond 65,535, grid dimensions that overflow, indices of 16 bits",
            cannot_catch: "limits beyond 65,537 rows; limits on batch rows alone, which no case has so many of",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let Some(preset) = tiny(g) else { return gap("no small heads fit the manifest and the scheme") };
        // Some schemes count faster than tokens; a quarter of the limit keeps every position inside it.
        let most = g.manifest.max_tokens.min((g.max_position() / 4).max(1));
        let tokens = u64::try_from(most).unwrap_or(1).clamp(1, ROWS);
        let batch = ROWS.div_ceil(tokens);
        let (Ok(tokens), Ok(rows)) = (u32::try_from(tokens), usize::try_from(batch)) else {
            return Schedule::default();
        };
        if batch > MOST_BATCH {
            return gap(format!("the manifest's limits allow {tokens} tokens in a row: too few for {ROWS} rows"));
        }
        let mut schedule = Schedule::default();
        let seed = g.rng(self.id()).next_u64();
        let case = g.case(self.id(), vec![text(tokens); rows], &preset, seed);
        schedule.cases.push(Planned { band: "-".into(), case });
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let rows = case.tokens().saturating_mul(case.batch() as u64);
    if rows < ROWS {
        return Err(Halt::not_judged(format!("{rows} rows are not many")));
    }
    sound(harness, &few(case))?;
    let (prepared, outputs) = harness.execute(case)?;
    Ok(Verdict::Pass(blame(harness, case, &prepared, &outputs, &format!("with {rows} rows"))?))
}
