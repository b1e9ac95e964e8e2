//! Groups that a run did not prove, although every case held: of a turning pair nothing was ever judged.

use indexmap::{IndexMap, IndexSet};
use schemars::JsonSchema;
use serde::Serialize;

use super::result::{BandResult, CheckResult, Stopped};
use crate::case::Level;
use crate::check::left_open;

/// A group of which nothing was proved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Unproved {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Storage type; `-` on level positions.
    pub dtype: String,
    /// Why not, each reason once.
    pub reasons: Vec<String>,
}

/// A group, and whether something was proved of it and nothing failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Proof<'a> {
    pub(super) scheme: &'a str,
    pub(super) level: Level,
    pub(super) dtype: &'a str,
    pub(super) proved: bool,
}

/// Every group (scheme, level, storage type) with cases, or whose time was over before.
pub(super) fn proofs(results: &[CheckResult]) -> Vec<Proof<'_>> {
    let mut all = Vec::new();
    for here in by_group(results) {
        let CheckResult { scheme, level, dtype, .. } = here[0];
        let seen = Seen::of(&here);
        if seen.cases || seen.cut {
            let proved = seen.observed && !seen.open && !seen.failed;
            all.push(Proof { scheme, level: *level, dtype, proved });
        }
    }
    all
}

/// Results of the same scheme, level and storage type together, in the order of the first ones.
fn by_group(results: &[CheckResult]) -> Vec<Vec<&CheckResult>> {
    let mut all: IndexMap<(&str, Level, &str), Vec<&CheckResult>> = IndexMap::new();
    for result in results {
        all.entry((&result.scheme, result.level, &result.dtype)).or_default().push(result);
    }
    all.into_values().collect()
}

/// What the cases of a group showed.
struct Seen {
    /// A pair for which the contract is too wide: that does not depend on the position, so it is never judged.
    open: bool,
    observed: bool,
    /// Something failed that nobody expects.
    failed: bool,
    cases: bool,
    /// The run ended before all cases ran.
    cut: bool,
}

impl Seen {
    fn of(here: &[&CheckResult]) -> Seen {
        let any = |what: fn(&BandResult) -> bool| here.iter().flat_map(|r| r.bands.values()).any(what);
        Seen {
            open: any(|band| band.contract_too_wide > 0),
            observed: any(|band| band.observations > 0),
            failed: here.iter().any(|result| result.fails()),
            cases: any(|band| band.cases > 0),
            cut: here.iter().any(|r| matches!(r.stopped, Some(Stopped::OutOfTime | Stopped::EnoughFailed))),
        }
    }
}

/// Groups (scheme, level, storage type) with cases, in none of which a turning pair's angle could be seen, nor a
/// position was compared where those are what is judged; and those with a pair for which the contract is too wide.
/// Of a group whose time was over nobody knows what the rest would have shown.
#[must_use]
pub fn unproved(results: &[CheckResult]) -> Vec<Unproved> {
    let mut all: Vec<Unproved> = Vec::new();
    for here in by_group(results) {
        let seen = Seen::of(&here);
        // A group that fails has a verdict, and one without cases is not in it.
        if ((seen.observed || seen.cut) && !seen.open) || seen.failed || !seen.cases {
            continue;
        }
        let CheckResult { scheme, level, dtype, .. } = here[0];
        let reasons = reasons(&here);
        all.push(Unproved { scheme: scheme.clone(), level: *level, dtype: dtype.clone(), reasons });
    }
    all
}

/// What the contract left open; else why cases were not judged; else that nothing looked.
fn reasons(here: &[&CheckResult]) -> Vec<String> {
    let bands = || here.iter().flat_map(|r| r.bands.values());
    let sum = |of: fn(&BandResult) -> u64| bands().map(of).sum::<u64>();
    // A few elements at the end of the range hide no angle.
    let beyond_range = Some(sum(|b| b.range_not_judged)).filter(|count| *count >= sum(|b| b.elements)).unwrap_or(0);
    let open = left_open([sum(|b| b.contract_too_wide), sum(|b| b.beyond_angle_limit), beyond_range]);
    if !open.is_empty() {
        return open;
    }
    if here.iter().any(|result| result.expected_by().is_some()) {
        return vec!["what looks at it fails as expected, and nothing else does".to_owned()];
    }
    // Of every reason that cases were not judged for, the one that most checks met.
    let mut counts: Vec<(&String, usize)> = Vec::new();
    for why in bands().flat_map(|band| &band.reasons) {
        match counts.iter_mut().find(|(other, _)| *other == why) {
            Some((_, count)) => *count += 1,
            None => counts.push((why, 1)),
        }
    }
    let most = counts.iter().map(|(_, count)| *count).max();
    match counts.into_iter().find(|(_, count)| Some(*count) == most) {
        Some((why, _)) => vec![why.clone()],
        None => {
            let checks: IndexSet<&str> = here.iter().map(|r| r.check.as_str()).collect();
            let checks: Vec<&str> = checks.into_iter().collect();
            let what = if here.iter().all(|r| r.level == Level::Positions) { "a position" } else { "an angle" };
            vec![format!("nothing that ran looks at {what}: {}", checks.join(", "))]
        }
    }
}

impl Unproved {
    /// What the verdict says of all of them.
    #[must_use]
    pub fn words(all: &[Unproved]) -> String {
        let Some(first) = all.first() else { return "NOTHING PROVED".to_owned() };
        let mut reasons: Vec<&str> = Vec::new();
        for why in all.iter().flat_map(|one| &one.reasons) {
            if !reasons.contains(&why.as_str()) {
                reasons.push(why);
            }
        }
        let more = if all.len() > 1 { format!(" and {} more groups", all.len() - 1) } else { String::new() };
        format!("NOTHING PROVED of {}{more}: {}", first.group(), reasons.join("; "))
    }

    /// The group in words.
    #[must_use]
    pub fn group(&self) -> String {
        let Unproved { scheme, level, dtype, .. } = self;
        if dtype == "-" { format!("{scheme} {level}") } else { format!("{scheme} {level} {dtype}") }
    }
}
