//! The page of `properties`: tables with a witness for each cross, and pictures of the schemes. One file, nothing from elsewhere.

use std::fmt::Write as _;

use crate::property::Decision;

use super::page::{page, table, toned};
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

/// The page, with pictures as [`super::plot`] makes them.
#[must_use]
pub fn property_page(sections: &[PropertySection], pictures: &[String]) -> String {
    let mut body = String::from("<h1>Properties of schemes</h1>\n");
    for section in sections {
        body.push_str(&properties(section));
    }
    for picture in pictures {
        let _ = writeln!(body, "<figure>\n{picture}</figure>");
    }
    page("Properties of schemes", &body)
}

fn properties(section: &PropertySection) -> String {
    let mut out = format!("<h2>{}</h2>\n", escaped(&section.title));
    let head: Vec<&str> = ["scheme"].into_iter().chain(section.columns.iter().map(String::as_str)).collect();
    let rows = section.rows.iter().map(|(name, findings)| {
        let cell = |column: &String| match findings.iter().find(|(id, _)| id == column) {
            Some((_, finding)) if finding.holds => toned("good", "✔ yes"),
            Some(_) => toned("bad", "✘ no"),
            None => String::new(),
        };
        [escaped(name)].into_iter().chain(section.columns.iter().map(cell)).collect()
    });
    out.push_str(&table(&section.title, &head, rows));
    let mut lines = Vec::new();
    for (name, findings) in &section.rows {
        for (id, finding) in findings.iter().filter(|(id, f)| !f.holds && section.columns.iter().any(|c| c == id)) {
            let witness = finding.witness.as_ref().map(|w| format!("<code>{}</code>: ", escaped(&w.to_string())));
            let (name, evidence) = (escaped(name), escaped(&finding.evidence));
            lines.push(format!("<li>{name}, {id}: {}{evidence}</li>\n", witness.unwrap_or_default()));
        }
    }
    lines.extend(section.errata.iter().map(|erratum| format!("<li>{}</li>\n", escaped(erratum))));
    // A list without anything in it is none.
    if lines.is_empty() { out } else { out + "<ul>\n" + &lines.concat() + "</ul>\n" }
}
