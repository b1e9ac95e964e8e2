//! The report as Markdown, for the summary of a job and for comments: verdict, findings, and the whole table below a fold.

use std::fmt::Write as _;

use super::{finding, table, words};
use crate::run::findings::findings;
use crate::run::{ExitCode, RunReport};

/// Most findings that are shown open.
const SHOWN: usize = 5;

/// The report as Markdown of GitHub's kind.
#[must_use]
pub fn markdown(report: &RunReport) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = whole(&mut out, report);
    out
}

fn whole(out: &mut String, report: &RunReport) -> std::fmt::Result {
    let Some(finished) = &report.finished else { return Ok(()) };
    let sign = match finished.exit_code {
        ExitCode::Conformant => "✅",
        ExitCode::Nonconformant => "❌",
        _ => "⚠️",
    };
    let backend = report.started.as_ref().map_or(String::new(), |started| format!(": {}", text(&started.backend)));
    writeln!(out, "## {sign} ropecheck{backend}\n\n{}\n", text(&finished.verdict))?;
    writeln!(out, "Exit code {}.", finished.exit_code as u8)?;
    if let Some(error) = &finished.error {
        writeln!(out, "\n{}", fenced(error))?;
    }
    for line in finished.expectations.iter().flat_map(words::expectation_problems) {
        writeln!(out, "\n**Expectation not met:** {}", text(&line))?;
    }
    let known: Vec<_> = finished.expectations.iter().filter(|one| one.failing > 0).collect();
    if !known.is_empty() {
        writeln!(out, "\nExpected failures:\n")?;
    }
    for one in known {
        writeln!(out, "- {}", text(&words::expectation(one)))?;
    }
    let found = findings(report);
    for one in found.iter().take(SHOWN) {
        let (result, failure) = one.example;
        let summary = words::summary(&failure.failure);
        writeln!(out, "\n### {}: {}\n", text(&result.check), text(&summary))?;
        let mut lines = words::message(&failure.failure).split_off(1);
        lines.extend(finding::about(one, report).into_iter().map(|(word, line)| format!("{word}: {line}")));
        if !lines.is_empty() {
            writeln!(out, "{}\n", fenced(&lines.join("\n")))?;
        }
        let groups = one.groups.len();
        writeln!(out, "In {groups} group{}. Run it again:\n", if groups == 1 { "" } else { "s" })?;
        writeln!(out, "{}", fenced(&failure.replay))?;
    }
    if found.len() > SHOWN {
        writeln!(out, "\nAnd {} more.", found.len() - SHOWN)?;
    }
    if report.started.is_some() {
        let table = anstream::adapter::strip_str(&table(report, false)).to_string();
        writeln!(out, "\n<details><summary>The whole report</summary>\n\n{}\n\n</details>", fenced(table.trim_end()))?;
    }
    Ok(())
}

/// Text that stays what it is: no mark-up, link or mention is made of it.
fn text(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' => kept.push(' '),
            '<' => kept.push_str("&lt;"),
            '>' => kept.push_str("&gt;"),
            '&' => kept.push_str("&amp;"),
            // A mention would call people.
            '@' => kept.push_str("&#64;"),
            '\\' | '`' | '*' | '_' | '{' | '}' | '[' | ']' | '(' | ')' | '#' | '+' | '!' | '|' | '~' => {
                kept.push('\\');
                kept.push(character);
            }
            _ => kept.push(character),
        }
    }
    kept
}

/// Lines as they are, between fences that are longer than any run of backquotes in them.
fn fenced(lines: &str) -> String {
    let longest = lines.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{lines}\n{fence}")
}

#[cfg(test)]
mod tests {
    use super::{fenced, text};

    #[test]
    fn foreign_text_makes_no_markup() {
        let hostile = "</details><img src=x> [a](http://b) @team `x` **b** | #1\n# head";
        let shown = text(hostile);
        assert_eq!(
            shown,
            "&lt;/details&gt;&lt;img src=x&gt; \\[a\\]\\(http://b\\) &#64;team \\`x\\` \\*\\*b\\*\\* \\| \\#1 \\# head"
        );
        assert_eq!(fenced("a ```` b"), "`````text\na ```` b\n`````");
    }
}
