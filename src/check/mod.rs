//! What must hold. One check, one file: its id, its documentation, how its cases are made, how a case is judged, its tests.

mod accuracy;
pub mod bands;
#[cfg(test)]
mod bands_tests;
mod catalogue;
mod controls;
pub mod cost;
pub mod cover;
mod definition;
mod depth;
pub mod failure;
pub mod generator;
pub mod golden;
mod harness;
mod head_presets;
mod heads;
mod independence;
pub mod judge;
mod laws;
mod length_edge;
mod measure;
mod memory;
mod misfit;
pub(crate) mod offers;
mod positions;
mod probes;
mod schedule;
mod slices;
mod special_values;
mod state;
#[cfg(test)]
mod tests;

pub use catalogue::CATALOGUE;
pub use definition::{Check, Docs};
pub use depth::Depth;
pub use failure::{Failure, Stop};
pub use generator::{Generator, Group};
pub use harness::{Harness, Outputs};
pub use heads::HeadPreset;
pub use measure::{ClassTally, Coverage, ErrorAndBound, Errors, GradeTally, Measure, MeasuredK, left_open};
pub use positions::invariant::SpecInvariant;
pub use schedule::{Gap, Planned, Schedule};
