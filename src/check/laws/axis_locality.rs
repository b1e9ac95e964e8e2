//! `axis-locality`: a pair does not care for positions on other axes than its own.

use super::axis_moves::{run, schedule};
use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::{Cause, Failure, Law, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;

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
            cannot_catch: "wrong positions or frequencies on the right axis; schemes with one axis. It compares \
                           outputs that accuracy judges one by one, so it finds little that accuracy does not, but \
                           says what it is",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if g.scheme.axes.len() < 2 {
            return Schedule::nothing("the scheme has one axis");
        }
        schedule(g, self.id(), Data::Uniform)
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
        if !c.shared {
            return Ok(());
        }
        let [before, after] = c.observed;
        let error = (before - after).abs();
        if error > c.allowed || error.is_nan() {
            let (between, moved, outputs) = c.evidence(&judge);
            let law = Law::AxisLocality { between, moved, outputs };
            return Err(Failure::at(c.place(&judge), Cause::law(law, before, after, c.allowed)));
        }
        if c.allowed < c.size {
            measure.add(error / c.allowed);
        }
        Ok(())
    })?;
    if measure.elements == 0 {
        return Err(Stop::not_judged("no pair stays on its position while others move"));
    }
    Ok(measure)
}
