//! `axis-locality`: a pair does not care for positions on other axes than its own.

use super::axis_moves::{run, schedule};
use super::pairs::failure;
use crate::case::{Case, Data, Level};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::{Check, Docs, Gap, Halt, Harness, MAP_LEVELS, Measure, Schedule, Verdict};

pub(in crate::check) struct AxisLocality;

impl Check for AxisLocality {
    fn id(&self) -> &'static str {
        "axis-locality"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Where positions differ on other axes only, a pair's output is the same within its two bounds.",
            formula: "p, r equal on the axis of pair i: |f(p, x)_i - f(r, x)_i| <= E(p) + E(r)",
            source: "multimodal RoPE (Qwen2-VL, arXiv:2409.12191): each pair belongs to one axis",
            catches: "pairs turned by another axis, or by a mixture of axes; strides of the position tensor mixed up",
            cannot_catch: "wrong positions or frequencies on the right axis; schemes with one axis. It compares outputs \
                           that accuracy judges one by one, so it finds little that accuracy does not, but says what it is",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.scheme.axes.len() < 2 {
            let why = "the scheme has one axis".into();
            return Schedule { cases: Vec::new(), gaps: vec![Gap { band: "-".into(), why }] };
        }
        schedule(g, self.id(), Data::Uniform)
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let moves = run(case, harness)?;
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    let found = moves.all(&judge, |c| {
        if !c.shared {
            return Ok(());
        }
        let error = (c.observed[0] - c.observed[1]).abs();
        if error > c.allowed || error.is_nan() {
            return Err(failure(
                format!(
                    "pair {} of head {} changes by {error:e} with positions of other axes, allowed {:e}",
                    c.pair, c.head, c.allowed
                ),
                vec![
                    format!("{} and {}: {}", c.spots[0].name, c.spots[1].name, c.moved(&judge.axes)),
                    format!("{:e} and {:e}, for the same input", c.observed[0], c.observed[1]),
                ],
            ));
        }
        if c.allowed < c.size {
            measure.add(error / c.allowed);
        }
        Ok(())
    });
    match found {
        Err(failure) => Ok(Verdict::Fail(failure)),
        Ok(()) if measure.elements == 0 => Err(Halt::not_judged("no pair stays on its position while others move")),
        Ok(()) => Ok(Verdict::Pass(measure)),
    }
}
