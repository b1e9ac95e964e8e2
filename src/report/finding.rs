//! A finding for people.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::style::{BAD, styled};
use super::words;
use crate::case::{Case, Level};
use crate::check::failure::Side;
use crate::run::findings::{Finding, Group};
use crate::run::{Again, CheckResult, FailureReport, RunReport};

/// One finding: what fails, in its most telling case, and what else.
pub(super) fn finding(
    out: &mut String,
    finding: &Finding,
    (about, axes): (&[(&'static str, String)], usize),
    details_shown: usize,
    all_lines: bool,
) -> std::fmt::Result {
    let (result, failure) = finding.example;
    let message = words::message(&failure.failure);
    let (summary, details) = message.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    writeln!(out, "{} {}: {summary}", styled(BAD, "FAIL"), result.check)?;
    for line in details.iter().take(if all_lines { details.len() } else { details_shown }) {
        writeln!(out, "     {line}")?;
    }
    for (word, line) in about.iter().chain(&facts(finding, axes, all_lines)) {
        writeln!(out, "     {word:6} {line}")?;
    }
    Ok(())
}

/// What else is said of a finding, each with the word that stands before it; the command that runs it again is the last.
pub(super) fn facts(finding: &Finding, axes: usize, all_lines: bool) -> Vec<(&'static str, String)> {
    let (result, failure) = finding.example;
    let mut facts = Vec::new();
    if finding.groups.len() > 1 {
        facts.push(("in", shared(finding)));
    }
    let others: Vec<&str> = finding.checks.iter().copied().filter(|check| *check != result.check).collect();
    if !others.is_empty() {
        facts.push(("also", listed(&others, all_lines)));
    }
    if !finding.follow.is_empty() {
        facts.push(("follow", listed(&finding.follow, all_lines)));
    }
    if let Some(Again::AfterOtherCalls { cases }) = &failure.again {
        let line = match cases.len() {
            0 => "it holds in a fresh process: it fails only after other calls".to_owned(),
            1 => "it holds in a fresh process, and fails there after the case before it".to_owned(),
            many => format!("it holds in a fresh process, and fails there after the {many} cases before it"),
        };
        facts.push(("again", line));
    }
    facts.extend(common(finding, axes).map(|common| ("all", common)));
    if all_lines {
        facts.push(("case", failure.id.clone()));
    }
    facts.push(("replay", failure.replay.clone()));
    facts
}

/// What all groups of a finding share, and how many there are.
fn shared(finding: &Finding) -> String {
    let each = |of: fn(&Group) -> String| finding.groups.iter().map(of).collect::<BTreeSet<String>>();
    let (schemes, levels) = (each(|g| g.0.to_owned()), each(|g| g.1.to_owned()));
    let (pairings, dtypes) = (each(|g| g.2.to_owned()), each(|g| g.3.to_owned()));
    let some = |all: &BTreeSet<String>, what: &str| match all.len() {
        1..=3 => all.iter().cloned().collect::<Vec<_>>().join(", "),
        many => format!("{many} {what}"),
    };
    let parts =
        [some(&schemes, "schemes"), some(&levels, "levels"), some(&pairings, "pairings"), some(&dtypes, "types")];
    format!("{} groups: {}", finding.groups.len(), parts.join("; "))
}

/// What the smallest failures of a finding all have in common: an option of the call that shrinking could not
/// take away, a side, an axis.
/// `axes`: how many were seen at all.
fn common(finding: &Finding, axes: usize) -> Option<String> {
    let options = |(_, failure): &(&CheckResult, &FailureReport)| -> BTreeSet<String> {
        let needed = ["alias=in", "packed=true", "direction=-1", "pairing=adjacent", "per-head=true"];
        let is_option = |part: &&str| needed.contains(part) || part.starts_with("memory=") && *part != "memory=packed";
        let mut all: BTreeSet<String> = failure.case.split(',').filter(is_option).map(str::to_owned).collect();
        let place = &failure.failure.place;
        all.extend((place.side == Some(Side::K)).then(|| "keys only".to_owned()));
        let axis = place.axis.as_ref().and_then(|axis| axis.name.as_ref());
        all.extend(axis.filter(|_| axes > 1).map(|axis| format!("axis {axis}")));
        all.extend(failure.case.parse::<Case>().ok().and_then(|case| shape(&case)));
        all
    };
    let mut cases = finding.shrunk.iter().map(options);
    let first = cases.next()?;
    let all = cases.fold(first, |all, other| all.intersection(&other).cloned().collect());
    (finding.shrunk.len() > 1 && !all.is_empty()).then(|| all.into_iter().collect::<Vec<_>>().join(", "))
}

/// What the shape of a small case tells.
fn shape(case: &Case) -> Option<String> {
    let whole = case.rotary.is_none_or(|(width, _)| width == case.head_dim);
    match (case.q_heads, case.k_heads) {
        _ if case.level == Level::Positions => None,
        _ if !whole => Some("a part of the head is rotated".to_owned()),
        (q, k) if k > 0 && q > k => Some("grouped heads".to_owned()),
        (_, k) if k > 0 => Some("keys are there".to_owned()),
        _ => None,
    }
}

/// How many axes the results of a scheme tell of.
pub(super) fn axes(scheme: &str, report: &RunReport) -> usize {
    let of_scheme = || report.results.iter().filter(|result| result.scheme == scheme);
    let places = of_scheme().flat_map(|result| result.bands.values()).filter_map(|band| band.worst_place.as_ref());
    let failed = of_scheme().flat_map(|result| &result.failures).map(|failure| &failure.failure.place);
    let names = places.chain(failed).filter_map(|place| place.axis.as_ref()?.name.as_deref());
    names.collect::<BTreeSet<&str>>().len()
}

/// What is said about a finding beside its evidence: what explains it, and which key of a manifest it may be
/// about.
pub(super) fn about(finding: &Finding, report: &RunReport) -> Vec<(&'static str, String)> {
    let explained = report.diagnosis_of(&finding.example.1.id).into_iter().flat_map(words::diagnosis);
    let hint = report.started.as_ref().and_then(|started| words::hint(finding, started, report));
    explained.chain(hint.map(|hint| ("hint", hint))).collect()
}

/// Names, few of them unless all are wanted.
pub(super) fn listed(names: &[&str], all: bool) -> String {
    const FEW: usize = 5;
    if all || names.len() <= FEW + 1 {
        return names.join(", ");
    }
    format!("{} and {} more checks", names[..FEW].join(", "), names.len() - FEW)
}
