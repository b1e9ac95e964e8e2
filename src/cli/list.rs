//! `list` and `explain`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

use super::arguments::library;
use super::contracts;
use super::experiment::V_NIAH_D;
use super::output::print;
use crate::check::CATALOGUE;
use crate::contract::ContractTable;
use crate::run::{ExitCode, RunError, known_ids};
use crate::spec::model::{Claim, Scheme, Stated};
use crate::spec::presets::ModelPreset;
use crate::spec::{Library, suggest};

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum What {
    Schemes,
    Checks,
    Invariants,
    Contracts,
    Models,
    Faults,
}

#[derive(Debug, Args)]
pub(super) struct ListArguments {
    /// What to list; without it, a line for each scheme, and how many of the rest there are
    #[arg(value_enum)]
    what: Option<What>,
    /// All of them in full
    #[arg(long, short, conflicts_with = "what")]
    verbose: bool,
    /// A scheme file to add
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct ExplainArguments {
    /// Id of a check, an invariant, a scheme or a model; a class, a way to frequencies or a key of contracts
    id: String,
    /// A scheme file to add
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

pub(super) fn list(a: &ListArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.spec)?;
    let mut out = String::new();
    match a.what {
        Some(what) => section(&mut out, what, &library)?,
        None if a.verbose => {
            for what in What::value_variants() {
                let _ = writeln!(out, "{}{what:?}", if out.is_empty() { "" } else { "\n" });
                section(&mut out, *what, &library)?;
            }
        }
        None => brief(&mut out, &library)?,
    }
    print(&out)?;
    Ok(ExitCode::Conformant)
}

/// A line for each scheme, whatever its profiles, and how many of the rest there are.
fn brief(out: &mut String, library: &Library) -> Result<(), RunError> {
    let schemes: Vec<_> = library.all().filter(|scheme| scheme.is_default_profile).collect();
    let width = schemes.iter().map(|scheme| scheme.name.len()).max().unwrap_or(0);
    for scheme in &schemes {
        let _ = writeln!(out, "{:width$}  {}", scheme.name, scheme.title);
    }
    out.push_str("\n`ropecheck list WHAT` has profiles, and in full:");
    for what in What::value_variants() {
        let mut all = String::new();
        section(&mut all, *what, library)?;
        let (name, count) = (what.to_possible_value(), all.lines().count());
        let name = name.as_ref().map_or("", |name| name.get_name());
        let lines = if *what == What::Contracts { "" } else { &format!(" ({count})") };
        let _ = write!(out, " {name}{lines}");
    }
    out.push_str("\n`ropecheck explain ID` says more of each.\n");
    Ok(())
}

fn section(out: &mut String, what: What, library: &Library) -> Result<(), RunError> {
    match what {
        What::Schemes => {
            for scheme in library.all() {
                let profile = if scheme.is_default_profile { "" } else { " (profile)" };
                let by_name = if scheme.by_name { " (judged by name)" } else { "" };
                let _ = writeln!(out, "{:28} {}{profile}{by_name}", scheme.id(), scheme.title);
            }
        }
        What::Checks => {
            for check in CATALOGUE {
                let levels: Vec<&str> = check.levels().iter().map(|l| l.name()).collect();
                let _ = writeln!(out, "{:22} [{}] {}", check.id(), levels.join(" "), check.docs().statement);
            }
        }
        What::Invariants => {
            for entry in library.catalogue().entries() {
                let _ = writeln!(out, "{:20} {}", entry.id, entry.statement);
            }
        }
        What::Contracts => {
            out.push_str(&contracts::list(&table()?));
        }
        What::Faults => {
            let faults = crate::fault::catalogue().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
            for fault in &faults {
                let _ = writeln!(out, "{:32} {}", fault.id, fault.doc);
            }
        }
        What::Models => {
            for m in library.models() {
                let heads = format!("{}/{} heads of {}", m.q_heads, m.k_heads, m.head_dim);
                let _ = writeln!(out, "{:22} {heads:20} {}", m.name, m.scheme);
            }
        }
    }
    Ok(())
}

fn table() -> Result<ContractTable, RunError> {
    crate::contract::contracts().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))
}

pub(super) fn explain(a: &ExplainArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.spec)?;
    let mut out = String::new();
    if let Some(check) = CATALOGUE.iter().find(|c| c.id() == a.id) {
        let docs = check.docs();
        let levels: Vec<&str> = check.levels().iter().map(|l| l.name()).collect();
        let _ = writeln!(out, "check {} (levels {})\n", a.id, levels.join(", "));
        for (name, text) in [
            ("what must hold", docs.statement),
            ("formula", docs.formula),
            ("source", docs.source),
            ("catches", docs.catches),
            ("cannot catch", docs.cannot_catch),
        ] {
            let _ = writeln!(out, "{name:15} {text}");
        }
    }
    if let Some(entry) = library.catalogue().get(&a.id) {
        let _ = writeln!(out, "{}invariant {}\n", if out.is_empty() { "" } else { "\n" }, entry.id);
        for (name, text) in [
            ("statement", entry.statement.as_str()),
            ("source", entry.source.as_str()),
            ("catches", entry.catches.as_str()),
            ("cannot catch", entry.cannot_catch.as_str()),
        ] {
            let _ = writeln!(out, "{name:15} {text}");
        }
    }
    for scheme in library.all() {
        for invariant in scheme.invariants.iter().filter(|i| i.id == a.id) {
            let _ = match &invariant.verdict {
                Stated::Holds => writeln!(out, "{:28} holds", scheme.id()),
                Stated::Fails { witness } => writeln!(out, "{:28} fails, for instance on {witness}", scheme.id()),
            };
        }
    }
    let faults = crate::fault::catalogue().map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    if let Some(fault) = faults.iter().find(|fault| fault.id == a.id) {
        out.push_str(&fault_text(fault));
    }
    let table = table()?;
    if out.is_empty() {
        out = contracts::explain(&table, &a.id).unwrap_or_default();
    }
    if a.id == V_NIAH_D.0 {
        V_NIAH_D.1.clone_into(&mut out);
    }
    if let (true, Ok(model)) = (out.is_empty(), library.model(&a.id)) {
        out = model_text(model);
    }
    if out.is_empty() {
        match library.get(&a.id) {
            Ok(scheme) => out = scheme_text(scheme),
            Err(_) => {
                let mut names = known_ids(&library);
                names.extend(library.all().map(|s| s.name.clone()));
                names.extend(faults.iter().map(|fault| fault.id.clone()));
                names.extend(library.models().iter().map(|model| model.name.clone()));
                names.extend(contracts::names(&table));
                names.push(V_NIAH_D.0.to_owned());
                let hint = suggest::hint(&a.id, names.iter().map(String::as_str));
                let why = format!("nothing is called {:?}{hint} (`ropecheck list` shows what there is)", a.id);
                return Err(RunError::usage(why));
            }
        }
    }
    print(&out)?;
    Ok(ExitCode::Conformant)
}

fn model_text(model: &ModelPreset) -> String {
    let mut out = format!("model {}\n{}\n", model.name, model.title);
    let mut line = |name: &str, text: String| {
        let _ = writeln!(out, "{name:10} {text}");
    };
    line("source", model.source.clone());
    line("scheme", model.scheme.clone());
    let turned = format!("{} of {} channels rotate", model.rotary_dim, model.head_dim);
    line("heads", format!("{} for queries, {} for keys; {turned}", model.q_heads, model.k_heads));
    model.parameters.iter().for_each(|(name, value)| line("param", format!("{name} = {value}")));
    model.max_positions.iter().for_each(|most| line("positions", format!("{most} at most")));
    model.dtype.iter().for_each(|dtype| line("dtype", dtype.name().to_owned()));
    out
}

fn fault_text(fault: &crate::fault::Fault) -> String {
    let levels: Vec<&str> = fault.levels.iter().map(|l| l.name()).collect();
    let mut out = format!("fault {} ({})\n\n{}\n\n", fault.id, fault.class, fault.doc);
    let mut line = |name: &str, text: &str| {
        if !text.is_empty() {
            let _ = writeln!(out, "{name:15} {text}");
        }
    };
    line("where to look", &fault.look);
    line("happened in", &fault.bugs.join("; "));
    line(
        "shown on",
        &format!("{} (levels {}), contract {}", fault.schemes.join(", "), levels.join(", "), fault.contract),
    );
    line("must be killed", &fault.kills.join(", "));
    line("not everywhere", &fault.why);
    line("no defect", fault.equal.as_deref().unwrap_or_default());
    out
}

fn scheme_text(scheme: &Scheme) -> String {
    let mut out = format!("scheme {}\n{}\n", scheme.id(), scheme.title);
    let _ = writeln!(out, "file    {}", scheme.file);
    for source in &scheme.sources {
        let section = source.section.as_ref().map(|s| format!(", section {s}")).unwrap_or_default();
        let _ = writeln!(out, "source  {} {}{section}", source.kind, source.reference);
    }
    for parameter in &scheme.parameters {
        let _ = writeln!(out, "param   {} = {}  {}", parameter.name, parameter.default.text(), parameter.doc);
    }
    for (axis, formula) in scheme.axes.iter().zip(&scheme.video.axes) {
        let _ = writeln!(out, "axis    {axis} = {}", formula.text());
    }
    for one in &scheme.video.lets {
        let _ = writeln!(out, "  where {} = {}", one.name, one.formula.text());
    }
    for invariant in &scheme.invariants {
        let claim = match &invariant.claim {
            Claim::Holds(expr) => expr.text().to_owned(),
            Claim::Equals(other) => format!("equals {other}"),
        };
        let _ = match &invariant.verdict {
            Stated::Holds => writeln!(out, "holds   {}: {claim}", invariant.id),
            Stated::Fails { witness } => writeln!(out, "fails   {}: {claim} (witness {witness})", invariant.id),
        };
    }
    for erratum in &scheme.errata {
        let _ = writeln!(out, "erratum {erratum}");
    }
    out
}
