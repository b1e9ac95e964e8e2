//! Why an invariant could not be evaluated.

use crate::positions::PositionError;
use crate::rotation::PlanError;
use crate::spec::ParameterError;
use crate::spec::expr::EvalError;

/// Why an invariant could not be evaluated.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum InvariantError {
    /// There are no positions.
    #[error(transparent)]
    Positions(#[from] PositionError),
    /// There are no parameters.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// There is no rotation plan.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// A formula has no value.
    #[error("invariant {invariant}, {place}: `{formula}`: {error}")]
    Formula {
        /// Id of the invariant.
        invariant: String,
        /// Where.
        place: String,
        /// The formula.
        formula: String,
        /// Why not.
        error: Box<EvalError>,
    },
    /// `equals` names a scheme that is not there or has more than one axis.
    #[error("invariant {invariant} compares with `{other}`: {problem}")]
    Reference {
        /// Id of the invariant.
        invariant: String,
        /// Name of the other scheme.
        other: String,
        /// What is wrong with it.
        problem: String,
    },
    /// Only whole positions can be judged.
    #[error("invariant {invariant} needs the positions of the whole layout, not of a window")]
    Window {
        /// Id of the invariant.
        invariant: String,
    },
}
