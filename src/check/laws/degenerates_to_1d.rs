//! `degenerates-to-1d`: on frames of one cell, a scheme that says so is 1-D RoPE.

use super::text_equals_1d::{not_stated, true_here};
use crate::case::{Case, Consume, Data, Level};
use crate::check::definition::{Check, Docs, MAP_LEVELS};
use crate::check::failure::Stop;
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::{Judge, on_one_axis};
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::numeric::Dd;
use crate::positions::{Layout, positions};
use crate::spec::Parameters;
use crate::spec::model::Claim;

pub(in crate::check) struct DegeneratesTo1d;

/// The catalogue invariant whose verdict decides whether this check applies.
const INVARIANT: &str = "degenerates-to-1d";

impl Check for DegeneratesTo1d {
    fn id(&self) -> &'static str {
        INVARIANT
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Where every frame is a single cell (H = W = 1), the output is that of 1-D RoPE on the token \
                        index.",
            formula: "H = W = 1: R(p_1, ..., p_n) = R_1d(index)",
            source: "VRoPE (arXiv:2502.11664v1) section 4; the scheme's own statement",
            catches: "frame advances, offsets and axis rules that are wrong even in the simplest video",
            cannot_catch: "faults that need H > 1 or W > 1",
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
        s.each_layout(&["text:3 video:7x1x1 text:2 image:1x1 text:3"], |case| case.data = Data::Mixed);
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let scheme = harness.scheme(case)?;
        let single = |l: &Layout| l.segments().iter().all(|s| s.grid().is_none_or(|[_, h, w]| h == 1 && w == 1));
        if !case.layouts.iter().all(single) {
            return Err(Stop::broken("degenerates-to-1d needs frames of one cell"));
        }
        let claim = scheme.invariants.iter().find(|i| i.id == INVARIANT).map(|i| &i.claim);
        let Some(Claim::Equals(other)) = claim else {
            return Err(Stop::broken("the scheme does not say which scheme it degenerates to"));
        };
        let other = harness.library.get(other).map_err(Stop::broken)?;
        let parameters = Parameters::defaults(other).map_err(Stop::broken)?;
        let start = case.window.map_or(0, |(start, _)| start);
        let mut rows = Vec::new();
        for layout in &case.layouts {
            let positions = positions(other, &parameters, layout).map_err(Stop::broken)?;
            let row = (start..start + case.tokens()).map(|t| positions.get(0, t).map_or(Dd::ZERO, |n| n.to_dd()));
            rows.push(row.collect::<Vec<_>>());
        }
        let (mut prepared, outputs) = harness.execute(case)?;
        true_here(case, &prepared, &rows)?;
        on_one_axis(&mut prepared, &rows)?;
        Judge::new(harness, case, &prepared)?.all(&outputs)
    }
}
