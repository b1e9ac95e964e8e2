//! Results by scheme and type, by check, and the arithmetic that was found.

use std::collections::BTreeMap;

use crate::report::page::{facts, fold, table, toned};
use crate::report::summary::{cell, heading, summary};
use crate::report::svg::escaped;
use crate::report::words;
use crate::run::{CheckResult, RunReport};

/// Tables of what was judged; empty if nothing was.
pub(super) fn results(report: &RunReport) -> String {
    if report.results.is_empty() {
        return String::new();
    }
    let (dtypes, rows) = summary(report, true);
    let head: Vec<&str> = ["scheme", "level"].into_iter().chain(dtypes.iter().map(|dtype| heading(dtype))).collect();
    let cells = rows.iter().map(|row| {
        let of = dtypes.iter().map(|dtype| row.cell(dtype)).map(|(text, tone)| toned(tone.class(), &text));
        [escaped(&row.name), escaped(&row.level)].into_iter().chain(of).collect()
    });
    let schemes = table("Results by scheme and level", &head, cells);
    format!("<p>Cases that held or failed, and the largest error / bound.</p>\n{schemes}{}", checks(report))
}

/// Check by check, over all groups.
fn checks(report: &RunReport) -> String {
    let mut all: BTreeMap<&str, Vec<&CheckResult>> = BTreeMap::new();
    for result in &report.results {
        all.entry(&result.check).or_default().push(result);
    }
    let count = all.len();
    let rows = all.into_iter().map(|(check, results)| {
        let (text, tone) = cell(&results);
        let bands = || results.iter().flat_map(|result| result.bands.values());
        let left = bands().map(|band| band.not_judged + band.not_run).sum::<u64>();
        let elements = bands().map(|band| band.elements).sum::<u64>();
        let numbers = [results.len() as u64, left, elements].map(|number| number.to_string());
        [escaped(check), toned(tone.class(), &text)].into_iter().chain(numbers).collect()
    });
    let head = ["check", "cases held, largest error/bound", "groups", "cases not judged", "elements"];
    fold(&format!("By check ({count})"), &table("Results by check", &head, rows))
}

/// The grade of each level and type; empty if there is none.
pub(super) fn grades(report: &RunReport) -> String {
    let grades: Vec<_> = report.finished.iter().flat_map(|finished| &finished.grades).collect();
    if grades.is_empty() {
        return String::new();
    }
    let at = |place: &Option<_>| place.as_ref().map_or_else(|| "no place".to_owned(), words::place);
    let rows = grades.iter().map(|grade| {
        let same = match &grade.same_as[..] {
            [] => String::new(),
            all => format!(" (the same as {})", all.join(", ")),
        };
        let needs = |k: f64| if k > 0.0 { format!("{k:.2} of {:.2}", grade.k_declared) } else { "none".to_owned() };
        let cells = [
            format!("{} {}", grade.level, grade.dtype),
            grade.declared.clone(),
            format!("{}{same}", grade.class),
            format!("{:.1} %", 100.0 * (1.0 - grade.headroom)),
            format!("{:.3}", grade.headroom),
            needs(grade.k),
            grade.not.as_ref().map_or(String::new(), |not| not.class.clone()),
        ];
        cells.map(|cell| escaped(&cell)).to_vec()
    });
    let head = [
        "level, type",
        "declared",
        "class kept",
        "headroom",
        "largest error/bound",
        "K of angles",
        "stricter, not kept",
    ];
    let places = grades.iter().flat_map(|grade| {
        let of = |what: &str| format!("{} {}, {what}", grade.level, grade.dtype);
        let not = grade.not.as_ref().map(|not| (of(&format!("not {}", not.class)), escaped(&at(&not.place))));
        let k = (grade.k > 0.0).then(|| (of("K"), escaped(&at(&grade.k_place))));
        let left = (!grade.left_out.is_empty())
            .then(|| (of("not graded, as something failed"), escaped(&grade.left_out.join(", "))));
        [Some((of("largest"), escaped(&at(&grade.place)))), k, not, left].into_iter().flatten()
    });
    format!("{}{}", table("Grades", &head, rows), fold("Where", &facts(places)))
}
