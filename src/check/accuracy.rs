//! `accuracy`: every output element within its derived bound.

use super::bands::BANDS;
use super::cover::{COVER, Turns, cases};
use super::definition::{Check, Docs, TENSOR_LEVELS};
use super::depth::Depth;
use super::failure::Stop;
use super::generator::{Generator, text};
use super::harness::Harness;
use super::judge::Judge;
use super::length_edge;
use super::measure::Measure;
use super::schedule::{Schedule, Scheduler, layouts};
use crate::case::{Case, Data, Level};
use crate::positions::Layout;

pub(super) struct Accuracy;

impl Check for Accuracy {
    fn id(&self) -> &'static str {
        "accuracy"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Every output element lies within the error bound that the declared contract allows for it, and \
                        channels outside the rotary width come back unchanged.",
            formula: "|y' - y| <= E(position, inv_freq, a, b, contract), y = m(a cos - b sin); docs/numerics.md",
            source: "derived; docs/numerics.md",
            catches: "wrong frequencies, positions, axes, signs, pairings; angles, tables or positions in a type that is \
                      too narrow; missing rows, heads and channels; wrong strides",
            cannot_catch: "errors below the bound: where the angle term fills the bound (large positions, narrow angles) \
                           a wrong slow pair can hide; the probes look there",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn covers(&self, _: Level) -> bool {
        true
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let heads = s.heads();
        if heads.is_empty() {
            return s.finish();
        }
        // Groups begin with different presets and kinds, so that all meet in some band.
        let start = usize::try_from(s.rng.below(1 << 16)).unwrap_or(0);
        let mut turn = 0usize;
        // Calls that cover the offer are in all bands of integers.
        let in_band = if g.cover.is_empty() { g.cases.max(1) } else { g.cases.div_ceil(2).max(1) };
        let turns = Turns::of(g);
        let due = |thing| g.depth != Depth::Quick || turns.as_ref().is_none_or(|turns| turns.has(thing));
        for (_, band) in BANDS.into_iter().enumerate().filter(|(at, _)| due(*at)) {
            for index in 0..in_band {
                // One further after every round, so that a preset meets all kinds of data.
                let preset = &heads[(start + turn + turn / heads.len()) % heads.len()];
                let mut case = s.case(vec![text(4)], preset);
                case.data = if turn.is_multiple_of(2) { Data::Mixed } else { HARD[(start + turn / 2) % HARD.len()] };
                g.vary(&mut case, u32::try_from(turn).unwrap_or(0), &mut s.rng);
                if g.manifest.attention_scaling {
                    case.scaling = SCALINGS[turn % SCALINGS.len()];
                }
                if let Err(why) = band.place(g, &mut case, index, &mut s.rng) {
                    s.gap(band.name, why);
                    break;
                }
                g.vary_parameters(&mut case, turn);
                turn += 1;
                s.plan(band.name, case);
            }
        }
        for case in cases(g, self.id()) {
            s.plan(COVER, case);
        }
        if due(BANDS.len()) {
            length_edge::plan(&mut s, g, &heads);
        }
        if g.manifest.batch_layouts && due(BANDS.len() + 1) {
            let mut case = s.case(uneven_rows(), &heads[0]);
            case.data = Data::Mixed;
            s.plan("batch", case);
        }
        // A video of real size, on the largest heads that fit.
        let once = turns.as_ref().is_none_or(Turns::is_first);
        let large = g.group.level == Level::Fused && once && g.depth != Depth::Quick;
        if let (true, Some(preset), Ok(layout)) = (
            large,
            heads.iter().max_by_key(|h| u64::from(h.q_heads) * u64::from(h.head_dim)),
            Layout::parse("text:20 video:16x8x8 text:12"),
        ) && i64::try_from(layout.tokens()).is_ok_and(|n| n <= g.manifest.max_tokens)
        {
            let case = g.case(self.id(), vec![layout], preset, g.seed);
            s.plan("16x8x8", case);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let (prepared, outputs) = harness.execute(case)?;
        Judge::new(harness, case, &prepared)?.all(&outputs)
    }
}

/// Contents that every second case has.
const HARD: [Data; 6] = [Data::Cancel, Data::Extremes, Data::Ties, Data::Subnormal, Data::Powers, Data::Overflow];

/// Factors on cos and sin: the scheme's own, that of a context stretched fourfold (0.1 ln 4 + 1), one below 1.
const SCALINGS: [Option<f64>; 5] = [None, None, Some(1.138_629_436_111_989), None, Some(0.7)];

/// Two layouts of as many tokens (few: batches are not shrunk row by row) that differ everywhere else.
pub(super) fn uneven_rows() -> Vec<Layout> {
    layouts(&["text:1 image:2x2 text:1", "text:3 video:1x1x2 text:1"])
}
