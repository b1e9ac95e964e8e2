//! Which pairs' angles could be seen where, and how far up the positions the run went: in a few lines.

use std::fmt::Write as _;

use crate::check::Coverage;
use crate::check::bands::BANDS;
use crate::run::{CheckResult, RunReport};

/// Dimensions named in a line of reach; JSON has all, with their classes.
const MOST_MISSED: usize = 4;

/// A line per level and storage types that have seen the same. Schemes and pairings are joined: what no line has was seen
/// in none of them. The JSON report has them one by one.
pub(super) fn coverage(out: &mut String, report: &RunReport) -> std::fmt::Result {
    let accuracy = || report.results.iter().filter(|r| r.check == "accuracy");
    let mut groups: Vec<(String, Vec<String>, String)> = Vec::new();
    let missed = accuracy().flat_map(|r| r.bands.values()).any(|band| !band.observed.is_whole());
    for result in accuracy() {
        let (level, dtype) = (result.level.to_string(), result.dtype.clone());
        if groups.iter().any(|(l, types, _)| *l == level && types.contains(&dtype)) {
            continue;
        }
        let here: Vec<&CheckResult> = accuracy().filter(|r| r.level == result.level && r.dtype == dtype).collect();
        let text = bands(&here);
        match groups.iter_mut().find(|(l, _, t)| *l == level && *t == text) {
            Some((_, types, _)) => types.push(dtype),
            None => groups.push((level, vec![dtype], text)),
        }
    }
    for (level, dtypes, text) in groups.iter().filter(|(.., text)| !text.is_empty()) {
        writeln!(out, "coverage  {level} {}: {text}", dtypes.join(", "))?;
    }
    if missed {
        writeln!(
            out,
            "          (pairs whose angle was observed, at one number of pairs; --format json has every one)"
        )?;
    }
    let reached = report.finished.as_ref().map_or(&[][..], |f| &f.reached);
    for reached in reached {
        let (level, declared) = (reached.level, reached.declared);
        let largest = reached.largest.map_or_else(|| "none".to_owned(), |p| p.to_string());
        let which = if reached.reached { "the declared maximum" } else { "NOT the declared maximum" };
        let of = if reached.largest == Some(declared) { String::new() } else { format!(", {declared}") };
        writeln!(out, "reached   {level}: largest position judged {largest}: {which}{of}")?;
    }
    for reach in report.finished.as_ref().map_or(&[][..], |f| &f.reach) {
        let ((classes, of), (pairs, of_pairs)) = (reach.classes(), reach.pairs());
        let missed = reach.dimensions.iter().filter(|d| d.reached < d.offered);
        let missed: Vec<String> = missed.map(|d| format!("{} {}", d.name(), d.offered - d.reached)).collect();
        let shown = missed.iter().take(MOST_MISSED).map(String::as_str).collect::<Vec<_>>().join(", ");
        let more = if missed.len() > MOST_MISSED { ", ..." } else { "" };
        let missed = if missed.is_empty() { String::new() } else { format!("; missed: {shown}{more}") };
        let share = 100 * pairs / of_pairs.max(1);
        writeln!(out, "reach     {}: {classes} of {of} classes, {share} % of {of_pairs} pairs{missed}", reach.level)?;
        for swept in reach.dimensions.iter().filter(|d| d.parameter.is_some()) {
            let ends = swept.ends.map_or_else(|| "nothing".into(), |(a, b)| format!("{} to {}", a.label(), b.label()));
            let (name, reached, of) = (swept.name(), swept.reached, swept.offered);
            writeln!(out, "          swept {name}: {ends} of what is offered, {reached} of {of} classes")?;
        }
    }
    if groups.is_empty() && reached.is_empty() { Ok(()) } else { writeln!(out) }
}

/// What was seen in each band, bands of the same result together.
fn bands(results: &[&CheckResult]) -> String {
    let mut parts: Vec<(Vec<&str>, String)> = Vec::new();
    for band in BANDS {
        let mut seen = Coverage::default();
        results.iter().filter_map(|r| r.bands.get(band.name)).for_each(|b| seen.merge(&b.observed));
        if seen.is_empty() {
            continue;
        }
        let text = short(&seen);
        match parts.iter_mut().find(|(_, t)| *t == text) {
            Some((names, _)) => names.push(band.name),
            None => parts.push((vec![band.name], text)),
        }
    }
    let parts: Vec<String> = parts.into_iter().map(|(names, text)| format!("{} {text}", names.join(", "))).collect();
    parts.join("; ")
}

/// The pairs seen at one width: that of real models if some were missed there, else the widest where some were.
fn short(seen: &Coverage) -> String {
    const MODELS: usize = 64;
    let widths: Vec<(usize, String)> = seen.incomplete().collect();
    let chosen = widths.iter().find(|(pairs, _)| *pairs == MODELS).or(widths.last());
    chosen.map_or_else(|| "all".to_owned(), |(pairs, ranges)| format!("{ranges} of {pairs}"))
}
