//! `several-segments`: images, videos and text in every order, and several requests in one batch.

use super::layout_classes::{grids, packed};
use super::positions_exact;
use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::Stop;
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

pub(in crate::check) struct SeveralSegments;

/// Two images of different grids; an image before any text; vision next to vision; a video and an image in
/// one request; even and odd sizes above 4.
const LAYOUTS: [&str; 6] = [
    "text:1 image:2x3 text:2 image:4x2 text:1",
    "image:3x2 text:2",
    "video:2x1x3 video:3x2x1 text:2",
    "image:1x4 image:4x1 image:2x2",
    "text:2 video:2x2x2 image:2x3 text:1 video:1x3x1 text:1",
    "video:2x5x6 image:7x4 text:1 image:6x9",
];

/// Requests of one length and nothing else in common.
const BATCH: [&str; 3] = ["image:2x2 text:2 image:1x2", "video:2x1x2 video:1x2x2", "text:3 image:1x3 text:2"];

impl Check for SeveralSegments {
    fn id(&self) -> &'static str {
        "several-segments"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Positions are the scheme's where images, videos and text follow one another in any \
                        order, and each request of a batch has its own.",
            formula: "as positions-exact; on level fused, every output within its bound for inputs (1, 0)",
            source: "vllm-project/vllm 10350 and the TensorRT-LLM M-RoPE kernel's own comment: grids of \
                     another segment or request",
            catches: "the grid of the first segment used for all, text that is needed between videos, a \
                      start that must be text, rows that share a layout",
            cannot_catch: "on level fused, positions that the storage type cannot tell apart",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&LAYOUTS, |case| case.data = Data::First);
        if g.group.level == Level::Fused {
            large_layouts(&mut s);
        }
        match s.heads().first() {
            Some(preset) if g.manifest.batch_layouts => {
                let mut case = s.case(layouts(&BATCH), preset);
                case.data = Data::First;
                s.plan("batch", case);
            }
            Some(_) => s.gap("batch", "the manifest allows no batch of different layouts"),
            None => {}
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if case.level == Level::Positions {
            return positions_exact::probe(case, harness);
        }
        let (prepared, outputs) = harness.execute(case)?;
        Judge::new(harness, case, &prepared)?.all(&outputs)
    }
}

/// Rows of grids with sizes up to 64 on the smallest heads, each as a whole, and some of its tokens where ranges are offered.
fn large_layouts(s: &mut Scheduler) {
    const GRIDS: usize = 24;
    const ROW_TOKENS: [u64; 4] = [500, 150, 1000, 250];
    const SOME: u64 = 40;
    let Some(preset) = s.heads().into_iter().next() else { return };
    let g = s.generator;
    let cells = |grid: &[u32; 3]| grid.iter().map(|size| u64::from(*size)).product::<u64>();
    let mut grids = grids(&mut s.rng);
    grids.retain(|grid| grid.iter().all(|size| *size <= 64) && (26..=1024).contains(&cells(grid)));
    grids.truncate(GRIDS);
    for row in packed(&mut s.rng, &grids, &ROW_TOKENS).into_iter().filter(|row| g.offers(row)) {
        let tokens = row.tokens();
        if g.manifest.token_ranges && tokens > 2 * SOME {
            let window = (1 + s.rng.below(tokens - SOME), SOME - 1);
            s.add(vec![row.clone()], &preset, |case| (case.data, case.window) = (Data::First, Some(window)));
        }
        s.add(vec![row], &preset, |case| case.data = Data::First);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_layout_is_one() {
        assert_eq!(layouts(&LAYOUTS).len(), LAYOUTS.len());
        let rows: Vec<u64> = layouts(&BATCH).iter().map(crate::positions::Layout::tokens).collect();
        assert_eq!(rows, [8; 3]);
    }
}
