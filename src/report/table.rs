//! The report for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::coverage::coverage;
use super::finding::{about, axes, finding, listed};
use super::grade::grades;
use super::profile::profile;
use super::style::{BAD, DIM, GOOD, styled};
use super::summary::{ROWS, heading, summary};
use super::unjudged::{elements, notes, reasons, times};
use super::words;
use crate::run::findings::findings;
use crate::run::{ContractInForce, ExitCode, RunReport, Started, angle_limits};

/// Most findings that are shown, and groups of which nothing was proved.
const SHOWN: usize = 3;
/// Most lines below the first one: of the first finding, and of those after it.
const DETAILS: [usize; 2] = [5, 1];
/// Most reasons why something was not judged, where something failed.
const REASONS: usize = 3;
/// Characters of a finding's line before the verdict, colours included.
const WIDTH: usize = 110;

/// The report for people, with colours as ANSI escapes (the caller strips them where they are not wanted): about a screen of
/// it, or if `verbose` all that there is to say.
#[must_use]
pub fn table(report: &RunReport, verbose: bool) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = whole(&mut out, report, verbose);
    out
}

/// The verdict alone, with a line for each finding where something failed.
#[must_use]
pub fn brief(report: &RunReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = verdict(&mut out, report, 1);
    out
}

fn whole(out: &mut String, report: &RunReport, verbose: bool) -> std::fmt::Result {
    if let Some(started) = &report.started {
        head(out, report, started)?;
        rows(out, report, verbose)?;
        // What was right matters less than what was not.
        let all = verbose || report.results.iter().all(|r| !r.fails());
        if all {
            grades(out, report)?;
            coverage(out, report)?;
        }
        failures(out, report, verbose)?;
        expectations(out, report, verbose)?;
        gaps(out, report, started, [all, verbose])?;
        if let Some(cost) = report.finished.as_ref().and_then(|finished| finished.profile.as_ref()) {
            profile(out, cost)?;
        }
    }
    // A finding that stands above alone is seen without.
    verdict(out, report, 2)
}

fn head(out: &mut String, report: &RunReport, started: &Started) -> std::fmt::Result {
    let own = if started.embedded { ": this run judges ropecheck's own embedded kernel" } else { "" };
    writeln!(out, "ropecheck {} on {}{own}", started.ropecheck, started.backend)?;
    if let Some(sha256) = &started.library_sha256 {
        writeln!(out, "library   SHA-256 {sha256}")?;
    }
    if let Some(config) = &started.config {
        writeln!(out, "config    {}", config.words())?;
    }
    if let Some(corpus) = &started.corpus {
        writeln!(out, "corpus    {}", words::known(corpus, report))?;
    }
    if let Some(device) = &started.device {
        writeln!(out, "device    {device}: its memory, reads outside of buffers seen only if they change a result")?;
    }
    let bad: Vec<&str> =
        report.controls.iter().filter(|c| c.kernel != "known-good").map(|c| c.kernel.as_str()).collect();
    if report.controls.iter().all(|c| c.wrong.is_none()) {
        writeln!(out, "controls  known-good passed; {} failed, as they must", bad.join(", "))?;
    }
    for control in &report.controls {
        if let Some(wrong) = &control.wrong {
            writeln!(out, "controls  {} {}: {}", styled(BAD, "FAILED"), control.kernel, words::control(wrong))?;
        }
    }
    for (contract, given) in contracts(&started.contracts) {
        writeln!(out, "contract  {contract}: {given}")?;
    }
    for spec in &started.added_specs {
        let place = if spec.replaces { ", in the place of the built-in scheme" } else { "" };
        writeln!(out, "spec      {}: scheme {}{place}", spec.file, spec.scheme)?;
    }
    let anchors = &report.anchors;
    if anchors.mismatches.is_empty() {
        writeln!(
            out,
            "anchors   {} position vectors of official code and {} points of an independent program match (judges ropecheck)",
            anchors.vectors, anchors.points
        )?;
        writeln!(out, "golden    {} values and bounds are those of golden/tensors (judges ropecheck)", anchors.golden)?;
    }
    for mismatch in anchors.mismatches.iter().take(SHOWN) {
        writeln!(out, "anchors   {} {mismatch}", styled(BAD, "MISMATCH"))?;
    }
    let statements = &report.spec_statements;
    writeln!(
        out,
        "specs     {} statements of the schemes about themselves confirmed (judges the specs, not the backend)",
        statements.confirmed
    )?;
    for refuted in &statements.refuted {
        writeln!(out, "specs     {} {refuted}", styled(BAD, "REFUTED"))?;
    }
    writeln!(out)
}

/// Each contract that was in force, and where.
pub(super) fn contracts(in_force: &[ContractInForce]) -> Vec<(String, String)> {
    let mut all: Vec<(String, String)> = Vec::new();
    for one in in_force {
        let by = if one.declared_in == "manifest" { "" } else { " (declared with --contract)" };
        let contract = format!("{}{by}", one.contract);
        let place = format!("{} {}", one.level, one.dtype);
        match all.iter_mut().find(|(other, _)| *other == contract) {
            Some((_, places)) => {
                places.push_str(", ");
                places.push_str(&place);
            }
            None => all.push((contract, place)),
        }
    }
    all
}

pub(super) fn rows(out: &mut String, report: &RunReport, all: bool) -> std::fmt::Result {
    let (dtypes, table) = summary(report, all);
    let width = table.iter().map(|row| row.name.len()).max().unwrap_or(6).max(6);
    write!(out, "{:width$}  {:9}", "scheme", "level")?;
    for dtype in &dtypes {
        write!(out, "  {:>14}", heading(dtype))?;
    }
    writeln!(out, "   cases held, largest error/bound")?;
    for row in &table {
        write!(out, "{:width$}  {:9}", row.name, row.level)?;
        for dtype in &dtypes {
            let (text, tone) = row.cell(dtype);
            write!(out, "  {}", styled(tone.style(), &format!("{text:>14}")))?;
        }
        writeln!(out)?;
    }
    writeln!(out)
}

pub(super) fn failures(out: &mut String, report: &RunReport, all: bool) -> std::fmt::Result {
    let found = findings(report);
    let shown = if all { found.len() } else { SHOWN };
    let mut told: Vec<String> = Vec::new();
    for (at, one) in found.iter().take(shown).enumerate() {
        let mut about = about(one, report);
        // Findings that come from one bug say so once.
        about.retain(|(_, line)| !told.contains(line));
        told.extend(about.iter().map(|(_, line)| line.clone()));
        finding(out, one, (&about, axes(&one.example.0.scheme, report)), DETAILS[at.min(1)], all)?;
    }
    if found.len() > shown {
        let more: BTreeSet<&str> = found[shown..].iter().map(|finding| finding.example.0.check.as_str()).collect();
        let more: Vec<&str> = more.into_iter().collect();
        writeln!(out, "     and other failures of {} (-v shows them)", more.join(", "))?;
    }
    let total = found.len();
    for result in report.results.iter().filter(|r| !r.broken.is_empty()) {
        writeln!(out, "{} {} {}: {}", styled(BAD, "SPEC"), result.scheme, result.check, result.broken[0])?;
    }
    for line in report.results.iter().flat_map(|r| &r.internal) {
        writeln!(out, "{} {line}", styled(BAD, "INTERNAL"))?;
    }
    if total > 0 { writeln!(out) } else { Ok(()) }
}

/// What fails as a configuration expects, and what does not.
fn expectations(out: &mut String, report: &RunReport, verbose: bool) -> std::fmt::Result {
    let all = || report.finished.iter().flat_map(|finished| &finished.expectations);
    let shown = if verbose { usize::MAX } else { ROWS };
    let failing = || all().filter(|one| one.failing > 0);
    for one in failing().take(shown) {
        writeln!(out, "{} {}", styled(DIM, "KNOWN"), words::expectation(one))?;
    }
    let more = failing().count().saturating_sub(shown);
    if more > 0 {
        writeln!(out, "{} and {more} more expectations (-v shows them)", styled(DIM, "KNOWN"))?;
    }
    for line in all().flat_map(words::expectation_problems) {
        writeln!(out, "{} {line}", styled(BAD, "expectation not met:"))?;
    }
    if all().any(|one| one.failing > 0 || !one.problems.is_empty()) { writeln!(out) } else { Ok(()) }
}

fn gaps(out: &mut String, report: &RunReport, started: &Started, [all, verbose]: [bool; 2]) -> std::fmt::Result {
    for text in angle_limits(&started.contracts, &report.results) {
        writeln!(out, "{text}")?;
    }
    for line in &started.not_judged {
        writeln!(out, "not judged on level {}, because the suite supplied it: {}", line.level, line.parts.join(", "))?;
    }
    for (what, note, groups) in notes(report).into_iter().filter(|_| all) {
        writeln!(out, "{}", styled(DIM, &format!("note: {what}: {note}{}", times(groups))))?;
    }
    let reasons = reasons(report, verbose);
    let lines = if all { reasons.len() } else { REASONS };
    for reason in reasons.iter().take(lines) {
        let whats: Vec<&str> = reason.whats.iter().map(String::as_str).collect();
        let not = if reason.is_not_run() { "" } else { "not judged: " };
        let line = format!("{not}{}: {}{}", listed(&whats, verbose), reason.why, times(reason.groups));
        writeln!(out, "{}", styled(DIM, &line))?;
    }
    let more = reasons.len().saturating_sub(lines);
    if more > 0 {
        writeln!(out, "{}", styled(DIM, &format!("not judged: and for {more} more reasons (-v shows them)")))?;
    }
    for why in report.finished.iter().flat_map(|finished| &finished.ends) {
        writeln!(out, "note: something went wrong when it was asked to end: {why}")?;
    }
    let unproved = report.finished.as_ref().map_or(&[][..], |finished| &finished.unproved);
    for one in unproved.iter().take(SHOWN) {
        writeln!(out, "nothing proved of {}: {}", one.group(), one.reasons.join("; "))?;
    }
    if unproved.len() > SHOWN {
        writeln!(out, "and of {} more groups (--format json has all)", unproved.len() - SHOWN)?;
    }
    let requirements = report.finished.iter().flat_map(|finished| &finished.requirements);
    for required in requirements.filter(|required| !required.met) {
        writeln!(out, "{} {}", styled(BAD, "required, not met:"), required.words())?;
    }
    for (elements, why) in elements(report) {
        writeln!(out, "{}", styled(DIM, &format!("not judged: {elements} elements: {why}")))?;
    }
    Ok(())
}

/// The verdict, after a line for each finding if there are so many.
fn verdict(out: &mut String, report: &RunReport, from: usize) -> std::fmt::Result {
    let Some(finished) = &report.finished else { return Ok(()) };
    let style = if finished.exit_code == ExitCode::Conformant { GOOD.bold() } else { BAD };
    let (verdict, code) = (styled(style, &finished.verdict), finished.exit_code as u8);
    if let Some(error) = &finished.error {
        writeln!(out, "{error}")?;
    }
    let Some(started) = &report.started else { return writeln!(out, "{verdict} (exit code {code})") };
    let found = findings(report);
    if found.len() >= from {
        for one in &found {
            let summary = words::summary(&one.example.1.failure);
            let line = format!("{} {}: {summary}", styled(BAD, "FAIL"), one.example.0.check);
            writeln!(out, "{}", line.chars().take(WIDTH).collect::<String>())?;
        }
    }
    if let Some(kept) = &finished.kept {
        writeln!(out, "corpus    {}", words::kept(kept))?;
    }
    let elements: u64 = report.results.iter().flat_map(|r| r.bands.values()).map(|b| b.elements).sum();
    let (cases, ..) = report.totals();
    writeln!(out, "{verdict} ({cases} cases, {elements} elements, seed {}, exit code {code})", started.seed)
}
