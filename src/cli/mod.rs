//! The command line: arguments in, exit code out.

mod arguments;
mod backend;
mod bench;
pub mod cargo_test;
mod check;
mod config;
mod contracts;
mod describe;
mod experiment;
mod init;
mod list;
mod output;
mod plot;
mod positions;
mod properties;
mod replay;
mod selftest;
mod snapshot;
mod spec;
mod vectors;

#[cfg(test)]
mod tests;

pub use check::config_schema;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode as ProcessCode;

use clap::{Parser, Subcommand};

use crate::backend::library::{Work, as_ropecheck, run_worker};
use crate::backend::program::adopt_orphans;
use crate::run::{ExitCode, RunError};

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
    Check(Box<check::CheckArguments>),
    /// Put the shards of a check together: the verdict and the report of one run
    Merge(check::MergeArguments),
    /// Run one case again, as a failure report prints it
    Replay(replay::ReplayArguments),
    /// Print what a backend says of itself
    Describe(describe::DescribeArguments),
    /// List schemes, checks, invariants, contracts or models
    List(list::ListArguments),
    /// Explain a check, an invariant, a scheme or a contract
    Explain(list::ExplainArguments),
    /// Print the positions that a scheme gives a layout
    Positions(positions::PositionsArguments),
    /// Draw schemes side by side, as SVG
    Plot(plot::PlotArguments),
    /// Judge the suite itself: every known fault must be killed, no honest kernel rejected
    Selftest(selftest::SelfTestArguments),
    /// Time calls by shape, and compare their bandwidth with a copy's on the same device
    Bench(bench::BenchArguments),
    /// Keep a backend's own outputs, and see bit by bit what its next version changes
    Snapshot(snapshot::SnapshotArguments),
    /// Derive the papers' property tables from the specs, with a witness for each cross
    Properties(properties::PropertiesArguments),
    /// Try on random features whether a scheme tells frames apart that its pairs have in step
    Experiment(experiment::ExperimentArguments),
    /// Look a scheme file over
    Spec(spec::SpecArguments),
    /// Write a port to begin with, which passes as it is
    Init(init::InitArguments),
    /// Judge a kernel where ropecheck cannot run: inputs as files, and outputs that come back
    Vectors(vectors::VectorsArguments),
    /// The process that holds a library under test
    #[command(hide = true)]
    Worker {
        /// Most bytes of memory of its own
        #[arg(long)]
        memory: Option<u64>,
        /// The library to hold
        #[arg(long, conflicts_with = "program", required_unless_present = "program")]
        library: Option<PathBuf>,
        /// The program to become, and its arguments
        #[arg(long, num_args = 1.., allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

/// Runs the program.
#[must_use]
pub fn main() -> ProcessCode {
    let arguments = match Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // Help and version are not mistakes.
            let code = if error.use_stderr() { ExitCode::Usage } else { ExitCode::Conformant };
            // Standard output that cannot be written is an error of its own; on standard error nothing can be
            // done about it.
            let unwritten = error.print().is_err_and(|e| e.kind() != std::io::ErrorKind::BrokenPipe);
            let code = if unwritten && !error.use_stderr() { ExitCode::Internal } else { code };
            return ProcessCode::from(code as u8);
        }
    };
    // A panic is a defect of ropecheck, and has its own exit code.
    std::panic::catch_unwind(|| run(arguments.command)).unwrap_or(ProcessCode::from(ExitCode::Internal as u8))
}

/// A command line that is one of `check`.
fn check_arguments(line: &[String]) -> Option<check::CheckArguments> {
    match Arguments::try_parse_from(line).ok()?.command {
        Command::Check(a) => Some(*a),
        _ => None,
    }
}

fn run(command: Command) -> ProcessCode {
    if !matches!(command, Command::Worker { .. } | Command::Selftest(_)) {
        // Programs under test are all that this process starts.
        adopt_orphans();
    }
    as_ropecheck();
    let outcome = match command {
        Command::Check(a) => check::check(*a),
        Command::Merge(a) => check::merge(a, check_arguments),
        Command::Replay(a) => replay::replay(a),
        Command::Describe(a) => describe::describe(a),
        Command::List(a) => list::list(&a),
        Command::Explain(a) => list::explain(&a),
        Command::Positions(a) => positions::positions(&a),
        Command::Properties(a) => properties::properties(&a),
        Command::Experiment(a) => experiment::experiment(&a),
        Command::Plot(a) => plot::plot(&a),
        Command::Selftest(a) => selftest::selftest(a),
        Command::Bench(a) => bench::bench(a),
        Command::Snapshot(a) => snapshot::snapshot(a),
        Command::Vectors(a) => vectors::vectors(a),
        Command::Spec(a) => spec::spec(&a),
        Command::Init(a) => init::init(&a),
        Command::Worker { memory, library, program } => {
            run_worker(&library.map_or(Work::Program(program), Work::Library), memory)
                .map(|()| ExitCode::Conformant)
                .map_err(|e| RunError::new(ExitCode::Internal, e))
        }
    };
    match outcome {
        Ok(code) => ProcessCode::from(code as u8),
        Err(error) => {
            output::complain_of(&error.message);
            ProcessCode::from(error.code as u8)
        }
    }
}
