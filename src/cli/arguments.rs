//! What several commands read off the command line.

use std::path::PathBuf;

use clap::ValueEnum;

use crate::numeric::Number;
use crate::run::{ExitCode, RunError};
use crate::spec::Library;

/// For people, or for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum TableOrJson {
    /// For people
    Table,
    /// For programs
    Json,
}

/// The embedded schemes and the user's own.
pub(super) fn library(files: &[PathBuf]) -> Result<Library, RunError> {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut library = Library::embedded().map_err(|e| RunError::new(ExitCode::Spec, e.render(colour)))?;
    for file in files {
        library.add_file(file).map_err(|e| RunError::new(ExitCode::Spec, e.render(colour)))?;
    }
    Ok(library)
}

/// `name=value` with an exact value.
pub(super) fn parameter(text: &str) -> Result<(String, Number), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    let number = Number::parse(value).map_err(|e| format!("{value:?} is no number (such as 2, 0.5 or 10/3): {e}"))?;
    Ok((name.to_owned(), number))
}

/// Picks names out of a closed list.
pub(super) fn named<T: Copy>(what: &str, names: &[String], all: &[(&str, T)]) -> Result<Vec<T>, RunError> {
    names
        .iter()
        .map(|name| {
            all.iter().find(|(n, _)| n == name).map(|(_, item)| *item).ok_or_else(|| {
                let known: Vec<&str> = all.iter().map(|(n, _)| *n).collect();
                let hint = crate::spec::suggest(name, known.iter().copied())
                    .map(|n| format!("; did you mean {n:?}?"))
                    .unwrap_or_default();
                RunError::usage(format!("unknown {what} {name:?}, expected one of {}{hint}", known.join(", ")))
            })
        })
        .collect()
}
