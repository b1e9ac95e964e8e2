//! What observers of a run are told, folded into its report at the same time, and what is worked out at its end.

use std::collections::BTreeSet;

use super::context::{Context, Options};
use super::corpus_kept::keep;
use super::event::{Event, Finished, Shrunk, UnitFailure, UnitName, UnitNote};
use super::exit_code::RunError;
use super::expected::expected;
use super::grade::grades;
use super::max_fail::EnoughFailed;
use super::out_of_time::OutOfTime;
use super::profile::Profile;
use super::proved::unproved;
use super::reached::reached;
use super::report::RunReport;
use super::required::{Had, required};
use super::result::CheckResult;
use super::verdict::{exit_code, verdict};
use crate::check::cover::Covers;

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    /// Checks on groups that are through.
    pub done: usize,
    /// All of them.
    pub units: usize,
    /// Those of them in which something failed.
    pub failed: usize,
}

/// What wants to know of a run.
pub trait Observer {
    /// Something happened. Events come in the same order at any number of threads.
    fn event(&mut self, event: &Event);

    /// The run is this far. Comes as soon as it is so, whatever the order.
    fn progress(&mut self, _progress: Progress) {}
}

/// Ends a report in an error instead of a verdict, and tells the observer so: of a run whose specs do not
/// load, or whose report cannot be written.
pub fn fail(report: &mut RunReport, error: RunError, observer: &mut dyn Observer) {
    let mut finished = report.finished.take().map_or_else(Default::default, |finished| *finished);
    finished.unproved = unproved(&report.results);
    (finished.exit_code, finished.error) = (error.code, Some(error.message));
    finished.verdict = verdict(report, &finished);
    let event = Event::Finished(Box::new(finished));
    report.fold(&event);
    observer.event(&event);
}

/// Events, folded as they are passed on.
pub(super) struct Folded<'o> {
    pub(super) report: RunReport,
    /// What is to be reached of each level.
    pub(super) covers: Covers,
    /// Everything that the backend could be asked, where expectations are held against it.
    pub(super) planned: Vec<CheckResult>,
    /// What went wrong when backends were asked to end.
    pub(super) ends: BTreeSet<String>,
    pub(super) observer: &'o mut dyn Observer,
}

impl<'o> Folded<'o> {
    /// Of a run of which nothing is known yet.
    pub(super) fn new(observer: &'o mut dyn Observer, covers: Covers) -> Folded<'o> {
        Folded { report: RunReport::default(), covers, planned: Vec::new(), ends: BTreeSet::new(), observer }
    }

    /// Tells of an event, and folds it.
    pub(super) fn event(&mut self, event: Event) {
        self.report.fold(&event);
        self.observer.event(&event);
    }

    /// The events of a unit that is through: its failures and notes apart, as they are told apart from it.
    pub(super) fn unit(&mut self, mut result: CheckResult) {
        let unit = UnitName::of(&result);
        self.event(Event::UnitBegun(unit.clone()));
        for failure in std::mem::take(&mut result.failures) {
            let shrunk = failure.shrunk_from.clone().map(|from| Shrunk {
                id: failure.id.clone(),
                from,
                to: failure.case.clone(),
            });
            self.event(Event::Failure(Box::new(UnitFailure { unit: unit.clone(), failure })));
            if let Some(shrunk) = shrunk {
                self.event(Event::Shrunk(shrunk));
            }
        }
        for (band, entry) in &mut result.bands {
            for note in std::mem::take(&mut entry.notes) {
                self.event(Event::Note(UnitNote { unit: unit.clone(), band: band.clone(), note }));
            }
        }
        self.event(Event::UnitDone(Box::new(result)));
    }

    /// What a check left to others to show, and no other check of its group did, is a failure of its own.
    pub(super) fn settle(&mut self) {
        let group = |r: &CheckResult| (r.scheme.clone(), r.level, r.pairing.clone(), r.dtype.clone());
        let failed = |r: &&CheckResult| !r.failures.is_empty();
        let shown: BTreeSet<_> = self.report.results.iter().filter(failed).map(group).collect();
        let owed = self.report.results.iter().filter(|r| !shown.contains(&group(r)));
        let owed = owed.filter_map(|r| Some((UnitName::of(r), r.owed.as_ref()?.failure.clone())));
        for (unit, failure) in owed.collect::<Vec<_>>() {
            self.event(Event::Owed(Box::new(UnitFailure { unit, failure })));
        }
    }

    /// What follows from all of it, and the end.
    pub(super) fn finish(mut self, context: &Context, options: &Options, error: Option<RunError>) -> RunReport {
        let results = &self.report.results;
        let mut finished = Finished {
            reach: self.covers.reach(&self.report.met),
            unproved: if options.shard.is_none() { unproved(results) } else { Vec::new() },
            partial: context.is_interrupted(),
            ends: self.ends.iter().cloned().collect(),
            ..Finished::default()
        };
        if let Some(started) = &self.report.started {
            finished.reached = reached(&started.manifest, results);
            finished.grades = grades(&started.manifest, context.contracts, results);
            finished.out_of_time = OutOfTime::of(options.time, started.units, results);
            finished.enough_failed = EnoughFailed::of(options.max_fail, started.units, results);
            let (reached, reach) = (&finished.reached[..], &finished.reach[..]);
            let had = Had { started, contracts: context.contracts, results, reached, reach };
            // Of a part neither is known: both are settled when the parts are put together.
            if options.shard.is_none() {
                if let Some(all) = options.expectations.as_ref().filter(|_| error.is_none()) {
                    finished.expectations = expected(all, started.manifest.name.as_str(), &self.planned, results);
                }
                finished.requirements = required(&options.requirements, &had);
            }
        }
        if let Some(corpus) = options.corpus.as_ref().filter(|_| error.is_none()) {
            finished.kept = keep(corpus, &self.report);
        }
        finished.profile = options.profile.then(|| Profile::of(results));
        finished.exit_code = error.as_ref().map_or_else(|| exit_code(&self.report, &finished), |error| error.code);
        finished.verdict = verdict(&self.report, &finished);
        finished.error = error.map(|error| error.message);
        self.event(Event::Finished(Box::new(finished)));
        self.report
    }
}
