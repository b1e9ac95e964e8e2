//! JUnit XML for CI systems: a suite per scheme and level, a test case per check, pairing and dtype. It is
//! red whenever the exit code is not 0, and has no times, so that the same run gives the same bytes.

use quick_junit::{NonSuccessKind, Property, Report, TestCase, TestCaseStatus, TestSuite};

use super::words;
use crate::backend::is_printable;
use crate::run::{CheckResult, ExitCode, Finished, RunReport};

/// Name of the suite about the run as a whole.
const WHOLE: &str = "ropecheck";

/// The report as JUnit XML.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(report: &RunReport) -> Result<String, String> {
    let name = report.started.as_ref().map_or(WHOLE.to_owned(), |started| format!("{WHOLE} {}", started.backend));
    let mut out = Report::new(name);
    out.add_test_suite(whole(report));
    let mut suites: Vec<TestSuite> = Vec::new();
    for result in &report.results {
        let name = format!("{}/{}", result.scheme, result.level);
        if suites.last().is_none_or(|last| last.name.as_str() != name) {
            suites.push(TestSuite::new(name.clone()));
        }
        if let Some(suite) = suites.last_mut() {
            let mut case =
                TestCase::new(format!("{}/{}/{}", result.check, result.pairing, result.dtype), status(report, result));
            case.set_classname(name);
            suite.add_test_case(case);
        }
    }
    suites.into_iter().for_each(|suite| {
        out.add_test_suite(suite);
    });
    let text = out.to_string().map_err(|e| e.to_string())?;
    // Jenkins' schema has this count on suites alone. In texts its quotes would be escaped.
    Ok(text.replacen(&format!(" skipped=\"{}\"", out.skipped), "", 1))
}

/// What the run as a whole says: properties, controls, anchors, and the verdict as a test case.
fn whole(report: &RunReport) -> TestSuite {
    let mut suite = TestSuite::new(WHOLE);
    let mut add = |name: &str, status: TestCaseStatus| {
        let mut case = TestCase::new(name, status);
        case.set_classname(WHOLE);
        suite.add_test_case(case);
    };
    for control in &report.controls {
        let status = match &control.wrong {
            None => TestCaseStatus::success(),
            Some(wrong) => not(NonSuccessKind::Failure, &[words::control(wrong)]),
        };
        add(&format!("control/{}", control.kernel), status);
    }
    let refuted = &report.spec_statements.refuted;
    for (name, wrong) in [("anchors", &report.anchors.mismatches), ("specs", refuted)] {
        if report.started.is_some() {
            let status = if wrong.is_empty() { TestCaseStatus::success() } else { not(NonSuccessKind::Failure, wrong) };
            add(name, status);
        }
    }
    if let Some(finished) = &report.finished {
        add("verdict", verdict(finished));
        suite.add_property(Property::new("verdict", finished.verdict.as_str()));
        for line in finished.expectations.iter().flat_map(words::expectation_problems) {
            suite.add_property(Property::new("expectation_not_met", xml(&line)));
        }
        suite.add_property(Property::new("exit_code", (finished.exit_code as u8).to_string()));
    }
    if let Some(started) = &report.started {
        suite.add_property(Property::new("version", started.ropecheck.as_str()));
        suite.add_property(Property::new("specs", started.specs.as_str()));
        suite.add_property(Property::new("seed", started.seed.to_string()));
        suite.add_property(Property::new("cases", started.cases.to_string()));
        suite.add_property(Property::new("depth", started.depth.name()));
    }
    suite
}

fn verdict(finished: &Finished) -> TestCaseStatus {
    let mut lines = vec![finished.verdict.clone()];
    lines.extend(finished.error.clone());
    match finished.exit_code {
        ExitCode::Conformant => TestCaseStatus::success(),
        ExitCode::Nonconformant => not(NonSuccessKind::Failure, &lines),
        _ => not(NonSuccessKind::Error, &lines),
    }
}

/// The text without what XML cannot hold.
fn xml(text: &str) -> String {
    text.chars().map(|c| if c == '\n' || is_printable(c) { c } else { '\u{fffd}' }).collect()
}

/// A status that is no success: a message, and more lines.
fn not(kind: NonSuccessKind, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(kind);
    let (first, rest) = lines.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    status.set_message(xml(first)).set_type("ropecheck").set_description(xml(&rest.join("\n")));
    status
}

fn status(report: &RunReport, result: &CheckResult) -> TestCaseStatus {
    if let (Some(by), Some(finished)) = (result.expected_by(), &report.finished) {
        let mut status = TestCaseStatus::skipped();
        let lines = words::expected_by(by, &finished.expectations);
        status.set_type("expected failure").set_message(xml(&format!("expected failure: {lines}")));
        return status;
    }
    if let Some(first) = result.unexpected().next() {
        let mut lines = words::message(&first.failure);
        let diagnosis = report.diagnosis_of(&first.id).into_iter().flat_map(words::diagnosis);
        lines.extend(diagnosis.map(|(word, line)| format!("{word}: {line}")));
        lines.push(format!("case {}", first.id));
        lines.push(format!("replay: {}", first.replay));
        let mut status = not(NonSuccessKind::Failure, &lines);
        status.set_type(first.failure.cause.name());
        return status;
    }
    if let Some(kind) = [&result.broken, &result.internal].into_iter().find(|wrong| !wrong.is_empty()) {
        return not(NonSuccessKind::Error, kind);
    }
    if result.totals().1 > 0 {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::skipped();
    let reasons = result.bands.values().flat_map(|band| band.reasons.iter().cloned());
    let stopped = result.stopped.map(|why| words::stopped(why).to_owned());
    let why: Vec<String> = result.gaps.iter().map(|gap| gap.why.clone()).chain(reasons).chain(stopped).collect();
    status.set_message(xml(&why.join("; ")));
    status
}
