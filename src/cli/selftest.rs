//! `selftest`: the suite judged by faults.

use std::io::IsTerminal as _;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};

use super::arguments::library;
use super::backend::own_program;
use super::output::{ReportSink, complain_of};
use crate::backend::host::HostFactory;
use crate::backend::program::{self, ProgramFactory, ProgramOptions};
use crate::backend::{BackendFactory, Vocabulary};
use crate::case::Level;
use crate::check::Depth;
use crate::fault::{self, Fault};
use crate::numeric::DType;
use crate::report;
use crate::rotation::PlanCache;
use crate::run::selftest::{Honest, RegionOptions, SelfTest, SelfTestOptions, diagnosed, faults, honest, regions};
use crate::run::{Context, ExitCode, RunError, known_ids};
use crate::spec::model::Pairing;
use crate::spec::suggest;

#[derive(Debug, Args)]
pub(super) struct SelfTestArguments {
    /// Only this fault (repeatable)
    #[arg(long, value_name = "ID")]
    fault: Vec<String>,
    /// No faults, only honest kernels
    #[arg(long, conflicts_with = "fault")]
    no_faults: bool,
    /// Only this check (repeatable); a fault that only other checks kill then survives
    #[arg(long, value_name = "ID")]
    check: Vec<String>,
    /// Only this storage type (repeatable)
    #[arg(long, value_name = "DTYPE", value_enum)]
    dtype: Vec<DType>,
    /// Cases per check and position band
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    cases: u32,
    /// Seed of the faults' cases
    #[arg(long, default_value_t = 1, value_name = "N")]
    seed: u64,
    /// Seeds that honest kernels are tried on; 0: no honest kernels
    #[arg(long, default_value_t = 1, value_name = "N")]
    honest: u64,
    /// Honest kernels also get the calls that cover a manifest, as in `check` (slow)
    #[arg(long)]
    cover: bool,
    /// Whether faults are named by what a run says of a kernel that has them, in place of which checks kill
    /// them
    #[arg(long, conflicts_with_all = ["no_faults", "check", "cover", "honest"])]
    diagnosis: bool,
    /// Kernels that are wrong in one class of calls, or where two meet, in place of faults: how many a run
    /// kills
    #[arg(long, conflicts_with_all = ["fault", "no_faults", "check", "dtype", "cover", "honest", "cases", "diagnosis"])]
    regions: bool,
    /// The right kernel that they are made from: `host` or a shared library [default: the example in C]
    #[arg(long, value_name = "BACKEND", requires = "regions")]
    kernel: Option<PathBuf>,
    /// How much of what it offers the run is to reach
    #[arg(long, value_enum, default_value_t = Depth::Default, requires = "regions")]
    depth: Depth,
    /// How many of them are run, and not only worked out
    #[arg(long, value_name = "N", default_value_t = 300, requires = "regions")]
    sample: usize,
    /// Threads; default: one per core
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=64))]
    threads: Option<u16>,
    /// What to print
    #[arg(long, value_enum, default_value_t = SelfTestFormat::Table)]
    format: SelfTestFormat,
    /// Write the report to a file instead of standard output
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SelfTestFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// The page of the repository
    Markdown,
}

pub(super) fn selftest(a: SelfTestArguments) -> Result<ExitCode, RunError> {
    let sink = ReportSink::open(a.output.as_deref())?;
    let library = library(&[])?;
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let catalogue = fault::catalogue().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let chosen = if a.no_faults { Vec::new() } else { chosen(catalogue, &a.fault)? };
    let order = known_ids(&library);
    for check in &a.check {
        if !order.contains(check) {
            let hint = suggest::hint(check, order.iter().map(String::as_str));
            let why = format!("there is no check {check:?}{hint} (`ropecheck list checks` shows all)");
            return Err(RunError::usage(why));
        }
    }
    let threads = a.threads.map_or_else(|| std::thread::available_parallelism().map_or(1, usize::from), usize::from);
    let options = SelfTestOptions {
        dtypes: if a.dtype.is_empty() { DType::STORAGE.to_vec() } else { a.dtype },
        checks: a.check.clone(),
        cases: a.cases,
        seed: a.seed,
        cover: a.cover,
        threads,
    };
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &program::NEVER };
    let run = ProgramOptions {
        worker: own_program()?,
        start_timeout: Duration::from_secs(60),
        // A fault that hangs costs this long, twice.
        timeout: Duration::from_secs(5),
        memory: None,
        interrupted: &program::NEVER,
    };
    let workshop = fault::Workshop::new(&library, &contracts, run.clone());
    if a.regions {
        let names = Vocabulary { schemes: &library, contracts: &contracts };
        let kernel: Box<dyn BackendFactory> = match &a.kernel {
            Some(path) if path.as_os_str() == "host" => Box::new(HostFactory),
            Some(path) => Box::new(ProgramFactory::library(path, run, names)),
            None => workshop.example().map_err(|why| RunError::new(ExitCode::NotStarted, why))?,
        };
        let options = RegionOptions { depth: a.depth, seed: a.seed, sample: a.sample, threads };
        let bar = bar("units and kernels");
        let found = regions(&*kernel, &context, options, &mut |done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        })?;
        bar.finish_and_clear();
        let text = match a.format {
            SelfTestFormat::Json => {
                serde_json::to_string_pretty(&found).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n"
            }
            SelfTestFormat::Table | SelfTestFormat::Markdown => report::regions(&found),
        };
        sink.put(&text)?;
        return Ok(found.exit());
    }
    if a.diagnosis {
        let bar = bar("kernels");
        let found = diagnosed(&chosen, &context, &options, &|fault| workshop.faulty(fault), &|done, all| {
            bar.set_length(all as u64);
            bar.set_position(done as u64);
        });
        bar.finish_and_clear();
        let text = match a.format {
            SelfTestFormat::Json => {
                serde_json::to_string_pretty(&found).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n"
            }
            SelfTestFormat::Table | SelfTestFormat::Markdown => report::diagnosed(&found),
        };
        sink.put(&text)?;
        return Ok(found.exit());
    }
    let bar = bar("faults");
    let results = faults(&chosen, &context, &options, &|fault| workshop.faulty(fault), &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let kernels: Vec<Honest> = if a.fault.is_empty() {
        (0..a.honest).flat_map(|n| honest_kernels(&workshop, a.seed.wrapping_add(n), &options.dtypes)).collect()
    } else {
        Vec::new()
    };
    let bar = self::bar("honest kernels");
    let honest = honest(&kernels, &context, &options, &|done, all| {
        bar.set_length(all as u64);
        bar.set_position(done as u64);
    });
    bar.finish_and_clear();
    let found = SelfTest::new(&options, results, honest);
    let text = match a.format {
        SelfTestFormat::Table => report::selftest(&found, &order),
        SelfTestFormat::Json => {
            serde_json::to_string_pretty(&found).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n"
        }
        SelfTestFormat::Markdown => report::selftest_markdown(&found, &order),
    };
    sink.put(&text)?;
    if a.output.is_some() || a.format != SelfTestFormat::Table {
        for complaint in &found.complaints {
            complain_of(&report::words::complaint(complaint));
        }
    }
    Ok(found.exit())
}

/// The honest kernels of one seed, in every storage type. They carry the levels and the pairing that they are
/// tried on.
fn honest_kernels(workshop: &fault::Workshop, seed: u64, dtypes: &[DType]) -> Vec<Honest> {
    let pairing = if seed.is_multiple_of(2) { Pairing::Half } else { Pairing::Adjacent };
    let kernels = workshop.honest(seed);
    let one = |dtype: &DType| {
        let dtype = *dtype;
        let made = |kernel: &fault::HonestKernel| Honest {
            kernel: format!("{} on {}", kernel.name, kernel.scheme),
            dtype,
            seed,
            schemes: vec![kernel.scheme.clone()],
            levels: vec![Level::Positions, Level::Rotate, Level::Fused],
            pairing,
            factory: std::sync::Arc::clone(&kernel.factory),
        };
        kernels.iter().map(made).collect::<Vec<_>>()
    };
    dtypes.iter().flat_map(one).collect()
}

fn chosen(catalogue: Vec<Fault>, ids: &[String]) -> Result<Vec<Fault>, RunError> {
    for id in ids {
        if !catalogue.iter().any(|fault| fault.id == *id) {
            let hint = suggest::hint(id, catalogue.iter().map(|f| f.id.as_str()));
            return Err(RunError::usage(format!("there is no fault {id:?}{hint} (`ropecheck list faults` shows all)")));
        }
    }
    Ok(catalogue.into_iter().filter(|fault| ids.is_empty() || ids.contains(&fault.id)).collect())
}

fn bar(what: &str) -> indicatif::ProgressBar {
    if !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(0);
    if let Ok(style) = indicatif::ProgressStyle::with_template(&format!("{{bar:30}} {{pos}}/{{len}} {what}")) {
        bar.set_style(style);
    }
    bar
}
