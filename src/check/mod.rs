//! What must hold. One check, one file: its id, its documentation, how its cases are made, how a case is judged, its tests.
//!
//! To add a check: write the file, add its struct to [`CATALOGUE`]; help, `list`, `explain` and reports follow.

mod accuracy;
pub mod bands;
#[cfg(test)]
mod bands_tests;
mod controls;
mod explain;
mod fit;
pub mod generator;
pub mod golden;
mod harness;
mod independence;
pub mod judge;
mod laws;
mod memory;
mod positions;
mod probes;
mod slices;
mod special_values;
mod state;
#[cfg(test)]
mod tests;

use crate::case::{Case, Level};

pub use fit::Fit;
pub use generator::{Generator, Group, HeadPreset};
pub use harness::{Halt, Harness, Outputs};
pub use judge::{ClassTally, Coverage, Element, ElementFailure, GradeTally, Measure, MeasuredK};
pub use positions::invariant::SpecInvariant;

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

    /// Whether it judges the memory of a call: of a backend that works on copies nothing follows from it.
    fn is_about_memory(&self) -> bool {
        false
    }

    /// The cases for one group.
    fn schedule(&self, generator: &Generator) -> Schedule;

    /// Runs and judges one case.
    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict;
}

/// Every check of backends, in the order of reports. Invariants that specs state are added per scheme.
pub const CATALOGUE: &[&dyn Check] = &[
    &controls::Controls,
    &positions::positions_exact::PositionsExact,
    &probes::axis_map_probe::AxisMapProbe,
    &probes::frequency_probe::FrequencyProbe,
    &probes::pairing_probe::PairingProbe,
    &probes::superposition::Superposition,
    &accuracy::Accuracy,
    &laws::relative_position::RelativePosition,
    &laws::composition::Composition,
    &laws::inverse::Inverse,
    &laws::pair_norm::PairNorm,
    &laws::identity_at_zero::IdentityAtZero,
    &laws::linearity::Linearity,
    &laws::axis_locality::AxisLocality,
    &laws::axis_sensitivity::AxisSensitivity,
    &laws::text_equals_1d::TextEquals1d,
    &laws::degenerates_to_1d::DegeneratesTo1d,
    &special_values::nan_stays_in_its_pair::NanStaysInItsPair,
    &special_values::subnormals::Subnormals,
    &special_values::overflow::Overflow,
    &positions::start_shift::StartShift,
    &positions::chunked_prefill::ChunkedPrefill,
    &positions::decode_continuation::DecodeContinuation,
    &positions::several_segments::SeveralSegments,
    &positions::packed_sequences::PackedSequences,
    &independence::token_independence::TokenIndependence,
    &independence::head_independence::HeadIndependence,
    &independence::batch_independence::BatchIndependence,
    &independence::q_k_independence::QKIndependence,
    &independence::decode_shape::DecodeShape,
    &state::deterministic::Deterministic,
    &state::no_sticky_state::NoStickyState,
    &state::rejects_nonsense::RejectsNonsense,
    &state::fp_environment::FpEnvironment,
    &memory::in_place::InPlace,
    &memory::inputs_untouched::InputsUntouched,
    &memory::fully_written::FullyWritten,
    &memory::guards::Guards,
    &memory::strides::Strides,
    &memory::passthrough::Passthrough,
    &memory::many_rows::ManyRows,
    &memory::far_strides::FarStrides,
    &memory::empty::Empty,
    &memory::position_beyond_limit::PositionBeyondLimit,
    &golden::GoldenCases,
];

/// The levels that move tensors.
const TENSOR_LEVELS: &[Level] = &[Level::Rotate, Level::Fused, Level::Apply];
/// The levels on which the backend itself applies an axis map.
const MAP_LEVELS: &[Level] = &[Level::Rotate, Level::Fused];
