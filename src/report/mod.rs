//! What people and programs see of a run.

mod again;
mod bench;
mod coverage;
mod grade;
mod junit;
mod selftest;
mod snapshot;
mod table;

pub use again::Again;
pub use bench::bench;
pub use junit::junit;
pub use selftest::{selftest, selftest_markdown};
pub use snapshot::{SnapshotReport, snapshot_json, snapshot_table};
pub use table::table;

use crate::run::RunReport;

/// The verdict as JSON: the same seed gives the same bytes.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn json(report: &RunReport) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report)
}
