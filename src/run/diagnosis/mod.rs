//! Failures explained: their cases are run again on emulated kernels with known defects, and those that show
//! what was seen are named.

mod compare;
mod recorder;
mod search;
#[cfg(test)]
mod tests;
mod value;

use search::{Found, Search};

use super::context::{Context, Options};
use super::explanation::Diagnosis;
use super::findings::{Finding, findings, group};
use super::item::Item;
use super::report::RunReport;
use super::result::{Again, CheckResult, FailureReport};
use crate::backend::{BackendFactory, Manifest};
use crate::case::Case;
use crate::check::failure::Cause;
use crate::check::{CATALOGUE, Group};
use crate::fault::{Imitator, catalogue};

/// Most findings that are explained, as many as a report shows.
const FINDINGS: usize = 3;
/// Most failures of a finding that an explanation is held against.
const FAILURES: usize = 5;

/// Most cases that hold which an explanation is held against.
const HELD: usize = 6;

/// Whether outputs can show what went wrong: a call that ended otherwise has none, and memory outside of
/// outputs is none.
fn shows_in_outputs(cause: &Cause) -> bool {
    !matches!(
        cause,
        Cause::Crashed { .. }
            | Cause::Hung { .. }
            | Cause::Refused { .. }
            | Cause::BackendError { .. }
            | Cause::NonsenseAccepted { .. }
            | Cause::NonsenseWrote { .. }
            | Cause::EnvironmentChanged { .. }
            | Cause::MemoryWritten { .. }
            | Cause::EmptyCallWrote { .. }
            | Cause::DependsOnSurroundings { .. }
    )
}

/// Failures that one defect should explain, the most telling first: one of each check, in the group of the
/// first.
fn evidence<'r>(finding: &Finding<'r>, report: &'r RunReport) -> Vec<Found<'r>> {
    let (result, example) = finding.example;
    let can_run = |failure: &FailureReport| match &failure.again {
        Some(Again::AfterOtherCalls { cases }) => !cases.is_empty(),
        _ => shows_in_outputs(&failure.failure.cause),
    };
    let of_group = report.results.iter().filter(|other| group(other) == group(result));
    let firsts = of_group.filter_map(|other| Some((other, other.unexpected().next()?)));
    // Those of the same kind tell most; others come from the same kernel.
    let same = |(_, failure): &Found| failure.failure.cause.name() == example.failure.cause.name();
    let (same, others): (Vec<Found>, Vec<Found>) =
        firsts.filter(|(_, failure)| failure.id != example.id).partition(same);
    let all = [(result, example)].into_iter().chain(same).chain(others);
    all.filter(|(_, failure)| can_run(failure)).take(FAILURES).collect()
}

/// Cases that hold in the group of a finding, one of each check that found nothing there. A defect that fails in one of them
/// is not that of this kernel.
fn held(
    finding: &Finding,
    report: &RunReport,
    manifest: &Manifest,
    (context, options): (&Context, &Options),
) -> Vec<Case> {
    let (result, example) = finding.example;
    let Ok(case) = example.case.parse::<Case>() else { return Vec::new() };
    let group_of = Group { scheme: result.scheme.clone(), level: case.level, pairing: case.pairing, dtype: case.dtype };
    let Some(generator) = context.generator(&group_of, manifest, options) else { return Vec::new() };
    let quick =
        |id: &str| CATALOGUE.iter().any(|check| check.id() == id && !check.takes_long() && !check.is_about_memory());
    let holds = |other: &&CheckResult| {
        let (cases, passed, _) = other.totals();
        group(other) == group(result) && cases > 0 && cases == passed && quick(&other.check)
    };
    let first = |other: &CheckResult| {
        let schedule = Item::find(&other.check, case.level, generator.scheme)?.schedule(&generator);
        Some(schedule.cases.into_iter().next()?.case)
    };
    report.results.iter().filter(holds).take(HELD).filter_map(first).collect()
}

/// Explains what failed in a report, with a backend of its own. Nothing is said of a report in which nothing
/// failed.
pub(super) fn diagnose(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    report: &RunReport,
) -> Vec<Diagnosis> {
    let findings = findings(report);
    let told: Vec<&Finding> =
        findings.iter().filter(|one| shows_in_outputs(&one.example.1.failure.cause)).take(FINDINGS).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let Ok(faults) = catalogue() else { return Vec::new() };
    let imitator = Imitator::new(context.library, context.contracts);
    let search = Search { factory, context, threads: options.threads, imitator: &imitator, faults: &faults };
    let Some(manifest) = factory.start().ok().map(|backend| backend.manifest().clone()) else { return Vec::new() };
    let explain = |finding: &Finding| {
        let held = held(finding, report, &manifest, (context, options));
        search.explain(finding.example.1, &evidence(finding, report), &held)
    };
    told.into_iter().filter_map(explain).collect()
}
