//! What snapshot commands say: for people, and as JSON.

use std::fmt::Write as _;

use anstyle::Style;
use serde::Serialize;

use super::style::{BAD, DIM, GOOD, styled};
use super::words;
use crate::run::ReplayCommand;
use crate::run::snapshot::{About, Comparison, Differences, Direction, GroupKey, OutputChange};

/// Most lines of a list for people; JSON has all.
const SHOWN: usize = 12;

/// A snapshot held against a backend.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SnapshotReport {
    /// Version of this form of report.
    pub format: u32,
    /// Version of ropecheck.
    pub ropecheck: String,
    /// `verify`, `diff` or `accept`.
    pub command: String,
    /// Name and version of the backend that was recorded.
    pub recorded: String,
    /// Version of ropecheck that recorded it.
    pub recorded_by: String,
    /// Name and version of the backend now.
    pub backend: String,
    /// True if the backend is ropecheck's own kernel.
    pub embedded: bool,
    /// Seed of the cases.
    pub seed: u64,
    /// What was found.
    pub comparison: Comparison,
    /// `same`, `changed` or `not compared`.
    pub verdict: String,
    /// Exit code.
    pub exit_code: u8,
}

impl SnapshotReport {
    /// A report without a verdict.
    #[must_use]
    pub fn new(command: &str, about: &About, backend: String, embedded: bool, comparison: Comparison) -> Self {
        SnapshotReport {
            format: 1,
            ropecheck: env!("CARGO_PKG_VERSION").into(),
            command: command.into(),
            recorded: format!("{} {}", about.backend, about.version),
            recorded_by: about.ropecheck.clone(),
            backend,
            embedded,
            seed: about.selection.seed,
            comparison,
            verdict: String::new(),
            exit_code: 0,
        }
    }
}

/// The report as JSON.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn snapshot_json(report: &SnapshotReport) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(report)
}

/// The report for people. `command` says how the backend is run command, `file` is the snapshot; with `details` pairs and the largest
/// changes are shown.
#[must_use]
pub fn snapshot_table(report: &SnapshotReport, file: &str, command: &ReplayCommand, details: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = head(&mut out, report, file);
    let _ = groups(&mut out, report, details);
    if details {
        for change in &report.comparison.largest {
            let _ = one(&mut out, change, command);
        }
    }
    let _ = rest(&mut out, report);
    let _ = verdict(&mut out, report, file, command, details);
    out
}

fn head(out: &mut String, report: &SnapshotReport, file: &str) -> std::fmt::Result {
    let own = if report.embedded { ", ropecheck's own embedded kernel" } else { "" };
    writeln!(out, "snapshot  {file}: {}, recorded by ropecheck {}", report.recorded, report.recorded_by)?;
    writeln!(out, "backend   {}{own}", report.backend)?;
    if report.embedded && !report.recorded.starts_with("host ") {
        writeln!(out, "note      the snapshot is another backend's, and no BACKEND was given")?;
    }
    let found = &report.comparison;
    if !found.manifest.is_empty() {
        writeln!(out, "manifest  changed since the recording: {}", found.manifest.join(", "))?;
    }
    if !found.specs.is_empty() {
        let specs = found.specs.join(", ");
        writeln!(out, "specs     changed since the recording, so that other bits may be right: {specs}")?;
    }
    writeln!(out)
}

fn groups(out: &mut String, report: &SnapshotReport, details: bool) -> std::fmt::Result {
    let all = &report.comparison.groups;
    if all.is_empty() {
        return Ok(());
    }
    let width = all.iter().map(|(key, _)| key.scheme.len()).max().unwrap_or(6).max(6);
    writeln!(
        out,
        "{:width$}  {:9}  {:5}  {:8}  {:14}  {:>16}  {:>14}  {:>13}  {:>9}",
        "scheme", "level", "dtype", "pairing", "band", "changed", "largest", "nearer/further", "not allowed"
    )?;
    let shown = if details { all.len() } else { SHOWN };
    for (key, tally) in all.iter().take(shown) {
        group(out, width, key, tally, details)?;
    }
    if all.len() > shown {
        writeln!(out, "and {} more groups (`snapshot diff` and --format json have all)", all.len() - shown)?;
    }
    writeln!(out)
}

fn group(out: &mut String, width: usize, key: &GroupKey, tally: &Differences, details: bool) -> std::fmt::Result {
    let GroupKey { scheme, level, dtype, pairing, band } = key;
    let largest = tally.largest.map_or("-".to_owned(), |d| d.to_string());
    let moves =
        if tally.not_judged == tally.changed { "-".into() } else { format!("{}/{}", tally.towards, tally.away) };
    let outside = if tally.not_judged == tally.changed { "-".into() } else { tally.outside.to_string() };
    let style = if tally.outside > 0 { BAD } else { Style::new() };
    let line = format!(
        "{scheme:width$}  {level:9}  {dtype:5}  {pairing:8}  {band:14}  {:>16}  {largest:>14}  {moves:>14}  {outside:>11}",
        format!("{} of {}", tally.changed, tally.elements)
    );
    writeln!(out, "{}", styled(style, line.trim_end()))?;
    if details {
        let mut pairs: Vec<_> = tally.pairs.iter().collect();
        pairs.sort_by(|a, b| b.1.largest.cmp(&a.1.largest).then(b.1.changed.cmp(&a.1.changed)).then(a.0.cmp(b.0)));
        let text = |(name, pair): &(&String, &crate::run::snapshot::PairTally)| {
            let largest = pair.largest.map_or_else(String::new, |d| d.to_string());
            format!("{name}: {} by up to {largest}", pair.changed)
        };
        let most: Vec<String> = pairs.iter().take(SHOWN).map(text).collect();
        let more = pairs.len().saturating_sub(SHOWN);
        let more = if more > 0 { format!("; and {more} more") } else { String::new() };
        writeln!(out, "  {}{more}", most.join("; "))?;
        if tally.not_judged > 0 && tally.not_judged < tally.changed {
            writeln!(out, "  {} changed elements were not held against the reference: too many", tally.not_judged)?;
        }
    }
    Ok(())
}

fn one(out: &mut String, change: &OutputChange, command: &ReplayCommand) -> std::fmt::Result {
    writeln!(out, "{} {}", styled(BAD, &change.distance.to_string()), words::place(&change.place))?;
    writeln!(out, "     was    {}", change.old)?;
    writeln!(out, "     is     {}", change.new)?;
    if let Some(reference) = &change.reference {
        let direction = match change.direction {
            Some(Direction::Towards) => "nearer to it than before",
            Some(Direction::Away) => "further from it than before",
            _ => "as far from it as before",
        };
        let within = match change.within {
            Some(true) => "and within what the contract allows",
            Some(false) => "and NOT what the contract allows",
            None => "and nothing is claimed there",
        };
        writeln!(out, "     exact  {reference}: {direction}, {within}")?;
    }
    writeln!(out, "     case   {}", change.id)?;
    writeln!(out, "     replay {}", command.replay(&change.case))?;
    writeln!(out)
}

fn rest(out: &mut String, report: &SnapshotReport) -> std::fmt::Result {
    let found = &report.comparison;
    let failed: Vec<(String, String)> =
        found.failed.iter().map(|(id, failure)| (id.clone(), words::summary(failure))).collect();
    list(out, "no answer", BAD, &failed)?;
    list(out, "gone", BAD, &found.gone)?;
    let all = |ids: &[String], why: &str| ids.iter().map(|id| (id.clone(), why.to_owned())).collect::<Vec<_>>();
    list(out, "unstable", BAD, &all(&found.unstable, "two runs of this version give different bits"))?;
    list(out, "new", DIM, &all(&found.new, "selected now, and not in the snapshot"))?;
    if found.left_out > 0 {
        writeln!(out, "{}", styled(DIM, &format!("left out by the command line: {} cases", found.left_out)))?;
    }
    Ok(())
}

/// Each reason once, with the first case.
fn list(out: &mut String, what: &str, style: Style, cases: &[(String, String)]) -> std::fmt::Result {
    let mut reasons: Vec<(&str, &str, usize)> = Vec::new();
    for (id, why) in cases {
        match reasons.iter_mut().find(|(known, ..)| known == why) {
            Some((.., count)) => *count += 1,
            None => reasons.push((why, id, 1)),
        }
    }
    for (why, id, count) in reasons.iter().take(SHOWN) {
        let cases = if *count == 1 { format!("1 case, {id}") } else { format!("{count} cases, the first is {id}") };
        writeln!(out, "{} {why} ({cases})", styled(style, &format!("{what}:")))?;
    }
    if reasons.len() > SHOWN {
        let more = reasons.len() - SHOWN;
        writeln!(out, "{} and {more} other reasons (--format json has all)", styled(style, &format!("{what}:")))?;
    }
    Ok(())
}

fn verdict(
    out: &mut String,
    report: &SnapshotReport,
    file: &str,
    command: &ReplayCommand,
    details: bool,
) -> std::fmt::Result {
    let found = &report.comparison;
    let seed = report.seed;
    let counted =
        format!("{} cases, {} elements, seed {seed}, exit code {}", found.compared, found.elements, report.exit_code);
    if found.same() {
        return writeln!(out, "{} bit for bit ({counted})", styled(GOOD.bold(), "SAME"));
    }
    let elements: u64 = found.groups.iter().map(|(_, tally)| tally.changed).sum();
    let outside: u64 = found.groups.iter().map(|(_, tally)| tally.outside).sum();
    let mut parts = Vec::new();
    if !found.changed.is_empty() {
        parts.push(format!("{elements} elements in {} of {} cases", found.changed.len(), found.compared));
    }
    if outside > 0 {
        parts.push(format!("{outside} of them not what the contract allows"));
    }
    if !found.gone.is_empty() {
        parts.push(format!("{} cases can no longer be asked for", found.gone.len()));
    }
    if !found.failed.is_empty() {
        parts.push(format!("{} cases are no longer answered", found.failed.len()));
    }
    writeln!(out, "{} {} ({counted})", styled(BAD, "CHANGED"), parts.join("; "))?;
    if report.command != "accept" {
        if !details {
            writeln!(out, "where, and by how much: {}", command.snapshot("diff", file))?;
        }
        writeln!(out, "if this is what you meant: {}", command.snapshot("accept", file))?;
    }
    Ok(())
}
