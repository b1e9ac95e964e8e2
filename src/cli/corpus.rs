//! Where cases that failed are kept.

use std::path::{Path, PathBuf};

use super::backend::is_file;
use super::config::{folder, shown};
use crate::run::{ConfigInForce, Corpus, RunError};

/// The folder beside a backend, and the file in it.
const PLACE: &str = ".ropecheck/failures";

/// What a journal or a shard has must be what the whole run would have had, so neither tries a corpus.
///
/// # Errors
/// If the command line asks for one.
pub(super) fn none_in_parts(named: Option<&Path>, config: Option<&ConfigInForce>) -> Result<(), RunError> {
    let from_file = config.is_some_and(|config| config.keys.iter().any(|key| key == "corpus"));
    if named.is_some() && !from_file {
        let why = "a run with a journal tries no cases that failed before, and keeps none";
        return Err(RunError::usage(format!("--corpus: {why}")));
    }
    Ok(())
}

/// The corpus of a run: the file that was named, else the one beside the configuration or the backend, if its folder is
/// there: nobody's second run differs from the first who did not ask for that. None of the embedded kernel. `program`:
/// whether the backend is one.
///
/// # Errors
/// If it cannot be read.
pub(super) fn corpus(
    named: Option<&Path>,
    config: Option<&str>,
    backend: Option<&Path>,
    program: bool,
) -> Result<Option<Corpus>, RunError> {
    let place = |folder: PathBuf| folder.join(PLACE);
    let own = backend.map_or(!program, |backend| backend.as_os_str() == "host");
    let path = match (named, config, backend) {
        (Some(named), ..) => named.to_owned(),
        _ if own => return Ok(None),
        (None, Some(config), _) => place(folder(Path::new(config))),
        (None, None, Some(backend)) if backend.to_str().is_some_and(is_file) => place(folder(backend)),
        (None, None, _) => PLACE.into(),
    };
    if named.is_none() && !path.parent().is_some_and(Path::is_dir) {
        return Ok(None);
    }
    Corpus::open(&path, shown(&path)).map(Some)
}
