//! A run that gives up after so many checks that failed: what it left out, and how its verdict says so.

use std::collections::BTreeMap;
use std::num::NonZeroU32;

use schemars::JsonSchema;
use serde::Serialize;

use super::result::{CheckResult, Stopped};
use super::within::grouped;

/// What a run left out because enough had failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct EnoughFailed {
    /// Checks on groups that had to fail, as `--max-fail` takes it.
    pub failed: NonZeroU32,
    /// Checks on groups that are through.
    pub done: usize,
    /// All of them.
    pub units: usize,
    /// Those that did not run, by check.
    pub left_out: BTreeMap<String, usize>,
}

impl EnoughFailed {
    /// `None` where nothing was left out for it; `units` were to run.
    #[must_use]
    pub fn of(most: Option<NonZeroU32>, units: usize, results: &[CheckResult]) -> Option<EnoughFailed> {
        let mut left_out = BTreeMap::new();
        for result in results.iter().filter(|result| result.stopped == Some(Stopped::EnoughFailed)) {
            *left_out.entry(result.check.clone()).or_default() += 1;
        }
        let failed = most.filter(|_| !left_out.is_empty())?;
        Some(EnoughFailed { failed, done: units.saturating_sub(left_out.values().sum()), units, left_out })
    }

    /// What the verdict says of it.
    #[must_use]
    pub fn words(&self) -> String {
        let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        let (done, units) = (number(self.done), number(self.units));
        format!("stopped by --max-fail {} after {done} of {units} checks; what did not run may fail, too", self.failed)
    }
}
