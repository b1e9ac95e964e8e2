//! The results of a run by scheme, level and storage type, as tables of every form show them.

use std::collections::BTreeSet;

use super::style::Tone;
use crate::run::{CheckResult, RunReport};

/// Most rows, before those are put together that have the same to say.
pub(super) const ROWS: usize = 12;

/// What was judged of one scheme or several on one level.
pub(super) struct SummaryRow<'r> {
    pub(super) name: String,
    pub(super) level: String,
    pub(super) results: Vec<&'r CheckResult>,
}

impl<'r> SummaryRow<'r> {
    /// What a cell says of a storage type.
    pub(super) fn cell(&self, dtype: &str) -> (String, Tone) {
        let of: Vec<&CheckResult> = self.results.iter().copied().filter(|r| r.dtype == dtype).collect();
        cell(&of)
    }
}

/// What a cell says of results: how many cases held, or did not, and the largest error / bound.
pub(super) fn cell(results: &[&CheckResult]) -> (String, Tone) {
    let (cases, passed, failed) =
        results.iter().map(|r| r.totals()).fold((0, 0, 0), |(a, b, c), (x, y, z)| (a + x, b + y, c + z));
    let worst = results.iter().map(|r| r.worst()).fold(0.0, f64::max);
    if failed > 0 && !results.iter().any(|r| r.fails()) {
        return (format!("{failed} of {cases} known"), Tone::Dim);
    }
    if failed > 0 {
        return (format!("{failed} of {cases} FAIL"), Tone::Bad);
    }
    if passed == 0 {
        return ("-".into(), Tone::Dim);
    }
    if worst > 0.0 { (format!("{passed} ok  {worst:.2}"), Tone::Good) } else { (format!("{passed} ok"), Tone::Good) }
}

/// What a row is about: no scheme where the angles themselves are given.
fn row_name<'a>(report: &RunReport, result: &'a CheckResult) -> &'a str {
    let supplied = report.started.iter().flat_map(|started| &started.not_judged);
    let given = supplied.into_iter().any(|s| s.level == result.level && s.angles);
    if given { "(given cos/sin)" } else { &result.scheme }
}

/// How a column is headed: there are no types on level positions.
pub(super) fn heading(dtype: &str) -> &str {
    if dtype == "-" { "exact" } else { dtype }
}

/// Storage types, and the rows; `all`: none are put together.
pub(super) fn summary(report: &RunReport, all: bool) -> (Vec<&str>, Vec<SummaryRow<'_>>) {
    let mut dtypes: Vec<&str> = Vec::new();
    let mut lines: Vec<(String, String)> = Vec::new();
    for result in &report.results {
        if !dtypes.contains(&result.dtype.as_str()) {
            dtypes.push(&result.dtype);
        }
        let key = (row_name(report, result).to_owned(), result.level.to_string());
        if !lines.contains(&key) {
            lines.push(key);
        }
    }
    let order = ["-", "f32", "f16", "bf16"];
    dtypes.sort_by_key(|d| order.iter().position(|o| o == d));
    // Each row is about one scheme or several.
    let results = |(scheme, level): &(String, String)| {
        let here = |r: &&CheckResult| row_name(report, r) == scheme && r.level.name() == level;
        report.results.iter().filter(here).collect::<Vec<_>>()
    };
    let mut table: Vec<SummaryRow> = Vec::new();
    for line in &lines {
        let here = results(line);
        let fails = |all: &[&CheckResult]| all.iter().any(|r| r.totals().2 > 0);
        let same = |row: &SummaryRow| row.level == line.1 && fails(&row.results) == fails(&here);
        match table.iter_mut().find(|row| !all && lines.len() > ROWS && same(row)) {
            Some(row) => row.results.extend(here),
            None => table.push(SummaryRow { name: line.0.clone(), level: line.1.clone(), results: here }),
        }
    }
    for row in &mut table {
        let schemes: BTreeSet<&str> = row.results.iter().map(|r| r.scheme.as_str()).collect();
        if schemes.len() > 1 && schemes.contains(row.name.as_str()) {
            row.name = format!("{} schemes", schemes.len());
        }
    }
    (dtypes, table)
}
