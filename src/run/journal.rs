//! A file with a line for every check on a group that is through, from which a run that was killed goes on.
//!
//! Kept is what held. What failed, or was not run, is run again: that takes little, and nothing of it is read from a file
//! but that it failed. The journals of the parts of a run, put together, are that of one run which is through.

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
use super::shard::Shard;
use crate::check::cover::Met;
use crate::check::{Gap, GradeTally, Group};
use crate::spec::open_regular;

/// Where a run keeps what it has found.
#[derive(Debug, Clone)]
pub enum JournalFile {
    /// In this file, which must not be there yet.
    New(PathBuf),
    /// In this file, and the run goes on from what is in it.
    Resume(PathBuf),
    /// Nowhere: its parts were run, and these are their journals.
    Merge(Vec<ShardFile>),
}

/// The first line: what must be the same for the results of one run to be those of another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunId {
    /// SHA-256 of the program that judges.
    pub(super) ropecheck: String,
    /// SHA-256 of the library that is judged; none of the embedded kernel.
    pub(super) library: Option<String>,
    /// The seed.
    pub(super) seed: u64,
    /// SHA-256 of the specs.
    pub(super) specs: String,
    /// SHA-256 of the manifest, the specs, the contracts and the options.
    pub(super) settings: String,
    /// SHA-256 of what else was asked for, on which no result depends.
    pub(super) asked: String,
    /// SHA-256 of the checks on groups of the whole run, in order.
    pub(super) units: String,
    /// The part of the run that it is of.
    pub(super) shard: Option<Shard>,
    /// The command line.
    pub(super) arguments: Vec<String>,
}

impl RunId {
    /// What makes this another run than `other`, where something does.
    fn differs(&self, other: &RunId) -> Option<String> {
        let short = |digest: &str| digest.get(..12).unwrap_or(digest).to_owned();
        let named = |what: &str, own: String, others: String| {
            (own != others).then(|| format!("another {what} ({own}, and here {others})"))
        };
        let library = |id: &RunId| id.library.as_deref().map_or("the embedded kernel".into(), short);
        let plain = |what: &str, differs: bool| differs.then(|| what.to_owned());
        named("ropecheck", short(&self.ropecheck), short(&other.ropecheck))
            .or_else(|| named("library", library(self), library(other)))
            .or_else(|| named("seed", self.seed.to_string(), other.seed.to_string()))
            .or_else(|| named("set of specs", short(&self.specs), short(&other.specs)))
            .or_else(|| plain("another manifest, contracts or options", self.settings != other.settings))
            .or_else(|| plain("other checks", self.units != other.units))
            .or_else(|| plain("other --require or --no-diagnosis", self.shard.is_some() && self.asked != other.asked))
    }
}

/// A line after the first.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Line {
    /// A check on a group, by its place in the run, in which nothing failed; none where there is nothing to report.
    Held(usize, Option<Kept>),
    /// One in which something failed: it is run again.
    Failed(usize),
    /// What was to run is through.
    End,
}

/// A result in which nothing failed.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Kept {
    bands: Vec<(String, BandResult, GradeTally)>,
    gaps: Vec<(String, String)>,
    met: Option<Met>,
}

/// A journal that is open.
pub(super) struct Journal {
    path: PathBuf,
    known: Mutex<BTreeMap<usize, Option<Kept>>>,
    /// What failed before.
    failed_before: BTreeMap<usize, PathBuf>,
    /// The first of these that held when it was run again.
    holds_now: Mutex<Option<String>>,
    /// The place in the whole run of each check on a group that runs; none where all run.
    places: Option<Vec<usize>>,
    file: Option<Mutex<File>>,
    /// The first error of writing.
    failed: Mutex<Option<String>>,
}

/// Most bytes of a journal that is read: a thousand times those of a long run.
const MOST_BYTES: u64 = 1 << 32;

impl Journal {
    /// Opens the journal of a run, and reads what is in it. `places` are those of a part.
    ///
    /// # Errors
    /// If the file cannot be opened or read, is there already, is no journal, or is that of another run.
    pub(super) fn open(
        file: &JournalFile,
        run: &RunId,
        places: &dyn Fn(Shard) -> Vec<usize>,
    ) -> Result<Journal, RunError> {
        let (path, contents, file) = match file {
            JournalFile::New(path) => (path, Contents::default(), Some(create(path, run)?)),
            JournalFile::Resume(path) => {
                let (of, contents) = read(path)?;
                if let Some(what) = of.differs(run).or((of.shard != run.shard).then(|| "another --shard".into())) {
                    let why = format!("it is of another run, with {what}; delete it and run with --journal");
                    return Err(wrong(path, why));
                }
                let cannot = |e: io::Error| cannot(path, &e);
                let mut file = OpenOptions::new().write(true).open(path).map_err(cannot)?;
                // What was being written when the run ended is no line.
                file.set_len(contents.bytes).map_err(cannot)?;
                file.seek(SeekFrom::End(0)).map_err(cannot)?;
                (path, contents, Some(file))
            }
            JournalFile::Merge(files) => {
                let mut all = Contents::default();
                for ShardFile { path, run: of, contents } in files {
                    if let Some(what) = of.differs(run) {
                        return Err(wrong(path, format!("it is of another run, with {what}")));
                    }
                    let own = of.shard.map(places).unwrap_or_default();
                    let units = contents.known.keys().chain(contents.failed.keys());
                    if let Some(unit) = units.clone().find(|unit| own.binary_search(unit).is_err()) {
                        return Err(wrong(path, format!("check {unit} of the run is not one of this shard")));
                    }
                    all.known.extend(contents.known.clone());
                    all.failed.extend(contents.failed.clone());
                }
                (&PathBuf::new(), all, None)
            }
        };
        Ok(Journal {
            path: path.clone(),
            known: Mutex::new(contents.known),
            failed_before: contents.failed,
            holds_now: Mutex::new(None),
            places: run.shard.map(places),
            file: file.map(Mutex::new),
            failed: Mutex::new(None),
        })
    }

    fn place(&self, unit: usize) -> usize {
        self.places.as_ref().and_then(|places| places.get(unit)).copied().unwrap_or(unit)
    }

    /// What is known of a check on a group already.
    pub(super) fn known(&self, unit: usize, group: &Group, check: &str) -> Option<Option<CheckResult>> {
        let kept = lock(&self.known).remove(&self.place(unit))?;
        Some(kept.map(|kept| kept.result(group, check)))
    }

    /// Keeps the result of a check on a group, if nothing in it has to be run again.
    pub(super) fn keep(&self, unit: usize, result: Option<&CheckResult>) {
        let place = self.place(unit);
        let fails = result.is_some_and(|result| !result.failures.is_empty());
        let through = result.is_none_or(|result| result.stopped.is_none());
        if let (Some(path), Some(result), true) = (self.failed_before.get(&place), result, through && !fails) {
            let CheckResult { check, scheme, level, dtype, .. } = result;
            lock(&self.holds_now).get_or_insert_with(|| {
                let before = path.display();
                format!(
                    "{check} on {scheme}, level {level}, {dtype} failed before ({before}) and holds now: the \
                     backend does not always do the same"
                )
            });
        }
        let line = match result.map(Kept::of) {
            None => Line::Held(place, None),
            Some(Some(kept)) => Line::Held(place, Some(kept)),
            Some(None) if fails && !self.failed_before.contains_key(&place) => Line::Failed(place),
            Some(None) => return,
        };
        self.write(&line);
    }

    fn write(&self, line: &Line) {
        let Some(file) = &self.file else { return };
        // In one piece, so that a killed run leaves at most one line that is cut off.
        let written = self::line(line).and_then(|bytes| lock(file).write_all(&bytes));
        if let Err(error) = written {
            lock(&self.failed).get_or_insert_with(|| error.to_string());
        }
    }

    /// Ends the journal. What failed before a run was killed, or in a part of it, fails the whole, even where it held
    /// when it was run again.
    ///
    /// # Errors
    /// That, or the first error of writing.
    pub(super) fn finish(&self, interrupted: bool) -> Result<(), RunError> {
        if !interrupted {
            self.write(&Line::End);
        }
        if let Some(why) = lock(&self.holds_now).take() {
            return Err(RunError::new(ExitCode::Nonconformant, why));
        }
        let failed = lock(&self.failed).take();
        let error = |why| RunError::new(ExitCode::NotRun, format!("journal {}: {why}", self.path.display()));
        failed.map_or(Ok(()), |why| Err(error(why)))
    }
}

fn cannot(path: &Path, error: &io::Error) -> RunError {
    RunError::new(ExitCode::NotRun, format!("journal {}: {error}", path.display()))
}

fn wrong(path: &Path, why: impl std::fmt::Display) -> RunError {
    RunError::new(ExitCode::Spec, format!("journal {}: {why}", path.display()))
}

fn create(path: &Path, run: &RunId) -> Result<File, RunError> {
    let new = OpenOptions::new().write(true).create_new(true).open(path);
    let mut file = new.map_err(|e| match e.kind() {
        io::ErrorKind::AlreadyExists => {
            let why = "it is there already; --resume goes on from it";
            RunError::usage(format!("journal {}: {why}", path.display()))
        }
        _ => cannot(path, &e),
    })?;
    let written = line(run).and_then(|line| file.write_all(&line));
    written.map_err(|e| cannot(path, &e))?;
    Ok(file)
}

/// The journal of a part of a run.
#[derive(Debug, Clone)]
pub struct ShardFile {
    path: PathBuf,
    run: RunId,
    contents: Contents,
}

impl ShardFile {
    /// The command line that ran it.
    #[must_use]
    pub fn arguments(&self) -> &[String] {
        &self.run.arguments
    }
}

/// Reads the journals of the parts of one run: each part once, all through.
///
/// # Errors
/// What is missing, there twice or of another run, by file.
pub fn shard_files(paths: &[PathBuf]) -> Result<Vec<ShardFile>, RunError> {
    let mut there: BTreeMap<Shard, ShardFile> = BTreeMap::new();
    for path in paths {
        let (run, contents) = read(path)?;
        let shard = run.shard.ok_or_else(|| wrong(path, "it is of a whole run, and of no --shard"))?;
        if let Some(first) = there.values().next() {
            let first_shard = first.run.shard.map_or(shard.of, |first| first.of);
            let of = (first_shard != shard.of).then(|| format!("another number of shards (--shard {shard})"));
            if let Some(what) = of.or_else(|| run.differs(&first.run)) {
                let why = format!("it is of another run than {}, with {what}", first.path.display());
                return Err(wrong(path, why));
            }
        }
        if !contents.ended {
            let why = format!("shard {shard} is not through; go on with --resume {}", path.display());
            return Err(wrong(path, why));
        }
        if let Some(known) = there.get(&shard) {
            return Err(wrong(path, format!("it is shard {shard}, as {} is", known.path.display())));
        }
        there.insert(shard, ShardFile { path: path.clone(), run, contents });
    }
    let of = there.keys().next().map_or(0, |shard| shard.of);
    let missing = (1..=of).map(|number| Shard { number, of }).filter(|shard| !there.contains_key(shard));
    let missing: Vec<String> = missing.map(|shard| shard.to_string()).collect();
    if !missing.is_empty() {
        return Err(RunError::new(ExitCode::Spec, format!("shards are missing: {}", missing.join(", "))));
    }
    Ok(there.into_values().collect())
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

/// What is in a journal.
#[derive(Debug, Clone, Default)]
struct Contents {
    known: BTreeMap<usize, Option<Kept>>,
    /// What failed, and where that is written.
    failed: BTreeMap<usize, PathBuf>,
    /// Whether everything is through.
    ended: bool,
    /// Bytes of whole lines.
    bytes: u64,
}

/// Reads a journal.
fn read(path: &Path) -> Result<(RunId, Contents), RunError> {
    let mut text = Vec::new();
    let read = open_regular(path).and_then(|file| file.take(MOST_BYTES).read_to_end(&mut text));
    read.map_err(|e| wrong(path, e))?;
    let whole = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    let mut lines = text[..whole].split_inclusive(|byte| *byte == b'\n');
    let run: RunId = lines
        .next()
        .and_then(|line| serde_json::from_slice(line).ok())
        .ok_or_else(|| wrong(path, "line 1: expected the beginning of a journal, and found something else"))?;
    let mut contents = Contents { bytes: whole as u64, ..Contents::default() };
    for (number, line) in lines.enumerate() {
        match serde_json::from_slice(line) {
            Ok(Line::Held(unit, result)) => _ = contents.known.insert(unit, result),
            Ok(Line::Failed(unit)) => _ = contents.failed.insert(unit, path.to_owned()),
            Ok(Line::End) => contents.ended = true,
            Err(e) => return Err(wrong(path, format!("line {}: no result: {e}", number + 2))),
        }
    }
    Ok((run, contents))
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
