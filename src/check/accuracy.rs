//! `accuracy`: every output element within its derived bound.

use super::generator::{BANDS, Generator, text};
use super::judge::Judge;
use super::{Check, Docs, Gap, Planned, Schedule, Subject, TENSOR_LEVELS, Verdict};
use crate::case::{Case, Data, Level, Place};
use crate::plan::{Layout, Segment};

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

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let heads = g.heads();
        if heads.is_empty() {
            schedule.gaps.push(Gap { band: "-".into(), why: "no head preset fits the manifest and the scheme".into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        let mut turn = 0u32;
        for (band, low, high) in BANDS {
            if let Some(why) = unreachable(g, low) {
                schedule.gaps.push(Gap { band: band.into(), why });
                continue;
            }
            for index in 0..g.cases.max(1) {
                let preset = &heads[(turn as usize) % heads.len()];
                let layout = g.layout(&mut rng);
                let mut case = g.case(self.id(), vec![layout.clone()], preset, rng.next_u64());
                case.data = Data::Mixed;
                g.vary(&mut case, turn, &mut rng);
                let high = high.min(g.max_position());
                match g.group.level {
                    Level::Rotate | Level::Apply => self.place(g, &mut case, index, low, high, &mut rng),
                    _ => self.prefix(g, &mut case, low, &layout, &mut rng),
                }
                turn += 1;
                schedule.cases.push(Planned { band: band.into(), case });
            }
        }
        if g.manifest.batch_layouts {
            let layouts = uneven_rows();
            let mut case = g.case(self.id(), layouts, &heads[0], rng.next_u64());
            case.data = Data::Mixed;
            schedule.cases.push(Planned { band: "batch".into(), case });
        }
        if g.group.level == Level::Fused {
            self.real_size(g, &mut schedule);
        }
        schedule
    }

    fn judge(&self, case: &Case, subject: &mut Subject) -> Verdict {
        let mut run = || -> Result<Verdict, super::Halt> {
            let (prepared, outputs) = subject.execute(case)?;
            let judge = Judge::new(subject, case, &prepared)?;
            Ok(judge.all(&outputs))
        };
        run().unwrap_or_else(Verdict::from)
    }
}

/// Why no position of a band can be asked for.
fn unreachable(g: &Generator, low: i64) -> Option<String> {
    if low > g.max_position() {
        return Some(format!("the manifest's max_position is {}", g.max_position()));
    }
    if g.group.level == Level::Fused && low > 0 && !g.manifest.token_ranges && low > 2048 {
        return Some("the backend takes no token ranges, and the whole sequence would be too large".into());
    }
    None
}

/// Two layouts of as many tokens (few: batches are not shrunk row by row) that differ everywhere else.
pub(super) fn uneven_rows() -> Vec<Layout> {
    ["text:1 image:2x2 text:1", "text:3 video:1x1x2 text:1"].iter().filter_map(|l| Layout::parse(l).ok()).collect()
}

impl Accuracy {
    /// Level rotate: positions anywhere in the band, or those of the layout moved into it.
    fn place(&self, g: &Generator, case: &mut Case, index: u32, low: i64, high: i64, rng: &mut crate::numeric::Rng) {
        if index.is_multiple_of(2) || !g.integer_positions() {
            if index.is_multiple_of(2) {
                let tokens = u32::try_from(rng.between(3, 24)).unwrap_or(8);
                case.layouts = vec![text(tokens); if g.manifest.batch_layouts && rng.one_in(2) { 2 } else { 1 }];
                case.place = Place::Random { low, high };
            } else {
                case.place = Place::Layout { shift: low };
            }
        } else {
            case.place = Place::Layout { shift: rng.between(low, high.saturating_sub(64).max(low)) };
        }
    }

    /// Level fused: a text prefix brings the tokens that are looked at into the band.
    fn prefix(&self, g: &Generator, case: &mut Case, low: i64, layout: &Layout, rng: &mut crate::numeric::Rng) {
        let mut segments = layout.segments().to_vec();
        let before = u32::try_from(low).unwrap_or(0);
        if before > 0
            && let Some(Segment::Text(n)) = segments.first_mut()
        {
            *n = before + u32::try_from(rng.between(0, i64::from(before) / 4)).unwrap_or(0);
        }
        let Ok(layout) = Layout::new(segments) else { return };
        if g.manifest.token_ranges && before > 0 {
            let tokens = layout.tokens();
            let start = u64::from(before).saturating_sub(2);
            case.window = Some((start, (tokens - start).min(tokens)));
            // Only the tokens around and after the prefix's end are computed.
            if let Some(Segment::Text(n)) = layout.segments().first() {
                let start = u64::from(*n).saturating_sub(2);
                case.window = Some((start, tokens - start));
            }
        }
        case.layouts = vec![layout];
    }

    /// A video of real size on the largest heads that fit.
    fn real_size(&self, g: &Generator, schedule: &mut Schedule) {
        let heads = g.heads();
        let Some(preset) = heads.iter().max_by_key(|h| u64::from(h.q_heads) * u64::from(h.head_dim)) else { return };
        let Ok(layout) = Layout::parse("text:20 video:16x8x8 text:12") else { return };
        if i64::try_from(layout.tokens()).is_ok_and(|n| n <= g.manifest.max_tokens) {
            let case = g.case(self.id(), vec![layout], preset, g.seed);
            schedule.cases.push(Planned { band: "16x8x8".into(), case });
        }
    }
}
