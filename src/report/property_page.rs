//! The page of `properties`: tables with a witness for each cross, and pictures of the schemes. One file, nothing from elsewhere.

use std::fmt::Write as _;

use crate::property::Decision;

use super::svg::escaped;

/// A table of the page.
#[derive(Debug, Clone)]
pub struct PropertySection {
    /// Heading.
    pub title: String,
    /// Ids of the properties, in order.
    pub columns: Vec<String>,
    /// Name of each scheme, and what was derived for it.
    pub rows: Vec<(String, Vec<(&'static str, Decision)>)>,
    /// Where sources disagree.
    pub errata: Vec<String>,
}

const STYLE: &str = ":root{color-scheme:light dark}body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:1040px;\
padding:0 1rem;background:#fff;color:#1b1f24}h1,h2{line-height:1.2}.wide{overflow-x:auto}table{border-collapse:collapse}\
th,td{border:1px solid #8c959f;padding:.3rem .6rem;text-align:left}.no{color:#b3261e;font-weight:600}.yes{color:#1b7f4b}\
svg{max-width:100%;height:auto}code{overflow-wrap:anywhere}@media(prefers-color-scheme:dark){body{background:#0d1117;\
color:#e6edf3}th,td{border-color:#6e7681}.no{color:#f2b8b5}.yes{color:#63cf97}}@media print{figure{break-inside:avoid}}";

/// The page, with pictures as [`super::plot`] makes them.
#[must_use]
pub fn property_page(sections: &[PropertySection], pictures: &[String]) -> String {
    let mut out = String::from("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    let _ = writeln!(out, "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">");
    let _ = writeln!(out, "<title>Properties of schemes</title>\n<style>{STYLE}</style>\n</head>\n<body>\n<main>");
    let _ = writeln!(out, "<h1>Properties of schemes</h1>");
    for section in sections {
        table(&mut out, section);
    }
    for picture in pictures {
        let _ = writeln!(out, "<figure>\n{picture}</figure>");
    }
    out.push_str("</main>\n</body>\n</html>\n");
    out
}

fn table(out: &mut String, section: &PropertySection) {
    let _ = writeln!(out, "<h2>{}</h2>\n<div class=\"wide\" tabindex=\"0\">\n<table>", escaped(&section.title));
    let _ = write!(out, "<thead><tr><th scope=\"col\">scheme</th>");
    for column in &section.columns {
        let _ = write!(out, "<th scope=\"col\">{}</th>", escaped(column));
    }
    out.push_str("</tr></thead>\n<tbody>\n");
    for (name, findings) in &section.rows {
        let _ = write!(out, "<tr><th scope=\"row\">{}</th>", escaped(name));
        for column in &section.columns {
            let cell = match findings.iter().find(|(id, _)| id == column) {
                Some((_, finding)) if finding.holds => "<td class=\"yes\">✔ yes</td>",
                Some(_) => "<td class=\"no\">✘ no</td>",
                None => "<td></td>",
            };
            out.push_str(cell);
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</tbody>\n</table>\n</div>\n<ul>\n");
    for (name, findings) in &section.rows {
        for (id, finding) in findings.iter().filter(|(id, f)| !f.holds && section.columns.iter().any(|c| c == id)) {
            let witness = finding.witness.as_ref().map(|w| format!("<code>{}</code>: ", escaped(&w.to_string())));
            let (name, evidence) = (escaped(name), escaped(&finding.evidence));
            let _ = writeln!(out, "<li>{name}, {id}: {}{evidence}</li>", witness.unwrap_or_default());
        }
    }
    for erratum in &section.errata {
        let _ = writeln!(out, "<li>{}</li>", escaped(erratum));
    }
    out.push_str("</ul>\n");
}
