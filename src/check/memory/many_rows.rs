//! `many-rows`: more rows than 16 bits can count.

use super::common::{blame, few, sound, tiny};
use crate::case::{Case, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
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

    fn takes_long(&self) -> bool {
        true
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let heads = match tiny(g) {
            Ok(heads) => heads,
            Err(why) => return Schedule::nothing(why),
        };
        let mut s = Scheduler::new(g, self.id());
        if s.one_group_in(10)
            && let Some(wide) = s.wide()
        {
            let tokens = ROWS.div_ceil(wide.q_heads * pairs(wide.head_dim, wide.rotary).max(1));
            s.add(vec![text(tokens)], &wide, |_| ());
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
        s.add(vec![text(tokens); batch as usize], &heads, |case| {
            if g.group.level == Level::Rotate && (batch == 1 || g.manifest.batch_layouts) {
                // Where positions are handed over, those of a layout are slow to find and no harder.
                case.place = PositionSource::Random { low: 0, high: g.max_position().min(i64::from(ROWS)) };
            }
        });
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn pairs(head_dim: u32, rotary: Option<(u32, u32)>) -> u32 {
    rotary.map_or(head_dim, |(width, _)| width) / 2
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let rows = case.tokens().saturating_mul(case.batch() as u64);
    let pairs = u64::from(case.q_heads) * u64::from(pairs(case.head_dim, case.rotary));
    if rows.saturating_mul(pairs) < u64::from(ROWS) {
        return Err(Stop::not_judged(format!("{rows} rows are not many")));
    }
    sound(harness, &few(case))?;
    let (prepared, outputs) = harness.execute(case)?;
    blame(harness, case, &prepared, &outputs, Circumstance::ManyRows { rows })
}
