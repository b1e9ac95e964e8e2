//! `snapshot`: a backend's own outputs, kept and compared.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::arguments::{ModelArguments, TableOrJson, library, parameter};
use super::backend::{
    BackendArguments, ContractArguments, INTERRUPTED, all_cores, contracts, factory, progress_bar, stop_on_signals,
};
use super::output::{ReportSink, print};
use crate::backend::{BackendFactory, Vocabulary};
use crate::case::{Case, Level};
use crate::check::HeadPreset;
use crate::numeric::{DType, Number};
use crate::report::{SnapshotReport, snapshot_json, snapshot_table, words};
use crate::rotation::PlanCache;
use crate::run::snapshot::{Comparison, RecordError, Recorded, Selection, Snapshot, compare, read, record, write};
use crate::run::{Context, ExitCode, Options, RunError, contracts_exist};
use crate::spec::read_regular;
use crate::spec::suggest::choose;

/// Largest file that is read.
const MAX_BYTES: u64 = 1 << 30;

#[derive(Debug, Args)]
pub(super) struct SnapshotArguments {
    #[command(subcommand)]
    action: SnapshotAction,
}

#[derive(Debug, Subcommand)]
enum SnapshotAction {
    /// Write a backend's outputs to a file (each case is run twice; what differs from run to run is refused)
    Record(RecordArguments),
    /// Say whether a backend still gives the same bits; writes nothing
    Verify(CompareArguments),
    /// Show what changed, in ulps, by scheme, band and pair; writes nothing
    Diff(CompareArguments),
    /// Show what changed, and write the file again: the change is what was meant
    Accept(AcceptArguments),
}

#[derive(Debug, Args)]
struct SnapshotFiles {
    /// The snapshot
    file: PathBuf,
    /// A shared library that exports the C ABI; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    /// Cases that run at a time [default: as many as there are cores]; nothing depends on it
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=64))]
    threads: Option<u32>,
    #[command(flatten)]
    run: BackendArguments,
}

/// Which cases.
#[derive(Debug, Args)]
struct Chosen {
    /// Only this scheme, with or without @profile (repeatable)
    #[arg(long, value_name = "SCHEME")]
    scheme: Vec<String>,
    /// Only this storage type (repeatable)
    #[arg(long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
    /// Only this level (repeatable)
    #[arg(long, value_name = "LEVEL", value_enum)]
    level: Vec<Level>,
}

#[derive(Debug, Args)]
struct RecordArguments {
    #[command(flatten)]
    files: SnapshotFiles,
    #[command(flatten)]
    chosen: Chosen,
    /// Cases per position band
    #[arg(long, default_value_t = 1, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cases: u32,
    /// Seed of everything that is random
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Set a scheme parameter (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    #[command(flatten)]
    model: ModelArguments,
    /// Replace a snapshot that is there
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct CompareArguments {
    #[command(flatten)]
    files: SnapshotFiles,
    #[command(flatten)]
    chosen: Chosen,
    #[command(flatten)]
    contract: ContractArguments,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// Write the report to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct AcceptArguments {
    #[command(flatten)]
    files: SnapshotFiles,
    /// Also where the environment variable CI is set
    #[arg(long)]
    force: bool,
}

pub(super) fn snapshot(a: SnapshotArguments) -> Result<ExitCode, RunError> {
    stop_on_signals();
    match a.action {
        SnapshotAction::Record(a) => make(&a),
        SnapshotAction::Verify(a) => look(&a, "verify"),
        SnapshotAction::Diff(a) => look(&a, "diff"),
        SnapshotAction::Accept(a) => accept(&a),
    }
}

impl From<RecordError> for RunError {
    fn from(error: RecordError) -> RunError {
        let code = match error {
            RecordError::Start(_) => ExitCode::NotStarted,
            RecordError::Unfit(_) | RecordError::NoOutputs { .. } => ExitCode::Nonconformant,
            RecordError::Nothing(_) => ExitCode::NothingRan,
            RecordError::Unknown(_) => ExitCode::Usage,
            RecordError::Interrupted => ExitCode::Interrupted,
        };
        let why = match &error {
            RecordError::NoOutputs { why: Recorded::Failed(failure), .. } => format!(": {}", words::summary(failure)),
            RecordError::NoOutputs { why: Recorded::NotAsked(why), .. } => format!(": {why}"),
            _ => String::new(),
        };
        RunError::new(code, format!("{error}{why}"))
    }
}

fn threads(files: &SnapshotFiles) -> usize {
    files.threads.map_or_else(all_cores, |n| n as usize)
}

fn make(a: &RecordArguments) -> Result<ExitCode, RunError> {
    let file = &a.files.file;
    if file.exists() {
        // What is no snapshot is never replaced: it may be the library, if the two were swapped.
        load(&a.files).map_err(|stop| RunError::usage(format!("{}\nit is not replaced", stop.message)))?;
        if !a.force {
            let name = file.display();
            return Err(RunError::usage(format!(
                "{name} is there already; `ropecheck snapshot accept {name}` takes a change, --force replaces it"
            )));
        }
    }
    let library = library(&a.files.run.spec)?;
    let options = Options {
        schemes: a.chosen.scheme.clone(),
        dtypes: a.chosen.dtype.clone(),
        levels: a.chosen.level.clone(),
        cases: a.cases,
        seed: a.seed,
        parameters: a.param.clone(),
        threads: threads(&a.files),
        ..Options::default()
    };
    let options = a.model.narrow(options, &library)?;
    for scheme in &options.schemes {
        let scheme = library.get(scheme).map_err(RunError::usage)?;
        crate::spec::Parameters::resolve(scheme, &options.parameters).map_err(RunError::usage)?;
    }
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let factory =
        factory(a.files.backend.as_deref(), &a.files.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let (snapshot, left_out) = recorded(&*factory, &context, &options, &a.files)?;
    let bytes = save(file, &snapshot)?;
    let about = &snapshot.about;
    let mut text = format!(
        "recorded {} cases of {} {} in {} ({bytes} bytes)\n",
        about.cases.len(),
        about.backend,
        about.version,
        file.display()
    );
    for (why, count) in &left_out {
        text.push_str(&format!("left out: {count} cases: {why}\n"));
    }
    print(&text)?;
    Ok(ExitCode::Conformant)
}

fn recorded(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    files: &SnapshotFiles,
) -> Result<(Snapshot, std::collections::BTreeMap<String, usize>), RunError> {
    let bar = progress_bar("cases");
    let result = record(factory, context, options, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    result.map_err(|error| {
        let replay = match &error {
            RecordError::NoOutputs { case, .. } => {
                let command = files.run.command(files.backend.as_deref(), &[]);
                format!("\nreplay it: {}", command.replay(case))
            }
            _ => String::new(),
        };
        let mut error = RunError::from(error);
        error.message.push_str(&replay);
        error
    })
}

/// Writes beside the file and then takes its place, so that a run that is ended leaves the old one.
fn save(file: &Path, snapshot: &Snapshot) -> Result<usize, RunError> {
    let bytes = write(snapshot).map_err(|e| RunError::new(ExitCode::Internal, e))?;
    let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let put = || -> std::io::Result<()> {
        let mut new = tempfile::Builder::new().permissions(readable()).tempfile_in(folder)?;
        new.write_all(&bytes)?;
        new.persist(file)?;
        Ok(())
    };
    put().map_err(|e| RunError::usage(format!("{} cannot be written: {e}", file.display())))?;
    Ok(bytes.len())
}

/// As any file that a program writes; the user's umask applies.
fn readable() -> std::fs::Permissions {
    std::os::unix::fs::PermissionsExt::from_mode(0o666)
}

fn load(files: &SnapshotFiles) -> Result<Snapshot, RunError> {
    let name = files.file.display();
    let stop = |why: &dyn std::fmt::Display| RunError::new(ExitCode::Spec, format!("{name}: {why}"));
    let bytes = read_regular(&files.file, MAX_BYTES).map_err(|e| {
        let hint =
            if e.kind() == std::io::ErrorKind::NotFound { "; `ropecheck snapshot record` makes one" } else { "" };
        stop(&format!("{e}{hint}"))
    })?;
    if bytes.starts_with(b"\x7fELF") {
        return Err(stop(&"it is a program or a library, and no snapshot (the order is: SNAPSHOT BACKEND)"));
    }
    read(&bytes).map_err(|e| stop(&format!("no snapshot of ropecheck: {e}")))
}

fn options(selection: &Selection, threads: usize) -> Result<Options, String> {
    let parameters = selection.parameters.iter().map(|(name, value)| {
        Number::parse(value).map(|value| (name.clone(), value)).map_err(|e| format!("parameter {name}={value}: {e}"))
    });
    let dtype = |name: &String| choose("dtype", name, &DType::STORAGE.map(|d| (d.name(), d)));
    let level = |name: &String| choose("level", name, &Level::ALL.map(|l| (l.name(), l)));
    Ok(Options {
        schemes: selection.schemes.clone(),
        dtypes: selection.dtypes.iter().map(dtype).collect::<Result<_, _>>()?,
        levels: selection.levels.iter().map(level).collect::<Result<_, _>>()?,
        cases: selection.cases.min(10_000),
        seed: selection.seed,
        parameters: parameters.collect::<Result<_, _>>()?,
        heads: selection.heads.map(|[q_heads, k_heads, head_dim, width]| {
            let rotary = (width > 0).then_some((width, 0));
            HeadPreset { q_heads, k_heads, head_dim, rotary, parameters: Vec::new() }
        }),
        threads,
        ..Options::default()
    })
}

/// Everything that a comparison is made of.
struct ComparedSnapshots {
    snapshot: Snapshot,
    options: Options,
    comparison: Comparison,
    backend: String,
    embedded: bool,
}

fn compared(
    files: &SnapshotFiles,
    context: &Context,
    factory: &dyn BackendFactory,
    narrowed: &dyn Fn(&Case) -> bool,
) -> Result<ComparedSnapshots, RunError> {
    let snapshot = load(files)?;
    let name = files.file.display();
    let options = options(&snapshot.about.selection, threads(files))
        .map_err(|why| RunError::new(ExitCode::Spec, format!("{name}: selection: {why}")))?;
    let started = factory.start()?;
    contracts_exist(started.manifest(), context.contracts)?;
    let backend = format!("{} {}", started.manifest().name, started.manifest().version);
    drop(started);
    let bar = progress_bar("cases");
    let comparison = compare(&snapshot, factory, context, &options, narrowed, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    Ok(ComparedSnapshots { snapshot, options, comparison: comparison?, backend, embedded: factory.name() == "host" })
}

/// The exit code of a comparison and its verdict.
fn judged(comparison: &Comparison) -> (ExitCode, &'static str) {
    if comparison.same() {
        (ExitCode::Conformant, "same")
    } else if comparison.compared == 0 && comparison.failed.is_empty() {
        (ExitCode::NothingRan, "not compared")
    } else if comparison.compared == 0 && comparison.failed.iter().all(|(_, failure)| failure.lost_backend()) {
        (ExitCode::NotStarted, "the backend died in every case")
    } else {
        (ExitCode::Nonconformant, "changed")
    }
}

fn look(a: &CompareArguments, command: &str) -> Result<ExitCode, RunError> {
    let sink = ReportSink::open(a.output.as_deref())?;
    let library = library(&a.files.run.spec)?;
    let (dtypes, levels) = (&a.chosen.dtype, &a.chosen.level);
    let mut schemes = Vec::new();
    for name in &a.chosen.scheme {
        let scheme = library.get(name).map_err(RunError::usage)?;
        let all = library.all().filter(|s| s.name == scheme.name && (!name.contains('@') || s.id() == scheme.id()));
        schemes.extend(all.map(|s| s.id()));
    }
    let narrowed = |case: &Case| {
        (schemes.is_empty() || schemes.contains(&case.scheme))
            && (levels.is_empty() || levels.contains(&case.level))
            && (dtypes.is_empty() || case.level != Level::Positions && dtypes.contains(&case.dtype))
    };
    let contracts = contracts(&a.contract)?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let factory =
        factory(a.files.backend.as_deref(), &a.files.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let found = compared(&a.files, &context, &*factory, &narrowed)?;
    let (code, verdict) = judged(&found.comparison);
    let mut report =
        SnapshotReport::new(command, &found.snapshot.about, found.backend, found.embedded, found.comparison);
    (report.verdict, report.exit_code) = (verdict.into(), code as u8);
    let text = match a.format {
        TableOrJson::Table => shown(&report, &a.files, &a.contract.contract, command == "diff"),
        TableOrJson::Json => snapshot_json(&report).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n",
    };
    sink.put(&text)?;
    Ok(code)
}

fn shown(report: &SnapshotReport, files: &SnapshotFiles, contracts: &[String], details: bool) -> String {
    let command = files.run.command(files.backend.as_deref(), contracts);
    snapshot_table(report, &files.file.display().to_string(), &command, details)
}

/// Whether this runs where nobody looks on.
fn in_ci() -> bool {
    std::env::var("CI").is_ok_and(|v| !["", "0", "false"].contains(&v.as_str()))
}

fn accept(a: &AcceptArguments) -> Result<ExitCode, RunError> {
    if in_ci() && !a.force {
        return Err(RunError::usage(
            "the environment variable CI is set, and accepting a change is a person's decision (--force if it is not so here)",
        ));
    }
    let library = library(&a.files.run.spec)?;
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let factory =
        factory(a.files.backend.as_deref(), &a.files.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let found = compared(&a.files, &context, &*factory, &|_| true)?;
    let (snapshot, left_out) = recorded(&*factory, &context, &found.options, &a.files)?;
    let name = a.files.file.display();
    let mut report =
        SnapshotReport::new("accept", &found.snapshot.about, found.backend, found.embedded, found.comparison);
    let (code, verdict) = judged(&report.comparison);
    (report.verdict, report.exit_code) = (verdict.into(), ExitCode::Conformant as u8);
    if code == ExitCode::NotStarted {
        return Err(RunError::new(code, "the backend died in every case: nothing was written"));
    }
    let mut text = shown(&report, &a.files, &[], true);
    if snapshot == found.snapshot {
        text.push_str(&format!("nothing to accept: {name} is as it was\n"));
    } else {
        let bytes = save(&a.files.file, &snapshot)?;
        text.push_str(&format!("accepted: {name} now has {} cases ({bytes} bytes)\n", snapshot.about.cases.len()));
        for (why, count) in &left_out {
            text.push_str(&format!("left out: {count} cases: {why}\n"));
        }
    }
    print(&text)?;
    Ok(ExitCode::Conformant)
}
