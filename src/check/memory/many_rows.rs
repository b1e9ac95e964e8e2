//! `many-rows`: more rows than 16 bits can count.

use super::common::{blame, few, sound, tiny};
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::heads::HeadPreset;
use crate::check::measure::Measure;
use crate::check::schedule::{NO_BAND, Schedule, Scheduler};

pub(in crate::check) struct ManyRows;

/// The first number of rows (tokens times batch) whose last index does not fit in 16 bits.
const ROWS: u32 = (1 << 16) + 1;
/// More batch rows than this make a case too long for a line.
const MOST_BATCH: u32 = 512;

impl Check for ManyRows {
    fn id(&self) -> &'static str {
        "many-rows"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "65,537 rows are rotated as rightly as six, and as many pairs of wide heads.",
            formula: "|y' - y| <= E on every row of batch x tokens = 65,537, and of batch x tokens x query heads x \
                      pairs >= 65,537",
            source: "ggml-org/llama.cpp 18306: more rows than a grid has",
            catches: "rows left out or done twice beyond 65,535, grid dimensions that overflow, indices of \
                      16 bits",
            cannot_catch: "limits beyond 65,537 rows; limits on batch rows alone, which no case has so many \
                           of",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let Some(heads) = tiny(g) else {
            return Schedule::nothing("no small heads fit the manifest and the scheme");
        };
        let mut s = Scheduler::new(g, self.id());
        let [rows, wide] = tries(g);
        if wide
            && let Some(wide) = s.wide()
        {
            let tokens = ROWS.div_ceil(wide.q_heads * (pairs(&wide).max(1)));
            s.add(vec![text(tokens)], &wide, |_| ());
        }
        if !rows {
            return s.finish();
        }
        // Some schemes count faster than tokens; a quarter of the limit keeps every position inside it.
        let most = g.manifest.max_tokens.min((g.max_position() / 4).max(1));
        let tokens = u32::try_from(most.clamp(1, i64::from(ROWS))).unwrap_or(ROWS);
        let batch = ROWS.div_ceil(tokens);
        if batch > MOST_BATCH {
            let why = format!("the manifest's limits allow {tokens} tokens in a row: too few for {ROWS} rows");
            s.gap(NO_BAND, why);
            return s.finish();
        }
        s.add(vec![text(tokens); batch as usize], &heads, |_| ());
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn pairs(heads: &HeadPreset) -> u32 {
    heads.rotary.map_or(heads.head_dim, |(width, _)| width) / 2
}

/// Whether a group tries many rows and wide heads. On level rotate a scheme is numbers in tables: with many schemes, every
/// scheme and type gets many rows in one of its pairings and wide heads in the others.
fn tries(g: &Generator) -> [bool; 2] {
    let (dtypes, pairings) = (&g.manifest.dtypes, &g.manifest.pairings);
    let schemes: Vec<_> = g.library.schemes().filter(|s| g.level.offers(s)).map(|s| s.id()).collect();
    if g.group.level != Level::Rotate || pairings.len() < 2 || schemes.len() < 2 * pairings.len() {
        return [true; 2];
    }
    let scheme = schemes.iter().position(|id| *id == g.group.scheme);
    let dtype = dtypes.iter().position(|dtype| *dtype == g.group.dtype);
    let pairing = pairings.iter().position(|pairing| *pairing == g.group.pairing);
    let turn = scheme.into_iter().chain(dtype).chain(pairing).sum::<usize>() as u64 + g.seed % 60;
    let rows = turn.is_multiple_of(pairings.len() as u64);
    [rows, !rows]
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let rows = case.tokens().saturating_mul(case.batch() as u64);
    let pairs = u64::from(case.q_heads) * u64::from(case.rotary.map_or(case.head_dim, |(width, _)| width) / 2);
    if rows.saturating_mul(pairs) < u64::from(ROWS) {
        return Err(Stop::not_judged(format!("{rows} rows are not many")));
    }
    sound(harness, &few(case))?;
    let (prepared, outputs) = harness.execute(case)?;
    blame(harness, case, &prepared, &outputs, Circumstance::ManyRows { rows })
}
