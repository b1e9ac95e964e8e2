//! The report for programs: one JSON document, or a line of JSON for every event. docs/reports.md says what is stable.

use schemars::{JsonSchema, Schema, schema_for};
use serde::Serialize;

use super::words;
use crate::run::{Event, FORMAT, RunReport};

/// The JSON report.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct JsonReport {
    /// Version of this form.
    format: u32,
    /// What the run found.
    #[serde(flatten)]
    report: RunReport,
}

/// A line of NDJSON.
#[derive(Debug, Clone, Serialize, JsonSchema)]
struct JsonEvent {
    /// Version of this form.
    format: u32,
    /// What happened.
    #[serde(flatten)]
    event: Event,
}

/// The report as JSON: the same seed gives the same bytes.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn json(report: &RunReport) -> Result<String, serde_json::Error> {
    let mut report = report.clone();
    words::add_messages(&mut report);
    Ok(serde_json::to_string_pretty(&JsonReport { format: FORMAT, report })? + "\n")
}

/// An event as a line of JSON.
///
/// # Errors
/// If a value cannot be written as JSON.
pub fn ndjson(event: &Event) -> Result<String, serde_json::Error> {
    let mut event = event.clone();
    if let Event::Failure(failure) = &mut event {
        failure.failure.message = words::message(&failure.failure.failure);
    }
    Ok(serde_json::to_string(&JsonEvent { format: FORMAT, event })? + "\n")
}

/// The JSON Schema of the report.
#[must_use]
pub fn report_schema() -> Schema {
    schema_for!(JsonReport)
}

/// The JSON Schema of a line of events.
#[must_use]
pub fn event_schema() -> Schema {
    schema_for!(JsonEvent)
}
