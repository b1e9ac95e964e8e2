//! `chunked-prefill`: a sequence asked for in two parts is the sequence.

use std::ops::Range;

use super::measured::{measure, part_of_whole};
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{BitsOf, Circumstance, During, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::{claims_bits, one_plan, places, tokens_of, window};
use crate::positions::Layout;

pub(in crate::check) struct ChunkedPrefill;

impl Check for ChunkedPrefill {
    fn id(&self) -> &'static str {
        "chunked-prefill"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Tokens 0..k and k..n asked for apart are those of 0..n asked for at once, for every \
                        k of a short sequence and around every border of a long one, inside an image or a \
                        video too.",
            formula: "f([0, k)) ++ f([k, n)) = f([0, n)) for 0 < k < n; outputs within their bounds",
            source: "vllm-project/vllm 10388 and 10403, Blaizzy/mlx-vlm 1741: positions of a chunk that \
                     begins in an image",
            catches: "token ranges that are ignored, counted in text tokens or from a segment's start; \
                      chunks that restart",
            cannot_catch: "more than two parts; state between the parts, of which the ABI has none",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Rotate, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.group.level != Level::Rotate && !g.manifest.token_ranges {
            return Schedule::nothing(NO_RANGES);
        }
        let mut s = Scheduler::new(g, self.id());
        let texts: &[&str] = match g.group.level {
            Level::Rotate => &["text:1 video:2x1x2 text:1"],
            _ => &["text:2 video:2x2x2 text:2", "image:2x2 video:2x1x2"],
        };
        s.each_layout(texts, |_| {});
        if g.group.level == Level::Positions {
            s.each_offered(&["text:40 video:8x5x6 text:30 image:16x9 text:21", "image:24x7 video:6x4x13 text:300"]);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if case.window.is_some() {
            return Err(Stop::not_judged("this check splits whole sequences"));
        }
        if case.level != Level::Rotate && !harness.backend.manifest().token_ranges {
            return Err(Stop::not_judged(NO_RANGES));
        }
        if case.tokens() < 2 {
            return Err(Stop::not_judged("one token has no parts"));
        }
        match case.level {
            Level::Positions => on_positions(case, harness),
            _ => on_outputs(case, harness),
        }
    }
}

/// Most tokens of a layout that is cut at every place.
const EVERY_PLACE: u64 = 32;
const NO_RANGES: &str = "the backend takes no token ranges";

/// First token and number of tokens of both parts: cut at every place, or in a long layout around every segment's ends, in
/// the middle of each and at both ends.
fn splits(layout: &Layout) -> impl Iterator<Item = (u64, u64)> {
    let n = layout.tokens();
    let places: Vec<u64> = if n <= EVERY_PLACE {
        (1..n).collect()
    } else {
        let around = |segment| {
            let Range { start, end } = layout.token_range(segment);
            [start.saturating_sub(1), start, start + 1, start.midpoint(end)]
        };
        (0..layout.segments().len()).flat_map(around).chain([n - 1]).filter(|k| (1..n).contains(k)).collect()
    };
    places.into_iter().flat_map(move |k| [(0, k), (k, n - k)])
}

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let axes = &harness.scheme(case)?.axes;
    let (whole, _) = measure(case, harness)?;
    let mut measured = Measure::default();
    for (start, count) in splits(&case.layouts[0]) {
        let (part, _) = measure(&window(case, start, count), harness)?;
        measured.elements += part_of_whole(case, axes, [&whole, &part], start, count)?;
    }
    Ok(measured)
}

fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let whole = harness.run(&prepared, q.clone(), k.clone())?;
    let mut measured = Measure::default();
    measured.add_part(Judge::new(harness, case, &prepared)?.all(&whole)?);
    for (start, count) in splits(&case.layouts[0]) {
        let part = window(case, start, count);
        let whole_call = &prepared;
        let prepared = harness.prepare(&part)?;
        // Where positions are handed over a part may be short enough to have other frequencies.
        let same_plan = one_plan(whole_call, &prepared).is_ok();
        let judge = Judge::new(harness, &part, &prepared)?;
        let first = usize::try_from(start).unwrap_or(0);
        let cut = |tensor| tokens_of(tensor, first, judge.tokens());
        let outputs = harness.run(&prepared, cut(&q), cut(&k))?;
        let chunk = Circumstance::Chunk { start, end: start + count };
        measured.add_part(judge.all(&outputs).during(chunk)?);
        if claims_bits(harness) && same_plan {
            for at in places([case.batch(), judge.tokens(), judge.heads()]) {
                let bits = judge.output_row(&whole, at.0, first + at.1, at.2);
                judge.has_bits(&outputs, at, bits, |_| BitsOf::WholeSequence).during(chunk)?;
            }
        }
    }
    Ok(measured)
}
