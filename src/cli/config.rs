//! `ropecheck.yaml`: options of `check` and known failures in a file. Its keys are the options that clap has.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::error::{ContextKind, ContextValue};
use clap::parser::ValueSource;
use clap::{Arg, ArgAction, ArgMatches, Command};
use schemars::{Schema, json_schema};
use serde_json::{Map, json};

use super::arguments::in_colour;
use super::backend::is_file;
use crate::run::{ConfigInForce, Expectations, RunError};
use crate::spec::SpecErrors;
use crate::spec::diagnostic::{Sink, SpecError};
use crate::spec::suggest::closest;
use crate::spec::yaml::{self, Key, Node, Value};

/// Name of the file.
pub(super) const NAME: &str = "ropecheck.yaml";
/// The key of known failures.
const EXPECTATIONS: &str = "expectations";
/// Options that say where the file is, and what is the reader's alone.
const ABOUT: [&str; 3] = ["config", "no-config", "color"];
/// Options that are about one thing: one of them on the command line takes the place of each in the file.
const TOGETHER: [[&str; 2]; 4] =
    [["backend", "exec"], ["journal", "resume"], ["corpus", "no-corpus"], ["preset", "from-hf"]];

/// What a file has a part in.
#[derive(Default)]
pub(super) struct Config {
    pub(super) in_force: Option<ConfigInForce>,
    pub(super) expectations: Option<Expectations>,
    /// Values of options, with the places where they stand.
    values: Vec<(String, String, Node)>,
}

impl Config {
    /// An error of usage about the value of an option: at its place if it came from the file.
    pub(super) fn wrong(&self, option: &str, value: &str, why: &str) -> RunError {
        match self.values.iter().find(|(name, text, _)| name == option && text == value) {
            Some((_, _, node)) => RunError::usage(node.error(why).render(in_colour())),
            None => RunError::usage(format!("--{option} {value}: {why}")),
        }
    }
}

/// Name of an option, as a file has it.
fn name(arg: &Arg) -> &str {
    arg.get_long().unwrap_or(arg.get_id().as_str())
}

fn is_repeatable(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// What a value is called in help, such as `KEY=VALUE`.
fn value_name(arg: &Arg) -> &str {
    arg.get_value_names().and_then(<[_]>::first).map_or("", |name| name.as_str())
}

/// Every option that a file may have.
fn options(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| !ABOUT.contains(&name(arg)) && arg.get_id() != "help")
}

/// The option of a key: its name, or of a repeatable one the plural.
fn option<'c>(command: &'c Command, key: &str) -> Option<&'c Arg> {
    let plural = |arg: &Arg| is_repeatable(arg) && key.strip_suffix('s') == Some(name(arg));
    options(command).find(|arg| name(arg) == key || plural(arg))
}

/// The arguments of this process, the name of the command first, as `command` reads them with what a file says
/// that is in force.
///
/// # Errors
/// Every mistake in the file at once, as an error of usage.
pub(super) fn merged(command: &Command, path: &Path) -> Result<(ArgMatches, Config), RunError> {
    let shown = shown(path);
    // Options of all commands may stand before the command.
    let all: Vec<OsString> = std::env::args_os().skip(1).collect();
    let all = all[all.iter().position(|word| word == "check").unwrap_or(0)..].to_vec();
    let given = command.clone().try_get_matches_from(&all).map_err(RunError::usage)?;
    let now = now()?;
    let usage = |errors: SpecErrors| RunError::usage(errors.render(in_colour()));
    let file = yaml::read(path).map_err(|error| usage(error.into()))?;
    let root = yaml::parse(&file).map_err(|error| usage(error.into()))?;
    let mut sink = Sink::default();
    let mut reading = Reading { command: command.clone(), given, folder: folder(path), ..Reading::default() };
    for (key, node) in sink.take(root.map("a configuration")).unwrap_or_default() {
        if key.text == EXPECTATIONS {
            reading.expectations = Some(Expectations::read(&shown, node, now, &mut sink));
            reading.keys.push(key.text.clone());
        } else {
            reading.key(key, node, &mut sink);
        }
    }
    let reading = sink.finish(Some(reading)).map_err(usage)?;
    let (first, rest) = all.split_at(1.min(all.len()));
    let arguments = first.iter().chain(&reading.arguments).chain(rest);
    let matches = command.clone().try_get_matches_from(arguments);
    let matches = matches.map_err(|error| RunError::usage(format!("{shown}: {}", said(&error))))?;
    let Reading { keys, replaced, values, expectations, .. } = reading;
    let in_force = Some(ConfigInForce { file: shown, keys, replaced });
    Ok((matches, Config { in_force, expectations, values }))
}

/// A file that is being read.
#[derive(Default)]
struct Reading {
    command: Command,
    /// What the command line says.
    given: ArgMatches,
    /// Where the file is.
    folder: PathBuf,
    /// What it adds to the command line.
    arguments: Vec<OsString>,
    values: Vec<(String, String, Node)>,
    keys: Vec<String>,
    replaced: Vec<String>,
    expectations: Option<Expectations>,
}

impl Reading {
    fn key(&mut self, key: &Key, node: &Node, sink: &mut Sink) {
        let command = self.command.clone();
        let Some(arg) = option(&command, &key.text) else {
            let known: Vec<&str> = options(&command).map(name).chain([EXPECTATIONS]).collect();
            let error = SpecError::new(&key.location, format!("a configuration has no key `{}`", key.text));
            let keys = format!("keys here: {}", known.join(" "));
            return sink.push(error.suggest(&key.text, known).note(keys));
        };
        let option = name(arg);
        let same = |other: &&String| {
            *other == option || TOGETHER.iter().any(|both| both.contains(&other.as_str()) && both.contains(&option))
        };
        if let Some(other) = self.keys.iter().chain(&self.replaced).find(same) {
            return sink.push(SpecError::new(&key.location, format!("`{}` and `{other}` say the same", key.text)));
        }
        let mut arguments = Vec::new();
        for (text, node) in values(arg, node, sink) {
            let checked = checked(&command, arg, &text).map_err(|error| refused(&node, &error));
            if sink.take(checked).is_some() {
                arguments.push(argument(arg, &in_folder(arg, &text, &self.folder)));
                self.values.push((option.to_owned(), text, node));
            }
        }
        if self.is_given(option) {
            self.replaced.push(option.to_owned());
        } else {
            self.keys.push(option.to_owned());
            self.arguments.append(&mut arguments);
        }
    }

    /// Whether the command line has it, or what stands for it.
    fn is_given(&self, option: &str) -> bool {
        let alike = TOGETHER.iter().find(|both| both.contains(&option)).map_or(vec![option], |both| both.to_vec());
        let ids = self.command.get_arguments().filter(|arg| alike.contains(&name(arg))).map(Arg::get_id);
        ids.into_iter().any(|id| self.given.value_source(id.as_str()) == Some(ValueSource::CommandLine))
    }
}

/// The values of a key, as a command line would have them, each with its place.
fn values(arg: &Arg, node: &Node, sink: &mut Sink) -> Vec<(String, Node)> {
    let what = format!("`{}`", name(arg));
    match (arg.get_action(), &node.value) {
        (ArgAction::SetTrue, _) => {
            let set = sink.take(node.truth(&what)) == Some(true);
            if set { vec![("true".to_owned(), node.clone())] } else { Vec::new() }
        }
        (ArgAction::Append, Value::Seq(items)) => {
            items.iter().filter_map(|item| Some((sink.take(item.text(&what))?.to_owned(), item.clone()))).collect()
        }
        (ArgAction::Append, Value::Map(entries)) if value_name(arg).contains('=') => {
            let one = |(key, node): &(Key, Node)| {
                let texts = sink.take(node.texts(&format!("`{}`", key.text)))?;
                Some((format!("{}={}", key.text, texts.join(",")), node.clone()))
            };
            entries.iter().filter_map(one).collect()
        }
        _ => sink.take(node.text(&what)).map(|text| (text.to_owned(), node.clone())).into_iter().collect(),
    }
}

/// An argument as the command line has it.
fn argument(arg: &Arg, value: &str) -> OsString {
    match (arg.get_long(), arg.get_action()) {
        (None, _) => value.into(),
        (Some(long), ArgAction::SetTrue) => format!("--{long}").into(),
        (Some(long), _) => format!("--{long}={value}").into(),
    }
}

/// What clap says of one option alone.
fn checked(command: &Command, arg: &Arg, value: &str) -> Result<(), clap::Error> {
    let words: [OsString; 3] = ["check".into(), argument(arg, value), "--".into()];
    let words = if arg.get_long().is_some() { words } else { ["check".into(), "--".into(), value.into()] };
    command.clone().try_get_matches_from(words).map(drop)
}

/// The message of an error of clap, without what is about a command line alone.
fn said(error: &clap::Error) -> String {
    let text = error.to_string();
    let first = text.lines().next().unwrap_or_default();
    first.strip_prefix("error: ").unwrap_or(first).to_owned()
}

fn refused(node: &Node, error: &clap::Error) -> SpecError {
    let mut wrong = node.error(said(error));
    if let Some(ContextValue::Strings(all)) = error.get(ContextKind::ValidValue) {
        wrong = wrong.note(format!("possible values: {}", all.join(", ")));
        if let Some(ContextValue::String(found)) = error.get(ContextKind::InvalidValue) {
            wrong.suggestion = closest(found, all.iter().map(String::as_str));
        }
    }
    wrong
}

/// A value whose file, if it is one, is looked for beside the configuration.
fn in_folder(arg: &Arg, value: &str, folder: &Path) -> String {
    let beside = |path: &str| folder.join(path).to_string_lossy().into_owned();
    match (name(arg), value_name(arg)) {
        ("backend", _) if is_file(value) => beside(value),
        ("exec", _) => {
            let words = shlex::split(value).unwrap_or_default();
            let there = |word: &String| folder.as_os_str() != "" && folder.join(word).is_file();
            if !words.iter().any(there) {
                return value.to_owned();
            }
            let words = words.iter().map(|word| if there(word) { beside(word) } else { word.clone() });
            shlex::try_join(words.collect::<Vec<_>>().iter().map(String::as_str)).unwrap_or_default()
        }
        (_, "FILE") => beside(value),
        (_, kind) if kind.ends_with("=FILE") => match value.split_once('=') {
            Some((form, file)) => format!("{form}={}", beside(file)),
            None => value.to_owned(),
        },
        _ => value.to_owned(),
    }
}

/// The folder that a file is in.
pub(super) fn folder(path: &Path) -> PathBuf {
    path.parent().unwrap_or(Path::new("")).to_owned()
}

/// The file that was named, or the nearest upwards from the working folder.
///
/// # Errors
/// If it is somebody else's.
pub(super) fn place(named: Option<&Path>, none: bool) -> Result<Option<PathBuf>, RunError> {
    if none || named.is_some() {
        return Ok(named.map(Path::to_owned));
    }
    let Ok(working) = std::env::current_dir() else { return Ok(None) };
    let mut relative = PathBuf::new();
    for folder in working.ancestors() {
        let path = relative.join(NAME);
        if let Ok(about) = folder.join(NAME).symlink_metadata() {
            // Somebody else may have put it where everybody can write.
            let trusted =
                [Some(0), Some(rustix::process::geteuid().as_raw()), working.metadata().ok().map(|w| w.uid())];
            if !trusted.contains(&Some(about.uid())) {
                let why = "belongs to another user, and was not named: say --config FILE, or --no-config";
                return Err(RunError::usage(format!("{}: {why}", path.display())));
            }
            return Ok(Some(path));
        }
        // A repository ends the search.
        if folder.join(".git").symlink_metadata().is_ok() {
            break;
        }
        relative.push("..");
    }
    Ok(None)
}

/// The path from the working folder: reports are about no machine.
pub(super) fn shown(path: &Path) -> String {
    let relative = || {
        let working = std::env::current_dir().ok().filter(|_| path.is_absolute())?;
        let up = working.ancestors().position(|folder| path.starts_with(folder))?;
        let below = path.strip_prefix(working.ancestors().nth(up)?).ok()?;
        Some(std::iter::repeat_n("..", up).collect::<PathBuf>().join(below))
    };
    relative().unwrap_or_else(|| path.to_owned()).display().to_string()
}

/// The moment of the run, or the one that `SOURCE_DATE_EPOCH` has.
fn now() -> Result<SystemTime, RunError> {
    let Some(text) = std::env::var_os("SOURCE_DATE_EPOCH") else { return Ok(SystemTime::now()) };
    let seconds = text.to_str().and_then(|text| text.parse::<u32>().ok());
    let seconds = seconds.ok_or_else(|| {
        RunError::usage(format!("SOURCE_DATE_EPOCH: expected seconds since 1970, found {}", text.display()))
    })?;
    Ok(SystemTime::UNIX_EPOCH + Duration::from_secs(seconds.into()))
}

/// The JSON Schema of a file with the options of a command, for editors.
pub(super) fn schema(command: &Command) -> Schema {
    let mut properties = Map::new();
    for arg in options(command) {
        let mut one = match arg.get_action() {
            ArgAction::SetTrue => json!({"type": "boolean"}),
            _ => json!({"type": ["string", "number"]}),
        };
        let words: Vec<String> = arg.get_possible_values().iter().map(|word| word.get_name().to_owned()).collect();
        if !words.is_empty() && !matches!(arg.get_action(), ArgAction::SetTrue) {
            one = json!({"enum": words});
        }
        let mut forms = vec![one.clone()];
        if is_repeatable(arg) {
            forms.push(json!({"type": "array", "items": one}));
            if value_name(arg).contains('=') {
                let value = json!({"anyOf": [{"type": ["string", "number"]}, {"type": "array"}]});
                forms.push(json!({"type": "object", "additionalProperties": value}));
            }
        }
        let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
        let property = json!({"description": help, "anyOf": forms});
        if is_repeatable(arg) {
            properties.insert(format!("{}s", name(arg)), property.clone());
        }
        properties.insert(name(arg).to_owned(), property);
    }
    properties.insert(EXPECTATIONS.to_owned(), Expectations::schema().into());
    json_schema!({
        "$schema": "https://json-schema.org/draft/2020-12/schema", "title": NAME, "type": "object",
        "properties": properties, "additionalProperties": false,
    })
}
