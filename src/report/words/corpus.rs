//! What is said of cases that failed before.

use crate::run::{CORPUS_BAND, CorpusInForce, CorpusKept, RunReport};

fn cases(count: u64) -> String {
    if count == 1 { "1 case".to_owned() } else { format!("{count} cases") }
}

/// What became of them.
pub(in crate::report) fn known(corpus: &CorpusInForce, report: &RunReport) -> String {
    let bands = report.results.iter().filter_map(|result| result.bands.get(CORPUS_BAND));
    let [held, failed] = bands.fold([0, 0], |[held, failed], band| [held + band.passed, failed + band.failed]);
    let s = |count: u64| if count == 1 { "s" } else { "" };
    let mut parts = Vec::new();
    if failed > 0 {
        parts.push(format!("{} that failed before fail{} still", cases(failed), s(failed)));
    }
    if held > 0 {
        parts.push(format!("{} that failed before hold{} now", cases(held), s(held)));
    }
    let rest = (corpus.cases as u64).saturating_sub(held + failed);
    if rest > 0 {
        parts.push(format!("{} could not be judged", cases(rest)));
    }
    if corpus.not_selected > 0 {
        parts.push(format!("{} not selected", cases(corpus.not_selected as u64)));
    }
    if let [first, more @ ..] = &corpus.stale[..] {
        let more = if more.is_empty() { String::new() } else { format!(" (and {} more lines)", more.len()) };
        parts.push(format!("not run: {first}{more}"));
    }
    format!("{}: {}", corpus.file, parts.join("; "))
}

/// What was added to them.
pub(in crate::report) fn kept(kept: &CorpusKept) -> String {
    let added = cases(kept.added as u64);
    match &kept.error {
        None => format!("{added} added to {}: the next check runs them first", kept.file),
        Some(why) => format!("{added} could not be added to {}: {why}", kept.file),
    }
}
