//! `describe`: the manifest of a backend, as ropecheck understands it.

use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::arguments::{TableOrJson, library};
use super::backend::{BackendArguments, factory};
use super::output::print;
use crate::backend::Vocabulary;
use crate::report;
use crate::rotation::PlanCache;
use crate::run::{self, Context, ExitCode, RunError};

#[derive(Debug, Args)]
pub(super) struct DescribeArguments {
    /// A shared library; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    #[command(flatten)]
    run: BackendArguments,
}

pub(super) fn describe(a: DescribeArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.run.spec)?;
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let factory = factory(a.backend.as_deref(), &a.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let backend = factory.start()?;
    let interrupted = AtomicBool::new(false);
    let plans = PlanCache::new();
    let context = Context { library: &library, contracts: &contracts, plans, interrupted: &interrupted };
    let described = run::description(&*backend, &context);
    let text = match a.format {
        TableOrJson::Table => report::description(&described),
        TableOrJson::Json => {
            serde_json::to_string_pretty(&described).map_err(|e| RunError::new(ExitCode::Internal, e))? + "\n"
        }
    };
    print(&text)?;
    Ok(ExitCode::Conformant)
}
