//! Failures of one kind over checks, schemes, types and cases, shown once; the most telling first.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use super::report::RunReport;
use super::result::{CheckResult, FailureReport};
use crate::case::Level;
use crate::check::failure::{Cause, Fitting};

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
    /// What is only said to fail, too: checks of kinds that fail in no other group than these, or that the same fault
    /// explains.
    pub(crate) follow: Vec<&'r str>,
}

/// Scheme, level, pairing and storage type.
pub(crate) type Group<'r> = (&'r str, &'r str, &'r str, &'r str);

/// How much a kind of failure tells: the end of a process, what was never written, positions that were seen themselves, what
/// a probe read off, positions read off outputs, memory and state, what a call answered; a number that is out of its bound
/// tells least, and follows from most others.
fn rank(level: Level, cause: &Cause) -> u8 {
    let unread = |run: &Fitting| run.fits.is_empty() && run.found.is_none();
    match cause {
        Cause::Crashed { .. } | Cause::Hung { .. } => 0,
        Cause::Trivial { .. } => 1,
        Cause::Refused { .. } | Cause::BackendError { .. } => 2,
        Cause::NotWritten { .. } => WRITTEN,
        Cause::WrongPosition { .. } | Cause::PositionsDisagree { .. } | Cause::NoPosition { .. }
            if level == Level::Positions =>
        {
            4
        }
        // Channels that are paired wrongly turn with no axis either.
        Cause::StrayChannel { .. } => 5,
        // A probe that could read nothing off says less than one that shows the numbers.
        Cause::WrongAxis(wrong) if wrong.runs.iter().all(unread) => 9,
        Cause::WrongAxis(_) => 6,
        Cause::WrongFrequency { observed: None, shift: None, .. } => 10,
        Cause::WrongFrequency { .. } | Cause::NoFrequency { .. } => 7,
        Cause::WrongTurn { .. } | Cause::TurnsWithoutAxis => 8,
        Cause::WrongPosition { .. }
        | Cause::PositionsDisagree { .. }
        | Cause::NoPosition { .. }
        | Cause::NoPositionFits { .. }
        | Cause::InvariantBroken { .. } => 11,
        Cause::MemoryWritten { .. } | Cause::EmptyCallWrote { .. } | Cause::DependsOnSurroundings { .. } => 12,
        Cause::NonsenseAccepted { .. } | Cause::NonsenseWrote { .. } | Cause::EnvironmentChanged { .. } => 13,
        Cause::BitsDiffer { .. } | Cause::NonFiniteLost { .. } | Cause::NotPreserved { .. } => 14,
        Cause::OutOfBound(_) => FOLLOWS,
        Cause::LawBroken { .. } => FOLLOWS + 1,
    }
}

/// Outputs that were left as they were.
const WRITTEN: u8 = 3;
/// What positions and probes show: a bug of either shows in all of them.
const PROBED: RangeInclusive<u8> = WRITTEN..=11;
/// From this rank on a kind follows from those before it, in their groups.
const FOLLOWS: u8 = 15;

/// Whether a finding is most likely one with another that tells more: it fails nowhere else, or the same fault explains both.
fn is_one((rank, later): (u8, &Finding), (before, first): (u8, &Finding), report: &RunReport) -> bool {
    let follows = rank >= FOLLOWS || PROBED.contains(&rank) && PROBED.contains(&before);
    let best = |finding: &Finding| -> Vec<Vec<String>> {
        let diagnosis = report.diagnosis_of(&finding.example.1.id).into_iter();
        let best = diagnosis.flat_map(|one| &one.explanations).filter(|one| one.rank == 1);
        best.map(|one| one.faults.iter().map(|fault| fault.id.clone()).collect()).collect()
    };
    follows && later.groups.is_subset(&first.groups) || {
        let known = best(first);
        best(later).iter().any(|one| known.contains(one))
    }
}

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
                all.push((rank(result.level, &failure.failure.cause), finding));
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
    let mut found: Vec<(u8, Finding)> = Vec::new();
    for (rank, finding) in all {
        match found.iter_mut().find(|(before, first)| is_one((rank, &finding), (*before, first), report)) {
            Some((_, first)) => {
                let told = |check: &&&str| !first.checks.contains(*check) && !first.follow.contains(*check);
                let checks: Vec<&str> = finding.checks.iter().chain(&finding.follow).filter(told).copied().collect();
                first.follow.extend(checks);
                first.groups.extend(finding.groups);
            }
            None => found.push((rank, finding)),
        }
    }
    found.into_iter().map(|(_, finding)| finding).collect()
}
