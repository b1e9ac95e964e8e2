//! Positions that the official code of the schemes printed: an anchor that shares nothing with this program.

use serde::Deserialize;
use serde_json::Value;

use crate::numeric::Number;
use crate::spec::model::Scheme;
use crate::spec::{Library, Parameters};

use super::evaluate::positions;
use super::layout::Layout;
use super::sequence::Positions;

/// The vectors as they were recorded.
const OFFICIAL: [&str; 2] =
    [include_str!("../../golden/official_positions.json"), include_str!("../../golden/more_positions.json")];

/// One layout and the positions that a program gave it.
#[derive(Debug, Clone)]
pub struct OfficialVector {
    /// Index among all vectors, from 0.
    pub index: usize,
    /// Name of the scheme.
    pub scheme: String,
    /// Program that printed it.
    pub source: String,
    /// The layout.
    pub layout: Layout,
    /// Parameters it was run with.
    pub parameters: Vec<(String, Number)>,
    /// Names of the axes, in the program's order.
    pub axes: Vec<String>,
    /// Position of every token, axis by axis.
    pub positions: Vec<Vec<Number>>,
    /// Where text goes on after the layout, if the program says so; the same on every axis.
    pub next: Option<Number>,
    /// How many roundings to f32, each of the largest value here, the program may have made on the way to a value. 0: the
    /// values are exact. `docs/golden.md` derives each.
    pub roundings: u32,
}

#[derive(Deserialize)]
struct Record {
    scheme: String,
    source: String,
    layout: Value,
    axes: Vec<String>,
    positions: Vec<Vec<serde_json::Number>>,
    next: Option<serde_json::Number>,
    #[serde(default)]
    roundings: u32,
    /// Whatever is left is a parameter.
    #[serde(flatten)]
    parameters: std::collections::BTreeMap<String, Value>,
}

/// Why a vector cannot be used, or what in it does not agree.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("official vector {index} ({scheme}, {source_text}), `{layout}`: {message}")]
pub struct VectorError {
    /// Index in the file, from 0.
    pub index: usize,
    /// Name of the scheme.
    pub scheme: String,
    /// Program that printed the vector.
    pub source_text: String,
    /// The layout.
    pub layout: String,
    /// What is wrong.
    pub message: String,
}

impl OfficialVector {
    /// All vectors that are built in.
    ///
    /// # Errors
    /// [`VectorError`] if a record cannot be read, which tests rule out.
    pub fn all() -> Result<Vec<Self>, VectorError> {
        let wrong = |index: usize, message: String| VectorError {
            index,
            scheme: "?".to_owned(),
            source_text: "?".to_owned(),
            layout: "?".to_owned(),
            message,
        };
        let mut records: Vec<Record> = Vec::new();
        for file in OFFICIAL {
            let more: Vec<Record> = serde_json::from_str(file).map_err(|error| wrong(0, error.to_string()))?;
            records.extend(more);
        }
        let read = |(index, record): (usize, Record)| Self::read(index, record).map_err(|what| wrong(index, what));
        records.into_iter().enumerate().map(read).collect()
    }

    fn read(index: usize, record: Record) -> Result<Self, String> {
        let exact = |number: &serde_json::Number| {
            let text = number.to_string();
            Number::parse(&text).map_err(|error| format!("{text}: {error}"))
        };
        let layout = Layout::from_json(&record.layout).map_err(|error| error.to_string())?;
        let mut parameters = Vec::new();
        for (name, value) in &record.parameters {
            let number = value.as_number().ok_or_else(|| format!("`{name}` is no number"))?;
            parameters.push((name.clone(), exact(number)?));
        }
        let rows = record.positions.iter().map(|row| row.iter().map(exact).collect());
        Ok(OfficialVector {
            index,
            scheme: record.scheme,
            source: record.source,
            layout,
            parameters,
            axes: record.axes,
            positions: rows.collect::<Result<_, _>>()?,
            next: record.next.as_ref().map(exact).transpose()?,
            roundings: record.roundings,
        })
    }

    /// The scheme under the profile that the vector is for: the one named after the program and its version
    /// (`transformers 4.57.1` is `transformers-4.57`) if the scheme has it, else the default one.
    ///
    /// # Errors
    /// [`VectorError`] if there is no such scheme.
    pub fn scheme<'a>(&self, library: &'a Library) -> Result<&'a Scheme, VectorError> {
        let mut words = self.source.split_whitespace();
        let version = words.next().zip(words.next()).map(|(program, version)| {
            let version: Vec<&str> = version.split('.').take(2).collect();
            format!("{program}-{}", version.join("."))
        });
        let dialect = version.and_then(|profile| library.get(&format!("{}@{profile}", self.scheme)).ok());
        match dialect {
            Some(scheme) => Ok(scheme),
            None => library.get(&self.scheme).map(|scheme| &**scheme).map_err(|error| self.error(error.to_string())),
        }
    }

    /// Whether the scheme gives the layout these positions.
    ///
    /// # Errors
    /// [`VectorError`] with the first difference.
    pub fn check(&self, library: &Library) -> Result<(), VectorError> {
        let scheme = self.scheme(library)?;
        let parameters =
            Parameters::resolve(scheme, &self.parameters).map_err(|error| self.error(error.to_string()))?;
        let found = positions(scheme, &parameters, &self.layout).map_err(|error| self.error(error.to_string()))?;
        self.compare(&found)
    }

    /// Whether these are the vector's positions: exactly, or to within its roundings.
    ///
    /// # Errors
    /// [`VectorError`] with the first difference.
    pub fn compare(&self, found: &Positions) -> Result<(), VectorError> {
        if found.axes().len() != self.axes.len() || self.positions.len() != self.axes.len() {
            return Err(self.error(format!("expected the axes {:?}, found {:?}", self.axes, found.axes())));
        }
        let within = self.within();
        let near = |value: &Number, expected: &Number| match self.roundings {
            0 => value == expected,
            _ => (value.to_f64() - expected.to_f64()).abs() <= within,
        };
        for (row, name) in self.axes.iter().enumerate() {
            // A single axis may have any name.
            let named = found.axes().iter().position(|axis| axis == name).filter(|_| self.axes.len() > 1);
            let axis = match named {
                Some(axis) => axis,
                None if self.axes.len() == 1 => 0,
                None => return Err(self.error(format!("there is no axis {name}"))),
            };
            let expected = &self.positions[row];
            let values = found.column(axis).map(super::Column::to_numbers).unwrap_or_default();
            if values.len() != expected.len() {
                let (found, expected) = (values.len(), expected.len());
                return Err(self.error(format!("expected {expected} tokens, found {found}")));
            }
            for (token, (value, expected)) in values.iter().zip(expected).enumerate() {
                if !near(value, expected) {
                    let message = format!("token {token} on axis {name}: expected {expected}, found {value}");
                    return Err(self.error(message));
                }
            }
            if let (Some(expected), Some(next)) = (&self.next, found.next().on(axis))
                && !near(next, expected)
            {
                return Err(self.error(format!("next on axis {name}: expected {expected}, found {next}")));
            }
        }
        Ok(())
    }

    /// How far the values may be from the truth.
    fn within(&self) -> f64 {
        let values = self.positions.iter().flatten().chain(&self.next);
        let largest = values.map(|value| value.to_f64().abs()).fold(1.0, f64::max);
        f64::from(self.roundings) * largest * 2f64.powi(-24)
    }

    fn error(&self, message: String) -> VectorError {
        VectorError {
            index: self.index,
            scheme: self.scheme.clone(),
            source_text: self.source.clone(),
            layout: self.layout.to_string(),
            message,
        }
    }
}
