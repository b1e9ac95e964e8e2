//! The suite judged by faults: which check kills which defect, and whether honest kernels pass.

mod matrix;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use serde::Serialize;

use super::{Context, ExitCode, Options, groups, run};
use crate::backend::BackendFactory;
use crate::case::Level;
use crate::fault::Fault;
use crate::numeric::DType;
use crate::spec::model::Pairing;

pub use matrix::{CheckSummary, Matrix};

/// What to try.
#[derive(Debug, Clone)]
pub struct SelfTestOptions {
    /// Storage types.
    pub dtypes: Vec<DType>,
    /// Checks; empty: all.
    pub checks: Vec<String>,
    /// Cases per check and band.
    pub cases: u32,
    /// Seed.
    pub seed: u64,
    /// Threads.
    pub threads: usize,
}

/// How soon a check killed a fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Kill {
    /// Check or invariant.
    pub check: String,
    /// Cases of this check that ran until one failed, that one included.
    pub cases: u64,
}

/// One fault in one storage type.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct DtypeResult {
    /// Storage type.
    pub dtype: String,
    /// The checks that killed it, in the order of the catalogue.
    pub kills: Vec<Kill>,
    /// Checks that ran and did not.
    pub spared: Vec<String>,
    /// Why it did not run.
    pub not_run: Option<String>,
    /// What the first failing check said.
    pub said: String,
}

/// One fault.
#[derive(Debug, Clone, Serialize)]
pub struct FaultResult {
    /// Id.
    pub id: String,
    /// Kind of mistake.
    pub class: String,
    /// What goes wrong.
    pub doc: String,
    /// Where it happened.
    pub bugs: Vec<String>,
    /// Why it does not exist in every storage type.
    pub why: String,
    /// The checks that must kill it.
    pub must: Vec<String>,
    /// The proof that it is no defect.
    pub equal: Option<String>,
    /// By storage type.
    pub outcomes: Vec<DtypeResult>,
}

impl FaultResult {
    /// Checks that killed it in every storage type that it exists in.
    #[must_use]
    pub fn killers(&self) -> Vec<&str> {
        let Some(first) = self.outcomes.first() else { return Vec::new() };
        let everywhere = |check: &str| self.outcomes.iter().all(|o| o.kills.iter().any(|k| k.check == check));
        first.kills.iter().map(|k| k.check.as_str()).filter(|check| everywhere(check)).collect()
    }

    /// What is not as it must be, in words; empty if all is well.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let mut all = Vec::new();
        for outcome in &self.outcomes {
            let dtype = &outcome.dtype;
            if let Some(why) = &outcome.not_run {
                all.push(format!("{} in {dtype} was not run: {why}", self.id));
                continue;
            }
            match &self.equal {
                Some(_) => {
                    let killed = outcome.kills.iter().map(|k| &k.check);
                    all.extend(killed.map(|check| {
                        format!("{} in {dtype} is no defect, but {check} fails: {}", self.id, outcome.said)
                    }));
                }
                None if outcome.kills.is_empty() => all.push(format!("{} survives in {dtype}", self.id)),
                None => {
                    let lost = self.must.iter().filter(|m| !outcome.kills.iter().any(|k| k.check == **m));
                    all.extend(lost.map(|check| format!("{} in {dtype} is no longer killed by {check}", self.id)));
                }
            }
        }
        if self.equal.is_none() && self.must.is_empty() {
            all.push(format!("{} states no check that must kill it", self.id));
        }
        all
    }
}

/// An honest kernel on one seed.
#[derive(Debug, Clone, Serialize)]
pub struct HonestResult {
    /// Which kernel.
    pub kernel: String,
    /// Storage type.
    pub dtype: String,
    /// Seed.
    pub seed: u64,
    /// Cases that passed.
    pub passed: u64,
    /// What was held against it: check and summary.
    pub rejected: Vec<(String, String)>,
}

/// What a self test found.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// Version of ropecheck.
    pub ropecheck: String,
    /// Cases per check and band.
    pub cases: u32,
    /// Seed of the faults.
    pub seed: u64,
    /// Fault by fault.
    pub faults: Vec<FaultResult>,
    /// Honest kernels.
    pub honest: Vec<HonestResult>,
    /// What is not as it must be.
    pub complaints: Vec<String>,
}

impl SelfTest {
    /// A report of these results.
    #[must_use]
    pub fn new(options: &SelfTestOptions, faults: Vec<FaultResult>, honest: Vec<HonestResult>) -> Self {
        let mut complaints: Vec<String> = faults.iter().flat_map(FaultResult::complaints).collect();
        for result in &honest {
            let HonestResult { kernel, dtype, seed, .. } = result;
            let held = result.rejected.iter();
            complaints.extend(held.map(|(check, why)| {
                format!("the honest kernel {kernel} in {dtype} is rejected by {check} with seed {seed}: {why}")
            }));
            if result.passed == 0 && result.rejected.is_empty() {
                complaints.push(format!("nothing was judged of the honest kernel {kernel} in {dtype}"));
            }
        }
        let ropecheck = env!("CARGO_PKG_VERSION").to_owned();
        SelfTest { ropecheck, cases: options.cases, seed: options.seed, faults, honest, complaints }
    }

    /// The exit code that the contents call for.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        if self.faults.is_empty() && self.honest.is_empty() {
            ExitCode::NothingRan
        } else if self.complaints.is_empty() {
            ExitCode::Conformant
        } else {
            ExitCode::ControlFailed
        }
    }
}

/// Makes the faulty backend, or says why there is none.
pub type Inject<'a> = dyn Fn(&Fault) -> Result<Box<dyn BackendFactory + 'a>, String> + Sync + 'a;

/// Tries every fault in every storage type that it exists in. `progress` gets (done, all).
#[must_use]
pub fn faults(
    all: &[Fault],
    context: &Context,
    options: &SelfTestOptions,
    inject: &Inject,
    progress: &(dyn Fn(usize, usize) + Sync),
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
    progress: &(dyn Fn(usize, usize) + Sync),
) -> Vec<HonestResult> {
    in_parallel(options.threads, all.len(), progress, |job| {
        let kernel = &all[job];
        let selected = Selected {
            schemes: kernel.schemes.clone(),
            levels: kernel.levels.clone(),
            pairing: kernel.pairing,
            seed: kernel.seed,
            cases: options.cases,
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
                result.rejected = found.failures;
            }
            Err(why) => result.rejected.push(("start".into(), why)),
        }
        result
    })
}

/// What one run of one kernel covers.
struct Selected {
    schemes: Vec<String>,
    levels: Vec<Level>,
    pairing: Pairing,
    seed: u64,
    cases: u32,
}

/// What one run found.
#[derive(Default)]
struct Killers {
    /// Cases until the first failure, by check, in the order of the run.
    kills: Vec<Kill>,
    spared: Vec<String>,
    failures: Vec<(String, String)>,
    passed: u64,
}

impl Killers {
    fn outcome(self, dtype: DType) -> DtypeResult {
        let said = self.failures.first().map(|(check, why)| format!("{check}: {why}")).unwrap_or_default();
        DtypeResult { dtype: dtype.name().to_owned(), kills: self.kills, spared: self.spared, not_run: None, said }
    }
}

fn judge(
    factory: &dyn BackendFactory,
    dtype: DType,
    selected: &Selected,
    context: &Context,
    options: &SelfTestOptions,
) -> Result<Killers, String> {
    let manifest = factory.start().map_err(|e| e.to_string())?.manifest().clone();
    let run_options = Options {
        schemes: selected.schemes.clone(),
        dtypes: vec![dtype],
        checks: options.checks.clone(),
        levels: selected.levels.clone(),
        cases: selected.cases,
        seed: selected.seed,
        parameters: Vec::new(),
        threads: 1,
        first_failure_only: true,
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
    let (_, results) = run(factory, context, &run_options, &units, &|_, _| ()).map_err(|e| e.to_string())?;
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
            let first = result.failures.first().map(|f| f.summary.clone()).unwrap_or_default();
            found.failures.push((id.clone(), first));
        } else if passed > 0 && !spared.contains(id) {
            spared.push(id.clone());
        }
    }
    spared.retain(|id| !killed.contains(id));
    found.kills = killed.into_iter().map(|check| Kill { cases: cases[&check], check }).collect();
    found.spared = spared;
    Ok(found)
}

/// Results of `one(0..count)` in order, made by several threads.
fn in_parallel<T: Send>(
    threads: usize,
    count: usize,
    progress: &(dyn Fn(usize, usize) + Sync),
    one: impl Fn(usize) -> T + Sync,
) -> Vec<T> {
    let (next, done) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let results: Mutex<BTreeMap<usize, T>> = Mutex::new(BTreeMap::new());
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, 64) {
            scope.spawn(|| {
                loop {
                    let job = next.fetch_add(1, Ordering::Relaxed);
                    if job >= count {
                        break;
                    }
                    let result = one(job);
                    if let Ok(mut results) = results.lock() {
                        results.insert(job, result);
                    }
                    progress(done.fetch_add(1, Ordering::Relaxed) + 1, count);
                }
            });
        }
    });
    results.into_inner().unwrap_or_default().into_values().collect()
}
