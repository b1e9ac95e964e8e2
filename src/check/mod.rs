//! What must hold. One check, one file: its id, its documentation, how its cases are made, how a case is judged, its tests.
//!
//! To add a check: write the file, add its struct to [`CATALOGUE`]; help, `list`, `explain` and reports follow.

mod accuracy;
mod axis_locality;
mod axis_map_probe;
mod axis_moves;
mod axis_sensitivity;
pub mod bands;
#[cfg(test)]
mod bands_tests;
mod batch_independence;
mod chunked_prefill;
mod composition;
mod controls;
mod decode_continuation;
mod decode_shape;
mod degenerates_to_1d;
mod deterministic;
mod empty;
mod explain;
mod far_strides;
mod fit;
mod fp_environment;
mod frequency_probe;
mod fully_written;
pub mod generator;
mod guards;
mod head_counts;
mod head_independence;
mod identity_at_zero;
mod in_place;
mod independence;
mod inputs_untouched;
mod invariant;
mod inverse;
pub mod judge;
mod linearity;
mod many_rows;
mod measured;
mod memory;
mod nan_stays_in_its_pair;
mod no_sticky_state;
mod overflow;
mod packed_sequences;
mod pair_norm;
mod pairing_probe;
mod pairs;
mod passthrough;
mod position_beyond_limit;
mod positions_exact;
mod q_k_independence;
mod rejects_nonsense;
mod relative_position;
mod several_segments;
mod slices;
mod start_shift;
mod strides;
mod subject;
mod subnormals;
mod superposition;
#[cfg(test)]
mod tests;
mod text_equals_1d;
mod token_independence;

use crate::case::{Case, Level};

pub use fit::Fit;
pub use generator::{Generator, Group};
pub use invariant::SpecInvariant;
pub use judge::{ClassTally, Coverage, Element, ElementFailure, GradeTally, Measure, MeasuredK};
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
    &composition::Composition,
    &inverse::Inverse,
    &pair_norm::PairNorm,
    &identity_at_zero::IdentityAtZero,
    &linearity::Linearity,
    &axis_locality::AxisLocality,
    &axis_sensitivity::AxisSensitivity,
    &text_equals_1d::TextEquals1d,
    &degenerates_to_1d::DegeneratesTo1d,
    &nan_stays_in_its_pair::NanStaysInItsPair,
    &subnormals::Subnormals,
    &overflow::Overflow,
    &start_shift::StartShift,
    &chunked_prefill::ChunkedPrefill,
    &decode_continuation::DecodeContinuation,
    &several_segments::SeveralSegments,
    &packed_sequences::PackedSequences,
    &token_independence::TokenIndependence,
    &head_independence::HeadIndependence,
    &batch_independence::BatchIndependence,
    &q_k_independence::QKIndependence,
    &decode_shape::DecodeShape,
    &deterministic::Deterministic,
    &no_sticky_state::NoStickyState,
    &rejects_nonsense::RejectsNonsense,
    &fp_environment::FpEnvironment,
    &in_place::InPlace,
    &inputs_untouched::InputsUntouched,
    &fully_written::FullyWritten,
    &guards::Guards,
    &strides::Strides,
    &passthrough::Passthrough,
    &many_rows::ManyRows,
    &far_strides::FarStrides,
    &empty::Empty,
    &position_beyond_limit::PositionBeyondLimit,
];

/// The levels that move tensors.
const TENSOR_LEVELS: &[Level] = &[Level::Rotate, Level::Fused, Level::Apply];
/// The levels on which the backend itself applies an axis map.
const MAP_LEVELS: &[Level] = &[Level::Rotate, Level::Fused];
