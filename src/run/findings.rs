//! Failures of one kind over checks, schemes, types and cases, shown once; the most telling first.

use std::collections::BTreeSet;

use super::report::RunReport;
use super::result::{CheckResult, FailureReport};
use crate::check::failure::Cause;

/// Failures of one kind.
pub(crate) struct Finding<'r> {
    /// The first of them, in the check that tells most, and where it belongs.
    pub(crate) example: (&'r CheckResult, &'r FailureReport),
    /// Checks that have one, in their order.
    pub(crate) checks: Vec<&'r str>,
    /// Groups that have one: scheme, level, pairing, storage type.
    pub(crate) groups: BTreeSet<Group<'r>>,
    /// The failures that were made small, one of each check and group.
    pub(crate) shrunk: Vec<(&'r CheckResult, &'r FailureReport)>,
    /// What is only said to fail, too, as it follows: checks of kinds that fail in no other group than these.
    pub(crate) follow: Vec<&'r str>,
}

/// Scheme, level, pairing and storage type.
pub(crate) type Group<'r> = (&'r str, &'r str, &'r str, &'r str);

/// How much a kind of failure tells: the end of a process, what a probe read off, positions, memory and state, what a call
/// answered; a number that is out of its bound tells least, and follows from most others.
fn rank(cause: &Cause) -> u8 {
    match cause {
        Cause::Crashed { .. } | Cause::Hung { .. } => 0,
        Cause::Trivial { .. } => 1,
        Cause::Refused { .. } | Cause::BackendError { .. } => 2,
        Cause::StrayChannel { .. } | Cause::WrongAxis(_) => 3,
        Cause::WrongFrequency { .. } | Cause::NoFrequency { .. } => 4,
        Cause::WrongTurn { .. } | Cause::TurnsWithoutAxis => 5,
        Cause::WrongPosition { .. }
        | Cause::PositionsDisagree { .. }
        | Cause::NoPosition { .. }
        | Cause::NoPositionFits { .. }
        | Cause::InvariantBroken { .. } => 6,
        Cause::MemoryWritten { .. }
        | Cause::NotWritten { .. }
        | Cause::EmptyCallWrote { .. }
        | Cause::DependsOnSurroundings { .. } => 7,
        Cause::NonsenseAccepted { .. } | Cause::NonsenseWrote { .. } | Cause::EnvironmentChanged { .. } => 8,
        Cause::BitsDiffer { .. } | Cause::NonFiniteLost { .. } | Cause::NotPreserved { .. } => 9,
        Cause::OutOfBound(_) => FOLLOWS,
        Cause::LawBroken { .. } => FOLLOWS + 1,
    }
}

/// From this rank on a kind follows from those before it, in their groups.
const FOLLOWS: u8 = 10;

/// The group of a result.
pub(crate) fn group(result: &CheckResult) -> Group<'_> {
    (&result.scheme, result.level.name(), &result.pairing, &result.dtype)
}

/// What failed in a report and was not expected to.
pub(crate) fn findings(report: &RunReport) -> Vec<Finding<'_>> {
    let mut all: Vec<(u8, Finding)> = Vec::new();
    for result in &report.results {
        for (number, failure) in result.unexpected().enumerate() {
            let name = failure.failure.cause.name();
            let at = all.iter().position(|(_, known)| known.example.1.failure.cause.name() == name);
            let at = at.unwrap_or_else(|| {
                let (checks, groups) = (Vec::new(), BTreeSet::new());
                let (shrunk, follow) = (Vec::new(), Vec::new());
                let finding = Finding { example: (result, failure), checks, groups, shrunk, follow };
                all.push((rank(&failure.failure.cause), finding));
                all.len() - 1
            });
            let finding = &mut all[at].1;
            finding.groups.insert(group(result));
            if number == 0 {
                finding.shrunk.push((result, failure));
            }
            if !finding.checks.contains(&result.check.as_str()) {
                finding.checks.push(&result.check);
            }
        }
    }
    all.sort_by_key(|(rank, _)| *rank);
    let mut found: Vec<Finding> = Vec::new();
    for (rank, finding) in all {
        let before = found.iter_mut().find(|before| rank >= FOLLOWS && finding.groups.is_subset(&before.groups));
        match before {
            Some(before) => {
                let checks = finding.checks.iter().filter(|check| !before.checks.contains(*check));
                before.follow.extend(checks);
            }
            None => found.push(finding),
        }
    }
    found
}
