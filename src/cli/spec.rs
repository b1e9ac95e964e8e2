//! `spec`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use super::arguments::{TableOrJson, draft};
use super::output::print;
use crate::property::lint::{Linted, lint, proposal};
use crate::property::papers::properties;
use crate::run::{ExitCode, RunError};
use crate::spec::{Library, Parameters};

#[derive(Debug, Args)]
pub(super) struct SpecArguments {
    #[command(subcommand)]
    command: SpecCommand,
}

#[derive(Debug, Subcommand)]
enum SpecCommand {
    /// Hold a scheme file against itself: its statements tested, its properties derived, what it leaves out
    ///
    /// Exit code 0 if everything required is stated and all of it is true, 3 if not, or if the file is no scheme.
    Lint(LintArguments),
}

#[derive(Debug, Args)]
struct LintArguments {
    /// The scheme file
    file: PathBuf,
    /// Print what is missing as YAML to add to the file, and everything else as comments in it
    #[arg(long)]
    suggest: bool,
    /// What to print
    #[arg(long, value_enum, default_value_t = TableOrJson::Table, conflicts_with = "suggest")]
    format: TableOrJson,
    /// One more scheme file, that this one speaks of
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

pub(super) fn spec(a: &SpecArguments) -> Result<ExitCode, RunError> {
    let SpecCommand::Lint(a) = &a.command;
    let files: Vec<PathBuf> = a.spec.iter().chain([&a.file]).cloned().collect();
    let library = draft(&files)?;
    // The last one that was added.
    let Some(added) = library.added().last() else { return Err(RunError::new(ExitCode::Internal, "no file")) };
    let linted = lint(&library, &added.scheme).map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    match a.format {
        TableOrJson::Json => print(&format!("{}\n", as_json(&linted, &library)?))?,
        TableOrJson::Table => {
            let said = text(&linted, &library)?;
            if a.suggest {
                print(&said.lines().map(|line| format!("# {line}\n")).collect::<String>())?;
                print(&proposal(&linted))?;
            } else {
                print(&said)?;
            }
        }
    }
    let clean = linted.iter().all(Linted::is_clean);
    Ok(if clean { ExitCode::Conformant } else { ExitCode::Spec })
}

fn derived(id: &str, library: &Library) -> Result<Vec<(&'static str, crate::property::papers::Decision)>, RunError> {
    let wrong = |why: String| RunError::new(ExitCode::Spec, why);
    let scheme = library.get(id).map_err(|e| wrong(e.to_string()))?;
    let parameters = Parameters::defaults(scheme).map_err(|e| wrong(e.to_string()))?;
    properties(scheme, &parameters).map_err(|e| wrong(e.to_string()))
}

fn text(linted: &[Linted], library: &Library) -> Result<String, RunError> {
    let mut out = String::new();
    for one in linted {
        let _ = writeln!(out, "{}", one.scheme);
        for stated in &one.stated {
            let mark = if stated.finding.is_confirmed() { "ok" } else { "WRONG" };
            let _ = writeln!(out, "  {mark:8}{} (line {}) {}", stated.invariant, stated.line, stated.finding);
        }
        for missing in &one.missing {
            let _ = writeln!(out, "  MISSING {} {missing}", missing.invariant);
        }
        for (id, finding) in derived(&one.scheme, library)? {
            let witness = finding.witness.as_ref().map(|w| format!("{w}: ")).unwrap_or_default();
            let _ =
                writeln!(out, "  {}       {id}: {witness}{}", if finding.holds { "✔" } else { "✘" }, finding.evidence);
        }
    }
    let missing: usize = linted.iter().map(|one| one.missing.len()).sum();
    let wrong = linted.iter().flat_map(|one| &one.stated).filter(|one| !one.finding.is_confirmed()).count();
    let stated: usize = linted.iter().map(|one| one.stated.len()).sum();
    let _ = writeln!(out, "{stated} stated, {wrong} wrong, {missing} missing");
    Ok(out)
}

fn as_json(linted: &[Linted], library: &Library) -> Result<serde_json::Value, RunError> {
    let mut all = Vec::new();
    for one in linted {
        let stated = one.stated.iter().map(|s| {
            json!({"invariant": s.invariant, "line": s.line, "true": s.finding.is_confirmed(), "finding": s.finding.to_string()})
        });
        let missing = one
            .missing
            .iter()
            .map(|m| json!({"invariant": m.invariant, "proposal": m.proposal(), "finding": m.to_string()}));
        let properties = derived(&one.scheme, library)?.into_iter().map(|(id, finding)| {
            let witness = finding.witness.as_ref().map(ToString::to_string);
            (id.to_owned(), json!({"holds": finding.holds, "witness": witness, "evidence": finding.evidence}))
        });
        all.push(json!({
            "scheme": one.scheme,
            "stated": stated.collect::<Vec<_>>(),
            "missing": missing.collect::<Vec<_>>(),
            "properties": properties.collect::<serde_json::Map<_, _>>(),
        }));
    }
    Ok(json!({"schemes": all, "suggestion": proposal(linted)}))
}
