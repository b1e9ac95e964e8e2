//! The report for people.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use anstyle::Style;

use super::coverage::coverage;
use super::finding::{about, axes, finding, listed};
use super::grade::grades;
use super::profile::profile;
use super::style::{BAD, DIM, GOOD, styled};
use super::words;
use crate::run::findings::findings;
use crate::run::{BandResult, CheckResult, ContractInForce, ExitCode, RunReport, Started, angle_limits};

/// Most findings that are shown, and groups of which nothing was proved.
const SHOWN: usize = 3;
/// Most lines below the first one: of the first finding, and of those after it.
const DETAILS: [usize; 2] = [5, 1];
/// Most reasons why something was not judged, where something failed.
const REASONS: usize = 3;
/// Most rows of the table of schemes, before those are put together that have the same to say.
const ROWS: usize = 12;
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
    verdict(out, report)
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
fn contracts(in_force: &[ContractInForce]) -> Vec<(String, String)> {
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

fn cell(results: &[&CheckResult]) -> (String, Style) {
    let (cases, passed, failed) =
        results.iter().map(|r| r.totals()).fold((0, 0, 0), |(a, b, c), (x, y, z)| (a + x, b + y, c + z));
    let worst = results.iter().map(|r| r.worst()).fold(0.0, f64::max);
    if failed > 0 && !results.iter().any(|r| r.fails()) {
        return (format!("{failed} of {cases} known"), DIM);
    }
    if failed > 0 {
        return (format!("{failed} of {cases} FAIL"), BAD);
    }
    if passed == 0 {
        return ("-".into(), DIM);
    }
    if worst > 0.0 { (format!("{passed} ok  {worst:.2}"), GOOD) } else { (format!("{passed} ok"), GOOD) }
}

/// What a row is about: no scheme where the angles themselves are given.
fn row_name<'a>(report: &RunReport, result: &'a CheckResult) -> &'a str {
    let supplied = report.started.iter().flat_map(|started| &started.not_judged);
    let given = supplied.into_iter().any(|s| s.level == result.level && s.angles);
    if given { "(given cos/sin)" } else { &result.scheme }
}

pub(super) fn rows(out: &mut String, report: &RunReport, all: bool) -> std::fmt::Result {
    let mut dtypes: Vec<&str> = Vec::new();
    let mut lines: Vec<(String, String)> = Vec::new();
    for result in &report.results {
        if !dtypes.contains(&result.dtype.as_str()) {
            dtypes.push(&result.dtype);
        }
        let key = (row_name(report, result).to_owned(), result.level.to_string());
        if !lines.contains(&key) {
            lines.push(key);
        }
    }
    let order = ["-", "f32", "f16", "bf16"];
    dtypes.sort_by_key(|d| order.iter().position(|o| o == d));
    let shown = |d: &str| if d == "-" { "exact".to_owned() } else { d.to_owned() };
    // Each row is about one scheme or several.
    let results = |(scheme, level): &(String, String)| {
        let here = |r: &&CheckResult| row_name(report, r) == scheme && r.level.name() == level;
        report.results.iter().filter(here).collect::<Vec<_>>()
    };
    let mut table: Vec<(String, String, Vec<&CheckResult>)> = Vec::new();
    for line in &lines {
        let here = results(line);
        let fails = |all: &[&CheckResult]| all.iter().any(|r| r.totals().2 > 0);
        let same = |(_, level, others): &(String, String, Vec<&CheckResult>)| {
            *level == line.1 && fails(others) == fails(&here)
        };
        match table.iter_mut().find(|row| !all && lines.len() > ROWS && same(row)) {
            Some((_, _, others)) => others.extend(here),
            None => table.push((line.0.clone(), line.1.clone(), here)),
        }
    }
    for (name, _, here) in &mut table {
        let schemes: BTreeSet<&str> = here.iter().map(|r| r.scheme.as_str()).collect();
        if schemes.len() > 1 && schemes.contains(name.as_str()) {
            *name = format!("{} schemes", schemes.len());
        }
    }
    let width = table.iter().map(|(s, ..)| s.len()).max().unwrap_or(6).max(6);
    write!(out, "{:width$}  {:9}", "scheme", "level")?;
    for dtype in &dtypes {
        write!(out, "  {:>14}", shown(dtype))?;
    }
    writeln!(out, "   cases held, largest error/bound")?;
    for (name, level, here) in &table {
        write!(out, "{name:width$}  {level:9}")?;
        for dtype in &dtypes {
            let of: Vec<&CheckResult> = here.iter().copied().filter(|r| r.dtype == **dtype).collect();
            let (text, style) = cell(&of);
            write!(out, "  {}", styled(style, &format!("{text:>14}")))?;
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
    let mut reasons: BTreeMap<(String, String), usize> = BTreeMap::new();
    for result in &report.results {
        let mut add = |why: &str, band: &str| {
            let what = if band == "-" { result.check.clone() } else { format!("{} {band}", result.check) };
            *reasons.entry((what, why.to_owned())).or_default() += 1;
        };
        result.gaps.iter().for_each(|g| add(&g.why, &g.band));
        result.stopped.iter().for_each(|why| add(words::stopped(*why), "-"));
        for (band, b) in result.bands.iter().filter(|(_, b)| b.not_judged + b.not_run > 0) {
            b.reasons.iter().for_each(|why| add(why, band));
        }
    }
    let mut notes: BTreeMap<(&str, &str), usize> = BTreeMap::new();
    for result in &report.results {
        let mut said: Vec<&str> = result.bands.values().flat_map(|b| &b.notes).map(String::as_str).collect();
        said.sort_unstable();
        said.dedup();
        said.into_iter().for_each(|note| *notes.entry((&result.check, note)).or_default() += 1);
    }
    let times = |count: usize| if count > 1 { format!(" ({count} groups)") } else { String::new() };
    for ((what, note), count) in notes.into_iter().filter(|_| all) {
        writeln!(out, "{}", styled(DIM, &format!("note: {what}: {note}{}", times(count))))?;
    }
    // One line for each reason, with the checks that it holds for.
    let mut by_reason: Vec<(String, Vec<String>, usize)> = Vec::new();
    for ((what, why), count) in reasons {
        match by_reason.iter_mut().find(|(known, ..)| !verbose && *known == why) {
            Some((_, whats, sum)) => {
                whats.push(what);
                *sum += count;
            }
            None => by_reason.push((why, vec![what], count)),
        }
    }
    let lines = if all { by_reason.len() } else { REASONS };
    let more = by_reason.len().saturating_sub(lines);
    for (why, whats, count) in by_reason.into_iter().take(lines) {
        let whats: Vec<&str> = whats.iter().map(String::as_str).collect();
        let not = if why.starts_with("not run: ") { "" } else { "not judged: " };
        let line = format!("{not}{}: {why}{}", listed(&whats, verbose), times(count));
        writeln!(out, "{}", styled(DIM, &line))?;
    }
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
    let sum = |of: fn(&BandResult) -> u64| report.results.iter().flat_map(|r| r.bands.values()).map(of).sum::<u64>();
    for (elements, why) in [
        (sum(|b| b.contract_too_wide), "contract too wide: their angle may be anything"),
        (sum(|b| b.beyond_angle_limit), "beyond the angle limit"),
        (sum(|b| b.range_not_judged), "honest arithmetic may overflow"),
    ] {
        if elements > 0 {
            writeln!(out, "{}", styled(DIM, &format!("not judged: {elements} elements: {why}")))?;
        }
    }
    Ok(())
}

fn verdict(out: &mut String, report: &RunReport) -> std::fmt::Result {
    let Some(finished) = &report.finished else { return Ok(()) };
    let style = if finished.exit_code == ExitCode::Conformant { GOOD.bold() } else { BAD };
    let (verdict, code) = (styled(style, &finished.verdict), finished.exit_code as u8);
    if let Some(error) = &finished.error {
        writeln!(out, "{error}")?;
    }
    let Some(started) = &report.started else { return writeln!(out, "{verdict} (exit code {code})") };
    let found = findings(report);
    if found.len() > 1 {
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
