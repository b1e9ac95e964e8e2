//! Tests what a scheme states about itself: that what holds does so on many layouts, and that every witness still fails.

use std::fmt;

use crate::positions::Positions;
use crate::positions::positions;
use crate::positions::{Layout, LayoutError};
use crate::spec::Parameters;
use crate::spec::model::{Invariant, Scheme, Stated};

use super::{Checker, InvariantError, Outcome, Violation, parameters_for};

/// What came of testing one statement.
#[derive(Debug, Clone, PartialEq)]
pub enum Verification {
    /// It says that it holds, and did on every layout that has a place for it.
    Holds {
        /// Layouts that had one, at least 1.
        layouts: usize,
    },
    /// It says that it fails, and its witness does.
    Fails {
        /// The witness.
        witness: Layout,
        /// What the witness shows.
        violation: Violation,
    },
    /// It says that it holds, but a layout shows that it does not.
    Refuted {
        /// The first such layout.
        layout: Layout,
        /// What it shows.
        violation: Violation,
    },
    /// It says that it fails, but holds on its own witness.
    WitnessHolds {
        /// The witness.
        witness: Layout,
    },
    /// It says that it fails, but its witness has no place that it speaks of.
    WitnessSilent {
        /// The witness.
        witness: Layout,
    },
    /// No layout had a place that it speaks of, so that nothing was tested.
    Untested,
    /// The witness is no layout.
    BadWitness(LayoutError),
    /// It could not be evaluated.
    Error(InvariantError),
}

impl Verification {
    /// Whether the scheme's statement was borne out.
    #[must_use]
    pub fn is_confirmed(&self) -> bool {
        matches!(self, Verification::Holds { .. } | Verification::Fails { .. })
    }
}

impl fmt::Display for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Verification::Holds { layouts } => write!(f, "holds on {layouts} layouts"),
            Verification::Fails { witness, violation } => write!(f, "fails on `{witness}`: {violation}"),
            Verification::Refuted { layout, violation } => {
                write!(f, "is said to hold, but fails on `{layout}`: {violation}")
            }
            Verification::WitnessHolds { witness } => {
                write!(f, "is said to fail, but holds on its witness `{witness}`")
            }
            Verification::WitnessSilent { witness } => {
                write!(f, "is said to fail, but its witness `{witness}` has no place that it speaks of")
            }
            Verification::Untested => f.write_str("was not tested: no layout has a place that it speaks of"),
            Verification::BadWitness(error) => write!(f, "has a witness that is no layout: {error}"),
            Verification::Error(error) => write!(f, "could not be evaluated: {error}"),
        }
    }
}

/// One statement and what came of testing it.
#[derive(Debug, Clone, PartialEq)]
pub struct Verified {
    /// Scheme and profile.
    pub scheme: String,
    /// Id of the invariant.
    pub invariant: String,
    /// Line in the scheme's file, from 1.
    pub line: usize,
    /// What came of it.
    pub finding: Verification,
}

/// Tests every statement of a scheme. Those that hold are tested on `layouts`, those that fail on their witness.
#[must_use]
pub fn verify(checker: &Checker<'_>, scheme: &Scheme, layouts: &[Layout]) -> Vec<Verified> {
    let runs = Runs::new(scheme, layouts);
    let one = |invariant: &Invariant| Verified {
        scheme: scheme.id(),
        invariant: invariant.id.clone(),
        line: invariant.line,
        finding: match &invariant.verdict {
            Stated::Holds => holds(checker, scheme, invariant, &runs).unwrap_or_else(Verification::Error),
            Stated::Fails { witness } => fails(checker, scheme, invariant, witness),
        },
    };
    scheme.invariants.iter().map(one).collect()
}

/// Positions of all layouts under default parameters, which most statements share.
struct Runs<'a> {
    layouts: &'a [Layout],
    defaults: Result<(Parameters, Vec<Positions>), InvariantError>,
}

impl<'a> Runs<'a> {
    fn new(scheme: &Scheme, layouts: &'a [Layout]) -> Self {
        let run = || {
            let parameters = Parameters::defaults(scheme)?;
            let all = layouts.iter().map(|layout| positions(scheme, &parameters, layout)).collect::<Result<_, _>>()?;
            Ok((parameters, all))
        };
        Runs { layouts, defaults: run() }
    }
}

fn holds(
    checker: &Checker<'_>,
    scheme: &Scheme,
    invariant: &Invariant,
    runs: &Runs<'_>,
) -> Result<Verification, InvariantError> {
    let (defaults, known) = runs.defaults.as_ref().map_err(Clone::clone)?;
    let parameters = parameters_for(scheme, invariant, defaults)?;
    let mut judged = 0;
    for (layout, known) in runs.layouts.iter().zip(known) {
        let own;
        let positions = if invariant.with.is_empty() {
            known
        } else {
            own = positions(scheme, &parameters, layout)?;
            &own
        };
        match checker.check(scheme, invariant, &parameters, positions)? {
            Outcome::Holds { .. } => judged += 1,
            Outcome::NotApplicable => {}
            Outcome::Violated(violation) => {
                return Ok(Verification::Refuted { layout: layout.clone(), violation: *violation });
            }
        }
    }
    Ok(if judged == 0 { Verification::Untested } else { Verification::Holds { layouts: judged } })
}

fn fails(checker: &Checker<'_>, scheme: &Scheme, invariant: &Invariant, witness: &str) -> Verification {
    let witness = match Layout::parse(witness) {
        Ok(witness) => witness,
        Err(error) => return Verification::BadWitness(error),
    };
    let parameters = match Parameters::defaults(scheme) {
        Ok(parameters) => parameters,
        Err(error) => return Verification::Error(error.into()),
    };
    match checker.evaluate(scheme, invariant, &parameters, &witness) {
        Ok(Outcome::Violated(violation)) => Verification::Fails { witness, violation: *violation },
        Ok(Outcome::Holds { .. }) => Verification::WitnessHolds { witness },
        Ok(Outcome::NotApplicable) => Verification::WitnessSilent { witness },
        Err(error) => Verification::Error(error),
    }
}
