//! What several commands read off the command line.

use std::hash::{BuildHasher as _, RandomState};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::builder::PossibleValue;
use clap::{Args, ValueEnum};

use crate::case::Level;
use crate::check::Depth;
use crate::numeric::{DType, Number};
use crate::run::{ExitCode, Options, RunError};
use crate::spec::hf::model_of_config;
use crate::spec::presets::ModelPreset;
use crate::spec::{Library, Scheme, SpecErrors, yaml};

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

impl ValueEnum for Depth {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        let help = match self {
            Depth::Quick => "Every class once",
            Depth::Default => "Every two classes together, every three of modes",
            Depth::Deep => "More of these, and larger calls",
        };
        Some(PossibleValue::new(self.name()).help(help))
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

/// Whether errors are shown in colour.
pub(super) fn in_colour() -> bool {
    anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never
}

/// The embedded schemes and the user's own.
pub(super) fn library(files: &[PathBuf]) -> Result<Library, RunError> {
    with_files(embedded()?, files)
}

/// The same, where a file need not state the required invariants: what looks at a scheme that is being written takes it.
pub(super) fn draft(files: &[PathBuf]) -> Result<Library, RunError> {
    with_files(embedded()?.without_requirements(), files)
}

fn embedded() -> Result<Library, RunError> {
    Library::embedded().map_err(|e| RunError::new(ExitCode::Spec, e.render(in_colour())))
}

fn with_files(mut library: Library, files: &[PathBuf]) -> Result<Library, RunError> {
    for file in files {
        library.add_file(file).map_err(|e| RunError::new(ExitCode::Spec, e.render(in_colour())))?;
    }
    Ok(library)
}

/// A model that a command is narrowed to.
#[derive(Debug, Default, Clone, Args)]
pub(super) struct ModelArguments {
    /// Only the scheme, the parameters and the heads of this model (`ropecheck list models`)
    #[arg(long, value_name = "NAME", conflicts_with = "from_hf")]
    pub(super) preset: Option<String>,
    /// As --preset, with what a config.json of Hugging Face's transformers says of a model
    #[arg(long, value_name = "FILE")]
    pub(super) from_hf: Option<PathBuf>,
}

impl ModelArguments {
    /// The model, and the option and its value that name it; none where nobody asked for one. `schemes` are what the user
    /// selected besides.
    pub(super) fn read(
        &self,
        library: &Library,
        schemes: &[String],
    ) -> Result<Option<(ModelPreset, &'static str, String)>, RunError> {
        if let Some(name) = &self.preset {
            let model = library.model(name).map_err(|e| RunError::usage(format!("--preset {name}: {e}")))?;
            return Ok(Some((model.clone(), "preset", name.clone())));
        }
        let Some(file) = &self.from_hf else { return Ok(None) };
        let scheme = match schemes {
            [] => None,
            [name] => Some(&**library.get(name).map_err(RunError::usage)?),
            _ => return Err(RunError::usage("--from-hf reads a file for one --scheme, found several")),
        };
        let model = of_config(file, library, scheme).map_err(|e| RunError::usage(e.render(in_colour())))?;
        Ok(Some((model, "from-hf", file.display().to_string())))
    }

    /// Options for this model alone.
    pub(super) fn narrow(&self, options: Options, library: &Library) -> Result<Options, RunError> {
        match self.read(library, &options.schemes)? {
            None => Ok(options),
            Some((model, option, value)) => {
                options.for_model(library, &model, (option, &value)).map_err(RunError::usage)
            }
        }
    }
}

fn of_config(file: &Path, library: &Library, scheme: Option<&Scheme>) -> Result<ModelPreset, SpecErrors> {
    model_of_config(&yaml::read(file)?, library, scheme)
}

/// `name=value` with an exact value.
pub(super) fn parameter(text: &str) -> Result<(String, Number), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    let number = Number::parse(value).map_err(|e| format!("{value:?} is no number (such as 2, 0.5 or 10/3): {e}"))?;
    Ok((name.to_owned(), number))
}

/// A number, or `fresh`: one that the system picks.
pub(super) fn seed(text: &str) -> Result<u64, String> {
    if text == "fresh" {
        // Keys of the standard library's maps come from the system. Numbers below 2^53 are kept by every reader of JSON.
        return Ok(RandomState::new().hash_one(0) >> 11);
    }
    text.parse().map_err(|_| format!("expected an integer from 0 to {} or fresh, found {text:?}", u64::MAX))
}

/// A duration with its unit, more than 0.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let time = humantime::parse_duration(text).map_err(|e| format!("no time such as 60s, 2m, 1h or 500ms: {e}"))?;
    if time.is_zero() { Err("expected more than 0".into()) } else { Ok(time) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fresh_seed_is_another_one_each_time() {
        let fresh = [(); 3].map(|()| seed("fresh").expect("a seed"));
        assert!(fresh[0] != fresh[1] && fresh[1] != fresh[2] && fresh.iter().all(|seed| *seed < 1 << 53), "{fresh:?}");
        assert_eq!(seed("18446744073709551615"), Ok(u64::MAX));
        for text in ["Fresh", "", "-1", "1.5"] {
            assert!(seed(text).is_err_and(|why| why.contains("or fresh")), "{text}");
        }
    }

    #[test]
    fn times_have_units() {
        for (text, millis) in [("60s", 60_000), ("2m", 120_000), ("1h", 3_600_000), ("500ms", 500), ("1m 30s", 90_000)]
        {
            assert_eq!(time(text), Ok(Duration::from_millis(millis)), "{text}");
        }
        for text in ["60", "s", "0s", "-1s", "1 fortnight", ""] {
            assert!(time(text).is_err(), "{text}");
        }
    }
}
