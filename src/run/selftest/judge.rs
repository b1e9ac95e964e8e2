//! Running faulty and honest kernels.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::result::{DtypeResult, FaultResult, HonestResult, Kill, Rejection, SelfTestOptions};
use crate::backend::{BackendFactory, Manifest};
use crate::case::Level;
use crate::check::{Failure, Group};
use crate::fault::Fault;
use crate::numeric::DType;
use crate::run::context::{Context, Options};
use crate::run::groups::groups;
use crate::run::in_order::in_parallel;
use crate::run::run_units::results;
use crate::spec::model::Pairing;

/// Makes the faulty backend, or says why there is none.
pub type Inject<'a> = dyn Fn(&Fault) -> Result<Box<dyn BackendFactory + 'a>, String> + Sync + 'a;

/// Tries every fault in every storage type that it exists in. `progress` gets (done, all).
#[must_use]
pub fn faults(
    all: &[Fault],
    context: &Context,
    options: &SelfTestOptions,
    inject: &Inject,
    progress: &dyn Fn(usize, usize),
) -> Vec<FaultResult> {
    let jobs: Vec<(usize, DType)> = all
        .iter()
        .enumerate()
        .flat_map(|(at, fault)| fault.dtypes.iter().map(move |dtype| (at, *dtype)))
        .filter(|(_, dtype)| options.dtypes.contains(dtype))
        .collect();
    let outcomes = in_parallel(options.threads, jobs.len(), progress, |job| {
        let (at, dtype) = jobs[job];
        let fault = &all[at];
        let selected = Selected {
            schemes: fault.schemes.clone(),
            levels: fault.levels.clone(),
            pairing: fault.pairing.unwrap_or(Pairing::Half),
            seed: options.seed,
            cases: options.cases,
            cover: false,
        };
        let tried = inject(fault).and_then(|factory| {
            let found = judge(&*factory, dtype, &selected, context, options)?;
            Ok(found)
        });
        match tried {
            Ok(found) => found.outcome(dtype),
            Err(why) => DtypeResult { dtype: dtype.name().to_owned(), not_run: Some(why), ..DtypeResult::default() },
        }
    });
    let mut results: Vec<FaultResult> = all
        .iter()
        .map(|fault| FaultResult {
            id: fault.id.clone(),
            class: fault.class.clone(),
            doc: fault.doc.clone(),
            bugs: fault.bugs.clone(),
            why: fault.why.clone(),
            must: fault.kills.clone(),
            equal: fault.equal.clone(),
            outcomes: Vec::new(),
        })
        .collect();
    for ((at, _), outcome) in jobs.iter().zip(outcomes) {
        results[*at].outcomes.push(outcome);
    }
    results.retain(|result| !result.outcomes.is_empty());
    results
}

/// An honest kernel to be tried: what it is called, in which type, on which schemes, and how it is made.
pub struct Honest {
    /// Name, for reports.
    pub kernel: String,
    /// Storage type.
    pub dtype: DType,
    /// Seed.
    pub seed: u64,
    /// Schemes.
    pub schemes: Vec<String>,
    /// Levels.
    pub levels: Vec<Level>,
    /// Pairing.
    pub pairing: Pairing,
    /// Makes it.
    pub factory: Arc<dyn BackendFactory + Send>,
}

/// Tries honest kernels: none of them may be rejected.
#[must_use]
pub fn honest(
    all: &[Honest],
    context: &Context,
    options: &SelfTestOptions,
    progress: &dyn Fn(usize, usize),
) -> Vec<HonestResult> {
    in_parallel(options.threads, all.len(), progress, |job| {
        let kernel = &all[job];
        let selected = Selected {
            schemes: kernel.schemes.clone(),
            levels: kernel.levels.clone(),
            pairing: kernel.pairing,
            seed: kernel.seed,
            cases: options.cases,
            cover: options.cover,
        };
        let tried = judge(&*kernel.factory, kernel.dtype, &selected, context, options);
        let mut result = HonestResult {
            kernel: kernel.kernel.clone(),
            dtype: kernel.dtype.name().to_owned(),
            seed: kernel.seed,
            passed: 0,
            rejected: Vec::new(),
        };
        match tried {
            Ok(found) => {
                result.passed = found.passed;
                let failed = found.failures.into_iter();
                result.rejected =
                    failed.map(|(check, failure)| Rejection::Check { check, failure: Box::new(failure) }).collect();
            }
            Err(why) => result.rejected.push(Rejection::NotRun { why }),
        }
        result
    })
}

/// What one run of one kernel covers.
pub(super) struct Selected {
    pub(super) schemes: Vec<String>,
    pub(super) levels: Vec<Level>,
    pub(super) pairing: Pairing,
    pub(super) seed: u64,
    pub(super) cases: u32,
    pub(super) cover: bool,
}

/// What one run found.
#[derive(Default)]
struct Killers {
    /// Cases until the first failure, by check, in the order of the run.
    kills: Vec<Kill>,
    spared: Vec<String>,
    failures: Vec<(String, Failure)>,
    passed: u64,
}

impl Killers {
    fn outcome(self, dtype: DType) -> DtypeResult {
        let Killers { kills, spared, failures, .. } = self;
        let first = failures.into_iter().next();
        DtypeResult { dtype: dtype.name().to_owned(), kills, spared, not_run: None, first }
    }
}

/// What is run of a kernel.
pub(super) struct Planned {
    /// What it says of itself.
    pub(super) manifest: Manifest,
    pub(super) options: Options,
    /// Checks on groups.
    pub(super) units: Vec<(Group, String)>,
}

/// What is run of a kernel, and how.
pub(super) fn units(
    factory: &dyn BackendFactory,
    dtype: DType,
    selected: &Selected,
    context: &Context,
    options: &SelfTestOptions,
) -> Result<Planned, String> {
    let manifest = factory.start().map_err(|e| e.to_string())?.manifest().clone();
    let run_options = Options {
        schemes: selected.schemes.clone(),
        dtypes: vec![dtype],
        checks: options.checks.clone(),
        levels: selected.levels.clone(),
        cases: selected.cases,
        seed: selected.seed,
        threads: 1,
        first_failure_only: true,
        ..Options::default()
    };
    // Bare names mean all profiles; a fault is shown on the default one.
    let mut units = groups(&manifest, context.library, &run_options).map_err(|e| e.to_string())?;
    units.retain(|(group, _)| {
        let bare = |name: &String| {
            context.library.get(name).is_ok_and(|scheme| scheme.id() == group.scheme) || *name == group.scheme
        };
        let pairing = group.level == Level::Positions || group.pairing == selected.pairing;
        (group.level == Level::Apply || selected.schemes.iter().any(bare)) && pairing
    });
    Ok(Planned { manifest, options: run_options, units })
}

fn judge(
    factory: &dyn BackendFactory,
    dtype: DType,
    selected: &Selected,
    context: &Context,
    options: &SelfTestOptions,
) -> Result<Killers, String> {
    let Planned { manifest, options: run_options, units } = units(factory, dtype, selected, context, options)?;
    let covered = selected.cover.then_some(&manifest);
    let results = results(factory, context, &run_options, &units, covered).map_err(|e| e.to_string())?;
    let mut found = Killers::default();
    let mut cases: BTreeMap<String, u64> = BTreeMap::new();
    let mut killed: Vec<String> = Vec::new();
    let mut spared: Vec<String> = Vec::new();
    for result in &results {
        if let Some(why) = result.internal.first().or(result.broken.first()) {
            return Err(format!("check {}: {why}", result.check));
        }
        let (ran, passed, failed) = result.totals();
        found.passed += passed;
        let id = &result.check;
        if failed > 0 {
            if !killed.contains(id) {
                killed.push(id.clone());
                cases.insert(id.clone(), ran);
            }
            found.failures.extend(result.failures.first().map(|f| (id.clone(), f.failure.clone())));
        } else if passed > 0 && !spared.contains(id) {
            spared.push(id.clone());
        }
    }
    spared.retain(|id| !killed.contains(id));
    found.kills = killed.into_iter().map(|check| Kill { cases: cases[&check], check }).collect();
    found.spared = spared;
    Ok(found)
}
