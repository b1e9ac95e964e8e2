//! A run that may take so long and no longer: when nothing new begins, and what it left out.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Serialize;

use super::proved::proofs;
use super::result::{CheckResult, Stopped};
use super::within::grouped;

/// From when on nothing new begins.
#[derive(Debug, Clone, Copy)]
pub(super) struct Deadline {
    begun: Instant,
    time: Option<Duration>,
}

impl Deadline {
    /// Of a run that begins now and may take this long; `None`: as long as it takes.
    pub(super) fn new(time: Option<Duration>) -> Self {
        Self { begun: Instant::now(), time }
    }

    pub(super) fn is_over(&self) -> bool {
        self.time.is_some_and(|time| self.begun.elapsed() >= time)
    }
}

/// What a run left out because its time was over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct OutOfTime {
    /// The time that it had, as `--time` takes it.
    pub time: String,
    /// Checks on groups that are through.
    pub done: usize,
    /// All of them.
    pub units: usize,
    /// Those that are not, or not all of them, by check.
    pub left_out: BTreeMap<String, usize>,
    /// Groups (scheme, level, storage type) of which something was proved.
    pub proved: usize,
    /// All of those.
    pub groups: usize,
}

impl OutOfTime {
    /// `None` where nothing was left out for it; `units` were to run.
    #[must_use]
    pub fn of(time: Option<Duration>, units: usize, results: &[CheckResult]) -> Option<OutOfTime> {
        let mut left_out = BTreeMap::new();
        for result in results.iter().filter(|result| result.stopped == Some(Stopped::OutOfTime)) {
            *left_out.entry(result.check.clone()).or_default() += 1;
        }
        let time = time.filter(|_| !left_out.is_empty())?;
        let proofs = proofs(results);
        Some(OutOfTime {
            time: humantime::format_duration(time).to_string().replace(' ', ""),
            done: units.saturating_sub(left_out.values().sum()),
            units,
            left_out,
            proved: proofs.iter().filter(|group| group.proved).count(),
            groups: proofs.len(),
        })
    }

    /// What the verdict says of it.
    #[must_use]
    pub fn words(&self) -> String {
        let OutOfTime { time, done, units, proved, groups, .. } = self;
        let number = |count: usize| grouped(i64::try_from(count).unwrap_or(i64::MAX));
        let [done, units, proved, groups] = [*done, *units, *proved, *groups].map(number);
        format!("stopped by --time {time} after {done} of {units} checks, {proved} of {groups} groups proved")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Level;
    use crate::check::Group;
    use crate::numeric::DType;
    use crate::spec::model::Pairing;

    #[test]
    fn what_was_left_out_is_counted_by_check() {
        let group =
            Group { scheme: "rope@default".into(), level: Level::Rotate, pairing: Pairing::Half, dtype: DType::F32 };
        let result = |check: &str, stopped| CheckResult { stopped, ..CheckResult::new(&group, check) };
        let over = Some(Stopped::OutOfTime);
        let results = [result("empty", None), result("golden", over), result("guards", over), result("golden", over)];
        let time = Some(Duration::from_millis(90_500));
        let found = OutOfTime::of(time, 4000, &results).expect("some are left out");
        assert_eq!(found.left_out, BTreeMap::from([("golden".to_owned(), 2), ("guards".to_owned(), 1)]));
        let words = "stopped by --time 1m30s500ms after 3,997 of 4,000 checks, 0 of 1 groups proved";
        assert_eq!(found.words(), words);
        assert_eq!(humantime::parse_duration(&found.time).ok(), time, "--time takes it again");
        assert_eq!(OutOfTime::of(time, 4000, &results[..1]), None);
    }
}
