//! The invariants that a scheme states, judged on the positions of a backend.

use super::measured::measure;
use crate::case::{Case, Level};
use crate::check::generator::Generator;
use crate::check::{Failure, Halt, Harness, Measure, Planned, Schedule, Verdict};
use crate::positions::{Layout, Parameters, Positions};
use crate::property::{Checker, Outcome, invariants::parameters_for};
use crate::spec::model::{self, Invariant, Scope};

/// One stated invariant of one scheme.
pub struct SpecInvariant<'a> {
    /// The statement.
    pub invariant: &'a Invariant,
}

/// Layouts on which statements are asked of backends: wide, tall, flat, several segments.
const LAYOUTS: [&str; 5] = [
    "text:2 video:2x2x3 text:2",
    "text:1 video:3x3x1 text:2",
    "text:2 image:1x4 text:2",
    "text:2 video:2x2x2 text:1 video:2x1x1 text:2",
    "text:3 video:3x1x1 text:2",
];

impl SpecInvariant<'_> {
    /// Levels on which positions of a backend can be seen.
    pub const LEVELS: [Level; 2] = [Level::Positions, Level::Fused];

    /// The cases for one group: none where the scheme says that the statement fails.
    #[must_use]
    pub fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        if !matches!(self.invariant.verdict, model::Stated::Holds) || self.invariant.scope == Scope::Frequencies {
            return schedule;
        }
        let mut rng = g.rng(&self.invariant.id);
        let heads = g.heads();
        let fallback = crate::check::generator::HeadPreset {
            q_heads: 1,
            k_heads: 0,
            head_dim: 2,
            rotary: None,
            parameters: Vec::new(),
        };
        let preset = if g.group.level == Level::Positions { Some(&fallback) } else { heads.first() };
        let Some(preset) = preset else { return schedule };
        for layout in LAYOUTS.iter().filter_map(|l| Layout::parse(l).ok()) {
            let mut case = g.case(&self.invariant.id, vec![layout], preset, rng.next_u64());
            for (name, value) in &self.invariant.with {
                case.parameters.retain(|(n, _)| n != name);
                case.parameters.push((name.clone(), value.clone()));
            }
            case.direction = 1;
            case.alias = crate::case::Alias::Out;
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    /// Judges a case.
    #[must_use]
    pub fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        self.probe(case, harness).unwrap_or_else(Verdict::from)
    }

    fn probe(&self, case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
        let scheme = harness.scheme(case)?;
        let broken = |e: &dyn std::fmt::Display| Halt::broken(e.to_string());
        let (rows, _) = measure(case, harness)?;
        let parameters = Parameters::resolve(scheme, &case.parameters).map_err(|e| broken(&e))?;
        let parameters = parameters_for(scheme, self.invariant, &parameters).map_err(|e| broken(&e))?;
        let checker = Checker::new(harness.library);
        let mut measure = Measure::default();
        for (row, layout) in rows.into_iter().zip(&case.layouts) {
            let positions = Positions::measured(scheme, &parameters, layout, row.columns, row.next);
            let positions = positions.map_err(|e| broken(&e))?;
            match checker.check(scheme, self.invariant, &parameters, &positions).map_err(|e| broken(&e))? {
                Outcome::Holds { places } => measure.elements += places,
                Outcome::NotApplicable => {}
                Outcome::Violated(violation) => {
                    let mut failure =
                        Failure::new(format!("{}: {violation}", self.invariant.statement.trim_end_matches('.')));
                    failure.details.push(format!("layout {layout}"));
                    return Ok(Verdict::Fail(failure));
                }
            }
        }
        if measure.elements == 0 {
            return Err(Halt::not_judged("the statement speaks of nothing in this layout"));
        }
        Ok(Verdict::Pass(measure))
    }
}
