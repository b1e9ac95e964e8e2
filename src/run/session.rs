//! A run: controls first, then anchors, then every selected check on every group. It says what happens, as it
//! happens.

use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;

use super::anchors::{anchors, statements};
use super::context::{Context, Options};
use super::controls::controls;
use super::corpus_kept::keep;
use super::covers::covers;
use super::diagnosis::diagnose;
use super::digest::digest;
use super::event::{Event, Finished, Shrunk, Started, UnitFailure, UnitName, UnitNote};
use super::exit_code::{ExitCode, RunError};
use super::expected::expected;
use super::grade::grades;
use super::groups::{SelectionError, groups};
use super::in_force::{contracts_exist, contracts_in_force};
use super::in_order::in_order;
use super::journal::{Journal, JournalFile, RunId, digest_json, digest_of_self};
use super::lock::lock;
use super::max_fail::EnoughFailed;
use super::narrowing::Narrowing;
use super::out_of_time::{Deadline, OutOfTime};
use super::profile::Profile;
use super::proved::unproved;
use super::reached::reached;
use super::report::RunReport;
use super::required::{Had, required};
use super::result::{CheckResult, Stopped};
use super::shard::Shard;
use super::supplied::supplied;
use super::thinned::thinned;
use super::unit::unit;
use super::unit_order::check_by_check;
use super::verdict::{exit_code, verdict};
use crate::backend::{Backend, BackendFactory, Manifest, StartError, StartErrorKind};
use crate::case::Level;
use crate::check::Group;
use crate::check::cost::{self, Cost};
use crate::check::cover::Covers;
use crate::spec::Library;
use crate::spec::Parameters;

/// Hangs after which a run gives up on a backend.
pub(super) const MOST_HANGS: usize = 4;

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

/// A run that has not begun.
pub struct Session<'a> {
    /// What starts the backend.
    pub factory: &'a dyn BackendFactory,
    /// What it is judged with.
    pub context: &'a Context<'a>,
    /// What is to run.
    pub options: &'a Options,
}

impl Session<'_> {
    /// Runs to the end, and says what was found. An error is the end of a run like any other.
    pub fn run(&self, observer: &mut dyn Observer) -> RunReport {
        let deadline = Deadline::new(self.options.time);
        let mut folded = Folded {
            report: RunReport::default(),
            covers: Covers::default(),
            planned: Vec::new(),
            ends: BTreeSet::new(),
            observer,
        };
        let error = self.judge(deadline, &mut folded).err();
        let whole = self.options.shard.is_none();
        if whole {
            folded.settle();
        }
        let explains = whole && error.is_none() && self.options.diagnosis && !deadline.is_over();
        let diagnoses = explains.then(|| diagnose(self.factory, self.context, self.options, &folded.report));
        diagnoses.into_iter().flatten().for_each(|one| folded.event(Event::Diagnosed(Box::new(one))));
        folded.finish(self.context, self.options, error)
    }

    fn judge(&self, deadline: Deadline, folded: &mut Folded) -> Result<(), RunError> {
        let Session { factory, context, options } = self;
        let backend = factory.start()?;
        let (whole, device) = (backend.manifest().clone(), backend.device().map(str::to_owned));
        let (library_sha256, cage) = (backend.digest().map(str::to_owned), backend.cage());
        drop(backend);
        contracts_exist(&whole, context.contracts)?;
        let manifest = options.narrowed(&whole)?;
        let units = groups(&manifest, context.library, options)?;
        let narrowed = Narrowing::of(options, &manifest, context.library, &units)?;
        if options.expectations.is_some() {
            let all = groups(&manifest, context.library, &Options::default())?;
            folded.planned = all.iter().map(|(group, id)| CheckResult::new(group, id)).collect();
        }
        let corpus = options.corpus.as_ref();
        let has_known = |unit: &(Group, String)| corpus.is_some_and(|corpus| corpus.has(unit, context.library));
        let units = thinned(units, (options.seed, options.depth), has_known);
        parameters_exist(context.library, &units, options)?;
        let of_units: BTreeSet<Level> = units.iter().map(|(group, _)| group.level).collect();
        let levels: Vec<Level> = Level::ALL.into_iter().filter(|l| of_units.contains(l)).collect();
        let started = Started {
            ropecheck: env!("CARGO_PKG_VERSION").into(),
            specs: digest(context.library),
            seed: options.seed,
            cases: options.cases,
            depth: options.depth,
            backend: format!("{} {}", manifest.name, manifest.version),
            library_sha256,
            cage,
            device,
            embedded: factory.name() == "host",
            contracts: contracts_in_force(&manifest, context.contracts, &levels),
            contract_options: context.contracts.options(),
            not_judged: supplied(&manifest, &levels),
            config: options.config.clone(),
            corpus: corpus.and_then(|all| all.in_force(&units, &manifest, context.library, &options.parameters)),
            narrowed,
            added_specs: context.library.added().to_vec(),
            shard: None,
            units: units.len(),
            manifest: manifest.clone(),
        };
        let journal = options.journal.as_ref().map(|file| journal(file, &started, options, &units)).transpose()?;
        let mine = options.shard.map(|shard| shard.places(&units));
        let mine: Option<Vec<_>> = mine.map(|places| places.into_iter().map(|at| units[at].clone()).collect());
        let to_run = mine.as_ref().unwrap_or(&units);
        folded.event(Event::Started(Box::new(Started { shard: options.shard, units: to_run.len(), ..started })));
        let schemes: Vec<String> =
            units.iter().map(|(g, _)| g.scheme.clone()).collect::<BTreeSet<_>>().into_iter().collect();
        folded.covers = covers(&manifest, context, options, &units);
        for control in controls(context, &schemes[0], options.seed) {
            folded.event(Event::Control(control));
        }
        if options.shard.is_none() {
            // They are about specs alone: once is enough, when the parts are put together.
            folded.event(Event::Anchor(anchors(context.library, &schemes)));
            folded.event(Event::Statements(statements(context.library, &schemes)));
        }
        run_units(*factory, context, options, to_run, (deadline, journal.as_ref()), folded)?;
        journal.map_or(Ok(()), |journal| journal.finish(context.is_interrupted()))
    }
}

/// The journal of a run that is about to begin.
fn journal(
    file: &JournalFile,
    started: &Started,
    options: &Options,
    units: &[(Group, String)],
) -> Result<Journal, RunError> {
    if started.library_sha256.is_none() && !started.embedded {
        let why = "a journal is of a library or of the embedded kernel: a program may be another one by the next run";
        return Err(RunError::usage(why));
    }
    let set: Vec<String> = options.parameters.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let names: Vec<String> = units.iter().map(|(group, id)| format!("{id} {group:?}")).collect();
    let run = RunId {
        ropecheck: digest_of_self()?,
        library: started.library_sha256.clone(),
        seed: started.seed,
        specs: started.specs.clone(),
        settings: digest_json(&(started, set))?,
        asked: digest_json(&(format!("{:?}", options.requirements), options.diagnosis))?,
        units: digest_json(&names)?,
        shard: options.shard,
        arguments: options.arguments.clone(),
    };
    let places = |shard: Shard| shard.places(units);
    Journal::open(file, &run, &places)
}

impl From<SelectionError> for RunError {
    fn from(error: SelectionError) -> RunError {
        match error {
            SelectionError::Unknown(why) => RunError::new(ExitCode::Usage, why),
            SelectionError::Empty(why) => RunError::new(ExitCode::NothingRan, why),
        }
    }
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
struct Folded<'o> {
    report: RunReport,
    /// What is to be reached of each level.
    covers: Covers,
    /// Everything that the backend could be asked, where expectations are held against it.
    planned: Vec<CheckResult>,
    /// What went wrong when backends were asked to end.
    ends: BTreeSet<String>,
    observer: &'o mut dyn Observer,
}

impl Folded<'_> {
    fn event(&mut self, event: Event) {
        self.report.fold(&event);
        self.observer.event(&event);
    }

    /// The events of a unit that is through: its failures and notes apart, as they are told apart from it.
    fn unit(&mut self, mut result: CheckResult) {
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
    fn settle(&mut self) {
        let group = |r: &CheckResult| (r.scheme.clone(), r.level, r.pairing.clone(), r.dtype.clone());
        let failed = |r: &&CheckResult| !r.failures.is_empty();
        let shown: BTreeSet<_> = self.report.results.iter().filter(failed).map(group).collect();
        let owed = self.report.results.iter().filter(|r| !shown.contains(&group(r)));
        let owed = owed.filter_map(|r| Some((UnitName::of(r), r.owed.as_ref()?.failure.clone())));
        for (unit, failure) in owed.collect::<Vec<_>>() {
            self.event(Event::Owed(Box::new(UnitFailure { unit, failure })));
        }
    }

    fn finish(mut self, context: &Context, options: &Options, error: Option<RunError>) -> RunReport {
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
    let mut folded = Folded {
        report: RunReport::default(),
        covers,
        planned: Vec::new(),
        ends: BTreeSet::new(),
        observer: &mut Silent,
    };
    run_units(factory, context, options, units, (Deadline::new(options.time), None), &mut folded)?;
    folded.settle();
    Ok(folded.report.results)
}

fn run_units(
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

/// A parameter must exist in every selected scheme; otherwise nobody knows what was run.
fn parameters_exist(library: &Library, units: &[(Group, String)], options: &Options) -> Result<(), RunError> {
    for (group, _) in units {
        if let Ok(scheme) = library.get(&group.scheme) {
            Parameters::resolve(scheme, &options.parameters).map_err(|e| RunError::new(ExitCode::Usage, e))?;
        }
    }
    Ok(())
}
