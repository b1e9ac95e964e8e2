//! A run: controls, anchors, schedule, shrinking, verdict. It emits events, which reports fold.

mod anchors;
mod bench;
mod context;
mod controls;
mod digest;
mod event;
mod exit_code;
mod grade;
mod groups;
mod in_force;
mod in_order;
mod item;
mod reached;
mod replay_command;
mod report;
mod result;
pub mod selftest;
mod session;
mod shrink;
pub mod snapshot;
mod supplied;
#[cfg(test)]
mod tests;
mod unit;
mod verdict;

pub use anchors::{Anchors, SpecStatements, anchors, statements};
pub use bench::{BenchError, BenchOptions, BenchReport, BenchRow, Seconds, bench};
pub use context::{Context, Options};
pub use controls::{ControlError, ControlOutcome, ControlResult, controls};
pub use digest::{digest, digest_of};
pub use event::{Event, FORMAT, Finished, Shrunk, Started, UnitFailure, UnitName, UnitNote};
pub use exit_code::{ExitCode, RunError};
pub use grade::{Grade, NotKept, grades};
pub use groups::{SelectionError, groups};
pub use in_force::{ContractInForce, angle_limits, contracts_exist, contracts_in_force};
pub use item::known_ids;
pub use reached::{Reached, reached};
pub use replay_command::ReplayCommand;
pub use report::RunReport;
pub use result::{BandResult, CheckResult, FailureReport, Stopped};
pub use session::{Observer, Progress, Session, fail, results};
pub use supplied::{Supplied, supplied};
pub use unit::replay;
