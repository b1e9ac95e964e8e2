//! What a check found wrong, as data. Checks make it; the room `report` alone puts it into words.

mod cause;
mod circumstance;
mod evidence;
mod law;
mod place;
mod scalar;
mod signature;

pub use cause::Cause;
pub use circumstance::{CallDifference, Circumstance, OtherTensor};
pub use evidence::{
    AngleAt, Authority, BitsOf, BoundSource, BudgetTerm, ElementError, EmptyOf, Fitting, Instant, MemoryAccess,
    Nonsense, OneHotReached, OtherTurn, PositionRelation, RowKind, StatedAxis, Status, Surroundings, TrivialKernel,
    WrongAxis,
};
pub use law::{AxisMove, Law};
pub use place::{AxisAt, Cell, Place, Side};
pub use scalar::{Observed, Scalar, ValueState, is_poison};

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::{StartError, StartErrorKind};

/// What is wrong: a cause, where it was seen, and what was being done then.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Failure {
    /// What kind of failure it is, with its evidence.
    pub cause: Cause,
    /// Where it was seen first; empty where the cause is about a whole call.
    #[serde(skip_serializing_if = "Place::is_empty")]
    pub place: Place,
    /// What was being done, the outermost first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub during: Vec<Circumstance>,
}

impl Failure {
    /// A failure at a place.
    #[must_use]
    pub fn at(place: Place, cause: Cause) -> Box<Failure> {
        Box::new(Failure { cause, place, during: Vec::new() })
    }

    /// A failure of a whole call.
    #[must_use]
    pub fn of_call(cause: Cause) -> Box<Failure> {
        Failure::at(Place::default(), cause)
    }

    /// The failure, seen while something was being done.
    #[must_use]
    pub fn during(mut self: Box<Self>, what: Circumstance) -> Box<Failure> {
        self.during.insert(0, what);
        self
    }

    /// Whether the backend died or hung, so that a fresh one was needed.
    #[must_use]
    pub fn lost_backend(&self) -> bool {
        matches!(self.cause, Cause::Crashed { .. } | Cause::Hung { .. })
    }

    /// Whether the backend hung.
    #[must_use]
    pub fn hung(&self) -> bool {
        matches!(self.cause, Cause::Hung { .. })
    }
}

/// A failure that another check is to show.
#[derive(Debug, Clone, PartialEq)]
pub struct Owed {
    /// Why it is not this check's.
    pub why: &'static str,
    /// The failure.
    pub failure: Box<Failure>,
}

/// Why a case has no measure.
#[derive(Debug, Clone, PartialEq)]
pub enum Stop {
    /// What was asked for does not hold.
    Failed(Box<Failure>),
    /// Nothing could be concluded, and why. Never counted as a pass.
    NotJudged(String),
    /// Something does not hold that another check is to show. If none does, this check fails with it.
    Owed(Box<Owed>),
    /// The call was not made: the machine, ropecheck or the user stood in the way. Nothing follows about the
    /// backend.
    NotRun(StartError),
    /// The case itself is wrong (spec, parameters, shapes): an error of the suite's input, not of the
    /// backend.
    Broken(String),
}

impl Stop {
    /// Nothing could be concluded.
    pub fn not_judged(why: impl Into<String>) -> Stop {
        Stop::NotJudged(why.into())
    }

    /// The case is wrong.
    pub fn broken(why: impl std::fmt::Display) -> Stop {
        Stop::Broken(why.to_string())
    }

    /// A failure of a whole call.
    #[must_use]
    pub fn of_call(cause: Cause) -> Stop {
        Stop::Failed(Failure::of_call(cause))
    }

    /// The stop, seen while something was being done.
    #[must_use]
    pub fn during(self, what: Circumstance) -> Stop {
        match self {
            Stop::Failed(failure) => Stop::Failed(failure.during(what)),
            other => other,
        }
    }

    /// The stop; what failed is another check's to show, and `why`.
    #[must_use]
    pub fn owed(self, why: &'static str) -> Stop {
        match self {
            Stop::Failed(failure) => Stop::Owed(Box::new(Owed { why, failure })),
            other => other,
        }
    }
}

impl From<StartError> for Stop {
    fn from(error: StartError) -> Stop {
        match error.kind {
            StartErrorKind::NotOffered => Stop::not_judged(error.to_string()),
            _ => Stop::NotRun(error),
        }
    }
}

impl From<Box<Failure>> for Stop {
    fn from(failure: Box<Failure>) -> Stop {
        Stop::Failed(failure)
    }
}

/// Says what was being done when a case stopped.
pub trait During {
    /// The result, its failure marked with `what`.
    #[must_use]
    fn during(self, what: Circumstance) -> Self;
}

impl<T> During for Result<T, Stop> {
    fn during(self, what: Circumstance) -> Self {
        self.map_err(|stop| stop.during(what))
    }
}
