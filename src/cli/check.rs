//! `check`, `replay`, `describe`.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::{Stop, library, parameter, print, print_to};
use crate::backend::host::HostFactory;
use crate::backend::library::{LibraryFactory, LibraryOptions};
use crate::backend::{BackendFactory, Manifest};
use crate::case::{Case, Level};
use crate::check::{Verdict, bands::BANDS};
use crate::contract::ContractTable;
use crate::numeric::{DType, Number};
use crate::report::{self, Again};
use crate::rotation::PlanCache;
use crate::run::{self, Context, ExitCode, Options, RunReport, SelectionError};
use crate::spec::Library;

const TIMEOUT: f64 = 10.0;
const START_TIMEOUT: f64 = 60.0;

/// How a backend is run.
#[derive(Debug, Args)]
pub(super) struct BackendArguments {
    /// Seconds that one call may take
    #[arg(long, default_value_t = TIMEOUT, value_name = "SECONDS")]
    timeout: f64,
    /// Seconds that loading and opening may take
    #[arg(long, default_value_t = START_TIMEOUT, value_name = "SECONDS")]
    start_timeout: f64,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    pub(super) spec: Vec<PathBuf>,
}

impl BackendArguments {
    /// How a case of `backend` is run again.
    pub(super) fn again(&self, backend: Option<&Path>, contracts: &[String]) -> Again {
        let mut again = Again::new(backend, &self.spec, contracts);
        for (name, value, default) in
            [("--timeout", self.timeout, TIMEOUT), ("--start-timeout", self.start_timeout, START_TIMEOUT)]
        {
            if value != default {
                again = again.with(name, value);
            }
        }
        again
    }
}

/// The arithmetic that outputs are held to.
#[derive(Debug, Args)]
pub(super) struct ContractArguments {
    /// Hold the backend to this contract in the place of its own, such as bf16=cached/pow,trig_ulps=1 (repeatable)
    #[arg(long, value_name = "[DTYPE=]CLASS/FREQUENCIES[,KEY=VALUE...]")]
    pub(super) contract: Vec<String>,
}

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// A shared library that exports the C ABI; without one, ropecheck's own kernel is judged
    backend: Option<PathBuf>,
    /// Only this scheme, with or without @profile (repeatable)
    #[arg(long, value_name = "SCHEME")]
    scheme: Vec<String>,
    /// Only this storage type (repeatable)
    #[arg(long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
    /// Only this check or invariant (repeatable)
    #[arg(long, value_name = "ID")]
    check: Vec<String>,
    /// Only this level (repeatable)
    #[arg(long, value_name = "LEVEL", value_enum)]
    level: Vec<Level>,
    /// Cases per check and position band
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cases: u32,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Cases that run at a time [default: as many as there are cores]; the report does not depend on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,
    /// Set a scheme parameter (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    /// What to print
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Write the report to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    contract: ContractArguments,
    #[command(flatten)]
    run: BackendArguments,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people
    Table,
    /// For programs
    Json,
    /// For CI systems
    Junit,
}

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The case, as a failure report prints it
    case: String,
    /// The backend it failed on; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    #[command(flatten)]
    contract: ContractArguments,
    #[command(flatten)]
    run: BackendArguments,
}

#[derive(Debug, Args)]
pub(super) struct DescribeArguments {
    /// A shared library; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    #[command(flatten)]
    run: BackendArguments,
}

pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A duration that a user gave.
pub(super) fn seconds(name: &str, value: f64) -> Result<Duration, Stop> {
    Duration::try_from_secs_f64(value)
        .ok()
        .filter(|d| !d.is_zero() && *d <= Duration::from_secs(86_400))
        .ok_or_else(|| Stop::usage(format!("--{name} must be more than 0 and at most 86400 seconds, found {value}")))
}

/// What starts the backend that a user named; none: the embedded kernel.
pub(super) fn factory(backend: Option<&Path>, arguments: &BackendArguments) -> Result<Box<dyn BackendFactory>, Stop> {
    let (timeout, start_timeout) =
        (seconds("timeout", arguments.timeout)?, seconds("start-timeout", arguments.start_timeout)?);
    match backend {
        None => Ok(Box::new(HostFactory)),
        Some(path) if path.as_os_str() == "host" => Ok(Box::new(HostFactory)),
        Some(path) => {
            let worker = std::env::current_exe()
                .map_err(|e| Stop::new(ExitCode::Internal, format!("the program's own path is unknown: {e}")))?;
            Ok(Box::new(LibraryFactory::new(path, LibraryOptions { worker, start_timeout, timeout })))
        }
    }
}

pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(64)
}

/// The built-in contracts, and what the user declares in the place of the backend.
pub(super) fn contracts(options: &ContractArguments) -> Result<ContractTable, Stop> {
    let contracts = crate::contract::contracts();
    let mut contracts = contracts.map_err(|e| Stop::new(ExitCode::Spec, e.render(false)))?;
    for text in &options.contract {
        contracts.declare(text).map_err(|why| Stop::usage(format!("--contract {text}: {why}")))?;
    }
    Ok(contracts)
}

pub(super) fn check(a: CheckArguments) -> Result<ExitCode, Stop> {
    let library = library(&a.run.spec)?;
    let options = Options {
        schemes: a.scheme.clone(),
        dtypes: a.dtype.clone(),
        checks: a.check.clone(),
        levels: a.level.clone(),
        cases: a.cases,
        seed: a.seed,
        parameters: a.param.clone(),
        threads: a.threads.map_or_else(all_cores, |n| n as usize),
        first_failure_only: false,
    };
    let contracts = contracts(&a.contract)?;
    // A second handler cannot be set; then the default one ends the run, which is no worse.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let factory = factory(a.backend.as_deref(), &a.run)?;
    let report = judge(&*factory, &context, &options)?;
    let again = a.run.again(a.backend.as_deref(), &a.contract.contract);
    let text = match a.format {
        Format::Table => report::table(&report, &again),
        Format::Json => report::json(&report).map_err(|e| Stop::new(ExitCode::Internal, e))? + "\n",
        Format::Junit => report::junit(&report, &again).map_err(|e| Stop::new(ExitCode::Internal, e))?,
    };
    print_to(a.output.as_deref(), &text)?;
    Ok(report.exit())
}

/// Controls, anchors, and every selected check.
fn judge(factory: &dyn BackendFactory, context: &Context, options: &Options) -> Result<RunReport, Stop> {
    let backend = factory.start().map_err(|e| Stop::new(ExitCode::NotStarted, e))?;
    let (manifest, device) = (backend.manifest().clone(), backend.device().map(str::to_owned));
    drop(backend);
    contracts_exist(&manifest, context.contracts)?;
    let units = run::groups(&manifest, context.library, options).map_err(|e| match e {
        SelectionError::Unknown(why) => Stop::usage(why),
        SelectionError::Empty(why) => Stop::new(ExitCode::NothingRan, why),
    })?;
    parameters_exist(context.library, &units, options)?;
    let mut schemes: Vec<String> = units.iter().map(|(g, _)| g.scheme.clone()).collect();
    schemes.dedup();
    schemes.sort();
    schemes.dedup();
    // The control kernels keep their own contract.
    let own = ContractTable { overrides: Vec::new(), ..context.contracts.clone() };
    let plain = Context {
        library: context.library,
        contracts: &own,
        plans: PlanCache::new(),
        interrupted: context.interrupted,
    };
    let controls = run::controls(&plain, &schemes[0], options.seed);
    let embedded = Library::embedded().map_err(|e| Stop::new(ExitCode::Spec, e.render(false)))?;
    let anchors = run::anchors(&embedded);
    let statements = run::statements(context.library, &schemes);
    let bar = progress_bar(units.len(), "checks");
    let (manifest, results) = run::run(factory, context, options, &units, &|done, _| bar.set_position(done as u64))
        .map_err(|e| Stop::new(ExitCode::NotStarted, e))?;
    bar.finish_and_clear();
    let levels: Vec<Level> = Level::ALL.into_iter().filter(|l| results.iter().any(|r| r.level == *l)).collect();
    let mut report = RunReport {
        ropecheck: env!("CARGO_PKG_VERSION").into(),
        specs: run::digest(context.library),
        seed: options.seed,
        cases: options.cases,
        backend: format!("{} {}", manifest.name, manifest.version),
        device,
        embedded: factory.name() == "host",
        contracts: run::contracts_in_force(&manifest, context.contracts, &levels),
        contract_options: context.contracts.options(),
        not_judged: run::not_judged(&manifest, &levels),
        reached: run::reached(&manifest, &results),
        grades: run::grades(&manifest, context.contracts, &results),
        manifest,
        controls,
        anchors,
        spec_statements: statements,
        results,
        partial: context.interrupted.load(Ordering::Relaxed),
        verdict: String::new(),
        exit_code: 0,
    };
    let code = report.exit();
    report.exit_code = code as u8;
    report.verdict = run::verdict(&report, code);
    Ok(report)
}

pub(super) fn contracts_exist(manifest: &Manifest, contracts: &ContractTable) -> Result<(), Stop> {
    if let Some((Some(dtype), _)) =
        contracts.overrides.iter().find(|(d, _)| d.is_some_and(|d| !manifest.dtypes.contains(&d)))
    {
        let known: Vec<&str> = manifest.dtypes.iter().map(|d| d.name()).collect();
        let why = format!("--contract {dtype}=...: the backend has no dtype {dtype}, only {}", known.join(", "));
        return Err(Stop::usage(why));
    }
    for (level, declared) in &manifest.levels {
        for (dtype, own) in &declared.contracts {
            let resolved = contracts.in_force(*dtype, Some(own)).map_or(Ok(()), |d| d.resolve(contracts).map(drop));
            resolved.map_err(|why| {
                Stop::new(ExitCode::NotStarted, format!("manifest, levels.{level}.contract ({dtype}): {why}"))
            })?;
        }
    }
    Ok(())
}

/// A parameter must exist in every selected scheme; otherwise nobody knows what was run.
fn parameters_exist(library: &Library, units: &[(crate::check::Group, String)], options: &Options) -> Result<(), Stop> {
    for (group, _) in units {
        if let Ok(scheme) = library.get(&group.scheme) {
            crate::positions::Parameters::resolve(scheme, &options.parameters).map_err(Stop::usage)?;
        }
    }
    Ok(())
}

pub(super) fn progress_bar(units: usize, what: &str) -> indicatif::ProgressBar {
    if !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(units as u64);
    if let Ok(style) = indicatif::ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what}")) {
        bar.set_style(style);
    }
    bar
}

pub(super) fn replay(a: ReplayArguments) -> Result<ExitCode, Stop> {
    let library = library(&a.run.spec)?;
    let case: Case = a.case.parse().map_err(Stop::usage)?;
    library.get(&case.scheme).map_err(Stop::usage)?;
    let contracts = contracts(&a.contract)?;
    let factory = factory(a.backend.as_deref(), &a.run)?;
    let mut backend = factory.start().map_err(|e| Stop::new(ExitCode::NotStarted, e))?;
    contracts_exist(backend.manifest(), &contracts)?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let verdict = run::replay(&case, &mut *backend, &context).map_err(Stop::usage)?;
    let (text, code) = match verdict {
        Verdict::Pass(m) if m.elements == 0 => {
            let why = if m.notes.is_empty() { "no element could be judged".to_owned() } else { m.notes.join("; ") };
            (format!("not judged: {why}\n"), ExitCode::NothingRan)
        }
        Verdict::Pass(m) => {
            let notes: String = m.notes.iter().map(|note| format!("     {note}\n")).collect();
            let held = format!("holds: {} elements, largest error/bound {:.3}\n{notes}", m.elements, m.worst);
            (held, ExitCode::Conformant)
        }
        Verdict::Fail(f) => {
            let details: String = f.details.iter().map(|d| format!("     {d}\n")).collect();
            (format!("FAIL {}: {}\n{details}", case.check, f.summary), ExitCode::Nonconformant)
        }
        Verdict::NotJudged(why) => (format!("not judged: {why}\n"), ExitCode::NothingRan),
        Verdict::Broken(why) => return Err(Stop::new(ExitCode::Spec, why)),
    };
    print(&text);
    Ok(code)
}

pub(super) fn describe(a: DescribeArguments) -> Result<ExitCode, Stop> {
    let factory = factory(a.backend.as_deref(), &a.run)?;
    let backend = factory.start().map_err(|e| Stop::new(ExitCode::NotStarted, e))?;
    let manifest = backend.manifest();
    let mut out = Vec::new();
    let _ = writeln!(out, "{} {}", manifest.name, manifest.version);
    let memory = backend.device().map_or_else(|| "the host's".to_owned(), |name| format!("of a device: {name}"));
    let _ = writeln!(out, "memory of calls: {memory}");
    for (level, m) in &manifest.levels {
        let consumes: Vec<&str> = m.consumes.iter().map(|c| c.name()).collect();
        let _ = writeln!(out, "level {level}: consumes {}; schemes {}", consumes.join(", "), m.schemes.join(", "));
        for (dtype, contract) in &m.contracts {
            let _ = writeln!(out, "  {dtype}: contract {contract}");
        }
        let parts = run::not_judged(manifest, &[*level]);
        let parts = parts.first().map_or_else(|| "nothing".to_owned(), |n| n.parts.join(", "));
        let _ = writeln!(out, "  not judged, because the suite supplies it: {parts}");
    }
    let json = serde_json::to_string_pretty(manifest).map_err(|e| Stop::new(ExitCode::Internal, e))?;
    let _ = writeln!(out, "accuracy bands: {}", BANDS.map(|band| band.name).join(", "));
    let _ = writeln!(out, "{json}");
    print(&String::from_utf8_lossy(&out));
    Ok(ExitCode::Conformant)
}
