//! `positions`.

use std::fmt::Write as _;
use std::io::{BufWriter, Read as _, Seek as _, Write as _};
use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::arguments::{ModelArguments, TableOrJson, draft, parameter};
use super::output::print;
use crate::numeric::Number;
use crate::positions::{Column, Evaluation, Layout, MAX_MATERIALISED, Next, PositionError, Positions};
use crate::run::{ExitCode, Options, RunError};
use crate::spec::{Parameters, Scheme};

#[derive(Debug, Args)]
pub(super) struct PositionsArguments {
    /// Scheme, with or without @profile
    #[arg(long, required_unless_present_any = ["preset", "from_hf"])]
    scheme: Option<String>,
    /// Segments, such as "text:3 video:4x2x3 image:3x5 video:6x3x2@0.5s text:5" (TxHxW, HxW, seconds per
    /// frame)
    #[arg(long)]
    layout: String,
    /// Set a scheme parameter (repeatable)
    #[arg(long, value_name = "NAME=VALUE", value_parser = parameter)]
    param: Vec<(String, Number)>,
    /// What to print: a row per token, or an object of scheme, profile, layout, axes, positions (by axis) and
    /// next
    #[arg(long, value_enum, default_value_t = TableOrJson::Table)]
    format: TableOrJson,
    /// A scheme file to add, or to put in the place of a built-in one
    #[arg(long, value_name = "FILE")]
    spec: Vec<PathBuf>,
    #[command(flatten)]
    model: ModelArguments,
}

pub(super) fn positions(a: &PositionsArguments) -> Result<ExitCode, RunError> {
    let library = draft(&a.spec)?;
    let options = Options { schemes: a.scheme.iter().cloned().collect(), ..Options::default() };
    let options = a.model.narrow(Options { parameters: a.param.clone(), ..options }, &library)?;
    let scheme = library.get(options.schemes.first().map_or("", String::as_str)).map_err(RunError::usage)?;
    let layout = Layout::parse(&a.layout).map_err(RunError::usage)?;
    let parameters = Parameters::resolve(scheme, &options.parameters).map_err(RunError::usage)?;
    let parts = Parts { scheme, parameters: &parameters, layout: &layout };
    match a.format {
        TableOrJson::Json => json(&parts)?,
        TableOrJson::Table => table(&parts)?,
    }
    Ok(ExitCode::Conformant)
}

/// Tokens whose positions are in memory at a time.
const TOKENS: u64 = 1 << 16;

/// Positions of a layout, a part of them at a time.
struct Parts<'a> {
    scheme: &'a Scheme,
    parameters: &'a Parameters,
    layout: &'a Layout,
}

impl Parts<'_> {
    /// Hands over the parts in order; the last one.
    fn each(&self, mut take: impl FnMut(&Positions) -> Result<(), RunError>) -> Result<Positions, RunError> {
        let tokens = self.layout.tokens();
        if tokens > MAX_MATERIALISED {
            return Err(RunError::new(ExitCode::Spec, PositionError::TooLarge { tokens }));
        }
        let mut start = 0;
        loop {
            let end = (start + TOKENS).min(tokens);
            let evaluation = Evaluation::new(self.scheme, self.parameters, self.layout).window(start..end);
            let part = evaluation.run().map_err(|e| RunError::new(ExitCode::Spec, e))?;
            take(&part)?;
            if end == tokens {
                return Ok(part);
            }
            start = end;
        }
    }
}

/// Prints an object, keys in order. Positions are computed once, axis after axis they are printed: all but
/// the first wait in files without names.
fn json(parts: &Parts) -> Result<(), RunError> {
    let Parts { scheme, layout, .. } = parts;
    let spooled = |e: std::io::Error| RunError::new(ExitCode::NotRun, format!("positions cannot be kept: {e}"));
    let files = (0..scheme.axes.len()).map(|_| tempfile::tempfile().map(BufWriter::new)).collect::<Result<Vec<_>, _>>();
    let mut files = files.map_err(spooled)?;
    let mut comma = "";
    let last = parts.each(|part| {
        for (file, column) in files.iter_mut().zip(part.columns()) {
            let mut text = String::new();
            for at in 0..column.len() {
                text.push_str(if at == 0 { comma } else { "," });
                let _ = match column {
                    Column::Int(values) => write!(text, "{}", values[at]),
                    Column::Exact(values) => write!(text, "{}", value(&values[at])),
                };
            }
            file.write_all(text.as_bytes()).map_err(spooled)?;
        }
        comma = ",";
        Ok(())
    })?;
    let next = match last.next() {
        Next::Shared(number) => value(number),
        Next::PerAxis(numbers) => Value::Array(numbers.iter().map(value).collect()),
    };
    let (axes, name) = (json!(scheme.axes), json!(layout.to_string()));
    print(&format!("{{\"axes\":{axes},\"layout\":{name},\"next\":{next},\"positions\":["))?;
    for (axis, file) in files.into_iter().enumerate() {
        print(if axis > 0 { ",[" } else { "[" })?;
        let mut file = file.into_inner().map_err(|e| spooled(e.into_error()))?;
        file.rewind().map_err(spooled)?;
        let mut chunk = vec![0u8; 1 << 20];
        loop {
            match file.read(&mut chunk).map_err(spooled)? {
                0 => break,
                // Numbers and commas are one byte a character.
                n => print(&String::from_utf8_lossy(&chunk[..n]))?,
            }
        }
        print("]")?;
    }
    print(&format!("],\"profile\":{},\"scheme\":{}}}\n", json!(scheme.profile), json!(scheme.name)))
}

/// Integers as integers, dyadic values as numbers, other rationals as strings like "10/3", irrational ones as
/// numbers.
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

/// A row for a token: its number, segment, cell, and positions.
fn row(positions: &Positions, layout: &Layout, token: u64) -> Option<Vec<String>> {
    let (segment, inside) = layout.locate(token)?;
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
    Some(row)
}

/// Prints a table: once through all tokens for its widths, and once more for its rows.
fn table(parts: &Parts) -> Result<(), RunError> {
    let Parts { scheme, layout, .. } = parts;
    let mut header = vec!["token".to_owned(), "segment".to_owned(), "cell".to_owned()];
    header.extend(scheme.axes.iter().cloned());
    let mut widths: Vec<usize> = header.iter().map(String::len).collect();
    let mut widen = |row: &[String]| {
        for (width, text) in widths.iter_mut().zip(row) {
            *width = (*width).max(text.len());
        }
    };
    let rows = |part: &Positions| part.window().filter_map(|token| row(part, layout, token)).collect::<Vec<_>>();
    let last = parts.each(|part| {
        rows(part).iter().for_each(|row| widen(row));
        Ok(())
    })?;
    let mut next = vec!["next".to_owned(), String::new(), String::new()];
    next.extend((0..scheme.axes.len()).map(|a| last.next().on(a).map_or(String::new(), Number::to_string)));
    widen(&next);
    let line = |row: &[String]| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(text, width)| format!("{text:>width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    print(&format!("{}  {layout}\n{}", scheme.id(), line(&header)))?;
    parts.each(|part| print(&rows(part).iter().map(|row| line(row)).collect::<String>()))?;
    print(&line(&next))
}
