//! What cases say of the arithmetic that a backend has.

use serde::{Deserialize, Serialize};

use crate::check::failure::{Place, Scalar};

/// One class, held against what a backend wrote.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ClassTally {
    /// Its name.
    pub class: String,
    /// Largest error / bound; infinite once an element was outside.
    #[serde(with = "as_scalar")]
    pub worst: f64,
    /// Where.
    pub place: Option<Place>,
    /// Elements.
    pub elements: u64,
}

/// The measured K: an angle error in units of the type's rounding, relative to the angle.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MeasuredK {
    /// What some element needs at least, if every other error was as large as it may be.
    pub k: f64,
    /// What the contract allows there.
    pub allowed: f64,
    /// Where.
    pub place: Option<Place>,
}

/// What cases say of the arithmetic that a backend has.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct GradeTally {
    /// The classes up to the declared one, strictest first.
    pub classes: Vec<ClassTally>,
    /// The K that was measured.
    pub k: MeasuredK,
}

impl GradeTally {
    /// Adds what another case says.
    pub fn merge(&mut self, other: &GradeTally) {
        for theirs in &other.classes {
            match self.classes.iter_mut().find(|c| c.class == theirs.class) {
                Some(ours) => {
                    ours.elements += theirs.elements;
                    if theirs.worst > ours.worst {
                        (ours.worst, ours.place) = (theirs.worst, theirs.place.clone());
                    }
                }
                None => self.classes.push(theirs.clone()),
            }
        }
        if other.k.k > self.k.k {
            self.k = other.k.clone();
        }
    }
}

/// In JSON as [`Scalar`], which has infinities.
mod as_scalar {
    use serde::{Deserialize as _, Serialize as _};

    use super::Scalar;

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
    pub(super) fn serialize<S: serde::Serializer>(value: &f64, serializer: S) -> Result<S::Ok, S::Error> {
        Scalar(*value).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
        Scalar::deserialize(deserializer).map(|scalar| scalar.0)
    }
}
