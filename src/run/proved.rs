//! Groups that a run did not prove, although every case held: of a turning pair nothing was ever judged.

use schemars::JsonSchema;
use serde::Serialize;

use super::result::{BandResult, CheckResult};
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

/// Groups (scheme, level, storage type) with cases, in none of which a turning pair's angle could be seen, nor a position
/// was compared where those are what is judged; and those with a pair for which the contract is too wide.
#[must_use]
pub fn unproved(results: &[CheckResult]) -> Vec<Unproved> {
    let mut all: Vec<Unproved> = Vec::new();
    let mut done: Vec<(&str, Level, &str)> = Vec::new();
    for CheckResult { scheme, level, dtype, .. } in results {
        let group = (scheme.as_str(), *level, dtype.as_str());
        if done.last() == Some(&group) || done.contains(&group) {
            continue;
        }
        done.push(group);
        let here: Vec<&CheckResult> =
            results.iter().filter(|r| (r.scheme.as_str(), r.level, r.dtype.as_str()) == group).collect();
        let bands = || here.iter().flat_map(|r| r.bands.values());
        // How wide a contract is does not depend on the position: a pair for which it is too wide is never judged.
        let open = bands().any(|band| band.contract_too_wide > 0);
        let observed = bands().any(|band| band.observations > 0);
        // A group that fails has a verdict, and one without cases is not in it.
        let failed = bands().any(|band| band.failed > 0);
        if (observed && !open) || failed || bands().all(|band| band.cases == 0) {
            continue;
        }
        let reasons = reasons(&here);
        all.push(Unproved { scheme: scheme.clone(), level: *level, dtype: dtype.clone(), reasons });
    }
    all
}

/// What the contract left open; else why cases were not judged; else that nothing looked.
fn reasons(here: &[&CheckResult]) -> Vec<String> {
    let bands = || here.iter().flat_map(|r| r.bands.values());
    let sum = |of: fn(&BandResult) -> u64| bands().map(of).sum::<u64>();
    let open = left_open([sum(|b| b.contract_too_wide), sum(|b| b.beyond_angle_limit), sum(|b| b.range_not_judged)]);
    if !open.is_empty() {
        return open;
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
            let mut checks: Vec<&str> = here.iter().map(|r| r.check.as_str()).collect();
            checks.dedup();
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
