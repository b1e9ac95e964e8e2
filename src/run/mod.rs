//! A run: controls first, then every selected check on every group, shrinking what fails.

mod anchors;
mod bench;
mod controls;
mod grade;
mod groups;
mod in_force;
mod reached;
mod result;
pub mod selftest;
mod shrink;
pub mod snapshot;
#[cfg(test)]
mod tests;
mod verdict;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::backend::{Backend, BackendFactory, Manifest, StartError};
use crate::case::{Case, Level};
use crate::check::{CATALOGUE, Check, Gap, Generator, Group, Harness, Planned, Schedule, SpecInvariant, Verdict};
use crate::contract::ContractTable;
use crate::numeric::{DType, Number};
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model;

pub use anchors::{Anchors, anchors, statements};
pub use bench::{BenchError, BenchOptions, BenchReport, BenchRow, Seconds, bench};
pub use controls::{ControlResult, controls};
pub use grade::{Grade, grades};
pub use groups::{SelectionError, groups};
pub use in_force::{ContractInForce, contracts_in_force};
pub use reached::{Reached, reached};
pub use result::{
    BandResult, CheckResult, ExitCode, FailureReport, NotJudged, RunReport, SpecStatements, digest, digest_of,
    not_judged,
};
pub use shrink::shrink;
pub use verdict::verdict;

/// What to run.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Scheme ids, with or without profile; empty: all.
    pub schemes: Vec<String>,
    /// Storage types; empty: all that the backend has.
    pub dtypes: Vec<DType>,
    /// Check ids; empty: all.
    pub checks: Vec<String>,
    /// Levels; empty: all that the backend has.
    pub levels: Vec<Level>,
    /// Cases per check and band.
    pub cases: u32,
    /// Seed.
    pub seed: u64,
    /// Parameters set for the whole run.
    pub parameters: Vec<(String, Number)>,
    /// Worker threads.
    pub threads: usize,
    /// Each check stops at its first failure, which is not made smaller.
    pub first_failure_only: bool,
}

/// Everything that a run judges with.
pub struct Context<'a> {
    /// Every scheme.
    pub library: &'a Library,
    /// Contracts.
    pub contracts: &'a ContractTable,
    /// Rotation plans.
    pub plans: PlanCache,
    /// Set by the signal handler: the run stops and reports what it has.
    pub interrupted: &'a AtomicBool,
}

impl<'a> Context<'a> {
    /// What a check needs to judge a backend.
    pub fn harness<'s>(&'s self, backend: &'s mut dyn Backend) -> Harness<'s> {
        Harness { backend, library: self.library, plans: &self.plans, contracts: self.contracts }
    }
}

/// A check of the catalogue, or an invariant that a scheme states.
enum Item<'a> {
    Check(&'static dyn Check),
    Invariant(SpecInvariant<'a>),
}

impl Item<'_> {
    fn id(&self) -> &str {
        match self {
            Item::Check(check) => check.id(),
            Item::Invariant(invariant) => &invariant.invariant.id,
        }
    }

    fn schedule(&self, generator: &Generator) -> Schedule {
        match self {
            Item::Check(check) if check.is_about_memory() && generator.manifest.copies => {
                let why =
                    "the library works on copies (manifest key copies): ropecheck does not own their memory".into();
                Schedule { cases: Vec::new(), gaps: vec![Gap { band: "-".into(), why }] }
            }
            Item::Check(check) => check.schedule(generator),
            Item::Invariant(invariant) => invariant.schedule(generator),
        }
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        match self {
            Item::Check(check) => check.judge(case, harness),
            Item::Invariant(invariant) => invariant.judge(case, harness),
        }
    }
}

/// The check or invariant of an id that can be judged on a level of a scheme.
fn item<'a>(id: &str, level: Level, scheme: &'a model::Scheme) -> Option<Item<'a>> {
    let check = CATALOGUE.iter().find(|c| c.id() == id && c.levels().contains(&level));
    if let Some(check) = check {
        // On positions that can be seen, the statement itself is judged rather than its consequence for outputs.
        return Some(Item::Check(*check));
    }
    let stated = scheme.invariants.iter().find(|i| i.id == id)?;
    SpecInvariant::LEVELS.contains(&level).then_some(Item::Invariant(SpecInvariant { invariant: stated }))
}

/// Ids that can be selected: checks, and invariants that some scheme states.
#[must_use]
pub fn known_ids(library: &Library) -> Vec<String> {
    let mut ids: Vec<String> = CATALOGUE.iter().map(|c| c.id().to_owned()).collect();
    for scheme in library.schemes() {
        for invariant in &scheme.invariants {
            if !ids.contains(&invariant.id) {
                ids.push(invariant.id.clone());
            }
        }
    }
    ids
}

/// Judges one case: what `replay` does.
///
/// # Errors
/// If the check or the backend has no such level.
pub fn replay(case: &Case, backend: &mut dyn Backend, context: &Context) -> Result<Verdict, String> {
    let scheme = context.library.get(&case.scheme).map_err(|e| e.to_string())?;
    let item = item(&case.check, case.level, scheme)
        .ok_or_else(|| format!("there is no check {:?} on level {}", case.check, case.level))?;
    if backend.manifest().level(case.level).is_none() {
        return Err(format!("the backend has no level {}", case.level));
    }
    Ok(item.judge(case, &mut context.harness(backend)))
}

/// Hangs after which a run gives up on a backend.
const MOST_HANGS: usize = 4;
/// Said of a check in which the backend hung.
const HUNG: &str = "stopped after the backend hung";

fn not_run() -> String {
    format!("not run: the backend hung {MOST_HANGS} times")
}

/// What a panicking thread left behind is whole: every change is one call.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Whether too many units before this one hung.
fn gave_up(hung: &Mutex<BTreeSet<usize>>, index: usize) -> bool {
    lock(hung).range(..index).count() >= MOST_HANGS
}

/// Runs a selection against a backend. `progress` is called after every finished check with (done, all).
///
/// # Errors
/// If the backend cannot be started.
pub fn run(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    units: &[(Group, String)],
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Result<(Manifest, Vec<CheckResult>), StartError> {
    let first = factory.start()?;
    let manifest = first.manifest().clone();
    let next = AtomicUsize::new(0);
    let done = AtomicUsize::new(0);
    let hung: Mutex<BTreeSet<usize>> = Mutex::new(BTreeSet::new());
    let results: Mutex<BTreeMap<usize, CheckResult>> = Mutex::new(BTreeMap::new());
    let spare = Mutex::new(Some(first));
    let failed_start: Mutex<Option<StartError>> = Mutex::new(None);
    std::thread::scope(|scope| {
        for _ in 0..options.threads.clamp(1, 64) {
            scope.spawn(|| {
                let own = spare.lock().ok().and_then(|mut s| s.take());
                let started = own.map_or_else(|| factory.start(), Ok);
                let mut backend = match started {
                    Ok(backend) => backend,
                    Err(error) => {
                        if let Ok(mut slot) = failed_start.lock() {
                            *slot = Some(error);
                        }
                        return;
                    }
                };
                loop {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    let Some((group, id)) = units.get(index) else { break };
                    if context.interrupted.load(Ordering::Relaxed) {
                        break;
                    }
                    // Only units before this one count, as they do below: the report does not depend on the threads.
                    let gave_up = gave_up(&hung, index);
                    // A defect of ropecheck in one check must not lose the results of the others.
                    let guarded =
                        std::panic::AssertUnwindSafe(|| unit(group, id, &mut *backend, context, options, gave_up));
                    let result = std::panic::catch_unwind(guarded).unwrap_or_else(|_| {
                        let mut result = CheckResult::new(group, id);
                        result.internal.push(format!("ropecheck panicked in check {id}"));
                        Some(result)
                    });
                    if let Some(result) = result {
                        if result.stopped.as_deref() == Some(HUNG) {
                            lock(&hung).insert(index);
                        }
                        lock(&results).insert(index, result);
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, units.len());
                }
            });
        }
    });
    // Another thread may have finished a unit after those that hung: with one thread it would not have run.
    let finished = results.into_inner().unwrap_or_else(PoisonError::into_inner);
    let given_up = |(index, result): (usize, CheckResult)| {
        if gave_up(&hung, index) { result.not_run(&not_run()) } else { result }
    };
    let results: Vec<CheckResult> = finished.into_iter().map(given_up).collect();
    match failed_start.into_inner().unwrap_or_default() {
        Some(error) if results.is_empty() => Err(error),
        _ => Ok((manifest, results)),
    }
}

/// One check on one group.
fn unit(
    group: &Group,
    id: &str,
    backend: &mut dyn Backend,
    context: &Context,
    options: &Options,
    gave_up: bool,
) -> Option<CheckResult> {
    let scheme = context.library.get(&group.scheme).ok()?;
    let item = item(id, group.level, scheme)?;
    let manifest = backend.manifest().clone();
    let level = manifest.level(group.level)?;
    let generator = Generator {
        group: group.clone(),
        scheme,
        library: context.library,
        plans: &context.plans,
        manifest: &manifest,
        level,
        cases: options.cases,
        seed: options.seed,
        parameters: &options.parameters,
    };
    let mut schedule = item.schedule(&generator);
    let mut result = CheckResult::new(group, item.id());
    result.gaps.append(&mut schedule.gaps);
    if gave_up && !schedule.cases.is_empty() {
        result.stopped = Some(not_run());
        return Some(result);
    }
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for Planned { band, case } in &schedule.cases {
        if context.interrupted.load(Ordering::Relaxed) {
            result.stopped = Some("interrupted".into());
            break;
        }
        let number = numbers.entry(band.clone()).or_default();
        let case_id = result.case_id(band, *number);
        *number += 1;
        let verdict = item.judge(case, &mut context.harness(backend));
        let hung = matches!(&verdict, Verdict::Fail(f) if f.lost_backend && f.summary.contains("hung"));
        let fresh = result.failures.is_empty();
        result.count(band, &verdict);
        if let Verdict::Fail(failure) = verdict {
            let lost = failure.lost_backend;
            let (small, failure) = if fresh && !hung && !options.first_failure_only {
                let budget = if lost { 24 } else { 160 };
                shrink(case, failure, budget, &manifest, context, |c| item.judge(c, &mut context.harness(backend)))
            } else {
                (case.clone(), failure)
            };
            result.failures.push(FailureReport::new(case_id, &small, *failure));
            if hung {
                result.stopped = Some(HUNG.into());
                break;
            }
            if options.first_failure_only {
                break;
            }
        }
    }
    (result.has_content()).then_some(result)
}
