//! What was not judged, and why.

use crate::report::page::{facts, fold, table};
use crate::report::svg::escaped;
use crate::report::unjudged::{elements, notes, reasons, times};
use crate::run::{RunReport, angle_limits, unjudged};

/// What the suite supplied, what the run left out, and what the manifest does.
pub(super) fn left_out(report: &RunReport) -> String {
    let Some(started) = &report.started else { return String::new() };
    let mut all: Vec<(String, String)> = Vec::new();
    let mut add = |name: &str, says: &str| all.push((name.to_owned(), escaped(says)));
    for supplied in &started.not_judged {
        add(&format!("supplied on {}", supplied.level), &supplied.parts.join(", "));
    }
    if let Some(narrowed) = &started.narrowed {
        add("narrowed to", &narrowed.words());
    }
    if let Some(finished) = &report.finished {
        finished.out_of_time.iter().for_each(|one| add("time", &one.words()));
        finished.enough_failed.iter().for_each(|one| add("failures", &one.words()));
        for one in &finished.unproved {
            add("nothing proved of", &format!("{}: {}", one.group(), one.reasons.join("; ")));
        }
        finished.ends.iter().for_each(|why| add("at the end", why));
    }
    angle_limits(&started.contracts, &report.results).iter().for_each(|limit| add("angles", limit));
    for (elements, why) in elements(report) {
        add("elements", &format!("{elements}: {why}"));
    }
    let mut out = facts(all);
    let reasons = reasons(report, false);
    if !reasons.is_empty() {
        let rows = reasons.iter().map(|reason| {
            let cells = [reason.why.clone(), reason.whats.join(", "), reason.groups.to_string()];
            cells.map(|cell| escaped(&cell)).to_vec()
        });
        out += &table("Reasons why something was not judged", &["why", "checks, with their band", "groups"], rows);
    }
    let notes = notes(report);
    if !notes.is_empty() {
        let lines = notes
            .iter()
            .map(|(check, note, groups)| ((*check).to_owned(), escaped(&format!("{note}{}", times(*groups)))));
        out += &fold(&format!("Notes on cases that held ({})", notes.len()), &facts(lines));
    }
    let by_manifest = unjudged(&started.manifest);
    let count = by_manifest.len();
    let lines = by_manifest.into_iter().map(|one| (one.key, escaped(&one.what)));
    out + &fold(&format!("What the manifest leaves out, whatever is run ({count} keys)"), &facts(lines))
}
