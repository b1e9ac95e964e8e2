//! `init`: a port to begin with, which passes as it is, and a workflow that judges it. Each language is a folder of
//! `templates/`.

use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Component, Path, PathBuf};

use clap::Args;
use clap::builder::PossibleValuesParser;
use include_dir::{Dir, File, include_dir};

use super::config;
use super::output::print;
use crate::run::{ExitCode, RunError};

static TEMPLATES: Dir<'static> = include_dir!("$CARGO_MANIFEST_DIR/templates");
/// What to do next, in words; not written.
const NEXT: &str = "next.txt";
/// Where workflows are.
const WORKFLOWS: &str = ".github";

#[derive(Debug, Args)]
pub(super) struct InitArguments {
    /// The language
    #[arg(value_parser = PossibleValuesParser::new(languages()))]
    language: String,
    /// The folder to write to; of a language with one file, a name for it, too [default: where you are]
    #[arg(long, short, value_name = "PATH", default_value = ".", hide_default_value = true)]
    output: PathBuf,
}

fn languages() -> Vec<&'static str> {
    let mut names: Vec<&str> = TEMPLATES.dirs().filter_map(|folder| folder.path().to_str()).collect();
    names.sort_unstable();
    names
}

/// Every file of a folder and of those in it.
fn files(folder: &'static Dir<'static>, found: &mut Vec<&'static File<'static>>) {
    found.extend(folder.files());
    folder.dirs().for_each(|inner| files(inner, found));
}

pub(super) fn init(a: &InitArguments) -> Result<ExitCode, RunError> {
    let internal = || RunError::new(ExitCode::Internal, format!("the template of {} is missing", a.language));
    let folder = TEMPLATES.get_dir(&a.language).ok_or_else(internal)?;
    let mut all = Vec::new();
    files(folder, &mut all);
    let next = folder.get_file(folder.path().join(NEXT)).and_then(File::contents_utf8).ok_or_else(internal)?;
    all.retain(|file| file.path().file_name().is_some_and(|name| name != NEXT));
    let targets = targets(a, folder, &all)?;
    if let Some((there, _)) = targets.iter().find(|(target, _)| target.symlink_metadata().is_ok()) {
        return Err(RunError::usage(format!("{} exists already: nothing was written", there.display())));
    }
    for (target, file) in &targets {
        let write = || {
            fs::create_dir_all(target.parent().unwrap_or(Path::new(".")))?;
            // What came to be there meanwhile is not overwritten either.
            OpenOptions::new().write(true).create_new(true).open(target)?.write_all(file.contents())
        };
        write().map_err(|e| RunError::usage(format!("{} cannot be written: {e}", target.display())))?;
    }
    let mut text: String = targets.iter().map(|(target, _)| format!("wrote {}\n", target.display())).collect();
    let first = targets.first().map_or_else(PathBuf::new, |(target, _)| target.clone());
    let quoted = |path: &Path| shlex::try_quote(&path.to_string_lossy()).unwrap_or_default().into_owned();
    text += &next.replace("{file}", &quoted(&first)).replace("{folder}", &quoted(&a.output));
    print(&text)?;
    Ok(ExitCode::Conformant)
}

/// Where each file goes.
fn targets(
    a: &InitArguments,
    folder: &Dir<'static>,
    all: &[&'static File<'static>],
) -> Result<Vec<(PathBuf, &'static File<'static>)>, RunError> {
    let is_folder = a.output.is_dir() || a.output.as_os_str().as_encoded_bytes().ends_with(b"/");
    // A configuration and a workflow are about a folder.
    let port = |file: &&&File| {
        let names: Vec<_> = file.path().components().map(Component::as_os_str).collect();
        !names.iter().any(|name| *name == config::NAME || *name == WORKFLOWS)
    };
    let ports: Vec<_> = all.iter().filter(port).collect();
    match &ports[..] {
        [one] if !is_folder => Ok(vec![(a.output.clone(), one)]),
        _ if !is_folder && a.output.extension().is_some() => Err(RunError::usage(format!(
            "--output {}: expected a folder for the {} files of {}, found the name of a file",
            a.output.display(),
            ports.len(),
            a.language
        ))),
        _ => {
            let inner = |file: &&'static File<'static>| {
                let path = file.path().strip_prefix(folder.path()).unwrap_or(file.path());
                // `./port.py` is how nobody calls a file.
                let place = a.output.join(path);
                (place.strip_prefix(".").map_or(place.clone(), Path::to_owned), *file)
            };
            Ok(all.iter().map(inner).collect())
        }
    }
}
