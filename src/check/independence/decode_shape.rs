//! `decode-shape`: many rows of one token each, every row at a position of its own.

use super::head_counts::head_counts;
use crate::case::{Case, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::Stop;
use crate::check::generator::{Generator, text};
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

pub(in crate::check) struct DecodeShape;

/// Rows of eight tokens whose last ones are at different positions in most schemes.
const ROWS: [&str; 4] = ["text:8", "text:1 image:2x3 text:1", "video:2x2x1 text:4", "text:2 image:1x4 text:2"];
const LAST: u64 = 7;
/// Tokens that are not the last, in the middle of images and videos and at their ends.
const EARLIER: [u64; 3] = [3, 5, 1];

impl Check for DecodeShape {
    fn id(&self) -> &'static str {
        "decode-shape"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A batch of one token per row, each row at a position of its own, is rotated as any \
                        other; with as many key as query heads, with groups of heads, and with one key \
                        head.",
            formula: "accuracy at tokens = 1, batch = 4, p(b) different for every b",
            source: "ml-explore/mlx 3494, 3795, 3949: one token and a batch above 1 left all rows but the \
                     first unrotated",
            catches: "the batch taken for the sequence, one position for all rows, kernels chosen by the \
                      number of tokens",
            cannot_catch: "batches larger than 4, which check accuracy has no case of either",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let fused = g.group.level == Level::Fused;
        if !g.manifest.batch_layouts {
            return Schedule::nothing("the manifest allows no batch of different positions");
        }
        if fused && !g.manifest.token_ranges {
            return Schedule::nothing("the backend takes no token ranges, so its only single token is at the start");
        }
        let mut s = Scheduler::new(g, self.id());
        for (index, preset) in head_counts(&mut s).into_iter().enumerate() {
            if fused {
                s.add(layouts(&ROWS), &preset, |case| case.window = Some((EARLIER[index % EARLIER.len()], 1)));
            }
            s.add(layouts(&ROWS), &preset, |case| {
                if fused {
                    case.window = Some((LAST, 1));
                } else {
                    case.layouts = vec![text(1); ROWS.len()];
                    case.place = PositionSource::Random { low: 0, high: g.max_position().min(4095) };
                }
            });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if case.batch() < 2 || case.tokens() != 1 {
            return Err(Stop::not_judged("only a batch of one token per row has this shape"));
        }
        let (prepared, outputs) = harness.execute(case)?;
        Judge::new(harness, case, &prepared)?.all(&outputs)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::positions::Layout;

    #[test]
    fn the_rows_are_of_one_length() {
        let rows = layouts(&ROWS);
        assert_eq!(rows.iter().map(Layout::tokens).collect::<Vec<_>>(), [LAST + 1; 4]);
    }
}
