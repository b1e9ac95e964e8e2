//! The report as a page: one file that needs nothing from elsewhere. Whatever comes from a backend, a spec or a command line
//! goes through `escaped`.

mod environment;
mod errors;
mod findings;
mod left_out;
mod reach;
mod results;

use std::fmt::Write as _;

use super::page::{facts, page};
use super::svg::escaped;
use super::words;
use crate::run::{ExitCode, Finished, RunReport};

/// The report as HTML.
#[must_use]
pub fn html(report: &RunReport) -> String {
    let name = report.started.as_ref().map_or(String::new(), |started| format!(" on {}", started.backend));
    let mut body = format!("<h1>ropecheck{}</h1>\n", escaped(&name));
    if let Some(finished) = &report.finished {
        verdict(&mut body, report, finished);
    }
    let sections = [
        ("findings", "Findings", findings::findings(report)),
        ("known", "Known failures", findings::known(report)),
        ("required", "Requirements", required(report)),
        ("results", "Results", results::results(report)),
        ("errors", "Errors and bounds by position", errors::errors(report)),
        ("grades", "Grade and headroom", results::grades(report)),
        ("reach", "Reach", reach::reach(report)),
        ("left-out", "What was not judged", left_out::left_out(report)),
        ("environment", "Environment", environment::environment(report)),
    ];
    let sections: Vec<_> = sections.into_iter().filter(|(.., inside)| !inside.is_empty()).collect();
    if !sections.is_empty() {
        body.push_str("<nav aria-label=\"Sections\">\n<ul>\n");
        for (id, title, _) in &sections {
            let _ = writeln!(body, "<li><a href=\"#{id}\">{title}</a></li>");
        }
        body.push_str("</ul>\n</nav>\n");
    }
    for (id, title, inside) in &sections {
        let _ = writeln!(body, "<h2 id=\"{id}\">{title}</h2>\n{inside}");
    }
    let word = report.finished.as_ref().map_or("no verdict", |finished| tone(finished.exit_code).1);
    page(&format!("ropecheck{name}: {word}"), &body)
}

/// The class of a verdict, and a word for it that does not depend on colours.
fn tone(code: ExitCode) -> (&'static str, &'static str) {
    match code {
        ExitCode::Conformant => ("good", "conformant"),
        ExitCode::Nonconformant => ("bad", "nonconformant"),
        _ => ("open", "no verdict"),
    }
}

fn verdict(out: &mut String, report: &RunReport, finished: &Finished) {
    let code = finished.exit_code;
    let _ = writeln!(out, "<div class=\"verdict {}\">", tone(code).0);
    let _ = writeln!(out, "<p><strong>{}</strong></p>", escaped(&finished.verdict));
    let counts = report.started.as_ref().map_or(String::new(), |started| {
        let elements: u64 = report.results.iter().flat_map(|r| r.bands.values()).map(|b| b.elements).sum();
        let (cases, held, failed) = report.totals();
        let own = if started.embedded { " This run judges ropecheck's own embedded kernel." } else { "" };
        format!("{cases} cases, {held} held, {failed} failed; {elements} elements; seed {}.{own} ", started.seed)
    });
    let _ = writeln!(out, "<p>{counts}Exit code {}.</p>", code as u8);
    if let Some(error) = &finished.error {
        let _ = writeln!(out, "<pre>{}</pre>", escaped(error));
    }
    let _ = writeln!(out, "</div>");
}

fn required(report: &RunReport) -> String {
    let all = report.finished.iter().flat_map(|finished| &finished.requirements);
    let required = facts(all.map(|one| {
        let (class, word) = if one.met { ("good", "met") } else { ("bad", "NOT met") };
        (one.require.clone(), format!("<span class=\"{class}\">{word}</span>: found {}", escaped(&one.found)))
    }));
    let unmet = report.finished.iter().flat_map(|finished| &finished.expectations);
    let unmet = facts(
        unmet.flat_map(words::expectation_problems).map(|line| ("expectation not met".to_owned(), escaped(&line))),
    );
    required + &unmet
}
