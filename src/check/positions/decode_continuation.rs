//! `decode-continuation`: tokens appended one at a time go on where the prefill said that text goes on.

use super::measured::{Measured, measure};
use super::start_shift::same_step;
use crate::case::{Case, Level};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::slices::{add, layouts, one_more, presets, while_doing, window};
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Planned, Schedule, Verdict};
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
            statement: "After a prefill, text tokens asked for one at a time are where `next` said, and their outputs are \
                        those of that position.",
            formula: "p(first token after the layout) = next(layout), and so on; outputs within their bounds",
            source: "alibaba/MNN 4595, Blaizzy/mlx-vlm 1527: decoding went on from the token count; huggingface/transformers \
                     5.23 places decoded tokens elsewhere than prefilled ones",
            catches: "an offset that prefill and decoding compute differently, one that is lost or kept from another prompt",
            cannot_catch: "positions that are wrong in both; on level fused, differences that the storage type cannot show",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &[Level::Positions, Level::Rotate, Level::Fused]
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        let presets = presets(g);
        let texts = ["text:1 video:2x2x3 text:1", "text:2 image:3x2"];
        for (layout, preset) in layouts(&texts).into_iter().zip(presets.iter().cycle()) {
            let case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        if case.window.is_some() {
            return Verdict::NotJudged("this check goes on after whole sequences".into());
        }
        let verdict = match case.level {
            Level::Positions => on_positions(case, harness),
            _ => on_outputs(case, harness),
        };
        verdict.unwrap_or_else(Verdict::from)
    }
}

/// The case with one more token: that token alone, where the backend can be asked for it.
fn step(case: &Case, alone: bool) -> Result<(Case, Case), Halt> {
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

fn on_positions(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
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
                    return Err(Halt::broken("a token has no position"));
                };
                let Some([next, said]) = goes_on(was, said, axis) else {
                    return Err(Halt::not_judged("the backend does not say where text goes on"));
                };
                measured.elements += 1;
                // Where the scheme's own first token is not at its `next`, the backend's must be as far from its.
                if same_step(case.position_dtype, [next, &token], [said, &should]).is_err() {
                    return Ok(Verdict::Fail(Failure::new(format!(
                        "row {row}: token {last}, the {} appended one, is at {token} on axis {name}; text was said to go on at {next}",
                        index + 1
                    ))));
                }
            }
        }
        before = after;
    }
    Ok(Verdict::Pass(measured))
}

fn on_outputs(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
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
        let what = || match index {
            0 => "the prefill".to_owned(),
            _ => format!("the appended token {}", longer.tokens() - 1),
        };
        add(&mut measured, while_doing(judge.all(&outputs), what))?;
    }
    Ok(Verdict::Pass(measured))
}
