//! `describe`: the manifest of a backend, as ropecheck understands it.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::AtomicBool;

use clap::Args;

use super::arguments::library;
use super::backend::{BackendArguments, factory};
use super::output::print;
use crate::backend::Vocabulary;
use crate::check::bands::BANDS;
use crate::rotation::PlanCache;
use crate::run::{self, Context, ExitCode, RunError};

#[derive(Debug, Args)]
pub(super) struct DescribeArguments {
    /// A shared library; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    #[command(flatten)]
    run: BackendArguments,
}

pub(super) fn describe(a: DescribeArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.run.spec)?;
    let contracts = crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    let factory = factory(a.backend.as_deref(), &a.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let backend = factory.start()?;
    let manifest = backend.manifest();
    let interrupted = AtomicBool::new(false);
    let plans = PlanCache::new();
    let context = Context { library: &library, contracts: &contracts, plans, interrupted: &interrupted };
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
        let parts = run::supplied(manifest, &[*level]);
        let parts = parts.first().map_or_else(|| "nothing".to_owned(), |n| n.parts.join(", "));
        let _ = writeln!(out, "  not judged, because the suite supplies it: {parts}");
    }
    for ((level, what, why), schemes) in run::not_offered(manifest, &context) {
        let of = match &schemes[..] {
            [one] => one.clone(),
            all => format!("{} schemes", all.len()),
        };
        let _ = writeln!(out, "not judged on level {level}: {what}: {why} ({of})");
    }
    let json = serde_json::to_string_pretty(manifest).map_err(|e| RunError::new(ExitCode::Internal, e))?;
    let _ = writeln!(out, "accuracy bands: {}", BANDS.map(|band| band.name).join(", "));
    let _ = writeln!(out, "{json}");
    print(&String::from_utf8_lossy(&out))?;
    Ok(ExitCode::Conformant)
}
