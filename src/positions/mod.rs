//! Layouts, and the position of each of their tokens on every axis, by a scheme's formulas.
//!
//! Nothing here knows a scheme by name: every formula comes from a spec.

mod column;
mod evaluate;
mod layout;
mod length;
mod segment;
mod sequence;
pub mod sweep;
mod vectors;

pub use column::Column;
pub use evaluate::{Evaluation, positions};
pub use layout::{Layout, LayoutError, MAX_MATERIALISED, MAX_SEGMENTS, MAX_TOKENS, Segment, SegmentKind};
pub use length::{length_at, length_of};
pub use segment::SegmentContext;
pub(crate) use segment::{CellScope, CellSource, FrameScope, TextScope, VisualScope, across_axes, count};
pub use sequence::{Next, Origin, PositionError, Positions};
pub use vectors::{OfficialVector, VectorError};
