//! JUnit XML for CI systems: a suite per scheme and level, a test case per check, pairing and dtype.

use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use super::Again;
use crate::run::{CheckResult, RunReport};

/// The report as JUnit XML; `again` says how a case is run again.
///
/// # Errors
/// If it cannot be written as XML.
pub fn junit(report: &RunReport, again: &Again) -> Result<String, String> {
    let mut out = Report::new(format!("ropecheck {}", report.backend));
    let mut controls = TestSuite::new("controls");
    for control in &report.controls {
        let status = if control.ok { TestCaseStatus::success() } else { failure(&control.why, &[]) };
        controls.add_test_case(TestCase::new(control.kernel.clone(), status));
    }
    out.add_test_suite(controls);
    let mut suites: Vec<(String, TestSuite)> = Vec::new();
    for result in &report.results {
        let name = format!("{}/{}", result.scheme, result.level);
        if suites.last().is_none_or(|(last, _)| *last != name) {
            suites.push((name.clone(), TestSuite::new(name)));
        }
        if let Some((_, suite)) = suites.last_mut() {
            let name = format!("{}/{}/{}", result.pairing, result.check, result.dtype);
            suite.add_test_case(TestCase::new(name, status(result, again)));
        }
    }
    for (_, suite) in suites {
        out.add_test_suite(suite);
    }
    out.to_string().map_err(|e| e.to_string())
}

fn failure(message: &str, lines: &[String]) -> TestCaseStatus {
    let mut status = TestCaseStatus::non_success(NonSuccessKind::Failure);
    status.set_message(message.to_owned()).set_description(lines.join("\n"));
    status
}

fn status(result: &CheckResult, again: &Again) -> TestCaseStatus {
    if let Some(first) = result.failures.first() {
        let mut lines = first.details.clone();
        lines.push(format!("case {}", first.id));
        lines.push(format!("replay: {}", again.replay(&first.case)));
        return failure(&first.summary, &lines);
    }
    if let Some(broken) = result.broken.first() {
        return failure(broken, &[]);
    }
    if result.totals().1 > 0 {
        return TestCaseStatus::success();
    }
    let mut status = TestCaseStatus::skipped();
    let reasons = result.bands.values().flat_map(|b| b.reasons.iter().cloned());
    let why: Vec<String> =
        result.gaps.iter().map(|g| g.why.clone()).chain(reasons).chain(result.stopped.clone()).collect();
    status.set_message(why.join("; "));
    status
}
