//! Layout to positions, rotation plan, reference output and bound; and what a scheme's positions say about it.
//!
//! ```text
//! scheme + parameters + layout ─► Positions        scheme + parameters + heads ─► RotationPlan
//!                                     └─► invariants, properties
//! ```
//!
//! Nothing here knows a scheme by name: every formula comes from a spec.

pub mod accuracy_points;
pub mod allowance;
pub mod bound;
pub mod cache;
pub mod column;
pub mod contract;
pub mod contract_file;
pub mod contract_keys;
pub mod declaration;
mod frequency_rule;
mod head_sizes;
pub mod invariants;
pub mod judge;
mod kept;
pub mod layout;
mod pair_bound;
pub mod parameters;
pub mod positions;
pub mod properties;
mod range;
pub mod reference;
pub mod rotation;
pub mod run;
pub mod segment;
pub mod sweep;
mod types;
pub mod vectors;

pub use accuracy_points::AccuracyPoint;
pub use cache::PlanCache;
pub use column::Column;
pub use invariants::{Checker, InvariantError, Outcome, Place, Violation};
pub use layout::{Layout, LayoutError, Segment};
pub use parameters::{ParameterError, Parameters};
pub use positions::{Next, Origin, PositionError, Positions};
pub use properties::{Finding, PROPERTIES, Property, properties};
pub use rotation::{HeadShape, NO_AXIS, PlanError, RotationPlan};
pub use run::{Run, positions};
pub use segment::SegmentContext;
pub use vectors::OfficialVector;
