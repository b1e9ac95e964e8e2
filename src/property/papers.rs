//! Properties of a scheme, derived from its positions and its plan by rules that know no scheme by name.
//!
//! The rules are those that the papers' tables are about; each is one file, and each gives evidence: a layout and the
//! numbers that show it.

mod decision;
mod frequency_allocation;
mod seamless;
mod spatial_symmetry;
mod structure;
mod subject;
mod temporal_scaling;
mod unbiased;

use crate::spec::Parameters;
use crate::spec::model::Scheme;

pub use decision::{Decision, PropertyError};
pub use subject::{Role, Subject};

/// A property and the rule that decides it.
pub struct Property {
    /// Kebab-case id.
    pub id: &'static str,
    rule: fn(&Subject<'_>) -> Result<Decision, PropertyError>,
}

/// Every property, in the order in which they are shown.
pub const PROPERTIES: [Property; 6] = [
    Property { id: "structure", rule: structure::decide },
    Property { id: "unbiased", rule: unbiased::decide },
    Property { id: "seamless", rule: seamless::decide },
    Property { id: "frequency-allocation", rule: frequency_allocation::decide },
    Property { id: "spatial-symmetry", rule: spatial_symmetry::decide },
    Property { id: "temporal-scaling", rule: temporal_scaling::decide },
];

impl Property {
    /// Decides the property for a scheme.
    ///
    /// # Errors
    /// [`PropertyError`] if the scheme cannot be run.
    pub fn decide(&self, subject: &Subject<'_>) -> Result<Decision, PropertyError> {
        (self.rule)(subject)
    }
}

/// Decides every property for a scheme under some parameters, in the order of [`PROPERTIES`].
///
/// # Errors
/// [`PropertyError`] if the scheme cannot be run.
pub fn properties(scheme: &Scheme, parameters: &Parameters) -> Result<Vec<(&'static str, Decision)>, PropertyError> {
    let subject = Subject::new(scheme, parameters)?;
    PROPERTIES.iter().map(|property| Ok((property.id, property.decide(&subject)?))).collect()
}
