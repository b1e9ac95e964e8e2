//! `positions`.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::arguments::{TableOrJson, library, parameter};
use super::output::print;
use crate::numeric::Number;
use crate::positions::{Layout, Next, Positions};
use crate::run::{ExitCode, RunError};
use crate::spec::Parameters;

#[derive(Debug, Args)]
pub(super) struct PositionsArguments {
    /// Scheme, with or without @profile
    #[arg(long)]
    scheme: String,
    /// Segments, such as "text:3 video:4x2x3 image:3x5 video:6x3x2@0.5s text:5" (TxHxW, HxW, seconds per frame)
    #[arg(long)]
    layout: String,
    /// Set a scheme parameter (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    /// What to print: a row per token, or an object of scheme, profile, layout, axes, positions (by axis) and next
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
}

pub(super) fn positions(a: &PositionsArguments) -> Result<ExitCode, RunError> {
    let library = library(&a.spec)?;
    let scheme = library.get(&a.scheme).map_err(RunError::usage)?;
    let layout = Layout::parse(&a.layout).map_err(RunError::usage)?;
    let parameters = Parameters::resolve(scheme, &a.param).map_err(RunError::usage)?;
    let positions =
        crate::positions::positions(scheme, &parameters, &layout).map_err(|e| RunError::new(ExitCode::Spec, e))?;
    match a.format {
        TableOrJson::Json => {
            let rows: Vec<Vec<Value>> = positions.rows().iter().map(|row| row.iter().map(value).collect()).collect();
            let next = match positions.next() {
                Next::Shared(number) => value(number),
                Next::PerAxis(numbers) => Value::Array(numbers.iter().map(value).collect()),
            };
            let mut object = Map::new();
            object.insert("scheme".into(), json!(scheme.name));
            object.insert("profile".into(), json!(scheme.profile));
            object.insert("layout".into(), json!(layout.to_string()));
            object.insert("axes".into(), json!(scheme.axes));
            object.insert("positions".into(), json!(rows));
            object.insert("next".into(), next);
            print(&format!("{}\n", Value::Object(object)))?;
        }
        TableOrJson::Table => print(&table(&scheme.id(), &positions, &layout))?,
    }
    Ok(ExitCode::Conformant)
}

/// Integers as integers, dyadic values as numbers, other rationals as strings like "10/3", irrational ones as numbers.
fn value(number: &Number) -> Value {
    if let Some(integer) = number.to_i64() {
        return json!(integer);
    }
    // A dyadic value of more than 53 bits is no f64: its fraction says it exactly.
    let exact = Number::from_f64(number.to_f64()).is_ok_and(|back| back == *number);
    if exact || !number.is_exact() { json!(number.to_f64()) } else { json!(fraction(number)) }
}

fn fraction(number: &Number) -> String {
    number.as_ratio().map_or_else(|| number.to_string(), |(num, den)| format!("{num}/{den}"))
}

fn table(id: &str, positions: &Positions, layout: &Layout) -> String {
    let mut header = vec!["token".to_owned(), "segment".to_owned(), "cell".to_owned()];
    header.extend(positions.axes().iter().cloned());
    let mut rows = vec![header];
    for token in positions.window() {
        let Some((segment, inside)) = layout.locate(token) else { continue };
        let kind = layout.segments()[segment].kind();
        let cell = match layout.segments()[segment].grid() {
            Some([_, h, w]) => {
                let (h, w) = (u64::from(h), u64::from(w));
                format!("{},{},{}", inside / (h * w), inside / w % h, inside % w)
            }
            None => inside.to_string(),
        };
        let mut row = vec![token.to_string(), format!("{segment} {kind}"), cell];
        row.extend(positions.token(token).unwrap_or_default().iter().map(Number::to_string));
        rows.push(row);
    }
    let mut last = vec!["next".to_owned(), String::new(), String::new()];
    last.extend((0..positions.axes().len()).map(|a| positions.next().on(a).map_or(String::new(), Number::to_string)));
    rows.push(last);
    let mut out = format!("{id}  {layout}\n");
    let widths: Vec<usize> = (0..rows[0].len()).map(|c| rows.iter().map(|r| r[c].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:>width$}")).collect();
        out.push_str(cells.join("  ").trim_end());
        out.push('\n');
    }
    out
}
