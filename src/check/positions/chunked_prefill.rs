//! `chunked-prefill`: a sequence asked for in two parts is the sequence.

use super::measured::measure;
use crate::case::{Case, Level};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::slices::{
    add, bits_differ, claims_bits, layouts, places, presets, same_bits, tokens_of, while_doing, window,
};
use crate::check::{Check, Docs, Failure, Gap, Halt, Harness, Measure, Planned, Schedule, Verdict};

pub(in crate::check) struct ChunkedPrefill;

impl Check for ChunkedPrefill {
    fn id(&self) -> &'static str {
        "chunked-prefill"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Tokens 0..k and k..n asked for apart are those of 0..n asked for at once, for every k, inside an image \
                        or a video too.",
            formula: "f([0, k)) ++ f([k, n)) = f([0, n)) for 0 < k < n; outputs within their bounds",
            source: "vllm-project/vllm 10388 and 10403, Blaizzy/mlx-vlm 1741: positions of a chunk that begins in an image",
            catches: "token ranges that are ignored, counted in text tokens or from a segment's start; chunks that restart",
            cannot_catch: "more than two parts; state between the parts, of which the ABI has none",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Rotate, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        if g.group.level != Level::Rotate && !g.manifest.token_ranges {
            schedule.gaps.push(Gap { band: "-".into(), why: NO_RANGES.into() });
            return schedule;
        }
        let mut rng = g.rng(self.id());
        let presets = presets(g);
        let texts: &[&str] = match g.group.level {
            Level::Rotate => &["text:1 video:2x1x2 text:1"],
            _ => &["text:2 video:2x2x2 text:2", "image:2x2 video:2x1x2"],
        };
        for (layout, preset) in layouts(texts).into_iter().zip(presets.iter().cycle()) {
            let case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        if case.window.is_some() {
            return Verdict::NotJudged("this check splits whole sequences".into());
        }
        if case.level != Level::Rotate && !harness.backend.manifest().token_ranges {
            return Verdict::NotJudged(NO_RANGES.into());
        }
        if case.tokens() < 2 {
            return Verdict::NotJudged("one token has no parts".into());
        }
        let verdict = match case.level {
            Level::Positions => on_positions(case, harness),
            _ => on_outputs(case, harness),
        };
        verdict.unwrap_or_else(Verdict::from)
    }
}

const NO_RANGES: &str = "the backend takes no token ranges";

/// Every way to cut n tokens in two: first token and number of tokens of both parts.
fn splits(n: u64) -> impl Iterator<Item = (u64, u64)> {
    (1..n).flat_map(move |k| [(0, k), (k, n - k)])
}

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let axes = &harness.scheme(case)?.axes;
    let (whole, _) = measure(case, harness)?;
    let mut measured = Measure::default();
    for (start, count) in splits(case.tokens()) {
        let (part, _) = measure(&window(case, start, count), harness)?;
        for (row, (whole, part)) in whole.iter().zip(&part).enumerate() {
            for (axis, name) in axes.iter().enumerate() {
                for token in 0..count {
                    let at = |first: u64| usize::try_from(first + token).unwrap_or(usize::MAX);
                    let (found, wanted) = (part.columns[axis].get(at(0)), whole.columns[axis].get(at(start)));
                    measured.elements += 1;
                    if found != wanted {
                        let shown = |n: Option<crate::numeric::Number>| n.map_or("nothing".into(), |n| n.to_string());
                        let (found, wanted) = (shown(found), shown(wanted));
                        return Ok(Verdict::Fail(Failure::new(format!(
                            "row {row}, token {} on axis {name}: {found} when tokens {start}..{} are asked for, {wanted} \
                             when all are",
                            start + token,
                            start + count
                        ))));
                    }
                }
            }
            if part.next != whole.next {
                return Ok(Verdict::Fail(Failure::new(format!(
                    "row {row}: next is another one when tokens {start}..{} are asked for; it belongs to the whole row",
                    start + count
                ))));
            }
        }
    }
    Ok(Verdict::Pass(measured))
}

fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let whole = harness.run(&prepared, q.clone(), k.clone())?;
    let mut measured = Measure::default();
    let judge = Judge::new(harness, case, &prepared)?;
    add(&mut measured, judge.all(&whole))?;
    for (start, count) in splits(case.tokens()) {
        let part = window(case, start, count);
        let prepared = harness.prepare(&part)?;
        let judge = Judge::new(harness, &part, &prepared)?;
        let cut = |tensor| tokens_of(tensor, usize::try_from(start).unwrap_or(0), judge.tokens());
        let outputs = harness.run(&prepared, cut(&q), cut(&k))?;
        let what = || format!("tokens {start}..{} asked for apart", start + count);
        add(&mut measured, while_doing(judge.all(&outputs), what))?;
        if claims_bits(harness) {
            for (row, token, head) in places([case.batch(), judge.tokens(), judge.heads()]) {
                let there = token + usize::try_from(start).unwrap_or(0);
                if !same_bits(judge.output_row(&outputs, row, token, head), judge.output_row(&whole, row, there, head))
                {
                    let failure = bits_differ(&judge.place(row, token, head, 0), "when all tokens are asked for");
                    return Ok(while_doing(Verdict::Fail(failure), what));
                }
            }
        }
    }
    Ok(Verdict::Pass(measured))
}
