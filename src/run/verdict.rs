//! The verdict and the exit code of a run: worked out once, from everything that happened.

use super::exit_code::ExitCode;
use super::in_force::angle_limits;
use super::reached::Reached;
use super::report::RunReport;
use crate::case::Level;

/// The exit code that the contents of a report call for. `partial` says that the user stopped the run.
#[must_use]
pub(super) fn exit_code(report: &RunReport, partial: bool) -> ExitCode {
    let (ran, passed, failed) = report.totals();
    let failures = || report.results.iter().flat_map(|r| &r.failures);
    let broken = report.results.iter().any(|r| !r.broken.is_empty()) || !report.spec_statements.refuted.is_empty();
    if report.results.iter().any(|r| !r.internal.is_empty()) {
        ExitCode::Internal
    } else if partial {
        ExitCode::Interrupted
    } else if broken || !report.anchors.mismatches.is_empty() {
        ExitCode::Spec
    } else if report.controls.iter().any(|c| c.wrong.is_some()) {
        ExitCode::ControlFailed
    } else if ran > 0 && passed == 0 && failed > 0 && failures().all(|f| f.failure.lost_backend()) {
        ExitCode::NotStarted
    } else if failed > 0 {
        ExitCode::Nonconformant
    } else if passed == 0 {
        ExitCode::NothingRan
    } else {
        ExitCode::Conformant
    }
}

/// The verdict in words. Says what it is about: levels that were given positions are no proof of a scheme.
#[must_use]
pub(super) fn verdict(report: &RunReport, reached: &[Reached], code: ExitCode) -> String {
    match code {
        ExitCode::Conformant => conformant(report, reached),
        ExitCode::Nonconformant => "NONCONFORMANT".to_owned(),
        ExitCode::Spec => "SPEC INVALID: nothing about the backend follows".to_owned(),
        ExitCode::NothingRan => "NOTHING WAS JUDGED".to_owned(),
        ExitCode::ControlFailed => "CONTROL FAILED: no verdict of this run can be believed".to_owned(),
        ExitCode::NotStarted if report.results.is_empty() => "THE BACKEND COULD NOT BE STARTED".to_owned(),
        ExitCode::NotStarted => "THE BACKEND DIED IN EVERY CASE".to_owned(),
        ExitCode::Interrupted => "INTERRUPTED: this report is partial".to_owned(),
        ExitCode::Internal => "INTERNAL ERROR: ropecheck has a defect, and this report is incomplete".to_owned(),
        ExitCode::Usage => "NOT RUN: the command line makes no sense".to_owned(),
    }
}

fn conformant(report: &RunReport, reached: &[Reached]) -> String {
    let levels: Vec<&str> =
        Level::ALL.iter().filter(|l| report.results.iter().any(|r| r.level == **l)).map(|l| l.name()).collect();
    let contracts = report.started.as_ref().map_or(&[][..], |s| &s.contracts);
    let limits: String = angle_limits(contracts, &report.results).iter().map(|text| format!("; {text}")).collect();
    if levels == ["apply"] {
        let what = "CONFORMANT on level apply: turns pairs by the cos and sin it is given; no scheme was judged";
        return what.to_owned() + &limits;
    }
    let supplied = report.started.as_ref().is_some_and(|s| !s.not_judged.is_empty());
    let apart = if supplied { ", apart from what was not judged" } else { "" };
    let short: String = reached.iter().filter_map(Reached::shortfall).collect();
    format!("CONFORMANT on levels {}{apart}{short}{limits}", levels.join(", "))
}
