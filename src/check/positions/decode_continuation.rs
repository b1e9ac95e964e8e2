//! `decode-continuation`: tokens appended one at a time go on where the prefill said that text goes on.

use super::measured::{Measured, disagree, measure, part_of_whole, place_on};
use super::start_shift::same_step;
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Circumstance, During, PositionRelation, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::{one_more, window};
use crate::numeric::Number;
use crate::positions::Positions;

pub(in crate::check) struct DecodeContinuation;

/// Tokens appended.
const STEPS: usize = 3;

impl Check for DecodeContinuation {
    fn id(&self) -> &'static str {
        "decode-continuation"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "After a prefill, text tokens asked for one at a time are where `next` said, and \
                        their outputs are those of that position; tokens before the last one, asked for \
                        alone, are where they were.",
            formula: "p(first token after the layout) = next(layout), and so on; outputs within their bounds",
            source: "alibaba/MNN 4595, Blaizzy/mlx-vlm 1527: decoding went on from the token count; \
                     huggingface/transformers 5.23 places decoded tokens elsewhere than prefilled ones",
            catches: "an offset that prefill and decoding compute differently, one that is lost or kept from \
                      another prompt",
            cannot_catch: "positions that are wrong in both; on level fused, differences that the storage \
                           type cannot show",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Rotate, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&["text:1 video:2x2x3 text:1", "text:2 image:3x2"], |_| {});
        if g.group.level == Level::Positions {
            s.each_offered(&["text:40 video:7x6x11 text:30", "image:24x5 video:9x4x4 text:1100 image:5x6"]);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if case.window.is_some() {
            return Err(Stop::not_judged("this check goes on after whole sequences"));
        }
        match case.level {
            Level::Positions => on_positions(case, harness),
            _ => on_outputs(case, harness),
        }
    }
}

/// The case with one more token: that token alone, where the backend can be asked for it.
fn step(case: &Case, alone: bool) -> Result<(Case, Case), Stop> {
    let layouts = case.layouts.iter().map(one_more).collect::<Result<_, _>>()?;
    let longer = Case { layouts, ..case.clone() };
    let last = longer.tokens() - 1;
    let asked = if alone { window(&longer, last, 1) } else { longer.clone() };
    Ok((longer, asked))
}

/// What the backend and the scheme say that text goes on with.
fn goes_on<'a>(found: &'a Measured, stated: &'a Positions, axis: usize) -> Option<[&'a Number; 2]> {
    Some([found.next.as_ref()?.get(axis)?, stated.next().on(axis)?])
}

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let axes = &harness.scheme(case)?.axes;
    let alone = harness.backend.manifest().token_ranges;
    let mut measured = Measure::default();
    let mut before = measure(case, harness)?;
    let mut longer = case.clone();
    for index in 0..STEPS {
        let asked;
        (longer, asked) = step(&longer, alone)?;
        let after = measure(&asked, harness)?;
        for (row, ((found, stated), (was, said))) in
            after.0.iter().zip(&after.1).zip(before.0.iter().zip(&before.1)).enumerate()
        {
            for (axis, name) in axes.iter().enumerate() {
                let last = longer.tokens() - 1;
                let token = found.columns[axis].len().checked_sub(1).and_then(|i| found.columns[axis].get(i));
                let (Some(token), Some(should)) = (token, stated.get(axis, last)) else {
                    return Err(Stop::broken("a token has no position"));
                };
                let Some([next, said]) = goes_on(was, said, axis) else {
                    return Err(Stop::not_judged("the backend does not say where text goes on"));
                };
                measured.elements += 1;
                // Where the scheme's own first token is not at its `next`, the backend's must be as far from
                // its.
                if same_step(case.position_dtype, [next, &token], [said, &should]).is_err() {
                    let expected = should.sub(said).and_then(|step| next.add(&step));
                    let relation = PositionRelation::Appended { number: index + 1, goes_on: next.to_string() };
                    let place = place_on(&longer, row, Some(last), name);
                    return Err(disagree(place, relation, &expected.unwrap_or_else(|_| next.clone()), &token));
                }
            }
        }
        before = after;
    }
    if alone {
        let (whole, _) = measure(&longer, harness)?;
        for token in earlier(&longer) {
            let (part, _) = measure(&window(&longer, token, 1), harness)?;
            measured.elements += part_of_whole(&longer, axes, [&whole, &part], token, 1)?;
        }
    }
    Ok(measured)
}

/// Tokens that are not the last: the first, one in the middle, the last of the prefill and the first that was appended.
fn earlier(longer: &Case) -> [u64; 4] {
    let prefilled = longer.tokens().saturating_sub(STEPS as u64);
    [0, prefilled / 2, prefilled.saturating_sub(1), prefilled]
}

fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let alone = case.level == Level::Rotate || harness.backend.manifest().token_ranges;
    let mut measured = Measure::default();
    let mut longer = case.clone();
    let mut asked = case.clone();
    for index in 0..=STEPS {
        if index > 0 {
            (longer, asked) = step(&longer, alone)?;
        }
        let (prepared, outputs) = harness.execute(&asked)?;
        let judge = Judge::new(harness, &asked, &prepared)?;
        let what = match index {
            0 => Circumstance::Prefill,
            _ => Circumstance::Appended { token: longer.tokens() - 1 },
        };
        measured.add_part(judge.all(&outputs).during(what)?);
    }
    for token in earlier(&longer).into_iter().filter(|_| alone) {
        let asked = window(&longer, token, 1);
        let (prepared, outputs) = harness.execute(&asked)?;
        let judge = Judge::new(harness, &asked, &prepared)?;
        let one = Circumstance::Chunk { start: token, end: token + 1 };
        measured.add_part(judge.all(&outputs).during(one)?);
    }
    Ok(measured)
}
