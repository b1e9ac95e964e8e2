//! Whether faults are named by what a run says of a kernel that has them.

use serde::Serialize;

use super::judge::{Inject, Planned, Selected, units};
use super::result::SelfTestOptions;
use crate::fault::{Fault, Injection};
use crate::numeric::DType;
use crate::run::context::{Context, Options};
use crate::run::diagnosis::diagnose;
use crate::run::exit_code::ExitCode;
use crate::run::in_order::in_parallel;
use crate::run::report::RunReport;
use crate::run::run_units::results;
use crate::spec::model::Pairing;

/// The share of kernels whose fault must be named first, in percent.
const MUST_BE_FIRST: usize = 90;

/// What was said of a kernel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Named {
    /// Its fault, or one that no case tells apart from it.
    First,
    /// Its fault, after others.
    Later,
    /// Other faults alone.
    Others,
    /// Nothing: no known fault shows what was seen.
    Nothing,
    /// Nothing failed.
    NothingFailed,
    /// It could not be run.
    NotRun {
        /// Why not.
        why: String,
    },
}

/// A kernel with a fault, and what was said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Diagnosed {
    /// Id of the fault.
    pub fault: String,
    /// Storage type.
    pub dtype: String,
    /// What was said.
    pub named: Named,
    /// The faults that were named, best first; those of one rank together.
    pub ranks: Vec<Vec<String>>,
}

/// What was said of all of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DiagnosisReport {
    /// Seed.
    pub seed: u64,
    /// Kernel by kernel.
    pub kernels: Vec<Diagnosed>,
}

impl DiagnosisReport {
    /// How many faults were named first.
    #[must_use]
    pub fn first(&self) -> usize {
        self.kernels.iter().filter(|kernel| kernel.named == Named::First).count()
    }

    /// The exit code that the contents call for.
    #[must_use]
    pub fn exit(&self) -> ExitCode {
        match self.kernels.len() {
            0 => ExitCode::NothingRan,
            all if self.first() * 100 >= all * MUST_BE_FIRST => ExitCode::Conformant,
            _ => ExitCode::ControlFailed,
        }
    }
}

/// Runs the suite against each fault that is put into an emulated kernel, and asks what explains what failed.
/// `progress` gets (done, all).
#[must_use]
pub fn diagnosed(
    all: &[Fault],
    context: &Context,
    options: &SelfTestOptions,
    inject: &Inject,
    progress: &dyn Fn(usize, usize),
) -> DiagnosisReport {
    let emulated =
        all.iter().filter(|fault| fault.equal.is_none() && matches!(fault.injection, Injection::Emulated(_)));
    let jobs: Vec<(&Fault, DType)> = emulated
        .flat_map(|fault| fault.dtypes.iter().map(move |dtype| (fault, *dtype)))
        .filter(|(_, dtype)| options.dtypes.contains(dtype))
        .collect();
    let kernels = in_parallel(options.threads, jobs.len(), progress, |job| {
        let (fault, dtype) = jobs[job];
        let ranks = one(fault, dtype, context, options, inject);
        let (named, ranks) = match ranks {
            Err(why) => (Named::NotRun { why }, Vec::new()),
            Ok(None) => (Named::NothingFailed, Vec::new()),
            Ok(Some(ranks)) => {
                let named = match ranks.iter().position(|rank| rank.contains(&fault.id)) {
                    Some(0) => Named::First,
                    Some(_) => Named::Later,
                    None if ranks.is_empty() => Named::Nothing,
                    None => Named::Others,
                };
                (named, ranks)
            }
        };
        Diagnosed { fault: fault.id.clone(), dtype: dtype.name().to_owned(), named, ranks }
    });
    DiagnosisReport { seed: options.seed, kernels }
}

/// The faults that are named for a kernel with this one, by rank; none if nothing failed.
fn one(
    fault: &Fault,
    dtype: DType,
    context: &Context,
    options: &SelfTestOptions,
    inject: &Inject,
) -> Result<Option<Vec<Vec<String>>>, String> {
    let factory = inject(fault)?;
    let selected = Selected {
        schemes: fault.schemes.iter().take(1).cloned().collect(),
        levels: fault.levels.clone(),
        pairing: fault.pairing.unwrap_or(Pairing::Half),
        seed: options.seed,
        cases: options.cases,
        cover: false,
    };
    let Planned { options, units, .. } = units(&*factory, dtype, &selected, context, options)?;
    let run_options = Options { first_failure_only: false, ..options };
    let results = results(&*factory, context, &run_options, &units, None).map_err(|e| e.to_string())?;
    let report = RunReport::of(results);
    if report.results.iter().all(|result| result.failures.is_empty()) {
        return Ok(None);
    }
    let diagnoses = diagnose(&*factory, context, &run_options, &report);
    let explained = diagnoses.into_iter().find(|diagnosis| !diagnosis.explanations.is_empty());
    let mut ranks: Vec<Vec<String>> = Vec::new();
    for explanation in explained.iter().flat_map(|diagnosis| &diagnosis.explanations) {
        ranks.resize_with(ranks.len().max(explanation.rank), Vec::new);
        let ids: Vec<&str> = explanation.faults.iter().map(|fault| fault.id.as_str()).collect();
        ranks[explanation.rank - 1].push(ids.join(" with "));
    }
    Ok(Some(ranks))
}
