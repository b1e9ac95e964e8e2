//! The verdict and the exit code of a run: worked out once, from everything that happened.

use std::collections::BTreeMap;

use super::event::Finished;
use super::exit_code::ExitCode;
use super::expected::problems;
use super::in_force::angle_limits;
use super::max_fail::EnoughFailed;
use super::out_of_time::OutOfTime;
use super::proved::Unproved;
use super::reached::Reached;
use super::report::RunReport;
use super::requirement::Required;
use super::result::CheckResult;
use super::shard::Shard;
use super::within::within;
use crate::case::Level;

/// The exit code that a report calls for, which ended like this.
#[must_use]
pub(super) fn exit_code(report: &RunReport, finished: &Finished) -> ExitCode {
    let (ran, passed, failed) = report.totals();
    let failures = || report.results.iter().flat_map(|r| &r.failures);
    let broken = report.results.iter().any(|r| !r.broken.is_empty()) || !report.spec_statements.refuted.is_empty();
    if report.results.iter().any(|r| !r.internal.is_empty()) {
        ExitCode::Internal
    } else if finished.partial {
        ExitCode::Interrupted
    } else if broken || !report.anchors.mismatches.is_empty() {
        ExitCode::Spec
    } else if report.controls.iter().any(|c| c.wrong.is_some()) {
        ExitCode::ControlFailed
    } else if shard(report).is_none()
        && ran > 0
        && passed == 0
        && failed > 0
        && finished.enough_failed.is_none()
        && failures().all(|f| f.failure.lost_backend())
    {
        ExitCode::NotStarted
    } else if report.results.iter().any(CheckResult::fails) || !problems(&finished.expectations).is_empty() {
        ExitCode::Nonconformant
    } else if not_run(report) > 0 {
        ExitCode::NotRun
    } else if shard(report).is_some() {
        // What its groups have elsewhere, nobody knows here.
        ExitCode::Conformant
    } else if passed == 0 || !observed(report) || !finished.unproved.is_empty() || unmet(finished).next().is_some() {
        ExitCode::NothingRan
    } else {
        ExitCode::Conformant
    }
}

/// The part of a run that a report is about, where it is about a part.
fn shard(report: &RunReport) -> Option<Shard> {
    report.started.as_ref()?.shard
}

fn not_run(report: &RunReport) -> u64 {
    report.results.iter().map(CheckResult::not_run_cases).sum()
}

/// Whether an angle or a position was seen anywhere.
fn observed(report: &RunReport) -> bool {
    report.results.iter().flat_map(|r| r.bands.values()).any(|band| band.observations > 0)
}

fn unmet(finished: &Finished) -> impl Iterator<Item = &Required> {
    finished.requirements.iter().filter(|required| !required.met)
}

/// The verdict in words. Says what it is about: levels that were given positions are no proof of a scheme.
#[must_use]
pub(super) fn verdict(report: &RunReport, finished: &Finished) -> String {
    let Some(Shard { number, of }) = shard(report) else { return of_whole(report, finished) };
    let part = match finished.exit_code {
        ExitCode::Conformant => {
            let (_, held, _) = report.totals();
            format!("nothing failed in {held} cases that were judged; `ropecheck merge` gives the verdict")
        }
        _ => of_whole(report, finished),
    };
    format!("SHARD {number} OF {of}: {part}")
}

fn of_whole(report: &RunReport, finished: &Finished) -> String {
    let out_of_time = finished.out_of_time.as_ref().map(OutOfTime::words);
    let enough_failed = finished.enough_failed.as_ref().map(EnoughFailed::words);
    let stopped = |text: &str| match enough_failed.as_ref().or(out_of_time.as_ref()) {
        Some(stopped) => format!("{text}: {stopped}"),
        None => text.to_owned(),
    };
    match finished.exit_code {
        ExitCode::Conformant => conformant(report, finished, out_of_time),
        ExitCode::Nonconformant => {
            let all = problems(&finished.expectations);
            let unmet = match &all[..] {
                [] => String::new(),
                [one] => format!("EXPECTATION NOT MET: {one}"),
                [first, more @ ..] => format!("{} EXPECTATIONS NOT MET: {first}; and {} more", all.len(), more.len()),
            };
            match (report.results.iter().any(CheckResult::fails), unmet.is_empty()) {
                (false, false) => stopped(&unmet),
                (_, true) => stopped("NONCONFORMANT"),
                (true, false) => stopped(&format!("NONCONFORMANT; {unmet}")),
            }
        }
        ExitCode::Spec => "SPEC INVALID: nothing about the backend follows".to_owned(),
        ExitCode::NothingRan if report.totals().1 == 0 => stopped("NOTHING WAS JUDGED"),
        ExitCode::NothingRan if !finished.unproved.is_empty() => Unproved::words(&finished.unproved),
        ExitCode::NothingRan if !observed(report) => stopped("NOTHING PROVED"),
        ExitCode::NothingRan => {
            let all: Vec<String> = unmet(finished).map(Required::words).collect();
            stopped(&format!("REQUIREMENT NOT MET: {}", all.join("; ")))
        }
        ExitCode::ControlFailed => "CONTROL FAILED: no verdict of this run can be believed".to_owned(),
        ExitCode::NotStarted if report.results.is_empty() => "THE BACKEND COULD NOT BE STARTED".to_owned(),
        ExitCode::NotStarted => "THE BACKEND DIED IN EVERY CASE".to_owned(),
        ExitCode::NotRun if report.results.is_empty() => {
            "NOT RUN: the machine or ropecheck did not do its part".to_owned()
        }
        ExitCode::NotRun => {
            let reasons = report.results.iter().flat_map(|r| r.bands.values()).flat_map(|band| &band.reasons);
            let why = reasons.filter_map(|why| why.strip_prefix("not run: ")).next().unwrap_or_default();
            stopped(&format!("NOT RUN TO THE END: {} cases could not be run: {why}", not_run(report)))
        }
        ExitCode::Interrupted => "INTERRUPTED: this report is partial".to_owned(),
        ExitCode::Internal => "INTERNAL ERROR: ropecheck has a defect, and this report is incomplete".to_owned(),
        ExitCode::Usage => "NOT RUN: the command line makes no sense".to_owned(),
    }
}

/// Nothing is said of more than ran, of what the suite supplied, or by specs that the user wrote, as if it
/// were not so.
fn conformant(report: &RunReport, finished: &Finished, out_of_time: Option<String>) -> String {
    let started = report.started.as_deref();
    let supplied = started.map_or(&[][..], |s| &s.not_judged);
    let angles = |level: &Level| supplied.iter().any(|s| s.level == *level && s.angles);
    let ran =
        Level::ALL.into_iter().filter(|level| report.results.iter().any(|r| r.level == *level && r.totals().0 > 0));
    let (applied, levels): (Vec<Level>, Vec<Level>) = ran.partition(angles);
    let names = |levels: &[Level]| {
        let names: Vec<&str> = levels.iter().map(|level| level.name()).collect();
        format!("on level{} {}", if names.len() > 1 { "s" } else { "" }, names.join(", "))
    };
    let narrowed = started.and_then(|s| s.narrowed.as_ref()).map(|narrowed| format!("only {}", narrowed.words()));
    let parts: Vec<String> = narrowed.into_iter().chain(out_of_time).collect();
    let expected = report.results.iter().filter(|result| result.expected_by().is_some()).count();
    let file = finished.expectations.first().map_or("", |expected| &expected.file);
    let except = match expected {
        0 => String::new(),
        1 => format!(" EXCEPT 1 EXPECTED FAILURE ({file})"),
        many => format!(" EXCEPT {many} EXPECTED FAILURES ({file})"),
    };
    let mut text = match &parts[..] {
        [] => format!("CONFORMANT{except} "),
        parts => format!("CONFORMANT{except} IN PART: {}; ", parts.join("; ")),
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
    text += &started.map_or_else(String::new, |s| within(&s.manifest, &finished.reach));
    text.extend(finished.reached.iter().filter(|reached| !angles(&reached.level)).filter_map(Reached::shortfall));
    for given in supplied.iter().filter(|given| !given.angles) {
        text += &format!("; given on level {}: {}", given.level, given.parts.join(", "));
    }
    text += &idle(&report.results);
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

/// Checks that judged nothing in any group, such as those that need more tokens than a backend takes.
fn idle(results: &[CheckResult]) -> String {
    let mut judged: BTreeMap<&str, u64> = BTreeMap::new();
    for result in results {
        let (_, passed, failed) = result.totals();
        *judged.entry(&result.check).or_default() += passed + failed;
    }
    let idle: Vec<&str> = judged.iter().filter(|(_, judged)| **judged == 0).map(|(check, _)| *check).collect();
    match idle.len() {
        0 => String::new(),
        1..=3 => format!("; nothing judged by {}", idle.join(", ")),
        many => format!("; nothing judged by {many} of {} checks", judged.len()),
    }
}
