//! What one check found on one group.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::expectation::Names;
use super::expected_by::ExpectedBy;
use crate::case::{Level, pairing_name};
use crate::check::cost::Cost;
use crate::check::cover::Met;
use crate::check::failure::{Place, Stop};
use crate::check::{Coverage, Errors, Failure, Gap, GradeTally, Group, Measure};

/// The cases of one band.
#[derive(Debug, Clone, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct BandResult {
    /// Cases that ran.
    pub cases: u64,
    /// Those in which it held.
    pub passed: u64,
    /// Those in which it did not.
    pub failed: u64,
    /// Those in which nothing could be concluded.
    pub not_judged: u64,
    /// Those that could not be run, which says nothing about the backend.
    #[serde(skip_serializing_if = "is_zero")]
    pub not_run: u64,
    /// Elements judged.
    pub elements: u64,
    /// Elements where an honest kernel may overflow.
    pub range_not_judged: u64,
    /// Elements whose angle is beyond what the contract claims anything for.
    pub beyond_angle_limit: u64,
    /// Elements whose angle the contract bounds by nothing.
    pub contract_too_wide: u64,
    /// Pairs that turn and whose angle was observed, over all cases; positions that were compared, where
    /// those are judged.
    pub observations: u64,
    /// Largest error / bound.
    pub worst: f64,
    /// Where the largest error / bound was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worst_place: Option<Place>,
    /// Pairs whose angle was observable, by the number of rotated pairs.
    #[serde(skip_serializing_if = "Coverage::is_empty")]
    #[schemars(with = "BTreeMap<String, String>")]
    pub observed: Coverage,
    /// Largest errors and bounds of graded elements, by octave of the position: at 12, positions from 4096 to 8191.
    #[serde(skip_serializing_if = "Errors::is_empty")]
    pub errors: Errors,
    /// Largest position judged, where the backend is given positions or finds them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub largest_position: Option<i64>,
    /// Why nothing could be concluded, or why a case could not be run, each reason once.
    pub reasons: Vec<String>,
    /// What else there is to say of cases in which it held, such as what could not be seen; each once.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notes: Vec<String>,
    /// What the cases say of the arithmetic.
    #[serde(skip)]
    pub grade: GradeTally,
}

impl BandResult {
    /// Adds the elements that the contract leaves open in a case.
    fn left_open(&mut self, measure: &Measure) {
        self.range_not_judged += measure.range_not_judged;
        self.beyond_angle_limit += measure.beyond_angle_limit;
        self.contract_too_wide += measure.contract_too_wide;
    }
}

/// A failing case.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct FailureReport {
    /// Id of the case that failed first, stable under a seed.
    pub id: String,
    /// The shrunk case: what `replay` takes.
    pub case: String,
    /// The case that failed first, where a smaller one was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub shrunk_from: Option<String>,
    /// The command that runs the shrunk case again.
    pub replay: String,
    /// What came of it in a fresh process; none if the backend has no process of its own, or it was not
    /// tried.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
    /// What makes it an expected failure; none if nothing does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<ExpectedBy>,
    /// What is wrong with the shrunk case: cause with evidence, place, and what was being done.
    #[serde(flatten)]
    pub failure: Failure,
    /// The failure in words, the first line being a summary; filled by reports.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub message: Vec<String>,
}

impl FailureReport {
    /// Whether it fails only after other calls.
    #[must_use]
    pub fn needs_other_calls(&self) -> bool {
        matches!(self.again, Some(Again::AfterOtherCalls { .. }))
    }
}

/// What became of a failing case in a fresh process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Again {
    /// It fails there, too.
    Fails,
    /// It holds there: it fails only after other calls.
    AfterOtherCalls {
        /// Cases before it in its check after which it fails in a fresh process; empty if none were found.
        cases: Vec<String>,
    },
}

/// A failure that another check is to show.
#[derive(Debug, Clone)]
pub struct OwedFailure {
    /// The band of its case.
    pub band: String,
    /// The failure.
    pub failure: FailureReport,
}

/// One check on one group.
#[derive(Debug, Clone, Serialize, JsonSchema)]
pub struct CheckResult {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Pairing.
    pub pairing: String,
    /// Storage type; `-` on level positions.
    pub dtype: String,
    /// Check id.
    pub check: String,
    /// By band.
    pub bands: BTreeMap<String, BandResult>,
    /// Failing cases; the first one is shrunk.
    pub failures: Vec<FailureReport>,
    /// Errors in what the suite was given (spec, parameters).
    pub broken: Vec<String>,
    /// Defects of ropecheck itself that showed here.
    pub internal: Vec<String>,
    /// What could not be covered.
    #[serde(serialize_with = "gaps")]
    #[schemars(with = "Vec<String>")]
    pub gaps: Vec<Gap>,
    /// Why not all cases ran.
    pub stopped: Option<Stopped>,
    /// The first failure that another check is to show.
    #[serde(skip)]
    pub owed: Option<Box<OwedFailure>>,
    /// Which classes of calls met in judged cases; taken when the result is folded into a report.
    #[serde(skip)]
    pub met: Option<Met>,
    /// What it cost, where that is measured.
    #[serde(skip)]
    pub cost: Cost,
}

/// Why the cases of a check did not all run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stopped {
    /// The backend hung in it.
    Hung,
    /// It was not run: the backend had hung too often before.
    GaveUp,
    /// The user stopped the run.
    Interrupted,
    /// The time of the run was over.
    OutOfTime,
    /// It was not run: as much had failed before as was asked for.
    EnoughFailed,
    /// The backend, started again, said something else of itself than at first.
    Changed,
}

fn gaps<S: serde::Serializer>(gaps: &[Gap], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(gaps.iter().map(|g| format!("{}: {}", g.band, g.why)))
}

impl CheckResult {
    /// Nothing yet.
    #[must_use]
    pub fn new(group: &Group, check: &str) -> Self {
        let tensors = group.level != Level::Positions;
        let name = |text: &str| if tensors { text.to_owned() } else { "-".to_owned() };
        CheckResult {
            scheme: group.scheme.clone(),
            level: group.level,
            pairing: name(pairing_name(group.pairing)),
            dtype: name(group.dtype.name()),
            check: check.to_owned(),
            bands: BTreeMap::new(),
            failures: Vec::new(),
            broken: Vec::new(),
            internal: Vec::new(),
            gaps: Vec::new(),
            stopped: None,
            owed: None,
            met: None,
            cost: Cost::default(),
        }
    }

    /// What expectations know it by.
    pub(super) fn names(&self) -> Names<'_> {
        [&self.check, &self.scheme, &self.dtype, self.level.name()]
    }

    /// Whether something failed that nobody expects.
    #[must_use]
    pub fn fails(&self) -> bool {
        let expected = self.failures.iter().filter(|failure| failure.expected.is_some()).count();
        self.totals().2 > expected as u64
    }

    /// Failures that nobody expects.
    pub fn unexpected(&self) -> impl Iterator<Item = &FailureReport> {
        self.failures.iter().filter(|failure| failure.expected.is_none())
    }

    /// What makes all of its failures expected ones; none if one is not, or there are none.
    #[must_use]
    pub fn expected_by(&self) -> Option<&ExpectedBy> {
        let first = self.failures.first()?.expected.as_ref();
        first.filter(|_| self.unexpected().next().is_none())
    }

    /// The result as if its cases had not run.
    #[must_use]
    pub fn not_run(self, why: Stopped) -> Self {
        if self.bands.is_empty() && self.internal.is_empty() {
            // There were none, or it was never started.
            return self;
        }
        CheckResult {
            bands: BTreeMap::new(),
            failures: Vec::new(),
            broken: Vec::new(),
            internal: Vec::new(),
            stopped: Some(why),
            owed: None,
            met: None,
            ..self
        }
    }

    /// The stable id of a case.
    #[must_use]
    pub fn case_id(&self, band: &str, number: usize) -> String {
        let CheckResult { scheme, level, pairing, dtype, check, .. } = self;
        format!("{scheme}/{level}/{pairing}/{check}/{dtype}/{band}/{number:04}")
    }

    /// Whether there is anything to report.
    #[must_use]
    pub fn has_content(&self) -> bool {
        !self.bands.is_empty() || !self.internal.is_empty() || !self.gaps.is_empty() || self.stopped.is_some()
    }

    /// Adds a case.
    pub fn count(&mut self, band: &str, judged: &Result<Measure, Stop>) {
        let entry = self.bands.entry(band.to_owned()).or_default();
        entry.cases += 1;
        match judged {
            Ok(measure) if measure.elements == 0 => {
                // Nothing failed because nothing was looked at.
                entry.not_judged += 1;
                entry.left_open(measure);
                let mut reasons = [measure.left_open(), measure.notes.clone()].concat();
                if reasons.is_empty() {
                    reasons.push("no element could be judged".to_owned());
                }
                reasons.iter().for_each(|why| once(&mut entry.reasons, why));
            }
            Ok(measure) => {
                entry.passed += 1;
                entry.elements += measure.elements;
                entry.left_open(measure);
                entry.observations += measure.observations;
                entry.observed.merge(&measure.observed);
                entry.grade.merge(&measure.grade);
                entry.errors.merge(&measure.errors);
                entry.largest_position = entry.largest_position.max(measure.largest);
                if measure.worst > entry.worst {
                    entry.worst = measure.worst;
                    entry.worst_place.clone_from(&measure.place);
                }
                measure.notes.iter().for_each(|note| once(&mut entry.notes, note));
            }
            Err(Stop::Failed(_)) => entry.failed += 1,
            Err(Stop::NotJudged(why)) => {
                entry.not_judged += 1;
                once(&mut entry.reasons, why);
            }
            Err(Stop::Owed(owed)) => {
                entry.not_judged += 1;
                once(&mut entry.reasons, owed.why);
            }
            Err(Stop::NotRun(error)) => {
                entry.not_run += 1;
                once(&mut entry.reasons, &format!("not run: {}", error.why));
            }
            Err(Stop::Broken(why)) => {
                entry.not_judged += 1;
                once(&mut self.broken, why);
            }
        }
    }

    /// Cases that could not be run.
    #[must_use]
    pub fn not_run_cases(&self) -> u64 {
        self.bands.values().map(|band| band.not_run).sum()
    }

    /// Whether not all of its cases came to their end.
    pub(super) fn is_cut(&self) -> bool {
        self.stopped.is_some() || self.not_run_cases() > 0
    }

    /// Takes a failure of its own that no other check showed.
    pub fn fails_owed(&mut self, owed: OwedFailure) {
        if let Some(band) = self.bands.get_mut(&owed.band) {
            band.not_judged = band.not_judged.saturating_sub(1);
            band.failed += 1;
        }
        self.failures.push(owed.failure);
    }

    /// Sums over the bands: cases, passed, failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        self.bands.values().fold((0, 0, 0), |(c, p, f), b| (c + b.cases, p + b.passed, f + b.failed))
    }

    /// Largest error / bound over the bands.
    #[must_use]
    pub fn worst(&self) -> f64 {
        self.bands.values().map(|b| b.worst).fold(0.0, f64::max)
    }
}

fn once(all: &mut Vec<String>, text: &str) {
    if !all.iter().any(|known| known == text) {
        all.push(text.to_owned());
    }
}

/// Whether a count is 0.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}
