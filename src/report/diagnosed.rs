//! Whether faults are named, for people.

use std::fmt::Write as _;

use super::style::{BAD, GOOD, styled};
use crate::run::ExitCode;
use crate::run::selftest::{DiagnosisReport, Named};

/// A table for people, with colours as ANSI escapes.
#[must_use]
pub fn diagnosed(report: &DiagnosisReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = text(&mut out, report);
    out
}

fn text(out: &mut String, report: &DiagnosisReport) -> std::fmt::Result {
    let width = report.kernels.iter().map(|kernel| kernel.fault.len()).max().unwrap_or(0).max(5);
    writeln!(out, "{:width$}  type  named", "fault")?;
    for kernel in &report.kernels {
        let ranks: Vec<String> = kernel.ranks.iter().map(|rank| rank.join(" = ")).collect();
        let ranks = ranks.join("; then ");
        let (style, named) = match &kernel.named {
            Named::First if kernel.ranks.first().is_some_and(|first| first.len() == 1) => (GOOD, "first".to_owned()),
            Named::First => (GOOD, format!("first: {}", kernel.ranks[0].join(" = "))),
            Named::Later => (BAD, format!("later: {ranks}")),
            Named::Others => (BAD, format!("others alone: {ranks}")),
            Named::Nothing => (BAD, "nothing explains it".to_owned()),
            Named::NothingFailed => (BAD, "nothing failed".to_owned()),
            Named::NotRun { why } => (BAD, format!("not run: {why}")),
        };
        writeln!(out, "{:width$}  {:4}  {}", kernel.fault, kernel.dtype, styled(style, &named))?;
    }
    let (first, all) = (report.first(), report.kernels.len());
    // Rounded down: only all is 100 %.
    let percent = (first * 1000 / all.max(1)) as f64 / 10.0;
    let style = if report.exit() == ExitCode::Conformant { GOOD } else { BAD };
    writeln!(out, "{}", styled(style, &format!("{first} of {all} named first, {percent:.1} % (seed {})", report.seed)))
}
