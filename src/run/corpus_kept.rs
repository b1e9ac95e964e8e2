//! What a run adds to a corpus of failures.

use std::collections::BTreeSet;
use std::io::{self, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use super::corpus::{Corpus, CorpusKept};
use super::findings::findings;
use super::report::RunReport;
use crate::case::Case;

/// Most cases that a file keeps: the oldest go first.
const MOST_CASES: usize = 200;

const HEAD: &str = "\
# Cases that failed, one a line. `ropecheck check` runs them first, and adds new ones at the end;
# `ropecheck replay FILE BACKEND` runs them alone. Lines may be taken out, and the file committed.
";

/// Adds the smallest case of each check of each finding, if the file has it not yet. None if there is nothing to add.
pub(super) fn keep(corpus: &Corpus, report: &RunReport) -> Option<CorpusKept> {
    let mut lines = corpus.lines.clone();
    let mut added = 0;
    for case in failing(report) {
        let about = |case: &Case| Case { spec: None, ..case.clone() };
        let same = |known: &(String, Option<Case>)| known.1.as_ref().is_some_and(|k| about(k) == about(&case));
        let line = (case.to_string(), Some(case.clone()));
        match lines.iter_mut().find(|known| same(known)) {
            Some((_, Some(known))) if known.spec == case.spec || known.spec.is_none() => {}
            // It was of another spec, and fails with this one.
            Some(known) => (*known, added) = (line, added + 1),
            None => (added, _) = (added + 1, lines.push(line)),
        }
    }
    if added == 0 {
        return None;
    }
    let mut too_many = lines.iter().filter(|(_, case)| case.is_some()).count().saturating_sub(MOST_CASES);
    lines.retain(|(_, case)| {
        let goes = case.is_some() && too_many > 0;
        too_many -= usize::from(goes);
        !goes
    });
    let head = if corpus.lines.is_empty() { HEAD } else { "" };
    let text: String = lines.iter().map(|(line, _)| format!("{line}\n")).collect();
    let error = write(&corpus.path, &format!("{head}{text}")).err().map(|error| error.to_string());
    Some(CorpusKept { file: corpus.shown.clone(), added, error })
}

/// The smallest case of each check of each finding. What fails only after other calls fails in no call alone.
fn failing(report: &RunReport) -> Vec<Case> {
    let mut all = Vec::new();
    for finding in findings(report) {
        let mut checks = BTreeSet::new();
        for (result, failure) in finding.shrunk {
            if !failure.needs_other_calls() && checks.insert(&result.check) {
                all.extend(failure.case.parse::<Case>().ok());
            }
        }
    }
    all
}

/// Writes a file beside the old one, and puts it in its place.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder)?;
    let mode = std::fs::Permissions::from_mode(0o666);
    let mut file = tempfile::Builder::new().permissions(mode).tempfile_in(folder)?;
    file.write_all(text.as_bytes())?;
    file.persist(path).map(drop).map_err(|error| error.error)
}
