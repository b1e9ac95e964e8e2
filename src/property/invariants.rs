//! Does a statement of a scheme hold on positions? The positions may come from the scheme itself or from a backend.

mod collisions;
mod error;
mod judge;
mod place;
mod scope;
pub mod verify;

use crate::spec::Library;
use crate::spec::model::{Claim, Invariant, Scheme, Scope};

use crate::positions::Layout;
use crate::positions::Positions;
use crate::positions::positions;
use crate::rotation::PlanCache;
use crate::spec::ParameterError;
use crate::spec::{MAX_HEAD_DIM, Parameters, rotary_dim};
use judge::StatementJudge;

pub use error::InvariantError;
pub use place::{Violation, ViolationPlace};

/// What came of evaluating an invariant on a layout.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It held at every place that could be judged.
    Holds {
        /// How many places (and axes of them) were judged, at least 1.
        places: u64,
    },
    /// It did not hold; the first place where.
    Violated(Box<Violation>),
    /// The layout has no place that it speaks of.
    NotApplicable,
}

/// Evaluates invariants. Holds the library whose schemes they may refer to and the plans they may ask for.
pub struct Checker<'a> {
    library: &'a Library,
    plans: PlanCache,
}

impl<'a> Checker<'a> {
    /// Head widths that statements about frequencies are judged at, where the scheme allows them.
    pub const HEAD_DIMS: [u32; 4] = [64, 80, 96, 128];

    /// A checker that finds other schemes in this library.
    #[must_use]
    pub fn new(library: &'a Library) -> Self {
        Checker { library, plans: PlanCache::new() }
    }

    /// Evaluates an invariant on the positions that the scheme itself gives a layout, under the parameters that the
    /// invariant sets.
    ///
    /// # Errors
    /// [`InvariantError`]
    pub fn evaluate(
        &self,
        scheme: &Scheme,
        invariant: &Invariant,
        parameters: &Parameters,
        layout: &Layout,
    ) -> Result<Outcome, InvariantError> {
        let parameters = parameters_for(scheme, invariant, parameters)?;
        let positions = positions(scheme, &parameters, layout)?;
        self.check(scheme, invariant, &parameters, &positions)
    }

    /// Evaluates an invariant on positions, wherever they came from. `parameters` are those the positions were made
    /// under; those that the invariant sets must be among them, see [`parameters_for`].
    ///
    /// # Errors
    /// [`InvariantError`]
    pub fn check(
        &self,
        scheme: &Scheme,
        invariant: &Invariant,
        parameters: &Parameters,
        positions: &Positions,
    ) -> Result<Outcome, InvariantError> {
        if !positions.is_whole() {
            return Err(InvariantError::Window { invariant: invariant.id.clone() });
        }
        let mut judge = StatementJudge { scheme, invariant, parameters, positions, places: 0, first: None };
        match &invariant.claim {
            Claim::Equals(other) => judge.equals(self.library, other)?,
            Claim::Holds(claim) if invariant.scope == Scope::Frequencies => {
                let own = own_head_dim(scheme, parameters);
                let all: Vec<u32> = Self::HEAD_DIMS.into_iter().chain(own).collect();
                judge.frequencies(claim, &self.plans, &all)?;
            }
            Claim::Holds(claim) => judge.holds(claim)?,
        }
        Ok(match (judge.first, judge.places) {
            (Some(violation), _) => Outcome::Violated(Box::new(violation)),
            (None, 0) => Outcome::NotApplicable,
            (None, places) => Outcome::Holds { places },
        })
    }
}

/// The narrowest head of a scheme that is defined for one number of pairs alone, where it is none of
/// [`Checker::HEAD_DIMS`].
fn own_head_dim(scheme: &Scheme, parameters: &Parameters) -> Option<u32> {
    const MOST_TIMES: u32 = 8;
    let pairs = u32::try_from(scheme.pairs.max.filter(|max| *max == scheme.pairs.min)?).ok()?;
    let width = pairs.checked_mul(2)?;
    let found = (width..=width.saturating_mul(MOST_TIMES).min(MAX_HEAD_DIM))
        .find(|head_dim| rotary_dim(scheme, parameters, *head_dim) == Some(width))?;
    (!Checker::HEAD_DIMS.contains(&found)).then_some(found)
}

/// The parameters with those replaced that an invariant sets for its statement.
///
/// # Errors
/// [`ParameterError`]
pub fn parameters_for(
    scheme: &Scheme,
    invariant: &Invariant,
    parameters: &Parameters,
) -> Result<Parameters, ParameterError> {
    let own = if invariant.with.is_empty() { parameters.clone() } else { parameters.and(scheme, &invariant.with)? };
    Ok(match &invariant.length {
        Some(length) => own.with_length(length.clone()),
        None => own,
    })
}
