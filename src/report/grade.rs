//! The grade of a backend, for people.

use super::words;
use crate::check::failure::Place;
use crate::run::{Grade, RunReport};

/// A line for every level and storage type that was graded.
pub(super) fn grades(out: &mut String, report: &RunReport) -> std::fmt::Result {
    use std::fmt::Write as _;
    for grade in report.finished.iter().flat_map(|finished| &finished.grades) {
        writeln!(out, "grade     {} {}: {}", grade.level, grade.dtype, line(grade))?;
    }
    Ok(())
}

fn line(grade: &Grade) -> String {
    let Grade { class, declared, headroom, place, k, k_declared, k_place, .. } = grade;
    let same = if grade.same_as.is_empty() {
        String::new()
    } else {
        format!(" (in {} the same as {})", grade.dtype, grade.same_as.join(", "))
    };
    let over = if grade.left_out.is_empty() {
        String::new()
    } else {
        format!("; without {}, where something failed", grade.left_out.join(", "))
    };
    let angle = if *k > 0.0 {
        format!("; angles need K >= {k:.2} of {k_declared:.2} at {}", at(k_place))
    } else {
        "; no angle error was measured".to_owned()
    };
    format!("class {class}{same}, declared {declared}; largest error/bound {headroom:.3} at {}{angle}{over}", at(place))
}

fn at(place: &Option<Place>) -> String {
    place.as_ref().map_or_else(|| "no place".to_owned(), words::place)
}
