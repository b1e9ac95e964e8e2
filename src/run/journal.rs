//! A file with a line for every check on a group that is through, from which a run that was killed goes on.
//!
//! Kept is what held. What failed, or was not run, is run again: that takes little, and nothing of it is read from a file.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::exit_code::{ExitCode, RunError};
use super::lock::lock;
use super::result::{BandResult, CheckResult};
use crate::check::cover::Met;
use crate::check::{Gap, GradeTally, Group};
use crate::spec::open_regular;

/// Where a run keeps what it has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JournalFile {
    /// The file.
    pub path: PathBuf,
    /// Whether the run goes on from what is in it; else it must not be there yet.
    pub resume: bool,
}

/// The first line: what must be the same for the results of one run to be those of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunId {
    /// SHA-256 of the program that judges.
    pub(super) ropecheck: String,
    /// SHA-256 of the library that is judged; none of the embedded kernel.
    pub(super) library: Option<String>,
    /// SHA-256 of the manifest, the specs, the contracts and the options.
    pub(super) settings: String,
    /// SHA-256 of the checks on groups, in order.
    pub(super) units: String,
}

/// What is kept of a check on a group.
#[derive(Debug, Serialize, Deserialize)]
struct Line {
    /// Its place in the run.
    unit: usize,
    /// Its result; none where there is nothing to report.
    result: Option<Kept>,
}

/// A result in which nothing failed.
#[derive(Debug, Serialize, Deserialize)]
struct Kept {
    bands: Vec<(String, BandResult, GradeTally)>,
    gaps: Vec<(String, String)>,
    met: Option<Met>,
}

/// A journal that is open.
pub(super) struct Journal {
    path: PathBuf,
    known: Mutex<BTreeMap<usize, Option<Kept>>>,
    file: Mutex<File>,
    /// The first error of writing.
    failed: Mutex<Option<String>>,
}

/// Most bytes of a journal that is read: a thousand times those of a long run.
const MOST_BYTES: u64 = 1 << 32;

impl Journal {
    /// Opens the journal of a run, and reads what is in it.
    ///
    /// # Errors
    /// If the file cannot be opened or read, is there already, is no journal, or is that of another run.
    pub(super) fn open(JournalFile { path, resume }: &JournalFile, run: &RunId) -> Result<Journal, RunError> {
        let cannot = |e: io::Error| RunError::new(ExitCode::NotRun, format!("journal {}: {e}", path.display()));
        let (known, file) = if *resume {
            let (known, whole) = read(path, run)?;
            let mut file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
            // What was being written when the run ended is no line.
            file.set_len(whole).map_err(cannot)?;
            file.seek(SeekFrom::End(0)).map_err(cannot)?;
            (known, file)
        } else {
            let new = OpenOptions::new().write(true).create_new(true).open(path);
            let mut file = new.map_err(|e| match e.kind() {
                io::ErrorKind::AlreadyExists => {
                    let why = "it is there already; --resume goes on from it";
                    RunError::usage(format!("journal {}: {why}", path.display()))
                }
                _ => cannot(e),
            })?;
            file.write_all(&line(run).map_err(cannot)?).map_err(cannot)?;
            (BTreeMap::new(), file)
        };
        let (known, file, failed) = (Mutex::new(known), Mutex::new(file), Mutex::new(None));
        Ok(Journal { path: path.clone(), known, file, failed })
    }

    /// What is known of a check on a group already.
    pub(super) fn known(&self, unit: usize, group: &Group, check: &str) -> Option<Option<CheckResult>> {
        let kept = lock(&self.known).remove(&unit)?;
        Some(kept.map(|kept| kept.result(group, check)))
    }

    /// Keeps the result of a check on a group, if nothing in it has to be run again.
    pub(super) fn keep(&self, unit: usize, result: Option<&CheckResult>) {
        let kept = match result.map(Kept::of) {
            None => None,
            Some(Some(kept)) => Some(kept),
            Some(None) => return,
        };
        let bytes = line(&Line { unit, result: kept });
        // In one piece, so that a killed run leaves at most one line that is cut off.
        let written = bytes.and_then(|bytes| lock(&self.file).write_all(&bytes));
        if let Err(error) = written {
            lock(&self.failed).get_or_insert_with(|| error.to_string());
        }
    }

    /// Whether all was written.
    ///
    /// # Errors
    /// The first error of writing.
    pub(super) fn written(&self) -> Result<(), RunError> {
        let failed = lock(&self.failed).take();
        let error = |why| RunError::new(ExitCode::NotRun, format!("journal {}: {why}", self.path.display()));
        failed.map_or(Ok(()), |why| Err(error(why)))
    }
}

impl Kept {
    fn of(result: &CheckResult) -> Option<Kept> {
        let CheckResult { bands, failures, broken, internal, gaps, stopped, owed, met, .. } = result;
        let again = !(failures.is_empty() && broken.is_empty() && internal.is_empty() && owed.is_none())
            || stopped.is_some()
            || bands.values().any(|band| band.not_run > 0);
        (!again).then(|| Kept {
            bands: bands.iter().map(|(name, band)| (name.clone(), band.clone(), band.grade.clone())).collect(),
            gaps: gaps.iter().map(|gap| (gap.band.clone(), gap.why.clone())).collect(),
            met: met.clone(),
        })
    }

    fn result(self, group: &Group, check: &str) -> CheckResult {
        let bands = self.bands.into_iter().map(|(name, band, grade)| (name, BandResult { grade, ..band }));
        CheckResult {
            bands: bands.collect(),
            gaps: self.gaps.into_iter().map(|(band, why)| Gap { band, why }).collect(),
            met: self.met,
            ..CheckResult::new(group, check)
        }
    }
}

/// The results in a journal, and how many bytes of it are whole lines.
fn read(path: &Path, run: &RunId) -> Result<(BTreeMap<usize, Option<Kept>>, u64), RunError> {
    let wrong = |why: String| RunError::new(ExitCode::Spec, format!("journal {}: {why}", path.display()));
    let mut text = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
    read.map_err(|e| wrong(e.to_string()))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
    let first: RunId = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok())
        .ok_or_else(|| wrong("line 1: expected the beginning of a journal, and found something else".into()))?;
    let differs = [
        ("another ropecheck", first.ropecheck != run.ropecheck),
        ("another library", first.library != run.library),
        ("another manifest, specs, contracts or options", first.settings != run.settings),
        ("other checks", first.units != run.units),
    ];
    if let Some((what, _)) = differs.iter().find(|(_, differs)| *differs) {
        return Err(wrong(format!("it is of another run, with {what}; delete it and run with --journal")));
    }
    let mut known = BTreeMap::new();
    for (number, line) in lines.enumerate() {
        let Line { unit, result } =
            serde_json::from_slice(line).map_err(|e| wrong(format!("line {}: no result: {e}", number + 2)))?;
        known.insert(unit, result);
    }
    Ok((known, whole as u64))
}

fn line<T: Serialize>(value: &T) -> io::Result<Vec<u8>> {
    let mut bytes = serde_json::to_vec(value)?;
    bytes.push(b'\n');
    Ok(bytes)
}

/// SHA-256 of something as JSON.
pub(super) fn digest_json<T: Serialize>(value: &T) -> Result<String, RunError> {
    let bytes = serde_json::to_vec(value).map_err(|e| RunError::new(ExitCode::Internal, e))?;
    Ok(hex(&Sha256::digest(bytes)))
}

/// SHA-256 of the program that runs.
pub(super) fn digest_of_self() -> Result<String, RunError> {
    let cannot = |e: io::Error| RunError::new(ExitCode::NotRun, format!("ropecheck's own file: {e}"));
    let mut file = File::open("/proc/self/exe").map_err(cannot)?;
    let (mut hash, mut part) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut part).map_err(cannot)? {
            0 => return Ok(hex(&hash.finalize())),
            n => hash.update(&part[..n]),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
