//! The verdict and the exit code of a run: worked out once, from everything that happened.

use super::exit_code::ExitCode;
use super::in_force::angle_limits;
use super::proved::{Unproved, unproved};
use super::reached::Reached;
use super::report::RunReport;
use super::within::within;
use crate::case::Level;
use crate::check::cover::Reach;

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
    } else if passed == 0 || !unproved(&report.results).is_empty() {
        ExitCode::NothingRan
    } else {
        ExitCode::Conformant
    }
}

/// The verdict in words. Says what it is about: levels that were given positions are no proof of a scheme.
#[must_use]
pub(super) fn verdict(report: &RunReport, reached: &[Reached], reach: &[Reach], code: ExitCode) -> String {
    match code {
        ExitCode::Conformant => conformant(report, reached, reach),
        ExitCode::Nonconformant => "NONCONFORMANT".to_owned(),
        ExitCode::Spec => "SPEC INVALID: nothing about the backend follows".to_owned(),
        ExitCode::NothingRan if report.totals().1 == 0 => "NOTHING WAS JUDGED".to_owned(),
        ExitCode::NothingRan => Unproved::words(&unproved(&report.results)),
        ExitCode::ControlFailed => "CONTROL FAILED: no verdict of this run can be believed".to_owned(),
        ExitCode::NotStarted if report.results.is_empty() => "THE BACKEND COULD NOT BE STARTED".to_owned(),
        ExitCode::NotStarted => "THE BACKEND DIED IN EVERY CASE".to_owned(),
        ExitCode::Interrupted => "INTERRUPTED: this report is partial".to_owned(),
        ExitCode::Internal => "INTERNAL ERROR: ropecheck has a defect, and this report is incomplete".to_owned(),
        ExitCode::Usage => "NOT RUN: the command line makes no sense".to_owned(),
    }
}

/// Nothing is said of more than ran, of what the suite supplied, or by specs that the user wrote, as if it were not so.
fn conformant(report: &RunReport, reached: &[Reached], reach: &[Reach]) -> String {
    let started = report.started.as_deref();
    let supplied = started.map_or(&[][..], |s| &s.not_judged);
    let angles = |level: &Level| supplied.iter().any(|s| s.level == *level && s.angles);
    let ran = Level::ALL.into_iter().filter(|level| report.results.iter().any(|r| r.level == *level));
    let (applied, levels): (Vec<Level>, Vec<Level>) = ran.partition(angles);
    let names = |levels: &[Level]| {
        let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
        format!("on level{} {}", if names.len() > 1 { "s" } else { "" }, names.join(", "))
    };
    let mut text = match started.and_then(|s| s.narrowed.as_ref()) {
        Some(narrowed) => format!("CONFORMANT IN PART: only {}; ", narrowed.words()),
        None => "CONFORMANT ".to_owned(),
    };
    if !levels.is_empty() {
        text += &names(&levels);
    }
    if !applied.is_empty() {
        let and = if levels.is_empty() { "" } else { "; " };
        let what = "turns pairs by the cos and sin it is given; the angles were supplied, so no scheme was judged";
        text += &format!("{and}{}: {what}", names(&applied));
        text += if levels.is_empty() { "" } else { " there" };
    }
    text += &started.map_or_else(String::new, |s| within(&s.manifest, reach));
    text.extend(reached.iter().filter(|reached| !angles(&reached.level)).filter_map(Reached::shortfall));
    for given in supplied.iter().filter(|given| !given.angles) {
        text += &format!("; given on level {}: {}", given.level, given.parts.join(", "));
    }
    for spec in started.iter().flat_map(|s| &s.added_specs) {
        let place = if spec.replaces { ", in the place of the built-in scheme" } else { "" };
        text += &format!("; by the user's {} ({}{place})", spec.file, spec.scheme);
    }
    let contracts = started.map_or(&[][..], |s| &s.contracts);
    text.extend(angle_limits(contracts, &report.results).iter().map(|limit| format!("; {limit}")));
    let wide: u64 = report.results.iter().flat_map(|r| r.bands.values()).map(|b| b.contract_too_wide).sum();
    if wide > 0 {
        text += &format!("; {wide} elements not judged (contract too wide)");
    }
    text
}
