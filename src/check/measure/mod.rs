//! What a case that held has measured.

mod case;
mod coverage;
mod errors;
mod grades;

pub use case::{Measure, left_open};
pub use coverage::Coverage;
pub use errors::{ErrorAndBound, Errors};
pub use grades::{ClassTally, GradeTally, MeasuredK};
