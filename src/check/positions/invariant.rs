//! The invariants that a scheme states, judged on the positions of a backend.

use super::measured::measure;
use crate::case::{Alias, Case, Level};
use crate::check::failure::{Cause, Failure, Place, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};
use crate::positions::{Layout, Positions};
use crate::property::{Checker, Outcome, invariants::parameters_for};
use crate::spec::Parameters;
use crate::spec::model::{self, Invariant, Scope};

/// One stated invariant of one scheme.
pub struct SpecInvariant<'a> {
    /// The statement.
    pub invariant: &'a Invariant,
}

/// Layouts on which statements are asked of backends: wide, tall, flat, several segments, even and odd sizes above 4.
const LAYOUTS: [&str; 7] = [
    "text:2 video:2x2x3 text:2",
    "text:1 video:3x3x1 text:2",
    "text:2 image:1x4 text:2",
    "text:2 video:2x2x2 text:1 video:2x1x1 text:2",
    "text:3 video:3x1x1 text:2",
    "text:2 video:2x5x6 text:14",
    "text:2 image:6x7 text:1 video:1x4x5 text:2",
];

impl SpecInvariant<'_> {
    /// Levels on which positions of a backend can be seen.
    pub const LEVELS: [Level; 2] = [Level::Positions, Level::Fused];

    /// The cases for one group: none where the scheme says that the statement fails.
    #[must_use]
    pub fn schedule(&self, g: &Generator) -> Schedule {
        if !matches!(self.invariant.verdict, model::Stated::Holds) || self.invariant.scope == Scope::Frequencies {
            return Schedule::default();
        }
        let mut s = Scheduler::new(g, &self.invariant.id);
        let Some(preset) = s.heads().into_iter().next() else { return s.finish() };
        for layout in layouts(&LAYOUTS) {
            s.add(vec![layout], &preset, |case| {
                for (name, value) in &self.invariant.with {
                    case.parameters.retain(|(n, _)| n != name);
                    case.parameters.push((name.clone(), value.clone()));
                }
                (case.direction, case.alias) = (1, Alias::Out);
            });
        }
        s.finish()
    }

    /// That the scheme's own positions bear the statement out on this layout, before a backend is blamed.
    fn true_of_the_scheme(
        &self,
        scheme: &model::Scheme,
        checker: &Checker<'_>,
        parameters: &Parameters,
        layout: &Layout,
    ) -> Result<(), Stop> {
        let own = |parameters: &Parameters| {
            checker.evaluate(scheme, self.invariant, parameters, layout).map_err(Stop::broken)
        };
        let Outcome::Violated(violation) = own(parameters)? else { return Ok(()) };
        if matches!(own(&Parameters::defaults(scheme).map_err(Stop::broken)?)?, Outcome::Violated(_)) {
            let (scheme, id) = (scheme.id(), &self.invariant.id);
            return Err(Stop::broken(format!("{scheme}: {id} is said to hold, but fails on `{layout}`: {violation}")));
        }
        Err(Stop::not_judged(
            "the scheme states it of its default parameters, and under those of this run it is not true",
        ))
    }

    /// Judges a case.
    ///
    /// # Errors
    /// [`Stop`] if the statement does not hold, if nothing can be concluded, or if the case itself is wrong.
    pub fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let scheme = harness.scheme(case)?;
        let (rows, _) = measure(case, harness)?;
        let parameters = Parameters::resolve(scheme, &case.parameters).map_err(Stop::broken)?;
        let parameters = parameters_for(scheme, self.invariant, &parameters).map_err(Stop::broken)?;
        let checker = Checker::new(harness.library);
        let mut measure = Measure::default();
        for (index, (row, layout)) in rows.into_iter().zip(&case.layouts).enumerate() {
            let positions = Positions::measured(scheme, &parameters, layout, row.columns, row.next);
            let positions = positions.map_err(Stop::broken)?;
            match checker.check(scheme, self.invariant, &parameters, &positions).map_err(Stop::broken)? {
                Outcome::Holds { places } => measure.elements += places,
                Outcome::NotApplicable => {}
                Outcome::Violated(violation) => {
                    self.true_of_the_scheme(scheme, &checker, &parameters, layout)?;
                    let cause = Cause::InvariantBroken {
                        invariant: self.invariant.id.clone(),
                        statement: self.invariant.statement.clone(),
                        violation,
                        layout: layout.to_string(),
                    };
                    let row = (case.batch() > 1).then_some(index);
                    return Err(Failure::at(Place { row, ..Place::default() }, cause).into());
                }
            }
        }
        measure.observations = measure.elements;
        if measure.elements == 0 {
            return Err(Stop::not_judged("the statement speaks of nothing in this layout"));
        }
        Ok(measure)
    }
}
