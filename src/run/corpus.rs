//! Cases that failed before, in a file beside the backend: a run tries them first.

use std::io;
use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::Serialize;

use super::digest::same_spec;
use super::exit_code::RunError;
use super::item::Item;
use super::offered::offered;
use crate::backend::Manifest;
use crate::case::Case;
use crate::check::{Group, Planned};
use crate::numeric::Number;
use crate::spec::Library;
use crate::spec::read_regular;

/// The band of cases from a corpus.
pub const BAND: &str = "corpus";
/// Most bytes of a file.
const MOST_BYTES: u64 = 4 << 20;

/// A file of cases.
#[derive(Debug, Clone, Default)]
pub struct Corpus {
    pub(super) path: PathBuf,
    /// The file, as reports name it.
    pub(super) shown: String,
    /// Lines, and the cases that they are.
    pub(super) lines: Vec<(String, Option<Case>)>,
}

/// What a run made of a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CorpusInForce {
    /// The file.
    pub file: String,
    /// Cases that the run tries, in the band `corpus` of their checks.
    pub cases: usize,
    /// Cases that the run was narrowed away from.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_selected: usize,
    /// Lines that cannot be tried any more, and why.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub stale: Vec<String>,
}

/// What a run added to a corpus.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct CorpusKept {
    /// The file.
    pub file: String,
    /// Cases that were added.
    pub added: usize,
    /// Why they could not be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &usize) -> bool {
    *count == 0
}

impl Corpus {
    /// Reads a file, `shown` as reports name it. A file that is not there is an empty one.
    ///
    /// # Errors
    /// If it cannot be read, or a line is no case.
    pub fn open(path: &Path, shown: String) -> Result<Corpus, RunError> {
        let bytes = match read_regular(path, MOST_BYTES) {
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => Vec::new(),
            other => other.map_err(|error| RunError::usage(format!("{shown}: {error}")))?,
        };
        let text = String::from_utf8(bytes).map_err(|_| RunError::usage(format!("{shown}: expected UTF-8")))?;
        let (mut lines, mut wrong) = (Vec::new(), Vec::new());
        for (number, line) in text.lines().enumerate() {
            let case = Some(line.trim()).filter(|line| !line.is_empty() && !line.starts_with('#'));
            match case.map(str::parse::<Case>).transpose() {
                Ok(case) => lines.push((line.to_owned(), case)),
                Err(error) => wrong.push(format!("{shown}:{}: {error}", number + 1)),
            }
        }
        if wrong.is_empty() { Ok(Corpus { path: path.to_owned(), shown, lines }) } else { Err(unread(&wrong)) }
    }

    /// Its cases, each with the number of its line.
    pub fn cases(&self) -> impl Iterator<Item = (usize, &Case)> {
        self.lines.iter().enumerate().filter_map(|(at, (_, case))| Some((at + 1, case.as_ref()?)))
    }

    /// The cases of a check on a group that can be tried.
    pub(super) fn planned(
        &self,
        (group, id): (&Group, &str),
        manifest: &Manifest,
        library: &Library,
        parameters: &[(String, Number)],
    ) -> Vec<Planned> {
        let of = |case: &&Case| {
            is_of(case, (group, id), library) && agrees(case, parameters) && stale(case, manifest, library).is_none()
        };
        let cases = self.cases().map(|(_, case)| case).filter(of);
        cases.map(|case| Planned { band: BAND.to_owned(), case: Case { spec: None, ..case.clone() } }).collect()
    }

    /// Whether a check has cases on a group.
    pub(super) fn has(&self, (group, id): &(Group, String), library: &Library) -> bool {
        self.cases().any(|(_, case)| is_of(case, (group, id), library))
    }

    /// What a run of these units makes of it; none if it has no cases.
    pub(super) fn in_force(
        &self,
        units: &[(Group, String)],
        manifest: &Manifest,
        library: &Library,
        parameters: &[(String, Number)],
    ) -> Option<CorpusInForce> {
        let mut all = CorpusInForce { file: self.shown.clone(), cases: 0, not_selected: 0, stale: Vec::new() };
        for (line, case) in self.cases() {
            let is_unit = |(group, id): &(Group, String)| is_of(case, (group, id), library);
            if let Some(why) = stale(case, manifest, library) {
                all.stale.push(format!("line {line}: {why}"));
            } else if agrees(case, parameters) && units.iter().any(is_unit) {
                all.cases += 1;
            } else {
                all.not_selected += 1;
            }
        }
        self.cases().next().map(|_| all)
    }
}

/// The mistakes of a file, the first of them in full.
fn unread(wrong: &[String]) -> RunError {
    const SHOWN: usize = 5;
    let more = wrong.len().saturating_sub(SHOWN);
    let more = if more > 0 { format!("\nand {more} more lines") } else { String::new() };
    let shown = wrong[..wrong.len().min(SHOWN)].join("\n");
    RunError::usage(format!("{shown}{more}\na line is a case as `replay` takes it, or begins with #: take others out"))
}

fn is_of(case: &Case, (group, id): (&Group, &str), library: &Library) -> bool {
    case.check == id
        && (case.level, case.pairing, case.dtype) == (group.level, group.pairing, group.dtype)
        && library.get(&case.scheme).is_ok_and(|scheme| scheme.id() == group.scheme)
}

/// Whether a case has the parameters that the whole run has.
fn agrees(case: &Case, parameters: &[(String, Number)]) -> bool {
    parameters.iter().all(|one| case.parameters.contains(one))
}

/// Why a case cannot be tried any more.
fn stale(case: &Case, manifest: &Manifest, library: &Library) -> Option<String> {
    let scheme = match library.get(&case.scheme) {
        Ok(scheme) => scheme,
        Err(error) => return Some(format!("{error} (is a --spec missing?)")),
    };
    if Item::find(&case.check, case.level, scheme).is_none() {
        return Some(format!("there is no check {:?} on level {}", case.check, case.level));
    }
    if same_spec(library, case).is_err() {
        return Some(format!("{} is another scheme than when the case failed", case.scheme));
    }
    offered(manifest, library, case).err()
}
