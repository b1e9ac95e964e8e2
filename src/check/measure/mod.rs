//! What a case that held has measured.

mod case;
mod coverage;
mod grades;

pub use case::Measure;
pub use coverage::Coverage;
pub use grades::{ClassTally, GradeTally, MeasuredK};
