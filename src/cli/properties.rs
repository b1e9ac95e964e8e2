//! `properties`.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, ValueEnum};
use serde_json::json;

use super::arguments::{ModelArguments, draft};
use super::output::print;
use crate::numeric::Number;
use crate::property::{papers::Decision, papers::properties as derive};
use crate::report::{Picture, PictureSize, PropertySection, plot, property_page};
use crate::run::{ExitCode, Options, RunError};
use crate::spec::{Library, Parameters, Scheme};

/// For people, for programs, or a page with pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PropertiesFormat {
    /// For people
    Table,
    /// For programs
    Json,
    /// A page with pictures of the schemes, as one file
    Html,
}

#[derive(Debug, Args)]
pub(super) struct PropertiesArguments {
    /// Schemes, with or without @profile; without any, the papers' tables
    scheme: Vec<String>,
    /// What to print
    #[arg(long, value_enum, default_value_t = PropertiesFormat::Table)]
    format: PropertiesFormat,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
}

/// One row of a table: the name it is printed under, and what was derived for each column.
struct PropertyRow {
    name: String,
    id: String,
    findings: Vec<(&'static str, Decision)>,
}

fn row(
    library: &Library,
    name: &str,
    set: &[(String, Number)],
) -> Result<(PropertyRow, std::sync::Arc<Scheme>), RunError> {
    let scheme = library.get(name).map_err(RunError::usage)?;
    let parameters = Parameters::resolve(scheme, set).map_err(|e| RunError::new(ExitCode::Spec, e))?;
    let findings = derive(scheme, &parameters).map_err(|e| RunError::new(ExitCode::Spec, e))?;
    Ok((PropertyRow { name: name.to_owned(), id: scheme.id(), findings }, std::sync::Arc::clone(scheme)))
}

pub(super) fn properties(a: &PropertiesArguments) -> Result<ExitCode, RunError> {
    let library = draft(&a.spec)?;
    let mut out = String::new();
    let (mut tables, mut sections) = (Vec::new(), Vec::new());
    let mut differs = false;
    let options = Options { schemes: a.scheme.clone(), ..Options::default() };
    let Options { schemes, parameters, .. } = a.model.narrow(options, &library)?;
    if schemes.is_empty() {
        for table in library.tables() {
            let mut rows = Vec::new();
            let mut claims = Vec::new();
            for entry in &table.rows {
                rows.push(row(&library, &entry.scheme, &[])?.0);
                claims.push(Some(entry.claims.clone()));
            }
            let columns: Vec<&str> = table.columns.iter().map(String::as_str).collect();
            let _ = writeln!(out, "{} ({})", table.title, table.source);
            differs |= text(&mut out, &columns, &rows, &claims);
            for erratum in &table.errata {
                let _ = writeln!(out, "erratum: {erratum}");
            }
            out.push('\n');
            sections.push(section(&format!("{} ({})", table.title, table.source), &columns, &rows, &table.errata));
            tables.push(json!({"table": table.id, "source": table.source, "rows": rows.iter().map(|r| as_json(r, &columns)).collect::<Vec<_>>(), "errata": table.errata}));
        }
    } else {
        let (mut rows, mut errata) = (Vec::new(), Vec::new());
        for name in &schemes {
            let (row, scheme) = row(&library, name, &parameters)?;
            errata.extend(scheme.errata.iter().map(|e| format!("{}: {e}", scheme.id())));
            rows.push(row);
        }
        let columns: Vec<&str> = rows[0].findings.iter().map(|(id, _)| *id).collect();
        text(&mut out, &columns, &rows, &vec![None; rows.len()]);
        for erratum in &errata {
            let _ = writeln!(out, "erratum: {erratum}");
        }
        sections.push(section("Schemes", &columns, &rows, &errata));
        tables.push(json!({"rows": rows.iter().map(|r| as_json(r, &columns)).collect::<Vec<_>>(), "errata": errata}));
    }
    match a.format {
        PropertiesFormat::Table => print(&out)?,
        PropertiesFormat::Html => print(&page(&library, &sections, &parameters)?)?,
        PropertiesFormat::Json => print(&format!("{}\n", json!({"tables": tables})))?,
    }
    // A table that no longer comes out is a spec that no longer says what its paper says.
    Ok(if differs { ExitCode::Spec } else { ExitCode::Conformant })
}

fn section(title: &str, columns: &[&str], rows: &[PropertyRow], errata: &[String]) -> PropertySection {
    PropertySection {
        title: title.to_owned(),
        columns: columns.iter().map(|column| (*column).to_owned()).collect(),
        rows: rows.iter().map(|row| (row.id.clone(), row.findings.clone())).collect(),
        errata: errata.to_vec(),
    }
}

/// The page, with every picture of the schemes of all tables, as far as a picture can hold them.
fn page(library: &Library, sections: &[PropertySection], set: &[(String, Number)]) -> Result<String, RunError> {
    let mut schemes: Vec<(&Scheme, Parameters)> = Vec::new();
    for (id, _) in sections.iter().flat_map(|section| &section.rows) {
        let scheme = library.get(id).map_err(RunError::usage)?;
        if schemes.len() < PictureSize::SCHEMES && !schemes.iter().any(|(known, _)| known.id() == scheme.id()) {
            let parameters = Parameters::resolve(scheme, set).map_err(|e| RunError::new(ExitCode::Spec, e))?;
            schemes.push((scheme, parameters));
        }
    }
    let size = PictureSize { grid: [4, 16, 16], head_dim: 128, reach: 256 };
    let mut pictures = Vec::new();
    for picture in [Picture::Bias, Picture::Positions, Picture::Decay, Picture::Period] {
        pictures.push(plot(picture, &schemes, &size).map_err(|why| RunError::new(ExitCode::Spec, why))?);
    }
    Ok(property_page(sections, &pictures))
}

fn as_json(row: &PropertyRow, columns: &[&str]) -> serde_json::Value {
    let mut findings = serde_json::Map::new();
    for (id, finding) in row.findings.iter().filter(|(id, _)| columns.contains(id)) {
        let witness = finding.witness.as_ref().map(ToString::to_string);
        findings.insert(
            (*id).to_owned(),
            json!({"holds": finding.holds, "witness": witness, "evidence": finding.evidence}),
        );
    }
    json!({"scheme": row.id, "name": row.name, "properties": findings})
}

/// Prints rows and the witness of every cross; true if a cell is not what the paper claims.
fn text(out: &mut String, columns: &[&str], rows: &[PropertyRow], claims: &[Option<Vec<bool>>]) -> bool {
    let width = rows.iter().map(|r| r.name.len()).max().unwrap_or(6).max(6);
    let _ = write!(out, "{:width$}", "scheme");
    for column in columns {
        let _ = write!(out, "  {column}");
    }
    out.push('\n');
    let mut differs = false;
    let mut notes = String::new();
    for (row, claim) in rows.iter().zip(claims) {
        let _ = write!(out, "{:width$}", row.name);
        for (index, column) in columns.iter().enumerate() {
            let Some((_, finding)) = row.findings.iter().find(|(id, _)| id == column) else { continue };
            let claimed = claim.as_ref().and_then(|c| c.get(index));
            let mark = if finding.holds { "✔" } else { "✘" };
            let wrong = claimed.is_some_and(|c| *c != finding.holds);
            differs |= wrong;
            let cell = if wrong { format!("{mark} (!)") } else { mark.to_owned() };
            let _ = write!(out, "  {cell:<size$}", size = column.chars().count());
            if wrong {
                let _ = writeln!(notes, "  {} {column}: the paper claims the opposite", row.name);
            }
            if !finding.holds {
                let witness = finding.witness.as_ref().map(|w| format!("{w}: ")).unwrap_or_default();
                let _ = writeln!(notes, "  {} ✘ {column}: {witness}{}", row.name, finding.evidence);
            }
        }
        out.truncate(out.trim_end_matches(' ').len());
        out.push('\n');
    }
    let _ = write!(out, "{notes}");
    differs
}
