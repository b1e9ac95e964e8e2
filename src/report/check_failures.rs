//! The failures of one check, as the table tells them.

use super::table::failures;
use crate::run::RunReport;

/// What the table says of the failures of a check, with every line of it and with colours; empty if there are none.
#[must_use]
pub fn check_failures(report: &RunReport, check: &str) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = failures(&mut out, &report.of_check(check), true);
    out
}
