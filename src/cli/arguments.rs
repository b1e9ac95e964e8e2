//! What several commands read off the command line.

use std::path::PathBuf;

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::case::Level;
use crate::numeric::{DType, Number};
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

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// The types that q and k may have, and no other.
impl ValueEnum for DType {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::STORAGE
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
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
