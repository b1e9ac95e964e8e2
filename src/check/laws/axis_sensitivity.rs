//! `axis-sensitivity`: a pair follows the positions of its own axis.

use super::axis_moves::{run, schedule};
use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;

pub(in crate::check) struct AxisSensitivity;

impl Check for AxisSensitivity {
    fn id(&self) -> &'static str {
        "axis-sensitivity"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Where positions differ on a pair's own axis, its output changes by as much as it must, as far \
                        as the bounds can tell.",
            formula: "D = |y(p) - y(r)| > E(p) + E(r): |f(p, x)_i - f(r, x)_i| >= D - E(p) - E(r), x = (1, 0) on \
                      every pair",
            source: "multimodal RoPE (Qwen2-VL, arXiv:2409.12191): each pair belongs to one axis",
            catches: "pairs that are not turned, or by another axis; axes that are ignored; positions clipped or \
                      wrapped",
            cannot_catch: "changes that are too large (axis-locality, accuracy); pairs too slow to be seen at the \
                           positions that the manifest allows, or on fused at those of a small layout",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        schedule(g, self.id(), Data::First)
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let moves = run(case, harness)?;
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let mut measure = Measure::default();
    moves.all(&judge, |c| {
        if c.shared || c.expected <= c.allowed {
            return Ok(());
        }
        let change = (c.observed[0] - c.observed[1]).abs();
        let missing = c.expected - change;
        if missing > c.allowed || missing.is_nan() {
            let (between, moved, outputs) = c.evidence(&judge);
            let law = Law::AxisSensitivity { between, moved, outputs, output: c.output };
            return Err(Failure::at(c.place(&judge), Cause::law(law, c.expected, change, c.allowed)));
        }
        measure.add(missing.max(0.0) / c.allowed);
        Ok(())
    })?;
    if measure.elements == 0 {
        return Err(Stop::not_judged("no change of positions is large enough to be seen"));
    }
    Ok(measure)
}
