//! `check`: holds a backend against the specs.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Command, FromArgMatches as _};
use schemars::Schema;

use super::arguments::{ModelArguments, library, parameter, seed, time};
use super::backend::{
    BackendArguments, ContractArguments, INTERRUPTED, all_cores, contracts, factory, stop_on_signals,
};
use super::config::{self, Config};
use super::corpus::{corpus, none_in_parts};
use super::help::ColorArgument;
use super::output::complain_of;
use super::reports::{ReportArguments, Reports};
use crate::backend::Vocabulary;
use crate::case::Level;
use crate::check::Depth;
use crate::numeric::{DType, Number};
use crate::rotation::PlanCache;
use crate::run::{
    self, Context, ExitCode, JournalFile, Options, Requirement, RunError, RunReport, Session, Shard, shard_files,
};

/// Headings of options in help.
const WHAT: &str = "What is judged";
const HOW_MUCH: &str = "How much";
const RUN: &str = "The run";

#[derive(Debug, Args)]
pub(super) struct CheckArguments {
    /// A shared library that exports the C ABI; without one, ropecheck's own kernel is judged
    backend: Option<PathBuf>,
    /// Only this scheme, with or without @profile (repeatable)
    #[arg(help_heading = WHAT, long, value_name = "SCHEME")]
    scheme: Vec<String>,
    /// Only this storage type (repeatable)
    #[arg(help_heading = WHAT, long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
    /// Only this check or invariant (repeatable)
    #[arg(help_heading = WHAT, long, value_name = "ID")]
    check: Vec<String>,
    /// Only this level (repeatable)
    #[arg(help_heading = WHAT, long, value_name = "LEVEL", value_enum)]
    level: Vec<Level>,
    /// Cases per check and position band
    #[arg(help_heading = HOW_MUCH, long, default_value_t = Options::CASES, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cases: u32,
    /// How much of what the backend offers is to be reached
    #[arg(help_heading = HOW_MUCH, long, value_enum, default_value_t, value_name = "DEPTH")]
    depth: Depth,
    /// Begin nothing new after this time, such as 60s, 2m, 1h or 500ms; what was left out is said
    #[arg(help_heading = HOW_MUCH, long, value_name = "TIME", value_parser = time)]
    time: Option<Duration>,
    /// Run nothing more after so many checks on groups failed; the verdict says so
    #[arg(help_heading = HOW_MUCH, long, value_name = "N")]
    max_fail: Option<NonZeroU32>,
    /// Seed of everything that is random; `fresh` takes one from the system, and the report says which
    #[arg(help_heading = HOW_MUCH, long, default_value = "1", value_name = "N|fresh", value_parser = seed)]
    seed: u64,
    /// What must have been judged, such as q_heads=64, levels=rotate,fused or reach=95%: else exit code 4 (repeatable)
    #[arg(help_heading = HOW_MUCH, long, value_name = "KEY=VALUE")]
    require: Vec<String>,
    /// Cases that run at a time [default: as many as there are cores]; the report does not depend on it
    #[arg(help_heading = RUN, long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,
    /// Set a scheme parameter (repeatable)
    #[arg(help_heading = WHAT, long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    #[command(flatten)]
    reports: ReportArguments,
    /// Do not look for the defects that explain what failed
    #[arg(help_heading = RUN, long)]
    no_diagnosis: bool,
    /// Keep what is through in a new file, so that a run that is killed can go on
    #[arg(help_heading = RUN, long, value_name = "FILE", conflicts_with = "resume")]
    journal: Option<PathBuf>,
    /// Go on from the journal of a run that was killed, with the same options: the report is that of one run
    #[arg(help_heading = RUN, long, value_name = "FILE")]
    resume: Option<PathBuf>,
    /// Try the failing cases in this file first, and add those that fail [default: failures in the folder .ropecheck
    /// beside ropecheck.yaml or the backend, if there is one]
    #[arg(help_heading = RUN, long, value_name = "FILE")]
    corpus: Option<PathBuf>,
    /// Neither try nor keep cases that failed
    #[arg(help_heading = RUN, long, conflicts_with = "corpus")]
    no_corpus: bool,
    /// Measure the processor time of every check by what it was spent on, in the table and as `profile` in JSON
    #[arg(help_heading = RUN, long)]
    profile_checks: bool,
    /// Only this part of the checks, k of n; needs --journal, and `ropecheck merge` puts the journals together
    #[arg(help_heading = RUN, long, value_name = "K/N", value_parser = clap::value_parser!(Shard), conflicts_with = "time")]
    shard: Option<Shard>,
    /// Take options and known failures from this file [default: the nearest ropecheck.yaml upwards]
    #[arg(help_heading = RUN, long, value_name = "FILE", conflicts_with = "no_config")]
    config: Option<PathBuf>,
    /// Look for no ropecheck.yaml
    #[arg(help_heading = RUN, long)]
    no_config: bool,
    #[command(flatten)]
    model: ModelArguments,
    #[command(flatten)]
    contract: ContractArguments,
    #[command(flatten)]
    run: BackendArguments,
}

#[derive(Debug, Args)]
pub(super) struct MergeArguments {
    /// The journals of all shards of one run, in any order
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
    /// The library that was judged, where it is at another place now
    #[arg(long, value_name = "PATH")]
    backend: Option<PathBuf>,
    /// Cases that run at a time: what failed is run again [default: as many as there are cores]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,
    #[command(flatten)]
    reports: ReportArguments,
}

/// `check` as the command line knows it.
fn command() -> Command {
    ColorArgument::augment_args(CheckArguments::augment_args(Command::new("check")))
}

/// The JSON Schema of `ropecheck.yaml`, for editors.
#[must_use]
pub fn config_schema() -> Schema {
    config::schema(&command())
}

/// The arguments with what a configuration adds to them.
fn configured(a: &CheckArguments) -> Result<Option<(CheckArguments, Config)>, RunError> {
    let Some(path) = config::place(a.config.as_deref(), a.no_config)? else { return Ok(None) };
    let (matches, config) = config::merged(&command(), &path)?;
    Ok(Some((CheckArguments::from_arg_matches(&matches).map_err(RunError::usage)?, config)))
}

pub(super) fn check(a: CheckArguments) -> Result<ExitCode, RunError> {
    // Reports that the command line asks for say, too, what is wrong with a configuration.
    let (a, config) = match configured(&a) {
        Ok(found) => {
            let (a, config) = found.unwrap_or((a, Config::default()));
            (a, Ok(config))
        }
        Err(error) => (a, Err(error)),
    };
    run_check(&a, config, None)
}

fn run_check(
    a: &CheckArguments,
    config: Result<Config, RunError>,
    merge: Option<JournalFile>,
) -> Result<ExitCode, RunError> {
    let mut reports = Reports::open(&a.reports, a.backend.as_deref())?;
    let mut in_colour = None;
    let report = config.and_then(|config| judge(a, config, merge, &mut reports)).unwrap_or_else(|error| {
        let mut report = RunReport::default();
        // Colours are for who reads standard error; a report has the words alone.
        let plain = anstream::adapter::strip_str(&error.message).to_string();
        let code = error.code;
        in_colour = Some(error.message);
        run::fail(&mut report, RunError::new(code, plain), &mut reports);
        report
    });
    let report = reports.close(report);
    let Some(finished) = report.finished else { return Ok(ExitCode::Internal) };
    if let Some(error) = in_colour.or(finished.error) {
        complain_of(&error);
    }
    Ok(finished.exit_code)
}

/// The journal that was asked for.
fn journal(a: &CheckArguments) -> Result<Option<JournalFile>, RunError> {
    match (&a.journal, &a.resume) {
        (_, Some(path)) => Ok(Some(JournalFile::Resume(path.clone()))),
        (Some(path), None) => Ok(Some(JournalFile::New(path.clone()))),
        (None, None) if a.shard.is_some() => {
            let why = "--shard needs --journal FILE: `ropecheck merge` puts these files together";
            Err(RunError::usage(why))
        }
        (None, None) => Ok(None),
    }
}

/// The command line, as the journal of a part keeps it.
fn command_line(a: &CheckArguments) -> Result<Vec<String>, RunError> {
    if a.shard.is_none() {
        return Ok(Vec::new());
    }
    let text = |argument: std::ffi::OsString| {
        argument.into_string().map_err(|found| RunError::usage(format!("--shard: {found:?} is no UTF-8")))
    };
    std::env::args_os().map(text).collect()
}

/// Puts the parts of a run together: the run of their command line, with what they found.
pub(super) fn merge(
    merge: MergeArguments,
    command: impl Fn(&[String]) -> Option<CheckArguments>,
) -> Result<ExitCode, RunError> {
    let files = shard_files(&merge.files)?;
    let a = files.first().and_then(|file| command(file.arguments()));
    let a = a.ok_or_else(|| {
        RunError::new(ExitCode::Spec, "the files hold a command line that this ropecheck does not understand")
    })?;
    let (a, config) = configured(&a)?.unwrap_or((a, Config::default()));
    let MergeArguments { backend, threads, reports, .. } = merge;
    let backend = backend.or(a.backend);
    let (journal, resume, shard) = (None, None, None);
    run_check(
        &CheckArguments { backend, threads, reports, journal, resume, shard, ..a },
        Ok(config),
        Some(JournalFile::Merge(files)),
    )
}

fn judge(
    a: &CheckArguments,
    config: Config,
    merge: Option<JournalFile>,
    reports: &mut Reports,
) -> Result<RunReport, RunError> {
    let library = library(&a.run.spec)?;
    for text in &a.contract.contract {
        let declared = contracts(&ContractArguments { contract: Vec::new() })?.declare(text);
        declared.map_err(|why| config.wrong("contract", text, &why))?;
    }
    if let Some(name) = &a.model.preset {
        library.model(name).map_err(|why| config.wrong("preset", name, &why.to_string()))?;
    }
    let contracts = contracts(&a.contract)?;
    let require = |text: &String| {
        let requirement = Requirement::parse(text, &library, &contracts);
        requirement.map_err(|why| config.wrong("require", text, &why))
    };
    let requirements = a.require.iter().map(require).collect::<Result<_, _>>()?;
    let journal = merge.map_or_else(|| journal(a), |files| Ok(Some(files)))?;
    let config_file = config.in_force.as_ref().map(|config| config.file.as_str());
    let corpus = if journal.is_some() {
        none_in_parts(a.corpus.as_deref(), config.in_force.as_ref())?;
        None
    } else if a.no_corpus {
        None
    } else {
        corpus(a.corpus.as_deref(), config_file, a.backend.as_deref(), a.run.is_program())?
    };
    let options = Options {
        schemes: a.scheme.clone(),
        dtypes: a.dtype.clone(),
        checks: a.check.clone(),
        levels: a.level.clone(),
        cases: a.cases,
        depth: a.depth,
        time: a.time,
        max_fail: a.max_fail,
        requirements,
        seed: a.seed,
        parameters: a.param.clone(),
        threads: a.threads.map_or_else(all_cores, |n| n as usize),
        first_failure_only: false,
        diagnosis: !a.no_diagnosis,
        command: a.run.command(a.backend.as_deref(), &a.contract.contract),
        profile: a.profile_checks,
        corpus,
        journal,
        shard: a.shard,
        arguments: command_line(a)?,
        heads: None,
        preset: None,
        config: config.in_force,
        expectations: config.expectations,
    };
    let options = a.model.narrow(options, &library)?;
    stop_on_signals();
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let factory = factory(a.backend.as_deref(), &a.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    Ok(Session { factory: &*factory, context: &context, options: &options }.run(reports))
}
