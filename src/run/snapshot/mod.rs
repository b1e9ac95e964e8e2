//! Snapshots of a backend's own outputs: recorded once, compared bit by bit with those of its next version.
//!
//! [`read`] takes bytes that anybody may have written.

mod compare;
mod file;
mod record;
mod values;

pub use compare::{Comparison, Differences, Direction, GroupKey, OutputChange, PairTally, compare};
pub use file::{About, Entry, FORMAT, MAX_CASES, Selection, Snapshot, SnapshotError, StoredOutputs, read, write};
pub use record::{MOST_ELEMENTS, PlannedSnapshot, RecordError, Recorded, outputs, plan, record};
pub(super) use record::{bits, elements, position_bits};
pub use values::{Distance, distance};
