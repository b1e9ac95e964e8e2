//! What a run did not judge, and why: each reason once, with what it holds for.

use std::collections::BTreeMap;

use super::words;
use crate::run::{BandResult, RunReport};

/// A reason why something was not judged.
pub(super) struct Reason {
    pub(super) why: String,
    /// Checks, with their band where it is about one.
    pub(super) whats: Vec<String>,
    /// Groups, over all of these.
    pub(super) groups: usize,
}

impl Reason {
    /// Whether it is one of the machine or of the user, and not of the backend's.
    pub(super) fn is_not_run(&self) -> bool {
        self.why.starts_with("not run: ")
    }
}

/// Reasons of all checks; `apart`: one for each check and band.
pub(super) fn reasons(report: &RunReport, apart: bool) -> Vec<Reason> {
    let mut reasons: BTreeMap<(String, String), usize> = BTreeMap::new();
    for result in &report.results {
        let mut add = |why: &str, band: &str| {
            let what = if band == "-" { result.check.clone() } else { format!("{} {band}", result.check) };
            *reasons.entry((what, why.to_owned())).or_default() += 1;
        };
        result.gaps.iter().for_each(|g| add(&g.why, &g.band));
        result.stopped.iter().for_each(|why| add(words::stopped(*why), "-"));
        for (band, b) in result.bands.iter().filter(|(_, b)| b.not_judged + b.not_run > 0) {
            b.reasons.iter().for_each(|why| add(why, band));
        }
    }
    let mut by_reason: Vec<Reason> = Vec::new();
    for ((what, why), count) in reasons {
        match by_reason.iter_mut().find(|known| !apart && known.why == why) {
            Some(known) => {
                known.whats.push(what);
                known.groups += count;
            }
            None => by_reason.push(Reason { why, whats: vec![what], groups: count }),
        }
    }
    by_reason
}

/// What there is to say of cases that held: check, note, and in how many groups.
pub(super) fn notes(report: &RunReport) -> Vec<(&str, &str, usize)> {
    let mut notes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for result in &report.results {
        let mut said: Vec<&str> = result.bands.values().flat_map(|b| &b.notes).map(String::as_str).collect();
        said.sort_unstable();
        said.dedup();
        said.into_iter().for_each(|note| *notes.entry((&result.check, note)).or_default() += 1);
    }
    notes.into_iter().map(|((what, note), count)| (what, note, count)).collect()
}

/// Elements that contracts leave open: how many, and why; what has none is left out.
pub(super) fn elements(report: &RunReport) -> Vec<(u64, &'static str)> {
    let sum = |of: fn(&BandResult) -> u64| report.results.iter().flat_map(|r| r.bands.values()).map(of).sum::<u64>();
    let all = [
        (sum(|b| b.contract_too_wide), "contract too wide: their angle may be anything"),
        (sum(|b| b.beyond_angle_limit), "beyond the angle limit"),
        (sum(|b| b.range_not_judged), "honest arithmetic may overflow"),
    ];
    all.into_iter().filter(|(elements, _)| *elements > 0).collect()
}

/// In how many groups, where that is worth saying.
pub(super) fn times(groups: usize) -> String {
    if groups > 1 { format!(" ({groups} groups)") } else { String::new() }
}
