//! Units on several threads, each with a backend of its own, told in one order.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::context::{Context, Options};
use super::covers::covers;
use super::event::Event;
use super::exit_code::{ExitCode, RunError};
use super::folded::{Folded, Observer, Progress};
use super::in_order::in_order;
use super::journal::Journal;
use super::lock::lock;
use super::out_of_time::Deadline;
use super::result::{CheckResult, Stopped};
use super::unit::unit;
use super::unit_order::check_by_check;
use crate::backend::{Backend, BackendFactory, Manifest, StartError, StartErrorKind};
use crate::check::Group;
use crate::check::cost::{self, Cost};
use crate::check::cover::Covers;

/// Hangs after which a run gives up on a backend.
pub(super) const MOST_HANGS: usize = 4;

/// Collects results, and wants to know nothing else.
struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}

/// Runs units against a backend, without controls and anchors; with calls that cover `covered`.
///
/// # Errors
/// If the backend cannot be started, or the run does not come to its end.
pub fn results(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    units: &[(Group, String)],
    covered: Option<&Manifest>,
) -> Result<Vec<CheckResult>, RunError> {
    let covers = covered.map_or_else(Covers::default, |manifest| covers(manifest, context, options, units));
    let mut silent = Silent;
    let mut folded = Folded::new(&mut silent, covers);
    run_units(factory, context, options, units, (Deadline::new(options.time), None), &mut folded)?;
    folded.settle();
    Ok(folded.report.results)
}

/// Runs units against a backend, and tells of each.
///
/// # Errors
/// If the backend cannot be started, is not what it was, or not every unit came to its end.
pub(super) fn run_units(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    units: &[(Group, String)],
    (deadline, journal): (Deadline, Option<&Journal>),
    folded: &mut Folded,
) -> Result<(), RunError> {
    let covers = std::mem::take(&mut folded.covers);
    // A run that goes to its end stays with one scheme: what a kernel keeps from one check shows in those after it.
    let may_stop = options.time.is_some() || options.max_fail.is_some();
    let mut order = if may_stop { check_by_check(units) } else { (0..units.len()).collect() };
    if let Some(corpus) = options.corpus.as_ref().filter(|_| may_stop) {
        // What failed before is worth most.
        order.sort_by_cached_key(|index| !corpus.has(&units[*index], context.library));
    }
    let mut turns = vec![0; units.len()];
    order.iter().enumerate().for_each(|(turn, index)| turns[*index] = turn);
    // Turns of units that hung, and that failed: only what came before a unit counts, so that the report does not depend
    // on the threads.
    let (hung, failed) = (Mutex::new(BTreeSet::new()), Mutex::new(BTreeSet::new()));
    let before = |all: &Mutex<BTreeSet<usize>>, index: usize| lock(all).range(..turns[index]).count();
    let gave_up = |index: usize| before(&hung, index) >= MOST_HANGS;
    let enough_failed =
        |index: usize| options.max_fail.is_some_and(|most| before(&failed, index) >= most.get() as usize);
    let one = |backend: &mut Box<dyn Backend>, index: usize| {
        if context.is_interrupted() {
            return None;
        }
        let (group, id) = &units[index];
        if let Some(known) = journal.and_then(|journal| journal.known(index, group, id)) {
            return Some(known);
        }
        let stop = || match () {
            () if context.is_interrupted() => Some(Stopped::Interrupted),
            () if enough_failed(index) => Some(Stopped::EnoughFailed),
            () if gave_up(index) => Some(Stopped::GaveUp),
            () => deadline.is_over().then_some(Stopped::OutOfTime),
        };
        // A defect of ropecheck in one check must not lose the results of the others.
        if options.profile {
            cost::begin();
        }
        let backend_before = options.profile.then(|| backend.processor_time()).flatten();
        let guarded = AssertUnwindSafe(|| unit(group, id, &mut **backend, context, options, &covers, &stop));
        let mut result = catch_unwind(guarded).unwrap_or_else(|_| {
            let mut result = CheckResult::new(group, id);
            result.internal.push(format!("ropecheck panicked in check {id}"));
            Some(result)
        });
        if options.profile
            && let Some(result) = &mut result
        {
            // A process that was started anew has taken less; what the old one took is not known.
            let backend =
                backend.processor_time().zip(backend_before).map(|(after, before)| after.saturating_sub(before));
            result.cost = Cost { backend: backend.unwrap_or_default(), ..cost::end() };
        }
        // A failure that is expected is no reason to give up.
        let unexpected = |result: &CheckResult| result.unexpected().next().is_some();
        if result.as_ref().is_some_and(|result| result.stopped == Some(Stopped::Hung) && unexpected(result)) {
            lock(&hung).insert(turns[index]);
        }
        if result.as_ref().is_some_and(unexpected) {
            lock(&failed).insert(turns[index]);
        }
        if let Some(journal) = journal {
            journal.keep(index, result.as_ref());
        }
        Some(result)
    };
    // A backend that is not what it was at first: nothing of the run can be believed, nor is more run.
    let changed: Mutex<Option<StartError>> = Mutex::new(None);
    let ends = Mutex::new(BTreeSet::new());
    let start = || {
        let started = factory.start().map(|backend| Ending { backend, ends: &ends });
        if let Err(error) = &started
            && error.kind == StartErrorKind::Changed
        {
            lock(&changed).get_or_insert_with(|| error.clone());
        }
        started
    };
    let one = |ending: &mut Ending, index: usize| {
        let result = if lock(&changed).is_some() { None } else { one(&mut ending.backend, index) };
        if result.as_ref().and_then(Option::as_ref).is_some_and(|r| r.stopped == Some(Stopped::Changed)) {
            let why = "its manifest changes: started again, it said something else of itself than at first";
            lock(&changed).get_or_insert_with(|| StartError::new(StartErrorKind::Changed, factory.name(), why));
        }
        result
    };
    let mut progress = Progress { units: units.len(), ..Progress::default() };
    let observer = std::cell::RefCell::new(&mut *folded);
    // Whatever the order in which units run, they are told in their own.
    let (mut waiting, mut due) = (BTreeMap::new(), 0);
    let tell = |result: Option<CheckResult>| result.map_or((), |result| observer.borrow_mut().unit(result));
    let run = in_order(
        options.threads,
        &order,
        start,
        one,
        |result| {
            progress.done += 1;
            progress.failed += usize::from(result.as_ref().is_some_and(|r| r.unexpected().next().is_some()));
            observer.borrow_mut().observer.progress(progress);
        },
        |index, result| {
            // Another thread may have finished a unit that would not have run with one.
            let result = match result {
                _ if enough_failed(index) => {
                    let (group, id) = &units[index];
                    Some(CheckResult { stopped: Some(Stopped::EnoughFailed), ..CheckResult::new(group, id) })
                }
                result => result.map(|r| if gave_up(index) { r.not_run(Stopped::GaveUp) } else { r }),
            };
            waiting.insert(index, result);
            while let Some(result) = waiting.remove(&due) {
                tell(result);
                due += 1;
            }
        },
    );
    // After an interruption an earlier one may be missing.
    waiting.into_values().for_each(tell);
    let done = progress.done;
    folded.covers = covers;
    folded.ends.extend(lock(&ends).iter().cloned());
    if let Some(error) = lock(&changed).take() {
        return Err(error.into());
    }
    run?;
    if done != units.len() && !context.is_interrupted() {
        let why = format!("{done} of {} checks on groups came to an end: ropecheck has a defect", units.len());
        return Err(RunError::new(ExitCode::Internal, why));
    }
    Ok(())
}

/// A backend that is asked to end when it is not needed any more.
struct Ending<'e> {
    backend: Box<dyn Backend>,
    /// What went wrong then.
    ends: &'e Mutex<BTreeSet<String>>,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        if let Some(why) = self.backend.end() {
            lock(self.ends).insert(why);
        }
    }
}
