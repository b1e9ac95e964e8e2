//! What positions and plans say of a scheme: the invariants that specs state, and the tables of the papers.

pub mod distractors;
pub mod invariants;
pub mod lint;
pub mod papers;

pub use distractors::{ExperimentError, Found, Haystack, distractors};
pub use invariants::{Checker, InvariantError, Outcome, Violation, ViolationPlace};
pub use papers::{Decision, PROPERTIES, Property, properties};
