//! The command line: arguments in, exit code out.

mod bench;
mod check;
mod contracts;
mod list;
mod positions;
mod properties;
mod selftest;
mod snapshot;
mod values;

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};

use crate::numeric::Number;
use crate::run::ExitCode;
use crate::spec::Library;

/// Conformance and property tests for the rotary position embeddings of video language models.
#[derive(Debug, Parser)]
#[command(name = "ropecheck", version, about, max_term_width = 110)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Hold a backend against the specs (without one: ropecheck's own embedded kernel)
    Check(check::CheckArguments),
    /// Run one case again, as a failure report prints it
    Replay(check::ReplayArguments),
    /// Print what a backend says of itself
    Describe(check::DescribeArguments),
    /// List schemes, checks, invariants, contracts or models
    List(list::ListArguments),
    /// Explain a check, an invariant, a scheme or a contract
    Explain(list::ExplainArguments),
    /// Print the positions that a scheme gives a layout
    Positions(positions::PositionsArguments),
    /// Judge the suite itself: every known fault must be killed, no honest kernel rejected
    Selftest(selftest::SelfTestArguments),
    /// Time calls by shape, and compare their bandwidth with a copy's on the same device
    Bench(bench::BenchArguments),
    /// Keep a backend's own outputs, and see bit by bit what its next version changes
    Snapshot(snapshot::SnapshotArguments),
    /// Derive the papers' property tables from the specs, with a witness for each cross
    Properties(properties::PropertiesArguments),
    /// The process that holds a library under test
    #[command(hide = true)]
    Worker {
        /// Inherited descriptor of the shared memory
        #[arg(long)]
        arena: i32,
        /// The library
        #[arg(long)]
        library: PathBuf,
    },
}

/// Why a command ended without a report.
struct Stop {
    code: ExitCode,
    message: String,
}

impl Stop {
    fn new(code: ExitCode, message: impl std::fmt::Display) -> Stop {
        Stop { code, message: message.to_string() }
    }

    fn usage(message: impl std::fmt::Display) -> Stop {
        Stop::new(ExitCode::Usage, message)
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ProcessCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are not mistakes.
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Conformant };
            let _ = error.print();
            return ProcessCode::from(code as u8);
        }
    };
    // A panic is a defect of ropecheck, and has its own exit code.
    std::panic::catch_unwind(|| run(arguments.command)).unwrap_or(ProcessCode::from(ExitCode::Internal as u8))
}

fn run(command: Command) -> ProcessCode {
    let outcome = match command {
        Command::Check(a) => check::check(a),
        Command::Replay(a) => check::replay(a),
        Command::Describe(a) => check::describe(a),
        Command::List(a) => list::list(&a),
        Command::Explain(a) => list::explain(&a),
        Command::Positions(a) => positions::positions(&a),
        Command::Properties(a) => properties::properties(&a),
        Command::Selftest(a) => selftest::selftest(a),
        Command::Bench(a) => bench::bench(a),
        Command::Snapshot(a) => snapshot::snapshot(a),
        Command::Worker { arena, library } => crate::backend::library::run_worker(&library, arena)
            .map(|()| ExitCode::Conformant)
            .map_err(|e| Stop::new(ExitCode::Internal, e)),
    };
    match outcome {
        Ok(code) => ProcessCode::from(code as u8),
        Err(stop) => {
            let text = stop.message.trim_end();
            let prefix = if text.starts_with("error") || text.starts_with('\u{1b}') { "" } else { "error: " };
            let _ = writeln!(anstream::stderr(), "{prefix}{text}");
            ProcessCode::from(stop.code as u8)
        }
    }
}

/// Prints to standard output; a reader that has gone away is no error.
fn print(text: &str) {
    let _ = anstream::stdout().write_all(text.as_bytes());
}

/// Prints, or writes to a file without colours.
fn print_to(file: Option<&Path>, text: &str) -> Result<(), Stop> {
    let Some(path) = file else {
        print(text);
        return Ok(());
    };
    std::fs::write(path, anstream::adapter::strip_str(text).to_string())
        .map_err(|e| Stop::usage(format!("{} cannot be written: {e}", path.display())))
}

/// The embedded schemes and the user's own.
fn library(files: &[PathBuf]) -> Result<Library, Stop> {
    let colour = std::io::IsTerminal::is_terminal(&std::io::stderr());
    let mut library = Library::embedded().map_err(|e| Stop::new(ExitCode::Spec, e.render(colour)))?;
    for file in files {
        library.add_file(file).map_err(|e| Stop::new(ExitCode::Spec, e.render(colour)))?;
    }
    Ok(library)
}

/// `name=value` with an exact value.
fn parameter(text: &str) -> Result<(String, Number), String> {
    let (name, value) = text.split_once('=').ok_or_else(|| format!("expected NAME=VALUE, found {text:?}"))?;
    let number = Number::parse(value).map_err(|e| format!("{value:?} is no number (such as 2, 0.5 or 10/3): {e}"))?;
    Ok((name.to_owned(), number))
}
