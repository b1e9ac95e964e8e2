//! Outputs held against the truth: where each element is, what it should be, how far it may be off.

mod allowed;
mod elements;
mod explain;
mod fit;
mod grade;
mod graded_class;
mod observed;
mod rows;

pub use elements::{Element, Judge, Known, on_one_axis};
pub use fit::Fit;
pub use rows::KeptBounds;
