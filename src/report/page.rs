//! What every page has: one file that needs nothing from elsewhere, light and dark, on narrow and wide screens, on paper, and
//! for the keyboard.

use std::fmt::Write as _;

use super::svg::{self, escaped};

/// How pages look. Their classes are not those of drawings, whose style holds on the whole page.
const STYLE: &str = include_str!("page.css");

/// Adds a button that copies to each command. Pages work without it.
const SCRIPT: &str = include_str!("page.js");

/// What a browser may load and run of a page: its style, and the one script, which it knows by this hash.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; \
    script-src 'sha256-JydADaH0Ltc3T9Jg27wS1VmpytSIVlXnuoxFFjzokTg='";

/// A page with this title, whose body is HTML.
pub(super) fn page(title: &str, body: &str) -> String {
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = writeln!(out, "<meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">");
    let _ = writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    let _ = writeln!(out, "<title>{}</title>\n<style>\n{}{STYLE}</style>\n</head>", escaped(title), svg::style());
    let _ = writeln!(out, "<body>\n<a class=\"skip\" href=\"#main\">To the content</a>\n<main id=\"main\">");
    out.push_str(body);
    out.push_str("</main>\n");
    if body.contains(COPY) {
        let _ = writeln!(out, "<script>{SCRIPT}</script>");
    }
    out.push_str("</body>\n</html>\n");
    out
}

const COPY: &str = "<pre class=\"copy\">";

/// A command that can be copied.
pub(super) fn command(text: &str) -> String {
    format!("{COPY}<code>{}</code></pre>\n", escaped(text))
}

/// A table whose cells are HTML, which scrolls by itself where it is too wide. The first cell of a row heads it.
pub(super) fn table(label: &str, head: &[&str], rows: impl IntoIterator<Item = Vec<String>>) -> String {
    let mut out =
        format!("<section class=\"wide\" tabindex=\"0\" aria-label=\"{}\">\n<table>\n<thead><tr>", escaped(label));
    for column in head {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(column));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for row in rows {
        out.push_str("<tr>");
        for (at, cell) in row.iter().enumerate() {
            let _ = if at == 0 { write!(out, "<th scope=\"row\">{cell}</th>") } else { write!(out, "<td>{cell}</td>") };
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</section>\n");
    out
}

/// A text in the colours of a class.
pub(super) fn toned(class: &str, text: &str) -> String {
    format!("<span class=\"{class}\">{}</span>", escaped(text))
}

/// Names with what belongs to them; nothing where there are none. What is said is HTML.
pub(super) fn facts(all: impl IntoIterator<Item = (String, String)>) -> String {
    let lines: Vec<String> = all
        .into_iter()
        .map(|(name, says)| format!("<div><dt>{}</dt><dd>{says}</dd></div>\n", escaped(&name)))
        .collect();
    if lines.is_empty() { String::new() } else { format!("<dl class=\"facts\">\n{}</dl>\n", lines.concat()) }
}

/// Something below a fold. What is in it is HTML.
pub(super) fn fold(summary: &str, inside: &str) -> String {
    format!("<details>\n<summary>{}</summary>\n{inside}</details>\n", escaped(summary))
}
