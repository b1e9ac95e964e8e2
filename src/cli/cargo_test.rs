//! The command line of `cargo test`: every check of a backend is a test of a target with `harness = false`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::process::ExitCode as ProcessCode;

use libtest_mimic::{Arguments, Completion, Failed, Trial};

use super::arguments::library;
use super::backend::{ContractArguments, INTERRUPTED, all_cores, contracts, move_bar, progress_bar, stop_on_signals};
use super::output::{complain_of, harmless, print};
use super::replay::judged;
use crate::backend::function::Function;
use crate::backend::{BackendFactory, StartError, Vocabulary};
use crate::case::Case;
use crate::check::Depth;
use crate::contract::ContractTable;
use crate::numeric::DType;
use crate::report;
use crate::rotation::PlanCache;
use crate::run::{
    CheckResult, Context, Event, ExitCode, Observer, Options, Progress, ReplayCommand, RunError, RunReport, Session,
    contracts_exist, groups, same_spec,
};
use crate::spec::Library;

/// The test beside those of the checks, which holds if the exit code of `ropecheck check` would be 0.
const VERDICT: &str = "verdict";

/// What a test target judges. Depth is `quick` and the seed 1 if nothing else is said.
#[derive(Debug, Clone)]
pub struct CargoTest {
    options: Options,
    specs: Vec<PathBuf>,
    contracts: Vec<String>,
}

impl Default for CargoTest {
    fn default() -> Self {
        let options =
            Options { cases: Options::CASES, depth: Depth::Quick, seed: 1, threads: all_cores(), ..Options::default() };
        CargoTest { options, specs: Vec::new(), contracts: Vec::new() }
    }
}

impl CargoTest {
    /// Everything that the manifest offers.
    #[must_use]
    pub fn new() -> CargoTest {
        CargoTest::default()
    }

    /// Only this scheme, with or without @profile; may be called again for another.
    #[must_use]
    pub fn scheme(mut self, scheme: &str) -> CargoTest {
        self.options.schemes.push(scheme.into());
        self
    }

    /// Only this storage type; may be called again for another.
    #[must_use]
    pub fn dtype(mut self, dtype: DType) -> CargoTest {
        self.options.dtypes.push(dtype);
        self
    }

    /// How much of what the manifest offers is to be reached.
    #[must_use]
    pub fn depth(mut self, depth: Depth) -> CargoTest {
        self.options.depth = depth;
        self
    }

    /// Cases per check and position band; at least 1.
    #[must_use]
    pub fn cases(mut self, cases: u32) -> CargoTest {
        self.options.cases = cases.max(1);
        self
    }

    /// Seed of everything that is random.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> CargoTest {
        self.options.seed = seed;
        self
    }

    /// Adds a scheme file, or puts it in the place of a built-in one.
    #[must_use]
    pub fn spec(mut self, file: impl Into<PathBuf>) -> CargoTest {
        self.specs.push(file.into());
        self
    }

    /// Holds the backend to `[DTYPE=]CLASS/FREQUENCIES[,KEY=VALUE...]` in the place of its own contract.
    #[must_use]
    pub fn contract(mut self, contract: &str) -> CargoTest {
        self.contracts.push(contract.into());
        self
    }

    /// Judges functions, as the arguments of this process say: what `main` of the test target returns.
    #[must_use]
    pub fn judge(self, functions: Function) -> ProcessCode {
        self.judge_backend(|names| Ok(Box::new(functions.factory(names)?)))
    }

    /// The same for any backend, made with the names that a manifest may use.
    #[must_use]
    pub fn judge_backend(
        self,
        factory: impl FnOnce(Vocabulary) -> Result<Box<dyn BackendFactory>, StartError>,
    ) -> ProcessCode {
        let arguments = Arguments::from_args();
        self.run(&arguments, factory).unwrap_or_else(|error| {
            complain_of(&error.message);
            ProcessCode::from(error.code as u8)
        })
    }

    fn run(
        mut self,
        arguments: &Arguments,
        factory: impl FnOnce(Vocabulary) -> Result<Box<dyn BackendFactory>, StartError>,
    ) -> Result<ProcessCode, RunError> {
        let library = library(&self.specs)?;
        let contracts = contracts(&ContractArguments { contract: std::mem::take(&mut self.contracts) })?;
        let factory = factory(Vocabulary { schemes: &library, contracts: &contracts })?;
        if let Some(case) = std::env::var_os(ReplayCommand::CASE) {
            return replay(&case.to_string_lossy(), &*factory, &library, &contracts);
        }
        let manifest = factory.start()?.manifest().clone();
        let units = groups(&manifest, &library, &self.options)?;
        let mut names: Vec<String> = Vec::new();
        for (_, check) in units {
            if !names.contains(&check) {
                names.push(check);
            }
        }
        // What was not asked for is not run; the verdict alone asks for everything.
        let tests = |name: &str| Trial::test(name, || Ok(()));
        let asked = |name: &str| !arguments.is_filtered_out(&tests(name)) && !arguments.ignored;
        let checks: BTreeSet<&String> = names.iter().filter(|name| asked(name)).collect();
        let any = !checks.is_empty() || asked(VERDICT);
        if arguments.list || !any {
            let all = names.iter().map(String::as_str).chain([VERDICT]).map(tests).collect();
            return Ok(libtest_mimic::run(arguments, all).exit_code());
        }
        if !checks.is_empty() && checks.len() < names.len() {
            self.options.checks = checks.into_iter().cloned().collect();
        }
        self.options.command = ReplayCommand::of_test(format!("cargo test --test {}", target_name()));
        stop_on_signals();
        let context =
            Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
        let mut bar = Bar(progress_bar("checks"));
        let report = Session { factory: &*factory, context: &context, options: &self.options }.run(&mut bar);
        bar.0.finish_and_clear();
        let mut outcomes: BTreeMap<&str, Result<Completion, Failed>> =
            names.iter().map(|name| (name.as_str(), of_check(&report, name))).collect();
        outcomes.insert(VERDICT, of_verdict(&report));
        let trials = names.iter().map(String::as_str).chain([VERDICT]);
        let trials = trials.filter_map(|name| {
            let outcome = outcomes.remove(name)?;
            Some(Trial::ignorable_test(name, move || outcome))
        });
        let conclusion = libtest_mimic::run(arguments, trials.collect());
        if let Some(finished) = &report.finished {
            print(&format!("{}\n", finished.verdict))?;
        }
        Ok(conclusion.exit_code())
    }
}

/// Moves a bar.
struct Bar(indicatif::ProgressBar);

impl Observer for Bar {
    fn event(&mut self, _: &Event) {}

    fn progress(&mut self, progress: Progress) {
        move_bar(&self.0, progress);
    }
}

/// The name of the test target that this process runs: cargo adds a hash to it.
fn target_name() -> String {
    let own = std::env::current_exe().ok();
    let stem = own.as_deref().and_then(|path| path.file_stem()?.to_str()).unwrap_or("NAME");
    match stem.rsplit_once('-') {
        Some((name, hash)) if hash.len() == 16 && hash.bytes().all(|b| b.is_ascii_hexdigit()) => name.to_owned(),
        _ => stem.to_owned(),
    }
}

fn plain(text: &str) -> String {
    anstream::adapter::strip_str(&harmless(text)).to_string().trim_end().to_owned()
}

/// What came of a check over all groups. What a run could not do is a failure: a test that holds says
/// something.
fn of_check(report: &RunReport, check: &str) -> Result<Completion, Failed> {
    let results: Vec<&CheckResult> = report.results.iter().filter(|result| result.check == check).collect();
    let failures = report::check_failures(report, check);
    if !failures.is_empty() {
        return Err(plain(&failures).into());
    }
    let (code, verdict) = ended(report);
    if !matches!(code, ExitCode::Conformant | ExitCode::Nonconformant | ExitCode::NothingRan) {
        return Err(plain(verdict).into());
    }
    if results.iter().map(|result| result.totals().1).sum::<u64>() > 0 {
        return Ok(Completion::Completed);
    }
    let bands = results.iter().flat_map(|result| result.bands.values());
    let reasons: BTreeSet<&str> = bands.flat_map(|band| &band.reasons).map(String::as_str).collect();
    let gaps: BTreeSet<&str> = results.iter().flat_map(|result| &result.gaps).map(|gap| gap.why.as_str()).collect();
    let why: Vec<&str> = reasons.union(&gaps).copied().collect();
    let why = if why.is_empty() { "it has no cases here".to_owned() } else { why.join("; ") };
    Ok(Completion::ignored_with(plain(&format!("not judged: {why}"))))
}

fn of_verdict(report: &RunReport) -> Result<Completion, Failed> {
    match ended(report) {
        (ExitCode::Conformant, _) => Ok(Completion::Completed),
        (_, why) => Err(plain(why).into()),
    }
}

/// The exit code that a report calls for, and why: an error, or the verdict.
fn ended(report: &RunReport) -> (ExitCode, &str) {
    report.finished.as_ref().map_or((ExitCode::Internal, "the run did not come to its end"), |finished| {
        (finished.exit_code, finished.error.as_deref().unwrap_or(&finished.verdict))
    })
}

fn replay(
    case: &str,
    factory: &dyn BackendFactory,
    library: &Library,
    contracts: &ContractTable,
) -> Result<ProcessCode, RunError> {
    let case: Case = case.parse().map_err(|why| RunError::usage(format!("{}: {why}", ReplayCommand::CASE)))?;
    same_spec(library, &case)?;
    let mut backend = factory.start()?;
    contracts_exist(backend.manifest(), contracts)?;
    let context = Context { library, contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let (text, code) = judged(&case, &mut *backend, &context)?;
    print(&text)?;
    Ok(ProcessCode::from(code as u8))
}
