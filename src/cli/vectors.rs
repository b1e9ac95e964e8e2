//! `vectors`: cases as files, and the outputs that come back.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::arguments::{TableOrJson, library, parameter};
use super::backend::{ContractArguments, INTERRUPTED, contracts, stop_on_signals};
use super::output::{ReportSink, print};
use crate::backend::{Manifest, Vocabulary};
use crate::case::Level;
use crate::case::tensor_file::{MAX_HEADER, TensorFile};
use crate::numeric::{DType, Number};
use crate::report::{vectors_json, vectors_table};
use crate::rotation::PlanCache;
use crate::run::snapshot::{MOST_ELEMENTS, plan};
use crate::run::vectors::{Exporter, INDEX, Index, MAX_CASES, VectorCase, verify};
use crate::run::{Context, ExitCode, Options, RunError};
use crate::spec::read_regular;

/// The manifest of cases where none is given.
const MANIFEST: &str = include_str!("../run/vectors/manifest.json");
/// Largest manifest that is read.
const MAX_MANIFEST: u64 = 1 << 20;
/// Largest index that is read.
const MAX_INDEX: u64 = 64 << 20;
/// Largest file with outputs: a header, and q and k of eight bytes each.
const MAX_OUTPUTS: u64 = (MAX_HEADER + 2 * 8 * MOST_ELEMENTS) as u64;

#[derive(Debug, Args)]
pub(super) struct VectorsArguments {
    #[command(subcommand)]
    action: VectorsAction,
}

#[derive(Debug, Subcommand)]
enum VectorsAction {
    /// Write inputs, positions, plans and tables of cases as safetensors, and index.json, which describes
    /// them
    Export(ExportArguments),
    /// Judge the outputs of exported cases
    Verify(VerifyArguments),
}

#[derive(Debug, Args)]
struct ExportArguments {
    /// A folder that is empty, or is made
    dir: PathBuf,
    /// What the kernel takes: JSON as a library's manifest [default: f32, f16 and bf16, heads of 16, 64 and
    /// 128]
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Only this level (repeatable)
    #[arg(long, value_name = "LEVEL", value_enum, default_value = "rotate")]
    level: Vec<Level>,
    /// Only this scheme, with or without @profile (repeatable)
    #[arg(long, value_name = "SCHEME")]
    scheme: Vec<String>,
    /// Only this storage type (repeatable)
    #[arg(long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
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
    contract: ContractArguments,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

#[derive(Debug, Args)]
struct VerifyArguments {
    /// The exported folder
    dir: PathBuf,
    /// The folder with a file of outputs for each case, of the same name
    out: PathBuf,
    /// Only this case, by the name of its file (repeatable)
    #[arg(long, value_name = "FILE")]
    case: Vec<String>,
    #[command(flatten)]
    contract: ContractArguments,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// Write the report to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Show every failure
    #[arg(long, short)]
    verbose: bool,
}

pub(super) fn vectors(a: VectorsArguments) -> Result<ExitCode, RunError> {
    stop_on_signals();
    match a.action {
        VectorsAction::Export(a) => export(&a),
        VectorsAction::Verify(a) => judge(&a),
    }
}

fn at(path: &Path, why: impl std::fmt::Display) -> RunError {
    RunError::usage(format!("{}: {why}", path.display()))
}

fn export(a: &ExportArguments) -> Result<ExitCode, RunError> {
    if a.dir.symlink_metadata().is_ok() && fs::read_dir(&a.dir).map_err(|e| at(&a.dir, e))?.next().is_some() {
        return Err(at(&a.dir, "expected an empty folder, or none, found files in it"));
    }
    let library = library(&a.spec)?;
    let contracts = contracts(&a.contract)?;
    let text = match &a.manifest {
        Some(file) => {
            let bytes = read_regular(file, MAX_MANIFEST).map_err(|e| at(file, e))?;
            String::from_utf8(bytes).map_err(|e| at(file, e))?
        }
        None => MANIFEST.to_owned(),
    };
    let names = Vocabulary { schemes: &library, contracts: &contracts };
    let manifest = Manifest::parse(&text, names).map_err(|e| match &a.manifest {
        Some(file) => at(file, e),
        None => RunError::new(ExitCode::Internal, e),
    })?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let options = Options {
        schemes: a.scheme.clone(),
        dtypes: a.dtype.clone(),
        levels: a.level.clone(),
        cases: a.cases,
        seed: a.seed,
        parameters: a.param.clone(),
        ..Options::default()
    };
    let planned = plan(&manifest, &context, &options)?;
    let mut index = Index::new(serde_json::from_str(&text).map_err(|e| RunError::new(ExitCode::Internal, e))?);
    (index.seed, index.contracts, index.left_out) = (a.seed, a.contract.contract.clone(), planned.left_out);
    fs::create_dir_all(&a.dir).map_err(|e| at(&a.dir, e))?;
    let put = |name: &str, bytes: &[u8]| {
        let path = a.dir.join(name);
        let write = || fs::OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(bytes);
        write().map_err(|e| at(&path, format!("cannot be written: {e}")))
    };
    let exporter = Exporter { manifest: &manifest, context: &context };
    for (id, case) in &planned.cases {
        if context.is_interrupted() {
            return Err(RunError::new(ExitCode::Interrupted, "interrupted: the export is not whole"));
        }
        let exported = match index.cases.len() {
            MAX_CASES => Err(format!("more than {MAX_CASES} cases")),
            number => exporter.case(number, id, case),
        };
        match exported {
            Ok(exported) => {
                if !exported.inputs.is_empty() {
                    put(&exported.entry.file, &exported.inputs)?;
                }
                index.cases.push(exported.entry);
            }
            Err(why) => *index.left_out.entry(why).or_default() += 1,
        }
    }
    if index.cases.is_empty() {
        let why: Vec<&str> = index.left_out.keys().map(String::as_str).collect();
        return Err(RunError::new(ExitCode::NothingRan, format!("nothing can be exported: {}", why.join("; "))));
    }
    let text = serde_json::to_string_pretty(&index).map_err(|e| RunError::new(ExitCode::Internal, e))?;
    put(INDEX, (text + "\n").as_bytes())?;
    let mut said = format!("exported {} cases to {}\n", index.cases.len(), a.dir.display());
    for (why, count) in &index.left_out {
        said += &format!("left out: {count} cases: {why}\n");
    }
    print(&said)?;
    Ok(ExitCode::Conformant)
}

fn judge(a: &VerifyArguments) -> Result<ExitCode, RunError> {
    let sink = ReportSink::open(a.output.as_deref())?;
    let library = library(&a.spec)?;
    let path = a.dir.join(INDEX);
    let spec = |why: &dyn std::fmt::Display| RunError::new(ExitCode::Spec, format!("{}: {why}", path.display()));
    let index = Index::read(&read_regular(&path, MAX_INDEX).map_err(|e| spec(&e))?).map_err(|e| spec(&e))?;
    let unknown = a.case.iter().find(|name| !index.cases.iter().any(|case| case.file == **name));
    if let Some(name) = unknown {
        return Err(RunError::usage(format!("--case {name}: {} has no such case", path.display())));
    }
    let given = if a.contract.contract.is_empty() { index.contracts.clone() } else { a.contract.contract.clone() };
    let contracts = contracts(&ContractArguments { contract: given })?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    let asked = |case: &VectorCase| a.case.is_empty() || a.case.contains(&case.file);
    let outputs = |case: &VectorCase| outputs(&a.out.join(&case.file));
    let extra = extra(&a.out, &index)?;
    let mut report = verify(&index, &context, &extra, &asked, &outputs).map_err(|mut error| {
        error.message = format!("{}: {}", path.display(), error.message);
        error
    })?;
    report.verdict += if a.case.is_empty() { "" } else { "; only --case" };
    let text = match a.format {
        TableOrJson::Table => vectors_table(&report, a.verbose),
        TableOrJson::Json => vectors_json(&report).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n",
    };
    sink.put(&text)?;
    Ok(report.exit_code)
}

/// The outputs of a case. Only a file that lies there itself is read, and none that a link leads to.
fn outputs(path: &Path) -> Result<TensorFile, String> {
    let wrong = |why: &dyn std::fmt::Display| format!("{}: {why}", path.display());
    let about = path.symlink_metadata().map_err(|e| match e.kind() {
        std::io::ErrorKind::NotFound => wrong(&"expected the outputs of an exported case, found no such file"),
        _ => wrong(&e),
    })?;
    if !about.is_file() {
        return Err(wrong(&"expected a file, found something else"));
    }
    TensorFile::read(&read_regular(path, MAX_OUTPUTS).map_err(|e| wrong(&e))?).map_err(|e| wrong(&e))
}

/// Files that look like outputs and belong to no case.
fn extra(folder: &Path, index: &Index) -> Result<Vec<String>, RunError> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).map_err(|e| RunError::new(ExitCode::NotStarted, at(folder, e)))? {
        let name = entry.map_err(|e| at(folder, e))?.file_name();
        let name = name.to_string_lossy();
        if name.ends_with(".safetensors") && !index.cases.iter().any(|case| case.file == name) {
            all.push(format!(
                "{}: expected the outputs of an exported case, found no case of this name",
                folder.join(&*name).display()
            ));
        }
    }
    all.sort_unstable();
    Ok(all)
}
