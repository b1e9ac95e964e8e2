//! `text-equals-1d`: on text alone, a scheme that says so is 1-D RoPE.

use crate::case::{Case, Consume, Data, Level, PositionSource, Prepared};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::Stop;
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::{Judge, on_one_axis};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::numeric::Dd;
use crate::spec::model;

pub(in crate::check) struct TextEquals1d;

/// The catalogue invariant whose verdict decides whether this check applies.
const INVARIANT: &str = "text-equals-1d";

impl Check for TextEquals1d {
    fn id(&self) -> &'static str {
        INVARIANT
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "On text alone every pair turns with the token's index, whatever its axis: the output is that \
                        of 1-D RoPE with the same frequencies.",
            formula: "axis_of_pair[i] does not matter where all axes are equal: R(p, ..., p) = R_1d(p)",
            source: "Qwen2-VL (arXiv:2409.12191) section 2.1; the scheme's own statement",
            catches: "an axis that is dropped, offset or counted differently on text; the most common reports of all",
            cannot_catch: "every fault of visual tokens: text hides the axis map",
        }
    }

    fn levels(&self) -> &'static [Level] {
        MAP_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if let Some(why) = not_stated(g, INVARIANT) {
            return Schedule::nothing(why);
        }
        if g.level.consumes(Consume::CosSin) {
            return Schedule::nothing("the suite supplies cos and sin");
        }
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&["text:40"], |case| case.data = Data::Mixed);
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if case.layouts.iter().any(|l| !l.is_text_only()) || !case.place.is_layout() {
            return Err(Stop::broken("text-equals-1d needs a layout of text alone"));
        }
        let (mut prepared, outputs) = harness.execute(case)?;
        let start = case.window.map_or(0, |(start, _)| start);
        let shift = if let PositionSource::Layout { shift } = case.place { shift } else { 0 };
        // The index itself, not the scheme's formula for it.
        let index: Vec<Dd> = (0..case.tokens()).map(|t| Dd::from_f64((start + t) as f64 + shift as f64)).collect();
        let rows = vec![index; case.batch()];
        true_here(case, &prepared, &rows)?;
        on_one_axis(&mut prepared, &rows)?;
        Judge::new(harness, case, &prepared)?.all(&outputs)
    }
}

/// That the scheme puts every token where it says, whatever the axis: it says so of its default parameters, and a case may have
/// others.
pub(in crate::check) fn true_here(case: &Case, prepared: &Prepared, rows: &[Vec<Dd>]) -> Result<(), Stop> {
    let Some(truth) = prepared.truth.as_ref().filter(|truth| truth.given.is_none()) else { return Ok(()) };
    let others = case.parameters.iter().any(|(name, _)| name != "base");
    if others && truth.positions.iter().any(|axis| axis != rows) {
        let why = "the scheme states it of its default parameters, and under those of this case it is not true";
        return Err(Stop::not_judged(why));
    }
    Ok(())
}

/// Why a scheme's statement cannot be asked of a backend: `None` if the scheme says that it holds.
pub(in crate::check) fn not_stated(g: &Generator, id: &str) -> Option<String> {
    let stated = g.scheme.invariants.iter().find(|i| i.id == id);
    match stated.map(|i| &i.verdict) {
        Some(model::Stated::Holds) => None,
        Some(model::Stated::Fails { .. }) => Some(format!("the scheme states that {id} fails for it")),
        None => Some(format!("the scheme does not state {id}")),
    }
}
