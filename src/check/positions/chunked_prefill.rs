//! `chunked-prefill`: a sequence asked for in two parts is the sequence.

use super::measured::{disagree, measure, place_on};
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{BitsOf, Circumstance, During, PositionRelation, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::{claims_bits, places, tokens_of, window};
use crate::numeric::Number;

pub(in crate::check) struct ChunkedPrefill;

impl Check for ChunkedPrefill {
    fn id(&self) -> &'static str {
        "chunked-prefill"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Tokens 0..k and k..n asked for apart are those of 0..n asked for at once, for every \
                        k, inside an image or a video too.",
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

const NO_RANGES: &str = "the backend takes no token ranges";

/// Every way to cut n tokens in two: first token and number of tokens of both parts.
fn splits(n: u64) -> impl Iterator<Item = (u64, u64)> {
    (1..n).flat_map(move |k| [(0, k), (k, n - k)])
}

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let axes = &harness.scheme(case)?.axes;
    let (whole, _) = measure(case, harness)?;
    let mut measured = Measure::default();
    for (start, count) in splits(case.tokens()) {
        let (part, _) = measure(&window(case, start, count), harness)?;
        let relation = PositionRelation::Chunk { start, end: start + count };
        for (row, (whole, part)) in whole.iter().zip(&part).enumerate() {
            for (axis, name) in axes.iter().enumerate() {
                let agree = |token: Option<u64>, wanted: &Number, found: &Number| {
                    let disagree = || disagree(place_on(case, row, token, name), relation.clone(), wanted, found);
                    if found == wanted { Ok(()) } else { Err(disagree()) }
                };
                for token in start..start + count {
                    let at = |token: u64| usize::try_from(token).unwrap_or(usize::MAX);
                    let both = (whole.columns[axis].get(at(token)), part.columns[axis].get(at(token - start)));
                    let (Some(wanted), Some(found)) = both else {
                        return Err(Stop::broken("a token has no position"));
                    };
                    measured.elements += 1;
                    agree(Some(token), &wanted, &found)?;
                }
                // It belongs to the whole row, whichever tokens are asked for.
                if let (Some(wanted), Some(found)) = (&whole.next, &part.next) {
                    agree(None, &wanted[axis], &found[axis])?;
                }
            }
        }
    }
    Ok(measured)
}

fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let whole = harness.run(&prepared, q.clone(), k.clone())?;
    let mut measured = Measure::default();
    measured.add_part(Judge::new(harness, case, &prepared)?.all(&whole)?);
    for (start, count) in splits(case.tokens()) {
        let part = window(case, start, count);
        let prepared = harness.prepare(&part)?;
        let judge = Judge::new(harness, &part, &prepared)?;
        let first = usize::try_from(start).unwrap_or(0);
        let cut = |tensor| tokens_of(tensor, first, judge.tokens());
        let outputs = harness.run(&prepared, cut(&q), cut(&k))?;
        let chunk = Circumstance::Chunk { start, end: start + count };
        measured.add_part(judge.all(&outputs).during(chunk)?);
        if claims_bits(harness) {
            for at in places([case.batch(), judge.tokens(), judge.heads()]) {
                let bits = judge.output_row(&whole, at.0, first + at.1, at.2);
                judge.has_bits(&outputs, at, bits, |_| BitsOf::WholeSequence).during(chunk)?;
            }
        }
    }
    Ok(measured)
}
