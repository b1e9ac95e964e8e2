//! What failed, in its most telling case, with what explains it and how to run it again; and what was known to fail.

use std::fmt::Write as _;

use crate::report::finding::{about, axes, facts as about_failure};
use crate::report::page::{command, facts, fold, table};
use crate::report::svg::escaped;
use crate::report::words;
use crate::run::RunReport;
use crate::run::findings::{Finding, findings as found};

/// Most findings that are shown.
const MOST: usize = 50;
/// Most cases that a finding lists.
const CASES: usize = 40;

/// A section of findings, and of what makes the verdict believable where something there is wrong; empty if all is well.
pub(super) fn findings(report: &RunReport) -> String {
    let mut out = String::new();
    let broken = report.results.iter().filter(|result| !result.broken.is_empty());
    let mut wrong: Vec<(String, String)> = Vec::new();
    for control in &report.controls {
        let said = control.wrong.as_ref().map(|wrong| format!("{}: {}", control.kernel, words::control(wrong)));
        wrong.extend(said.map(|said| ("control failed".to_owned(), escaped(&said))));
    }
    let mut all =
        |name: &str, lines: &[String]| wrong.extend(lines.iter().map(|line| (name.to_owned(), escaped(line))));
    all("anchor does not match", &report.anchors.mismatches);
    all("statement refuted", &report.spec_statements.refuted);
    all("internal error", &report.results.iter().flat_map(|r| r.internal.clone()).collect::<Vec<_>>());
    all("spec", &broken.map(|r| format!("{} {}: {}", r.scheme, r.check, r.broken[0])).collect::<Vec<_>>());
    out.push_str(&facts(wrong));
    let all = found(report);
    for one in all.iter().take(MOST) {
        finding(&mut out, one, report);
    }
    if all.len() > MOST {
        let _ = writeln!(out, "<p>And {} more.</p>", all.len() - MOST);
    }
    out
}

fn finding(out: &mut String, finding: &Finding, report: &RunReport) {
    let (result, failure) = finding.example;
    let message = words::message(&failure.failure);
    let (summary, details) = message.split_first().map_or(("", &[][..]), |(first, rest)| (first.as_str(), rest));
    let _ = writeln!(out, "<article>\n<h3>FAIL {}: {}</h3>", escaped(&result.check), escaped(summary));
    if !details.is_empty() {
        let _ = writeln!(out, "<pre>{}</pre>", escaped(&details.join("\n")));
    }
    let mut lines = about(finding, report);
    lines.extend(about_failure(finding, axes(&result.scheme, report), true));
    // The command has a block of its own.
    lines.retain(|(word, _)| *word != "replay");
    out.push_str(&facts(lines.into_iter().map(|(word, line)| (word.to_owned(), escaped(&line)))));
    let _ = write!(out, "<p>Run it again:</p>\n{}", command(&failure.replay));
    if finding.shrunk.len() > 1 {
        out.push_str(&cases(finding));
    }
    out.push_str("</article>\n");
}

/// The first case of each check and group.
fn cases(finding: &Finding) -> String {
    let rows = finding.shrunk.iter().take(CASES).map(|(result, failure)| {
        let group = [&result.scheme, result.level.name(), &result.pairing, &result.dtype].join(" ");
        let replay = format!("<code>{}</code>", escaped(&failure.replay));
        vec![escaped(&result.check), escaped(&group), escaped(&words::summary(&failure.failure)), replay]
    });
    let more = finding.shrunk.len().saturating_sub(CASES);
    let more = if more > 0 { format!("<p>And {more} more.</p>\n") } else { String::new() };
    let label = format!("First cases of {}", finding.example.1.failure.cause.name());
    let all = table(&label, &["check", "group", "what", "run again"], rows);
    fold(&format!("The first case of each check and group ({})", finding.shrunk.len()), &(all + &more))
}

/// What fails as it is stated.
pub(super) fn known(report: &RunReport) -> String {
    let all = report.finished.iter().flat_map(|finished| &finished.expectations).filter(|one| one.failing > 0);
    let lines: Vec<String> = all.map(|one| format!("<li>{}</li>\n", escaped(&words::expectation(one)))).collect();
    if lines.is_empty() { String::new() } else { format!("<ul>\n{}</ul>\n", lines.concat()) }
}
