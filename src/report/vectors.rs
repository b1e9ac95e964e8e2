//! What `vectors verify` says: for people, and as JSON.

use std::fmt::Write as _;

use super::style::{BAD, GOOD, styled};
use super::table::{failures, rows};
use super::words;
use crate::run::ExitCode;
use crate::run::vectors::VectorsReport;

/// The report as JSON.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn vectors_json(report: &VectorsReport) -> Result<String, serde_json::Error> {
    let mut report = report.clone();
    words::add_messages(&mut report.report);
    serde_json::to_string_pretty(&report)
}

/// The report for people, with colours; `all`: every failure.
#[must_use]
pub fn vectors_table(report: &VectorsReport, all: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = whole(&mut out, report, all);
    out
}

fn whole(out: &mut String, report: &VectorsReport, all: bool) -> std::fmt::Result {
    let [exported, asked] = report.cases;
    let part = if asked < exported { format!("{asked} of ") } else { String::new() };
    writeln!(out, "vectors   {part}{exported} exported cases (seed {}) on {}", report.seed, report.kernel)?;
    for control in &report.report.controls {
        if let Some(wrong) = &control.wrong {
            writeln!(out, "controls  {} {}: {}", styled(BAD, "FAILED"), control.kernel, words::control(wrong))?;
        }
    }
    for mismatch in report.report.anchors.mismatches.iter().take(3) {
        writeln!(out, "anchors   {} {mismatch}", styled(BAD, "MISMATCH"))?;
    }
    for contract in &report.contracts {
        writeln!(out, "contract  {} {}: {}", contract.level, contract.dtype, contract.contract)?;
    }
    writeln!(out)?;
    for file in &report.files {
        writeln!(out, "{} {file}", styled(BAD, "FILE"))?;
    }
    if !report.report.results.is_empty() {
        rows(out, &report.report, all)?;
        failures(out, &report.report, all)?;
    }
    let style = if report.exit_code == ExitCode::Conformant { GOOD.bold() } else { BAD };
    writeln!(out, "{} (exit code {})", styled(style, &report.verdict), report.exit_code as u8)
}
