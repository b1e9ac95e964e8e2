//! `replay`: one case again, or all of a file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::arguments::library;
use super::backend::{BackendArguments, ContractArguments, INTERRUPTED, contracts, factory};
use super::output::print;
use crate::backend::{Backend, Vocabulary};
use crate::case::Case;
use crate::check::Stop;
use crate::report::words;
use crate::rotation::PlanCache;
use crate::run::{self, Context, Corpus, ExitCode, RunError, contracts_exist};

#[derive(Debug, Args)]
pub(super) struct ReplayArguments {
    /// The case, as a failure report prints it, or a file of them, one a line
    case: String,
    /// The backend it failed on; without one, ropecheck's own kernel
    backend: Option<PathBuf>,
    #[command(flatten)]
    contract: ContractArguments,
    #[command(flatten)]
    run: BackendArguments,
}

pub(super) fn replay(a: ReplayArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.run.spec)?;
    let file = Path::new(&a.case);
    let corpus = if file.exists() { Some(Corpus::open(file, a.case.clone())?) } else { None };
    let case = if corpus.is_none() { Some(a.case.parse::<Case>().map_err(RunError::usage)?) } else { None };
    case.iter().try_for_each(|case| run::same_spec(&library, case))?;
    let contracts = contracts(&a.contract)?;
    let factory = factory(a.backend.as_deref(), &a.run, Vocabulary { schemes: &library, contracts: &contracts })?;
    let mut backend = factory.start()?;
    contracts_exist(backend.manifest(), &contracts)?;
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &INTERRUPTED };
    match (case, corpus) {
        (Some(case), _) => {
            let (text, code) = judged(&case, &mut *backend, &context)?;
            print(&text)?;
            Ok(code)
        }
        (None, corpus) => all(&corpus.unwrap_or_default(), &mut *backend, &context),
    }
}

/// Runs all cases of a file, and tells of each in a line.
fn all(corpus: &Corpus, backend: &mut dyn Backend, context: &Context) -> Result<ExitCode, RunError> {
    let mut codes = Vec::new();
    for (line, case) in corpus.cases() {
        let (text, code) = match run::same_spec(context.library, case).and_then(|()| judged(case, backend, context)) {
            Err(error) if error.code == ExitCode::Usage => (format!("not run: {error}"), error.code),
            other => other?,
        };
        print(&format!("line {line}: {}\n", text.lines().next().unwrap_or_default()))?;
        codes.push(code);
    }
    let count = |code: ExitCode| codes.iter().filter(|one| **one == code).count();
    let failed = count(ExitCode::Nonconformant);
    print(&format!("{failed} of {} cases fail\n", codes.len()))?;
    Ok(match failed {
        0 if count(ExitCode::Usage) > 0 => ExitCode::Usage,
        0 if count(ExitCode::Conformant) == 0 => ExitCode::NothingRan,
        0 => ExitCode::Conformant,
        _ => ExitCode::Nonconformant,
    })
}

/// What comes of a case, in words, and the exit code that it calls for.
pub(super) fn judged(
    case: &Case,
    backend: &mut dyn Backend,
    context: &Context,
) -> Result<(String, ExitCode), RunError> {
    Ok(match run::replay(case, backend, context).map_err(RunError::usage)? {
        Ok(m) if m.elements == 0 => {
            let why = if m.notes.is_empty() { "no element could be judged".to_owned() } else { m.notes.join("; ") };
            (format!("not judged: {why}\n"), ExitCode::NothingRan)
        }
        Ok(m) => {
            let notes: String = m.notes.iter().map(|note| format!("     {note}\n")).collect();
            let held = format!("holds: {} elements, largest error/bound {:.3}\n{notes}", m.elements, m.worst);
            (held, ExitCode::Conformant)
        }
        Err(Stop::Failed(failure)) => {
            let lines = words::message(&failure).join("\n     ");
            (format!("FAIL {}: {lines}\n", case.check), ExitCode::Nonconformant)
        }
        Err(Stop::Owed(owed)) => {
            let lines = words::message(&owed.failure).join("\n     ");
            (format!("FAIL {}: {lines}\n", case.check), ExitCode::Nonconformant)
        }
        Err(Stop::NotRun(error)) => return Err(error.into()),
        Err(Stop::NotJudged(why)) => (format!("not judged: {why}\n"), ExitCode::NothingRan),
        Err(Stop::Broken(why)) => return Err(RunError::new(ExitCode::Spec, why)),
    })
}
