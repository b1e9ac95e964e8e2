//! Arguments about the backend, and what starts it.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use clap::Args;

use crate::backend::host::HostFactory;
use crate::backend::program::{ProgramFactory, ProgramOptions, Target};
use crate::backend::{BackendFactory, Vocabulary};
use crate::contract::ContractTable;
use crate::run::{ExitCode, Progress, ReplayCommand, RunError};

const TIMEOUT: f64 = 10.0;
const START_TIMEOUT: f64 = 60.0;

/// How a backend is run.
#[derive(Debug, Args)]
#[command(next_help_heading = "The backend")]
pub(super) struct BackendArguments {
    /// Seconds that one call may take
    #[arg(long, default_value_t = TIMEOUT, value_name = "SECONDS")]
    timeout: f64,
    /// Seconds that loading and opening may take
    #[arg(long, default_value_t = START_TIMEOUT, value_name = "SECONDS")]
    start_timeout: f64,
    /// Most bytes of memory of its own that the backend's process may have, such as 4G [default: what the
    /// machine has]
    #[arg(long, value_name = "BYTES", value_parser = bytes)]
    memory: Option<u64>,
    /// A program that speaks the protocol of docs/protocol.md, in the place of a shared library
    #[arg(long, value_name = "COMMAND")]
    exec: Option<String>,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(help_heading = "What is judged", long, value_name = "FILE")]
    pub(super) spec: Vec<PathBuf>,
}

impl BackendArguments {
    /// Whether a program is judged.
    pub(super) fn is_program(&self) -> bool {
        self.exec.is_some()
    }

    /// How a case of `backend` is run again.
    pub(super) fn command(&self, backend: Option<&Path>, contracts: &[String]) -> ReplayCommand {
        let mut command = ReplayCommand::new(backend, &self.spec, contracts);
        for (name, value, default) in
            [("--timeout", self.timeout, TIMEOUT), ("--start-timeout", self.start_timeout, START_TIMEOUT)]
        {
            if value != default {
                command = command.with(name, value);
            }
        }
        if let Some(memory) = self.memory {
            command = command.with("--memory", memory);
        }
        if let Some(exec) = &self.exec {
            command = command.with("--exec", exec);
        }
        command
    }
}

/// The arithmetic that outputs are held to.
#[derive(Debug, Args)]
pub(super) struct ContractArguments {
    /// Hold the backend to this contract in the place of its own, such as bf16=cached/pow,trig_ulps=1
    /// (repeatable)
    #[arg(help_heading = "What is judged", long, value_name = "[DTYPE=]CLASS/FREQUENCIES[,KEY=VALUE...]")]
    pub(super) contract: Vec<String>,
}

/// Set when the user wants the run to end.
pub(super) static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// A duration that a user gave.
pub(super) fn seconds(name: &str, value: f64) -> Result<Duration, RunError> {
    Duration::try_from_secs_f64(value).ok().filter(|d| !d.is_zero() && *d <= Duration::from_secs(86_400)).ok_or_else(
        || RunError::usage(format!("--{name} must be more than 0 and at most 86400 seconds, found {value}")),
    )
}

/// What starts the backend that a user named; none: the embedded kernel. Its manifest may use these names.
pub(super) fn factory<'a>(
    backend: Option<&Path>,
    arguments: &BackendArguments,
    names: Vocabulary<'a>,
) -> Result<Box<dyn BackendFactory + 'a>, RunError> {
    let (timeout, start_timeout) =
        (seconds("timeout", arguments.timeout)?, seconds("start-timeout", arguments.start_timeout)?);
    let (memory, interrupted) = (arguments.memory, &INTERRUPTED);
    let options = ProgramOptions { worker: own_program()?, start_timeout, timeout, memory, interrupted };
    match backend {
        None if arguments.exec.is_some() => {
            let text = arguments.exec.as_deref().unwrap_or_default();
            let words = shlex::split(text).filter(|words| !words.is_empty());
            let words = words.ok_or_else(|| RunError::usage(format!("--exec {text:?}: expected a command")))?;
            Ok(Box::new(ProgramFactory::new(
                Target::Program(words.into_iter().map(Into::into).collect()),
                options,
                names,
            )))
        }
        None => Ok(Box::new(HostFactory)),
        Some(path) if arguments.exec.is_some() => {
            Err(RunError::usage(format!("--exec and {}: only one backend is judged at a time", path.display())))
        }
        Some(path) if path.as_os_str() == "host" => Ok(Box::new(HostFactory)),
        Some(path) => Ok(Box::new(match python_port(path) {
            Some(port) => ProgramFactory::new(python(port), options, names),
            None => ProgramFactory::library(path, options, names),
        })),
    }
}

/// Whether the name of a backend is a file's, and not the embedded kernel's or a Python module's.
pub(super) fn is_file(name: &str) -> bool {
    let module = |port: &str| {
        Path::new(port.rsplit_once(':').map_or(port, |(file, _)| file)).extension().is_none_or(|end| end != "py")
    };
    name != "host" && !python_port(Path::new(name)).is_some_and(module)
}

/// The name of a Python port: `port.py`, `port.py:name` or `package.module:name`.
fn python_port(path: &Path) -> Option<&str> {
    let text = path.to_str()?;
    let (file, name) = text.rsplit_once(':').unwrap_or((text, ""));
    let word = |word: &str| {
        let letters = |c: char| c.is_alphanumeric() || c == '_';
        !word.is_empty() && word.chars().all(letters) && !word.starts_with(|c: char| c.is_ascii_digit())
    };
    let script = Path::new(file).extension().is_some_and(|end| end == "py") && (name.is_empty() || word(name));
    let module = word(name) && file.split('.').all(word) && !path.exists();
    (script || module).then_some(text)
}

/// The Python that this program was installed into, or the one that is found first.
fn python(port: &str) -> Target {
    let beside = std::env::current_exe().ok().and_then(|own| Some(own.parent()?.join("python3")));
    let found = std::env::var_os("ROPECHECK_PYTHON")
        .or_else(|| beside.filter(|path| path.exists()).map(PathBuf::into_os_string))
        .unwrap_or_else(|| "python3".into());
    Target::Python { python: found, port: port.to_owned() }
}

/// This program, as it is even after its file was replaced.
pub(super) fn own_program() -> Result<PathBuf, RunError> {
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Ok(running.to_owned());
    }
    std::env::current_exe()
        .map_err(|e| RunError::new(ExitCode::NotRun, format!("the program's own path is unknown: {e}")))
}

/// A number of bytes, such as 4G, 512M or 1048576.
fn bytes(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| !c.is_ascii_digit());
    let unit = match text.get(digits.len()..).unwrap_or_default().to_ascii_lowercase().as_str() {
        "" => Some(0),
        "k" | "kib" => Some(10),
        "m" | "mib" => Some(20),
        "g" | "gib" => Some(30),
        _ => None,
    };
    let least = 64 << 20;
    let number = digits.parse::<u64>().ok().zip(unit).and_then(|(n, unit)| n.checked_mul(1 << unit));
    number.filter(|n| *n >= least).ok_or_else(|| "expected a number of bytes from 64M on, such as 4G".to_owned())
}

pub(super) fn all_cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(64)
}

/// The built-in contracts, and what the user declares in the place of the backend.
pub(super) fn contracts(options: &ContractArguments) -> Result<ContractTable, RunError> {
    let contracts = crate::contract::contracts();
    let mut contracts = contracts.map_err(|e| RunError::new(ExitCode::Spec, e.render(false)))?;
    for text in &options.contract {
        contracts.declare(text).map_err(|why| RunError::usage(format!("--contract {text}: {why}")))?;
    }
    Ok(contracts)
}

/// From now on a signal that asks to end makes a run stop and report what it has.
pub(super) fn stop_on_signals() {
    // A second handler cannot be set; then the default one ends the run, which is no worse.
    let _ = ctrlc::set_handler(|| INTERRUPTED.store(true, Ordering::Relaxed));
}

/// A bar on standard error, where somebody sees it: how far, how long, how long yet.
pub(super) fn progress_bar(what: &str) -> indicatif::ProgressBar {
    if !std::io::stderr().is_terminal() {
        return indicatif::ProgressBar::hidden();
    }
    let bar = indicatif::ProgressBar::new(0);
    let template = format!("{{bar:24}} {{pos}}/{{len}} {what}{{msg}}, {{elapsed}}, {{eta}} left");
    if let Ok(style) = indicatif::ProgressStyle::with_template(&template) {
        bar.set_style(style);
    }
    bar
}

/// Moves a bar.
pub(super) fn move_bar(bar: &indicatif::ProgressBar, progress: Progress) {
    bar.set_length(progress.units as u64);
    if progress.failed > 0 {
        bar.set_message(format!(", {} failed", progress.failed));
    }
    bar.set_position(progress.done as u64);
}
