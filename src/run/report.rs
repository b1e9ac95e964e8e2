//! What a run found: the fold over its events that reports render. No time, host or thread count is in it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;

use super::anchors::{Anchors, SpecStatements};
use super::controls::ControlResult;
use super::event::{Event, Finished, Started, UnitName};
use super::explanation::Diagnosis;
use super::result::{CheckResult, FailureReport};
use crate::case::Level;
use crate::check::cover::Met;

/// What a run found.
#[derive(Debug, Clone, Default, Serialize, JsonSchema)]
pub struct RunReport {
    /// How it began; none if nothing could be run.
    #[serde(flatten)]
    pub started: Option<Box<Started>>,
    /// Control kernels.
    pub controls: Vec<ControlResult>,
    /// What shares no code with ropecheck.
    pub anchors: Anchors,
    /// Statements of the specs about themselves: judged on the spec, not on the backend.
    pub spec_statements: SpecStatements,
    /// Check by check.
    pub results: Vec<CheckResult>,
    /// What explains the failures, finding by finding.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub diagnoses: Vec<Diagnosis>,
    /// How it ended; none while it runs.
    #[serde(flatten)]
    pub finished: Option<Box<Finished>>,
    /// Failures of the unit that is running.
    #[serde(skip)]
    failures: Vec<FailureReport>,
    /// Notes of the unit that is running, with their bands.
    #[serde(skip)]
    notes: Vec<(String, String)>,
    /// Which classes of calls met in judged cases of a level.
    #[serde(skip)]
    pub(super) met: BTreeMap<Level, Met>,
}

impl RunReport {
    /// Of results alone.
    pub(super) fn of(results: Vec<CheckResult>) -> RunReport {
        RunReport { results, ..RunReport::default() }
    }

    /// Adds what happened.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::Started(started) => self.started = Some(started.clone()),
            Event::Control(control) => self.controls.push(control.clone()),
            Event::Anchor(anchors) => self.anchors = anchors.clone(),
            Event::Statements(statements) => self.spec_statements = statements.clone(),
            Event::UnitBegun(_) | Event::Shrunk(_) => {}
            Event::Failure(failure) => self.failures.push(failure.failure.clone()),
            Event::Note(note) => self.notes.push((note.band.clone(), note.note.clone())),
            Event::UnitDone(result) => {
                let mut result = (**result).clone();
                if let Some(met) = result.met.take() {
                    match self.met.get_mut(&result.level) {
                        Some(all) => all.merge(&met),
                        None => _ = self.met.insert(result.level, met),
                    }
                }
                result.failures = std::mem::take(&mut self.failures);
                for (band, note) in std::mem::take(&mut self.notes) {
                    result.bands.entry(band).or_default().notes.push(note);
                }
                self.results.push(result);
            }
            Event::Owed(owed) => {
                let result = self.results.iter_mut().find(|result| UnitName::of(result) == owed.unit);
                if let Some((result, failure)) = result.and_then(|r| r.owed.take().map(|failure| (r, failure))) {
                    result.fails_owed(*failure);
                }
            }
            Event::Diagnosed(diagnosis) => self.diagnoses.push((**diagnosis).clone()),
            Event::Finished(finished) => self.finished = Some(finished.clone()),
        }
    }

    /// The results of one check alone.
    #[must_use]
    pub fn of_check(&self, check: &str) -> RunReport {
        let results = self.results.iter().filter(|result| result.check == check).cloned().collect();
        RunReport { results, diagnoses: self.diagnoses.clone(), ..RunReport::default() }
    }

    /// What explains the finding that is told by the failure of this id.
    #[must_use]
    pub fn diagnosis_of(&self, id: &str) -> Option<&Diagnosis> {
        self.diagnoses.iter().find(|diagnosis| diagnosis.finding == id)
    }

    /// Cases that ran, that held, and that failed.
    #[must_use]
    pub fn totals(&self) -> (u64, u64, u64) {
        let sum = |(a, b, c), (x, y, z)| (a + x, b + y, c + z);
        self.results.iter().map(CheckResult::totals).fold((0, 0, 0), sum)
    }
}
