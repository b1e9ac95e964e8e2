//! Failures in words. This is the only place that makes sentences of them.

mod cause;
mod circumstance;
mod corpus;
mod diagnosis;
mod element;
mod expectation;
mod hint;
mod law;
mod number;
mod place;

pub(super) use corpus::{kept, known};
pub(super) use diagnosis::diagnosis;
pub(super) use expectation::{expectation, expectation_problems, expected_by};
pub(super) use hint::hint;
pub use place::place;

use crate::check::Failure;
use crate::run::selftest::{Complaint, Rejection};
use crate::run::{ControlError, ControlOutcome, RunReport, Stopped};

/// A failure in words: a summary, and lines of evidence.
#[must_use]
pub fn message(failure: &Failure) -> Vec<String> {
    let mut lines = cause::lines(&failure.cause, &failure.place);
    let during: String = failure.during.iter().map(|what| circumstance::phrase(*what) + ": ").collect();
    if let Some(first) = lines.first_mut() {
        first.insert_str(0, &during);
    }
    lines.extend(failure.during.iter().filter_map(|what| circumstance::advice(*what)).map(str::to_owned));
    lines
}

/// A failure in one line.
#[must_use]
pub fn summary(failure: &Failure) -> String {
    message(failure).into_iter().next().unwrap_or_default()
}

/// Puts every failure of a report into words.
pub fn add_messages(report: &mut RunReport) {
    for failure in report.results.iter_mut().flat_map(|result| &mut result.failures) {
        failure.message = message(&failure.failure);
    }
}

/// Why the cases of a check did not all run.
#[must_use]
pub fn stopped(why: Stopped) -> &'static str {
    match why {
        Stopped::Hung => "stopped after the backend hung",
        Stopped::GaveUp => "not run: the backend hung too often",
        Stopped::Interrupted => "interrupted",
        Stopped::Changed => "not run: the backend said something else of itself when it was started again",
        Stopped::EnoughFailed => "not run: enough had failed before (--max-fail)",
        Stopped::OutOfTime => "not run, or not to the end: the time of the run was over",
    }
}

/// What is wrong with a control kernel.
#[must_use]
pub fn control(wrong: &ControlError) -> String {
    let what = match &wrong.what {
        ControlOutcome::Failed { failure } => summary(failure),
        ControlOutcome::Passed { cases, of } => format!("passed {cases} of {of} cases"),
        ControlOutcome::NotJudged { why } => why.clone(),
    };
    format!("{}: {what}", wrong.dtype)
}

/// What a self test complains of.
#[must_use]
pub fn complaint(complaint: &Complaint) -> String {
    match complaint {
        Complaint::NotRun { fault, dtype, why } => format!("{fault} in {dtype} was not run: {why}"),
        Complaint::NoDefect { fault, dtype, check, failure } => {
            let said = failure.as_ref().map(|f| format!(": {}", summary(f))).unwrap_or_default();
            format!("{fault} in {dtype} is no defect, but {check} fails{said}")
        }
        Complaint::Survives { fault, dtype } => format!("{fault} survives in {dtype}"),
        Complaint::NotKilledBy { fault, dtype, check } => format!("{fault} in {dtype} is no longer killed by {check}"),
        Complaint::NoMust { fault } => format!("{fault} states no check that must kill it"),
        Complaint::HonestRejected { kernel, dtype, seed, rejection } => match rejection {
            Rejection::Check { check, failure } => format!(
                "the honest kernel {kernel} in {dtype} is rejected by {check} with seed {seed}: {}",
                summary(failure)
            ),
            Rejection::NotRun { why } => {
                format!("the honest kernel {kernel} in {dtype} was not run with seed {seed}: {why}")
            }
        },
        Complaint::NothingJudged { kernel, dtype } => {
            format!("nothing was judged of the honest kernel {kernel} in {dtype}")
        }
    }
}
