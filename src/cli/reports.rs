//! The reports that a command line asks for: their forms, where they go, and the run that writes them.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};

use super::backend::{move_bar, progress_bar};
use super::output::{ReportSink, complain_of};
use crate::report;
use crate::run::{self, Event, ExitCode, Observer, Progress, RunError, RunReport};

/// Heading of these options in help.
const REPORTS: &str = "Reports";

/// What is reported, in which form, and where.
#[derive(Debug, Args)]
pub(super) struct ReportArguments {
    /// What to print
    #[arg(help_heading = REPORTS, long, value_enum, default_value_t = ReportFormat::Table)]
    format: ReportFormat,
    /// Write the report to a file instead of standard output
    #[arg(help_heading = REPORTS, long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Write another report to a file, such as junit=report.xml (repeatable)
    #[arg(help_heading = REPORTS, long, value_name = "FORMAT=FILE", value_parser = extra_report)]
    report: Vec<(ReportFormat, PathBuf)>,
    /// Show every failure, scheme and reason in the table, and not about a screen of them
    #[arg(help_heading = REPORTS, long, short, overrides_with = "quiet")]
    verbose: bool,
    /// Show no more in the table than the verdict, and a line for each finding
    #[arg(help_heading = REPORTS, long, short, overrides_with = "verbose")]
    quiet: bool,
}

/// A form of the report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReportFormat {
    /// For people
    Table,
    /// For programs: one document
    Json,
    /// For programs: a line for every event, as it happens
    Ndjson,
    /// For CI systems
    Junit,
    /// For code scanning
    Sarif,
    /// For the summary of a job, and for comments
    Markdown,
    /// For a badge of shields.io
    Badge,
    /// For people: a page with pictures, as one file
    Html,
}

/// `FORMAT=FILE`.
fn extra_report(text: &str) -> Result<(ReportFormat, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or_else(|| format!("expected FORMAT=FILE, found {text:?}"))?;
    if file.is_empty() {
        return Err("the name of the file is missing".into());
    }
    Ok((ReportFormat::from_str(format, false)?, file.into()))
}

/// How much a table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Detail {
    /// The verdict, and a line for each finding.
    Verdict,
    /// About a screen.
    Screen,
    /// All there is.
    All,
}

/// The file that GitHub names for what a job has to say, where it does.
fn summary() -> Option<ReportSink> {
    let path = std::env::var_os("GITHUB_STEP_SUMMARY").filter(|path| !path.is_empty())?;
    let path = PathBuf::from(path);
    // Nobody asked for it in so many words, so it costs no verdict: a container may not have the folder.
    let sink = ReportSink::add_to(&path);
    sink.map_err(|e| complain_of(&format!("GITHUB_STEP_SUMMARY: {} cannot be written: {e}", path.display()))).ok()
}

/// The file of a backend: a library, or that of a Python port.
fn file_of(backend: &Path) -> Option<String> {
    let text = backend.to_str()?;
    let file = if backend.exists() { text } else { text.rsplit_once(':')?.0 };
    Path::new(file).is_file().then(|| file.to_owned())
}

/// Reports that were asked for, each with the place where it goes.
pub(super) struct Reports {
    all: Vec<(ReportFormat, ReportSink)>,
    bar: indicatif::ProgressBar,
    /// How much tables say.
    detail: Detail,
    /// The file that is judged, where it is one.
    backend: Option<String>,
    /// The first error of a report that is written as events happen.
    failed: Option<RunError>,
}

impl Reports {
    /// Opens the places that they go to. `backend` is what is judged.
    ///
    /// # Errors
    /// [`ExitCode::Usage`] if one of them cannot be written.
    pub(super) fn open(a: &ReportArguments, backend: Option<&Path>) -> Result<Reports, RunError> {
        let mut all = vec![(a.format, ReportSink::open(a.output.as_deref())?)];
        for (format, file) in &a.report {
            all.push((*format, ReportSink::open(Some(file))?));
        }
        all.extend(summary().map(|sink| (ReportFormat::Markdown, sink)));
        let backend = backend.and_then(file_of);
        let bar = if a.quiet { indicatif::ProgressBar::hidden() } else { progress_bar("checks") };
        let detail = match (a.quiet, a.verbose) {
            (true, _) => Detail::Verdict,
            (_, true) => Detail::All,
            _ => Detail::Screen,
        };
        Ok(Reports { all, bar, detail, backend, failed: None })
    }

    /// Writes what is only known at the end. An error of one report is the end of the run in all others, too: none may
    /// say that all is well when the exit code does not.
    pub(super) fn close(mut self, mut report: RunReport) -> RunReport {
        self.bar.finish_and_clear();
        let mut failed = self.failed.take();
        let options = (self.detail, self.backend.take());
        for (format, sink) in &mut self.all {
            failed = failed.or(self::write(*format, &options, sink, &report).err());
        }
        if let Some(error) = failed {
            run::fail(&mut report, error, &mut self);
            // A report that cannot be written whole now is not there at all; why is said already.
            self.all.retain_mut(|(format, sink)| {
                let again = |sink: &mut ReportSink| self::write(*format, &options, sink, &report);
                *format == ReportFormat::Ndjson || sink.clear().and_then(|()| again(sink)).is_ok()
            });
        }
        for (_, sink) in self.all {
            if let Err(error) = sink.close() {
                run::fail(&mut report, error, &mut Closed);
            }
        }
        report
    }
}

/// Writes a report that is only known at the end.
fn write(
    format: ReportFormat,
    (detail, backend): &(Detail, Option<String>),
    sink: &mut ReportSink,
    report: &RunReport,
) -> Result<(), RunError> {
    let internal = |e: &dyn std::fmt::Display| RunError::new(ExitCode::Internal, e);
    let text = match format {
        // A table on standard output would only repeat what is said on standard error.
        ReportFormat::Table if report.started.is_none() && matches!(sink, ReportSink::Standard) => return Ok(()),
        ReportFormat::Table => match detail {
            Detail::Verdict => report::brief(report),
            Detail::Screen => report::table(report, false),
            Detail::All => report::table(report, true),
        },
        ReportFormat::Json => report::json(report).map_err(|e| internal(&e))?,
        ReportFormat::Ndjson => return Ok(()),
        ReportFormat::Junit => report::junit(report).map_err(|e| internal(&e))?,
        ReportFormat::Sarif => report::sarif(report, backend.as_deref()),
        ReportFormat::Markdown => report::markdown(report),
        ReportFormat::Badge => report::badge(report),
        ReportFormat::Html => report::html(report),
    };
    sink.write(&text)
}

/// Reports that are closed hear nothing.
struct Closed;

impl Observer for Closed {
    fn event(&mut self, _: &Event) {}
}

impl Observer for Reports {
    fn event(&mut self, event: &Event) {
        for (_, sink) in self.all.iter_mut().filter(|(format, _)| *format == ReportFormat::Ndjson) {
            let line = report::ndjson(event).map_err(|e| RunError::new(ExitCode::Internal, e));
            if let Err(error) = line.and_then(|line| sink.write(&line)) {
                self.failed.get_or_insert(error);
            }
        }
    }

    fn progress(&mut self, progress: Progress) {
        move_bar(&self.bar, progress);
    }
}
