//! What must hold. One check, one file: its id, its documentation, how its cases are made, how a case is judged, its tests.
//!
//! To add a check: write the file, add its struct to [`CATALOGUE`]; help, `list`, `explain` and reports follow.

mod accuracy;
mod axis_map_probe;
mod controls;
mod degenerates_to_1d;
mod explain;
mod fit;
mod frequency_probe;
pub mod generator;
mod invariant;
pub mod judge;
mod measured;
mod pairing_probe;
mod positions_exact;
mod relative_position;
mod subject;
mod superposition;
#[cfg(test)]
mod tests;
mod text_equals_1d;

use crate::case::{Case, Level};

pub use fit::Fit;
pub use generator::{Generator, Group};
pub use invariant::SpecInvariant;
pub use judge::{Element, ElementFailure, Measure};
pub use subject::{Halt, Outputs, Subject};

/// What `explain` prints of a check.
#[derive(Debug, Clone, Copy)]
pub struct Docs {
    /// What must hold, in a sentence.
    pub statement: &'static str,
    /// The same as a formula.
    pub formula: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// What it catches.
    pub catches: &'static str,
    /// What it cannot catch.
    pub cannot_catch: &'static str,
}

/// A case with the part of the input space that it stands for.
#[derive(Debug, Clone)]
pub struct Planned {
    /// A position band such as `0..255`, or `-` where a check has none.
    pub band: String,
    /// The case.
    pub case: Case,
}

/// A part of the input space that a check would cover and cannot here.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Gap {
    /// Which part.
    pub band: String,
    /// Why not.
    pub why: String,
}

/// The cases of one check in one group, and what they leave out.
#[derive(Debug, Clone, Default)]
pub struct Schedule {
    /// In the order in which they run.
    pub cases: Vec<Planned>,
    /// Said in the report.
    pub gaps: Vec<Gap>,
}

/// How a case ended.
#[derive(Debug, Clone)]
pub enum Verdict {
    /// What was asked for holds.
    Pass(Measure),
    /// It does not.
    Fail(Box<Failure>),
    /// Nothing could be concluded; why. Never counted as a pass.
    NotJudged(String),
    /// The case itself is wrong (spec, parameters, shapes): an error of the suite's input, not of the backend.
    Broken(String),
}

/// What is wrong.
#[derive(Debug, Clone, Default)]
pub struct Failure {
    /// One line.
    pub summary: String,
    /// More lines: expected, observed, allowed.
    pub details: Vec<String>,
    /// True if the backend died or hung, so that a fresh worker was needed.
    pub lost_backend: bool,
}

impl Failure {
    /// A failure with a summary alone.
    #[must_use]
    pub fn new(summary: impl Into<String>) -> Box<Failure> {
        Box::new(Failure { summary: summary.into(), ..Failure::default() })
    }
}

/// One thing that must hold of a backend.
pub trait Check: Sync {
    /// Stable kebab-case id.
    fn id(&self) -> &'static str;

    /// What `explain` prints.
    fn docs(&self) -> Docs;

    /// Levels on which it can be judged.
    fn levels(&self) -> &'static [Level];

    /// The cases for one group.
    fn schedule(&self, generator: &Generator) -> Schedule;

    /// Runs and judges one case.
    fn judge(&self, case: &Case, subject: &mut Subject) -> Verdict;
}

/// Every check of backends, in the order of reports. Invariants that specs state are added per scheme.
pub const CATALOGUE: &[&dyn Check] = &[
    &controls::Controls,
    &positions_exact::PositionsExact,
    &axis_map_probe::AxisMapProbe,
    &frequency_probe::FrequencyProbe,
    &pairing_probe::PairingProbe,
    &superposition::Superposition,
    &accuracy::Accuracy,
    &relative_position::RelativePosition,
    &text_equals_1d::TextEquals1d,
    &degenerates_to_1d::DegeneratesTo1d,
];

/// The levels that move tensors.
const TENSOR_LEVELS: &[Level] = &[Level::Rotate, Level::Fused, Level::Apply];
/// The levels on which the backend itself applies an axis map.
const MAP_LEVELS: &[Level] = &[Level::Rotate, Level::Fused];
