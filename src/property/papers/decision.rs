//! What a rule says of a scheme, and why it may say nothing.

use crate::numeric::NumberError;
use crate::positions::{Layout, PositionError};
use crate::rotation::PlanError;
use crate::spec::ParameterError;

/// What a rule found.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// Whether the scheme has the property.
    pub holds: bool,
    /// The layout that shows that it has not (the smallest one in the order of the sweep), or an example of
    /// why it has.
    pub witness: Option<Layout>,
    /// The numbers that show it, in words.
    pub evidence: String,
}

impl Decision {
    pub(super) fn holds(evidence: String) -> Self {
        Decision { holds: true, witness: None, evidence }
    }

    pub(super) fn fails(witness: &Layout, evidence: String) -> Self {
        Decision { holds: false, witness: Some(witness.clone()), evidence }
    }
}

/// Why a property could not be decided.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PropertyError {
    /// There are no positions.
    #[error(transparent)]
    Positions(#[from] PositionError),
    /// There are no parameters.
    #[error(transparent)]
    Parameters(#[from] ParameterError),
    /// There is no rotation plan at any head width that was tried.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// Positions are too large for exact arithmetic.
    #[error("{0} in arithmetic on positions")]
    Number(#[from] NumberError),
}
