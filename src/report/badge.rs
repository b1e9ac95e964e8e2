//! A badge: what shields.io shows for a URL that holds this JSON. It never says more than the verdict does.

use serde_json::json;

use crate::case::Level;
use crate::run::{ExitCode, RunReport, Shard};

/// The report as JSON for a badge (shields.io, "endpoint").
#[must_use]
pub fn badge(report: &RunReport) -> String {
    let code = report.finished.as_ref().map_or(ExitCode::Internal, |finished| finished.exit_code);
    let started = report.started.as_ref();
    let part = started.is_some_and(|started| started.narrowed.is_some() || started.embedded)
        || report.finished.as_ref().is_some_and(|finished| finished.out_of_time.is_some());
    let known = report.results.iter().filter(|result| result.expected_by().is_some()).count();
    let shard = started.and_then(|started| started.shard);
    let (message, color) = match code {
        ExitCode::Conformant if let Some(Shard { number, of }) = shard => {
            (format!("shard {number} of {of}: no verdict yet"), "lightgrey")
        }
        ExitCode::Conformant if known > 0 => {
            (format!("conformant except {known} expected failures: {}", about(report)), "yellow")
        }
        ExitCode::Conformant if part => (format!("conformant in part: {}", about(report)), "yellowgreen"),
        ExitCode::Conformant => (format!("conformant: {}", about(report)), "brightgreen"),
        ExitCode::Nonconformant => ("nonconformant".to_owned(), "red"),
        ExitCode::NothingRan => ("nothing proved".to_owned(), "lightgrey"),
        ExitCode::Interrupted => ("interrupted".to_owned(), "lightgrey"),
        _ => ("no verdict".to_owned(), "orange"),
    };
    let failed = !matches!(code, ExitCode::Conformant | ExitCode::Nonconformant);
    let badge = json!({
        "schemaVersion": 1, "label": "ropecheck", "message": message, "color": color, "isError": failed,
    });
    format!("{badge:#}\n")
}

/// Levels and types of which something was proved. A level that is given cosines and sines is about no scheme.
fn about(report: &RunReport) -> String {
    let supplied = || report.started.iter().flat_map(|started| &started.not_judged);
    let given = |level: Level| supplied().any(|one| one.level == level && one.angles);
    let judged = || report.results.iter().filter(|result| result.totals().1 > 0);
    let levels = Level::ALL.into_iter().filter(|level| judged().any(|result| result.level == *level));
    let levels = levels.map(|level| if given(level) { format!("{level} (angles given)") } else { level.to_string() });
    let dtypes = ["f32", "f16", "bf16"].into_iter().filter(|dtype| judged().any(|result| result.dtype == *dtype));
    let (levels, dtypes) = (levels.collect::<Vec<_>>().join(", "), dtypes.collect::<Vec<_>>().join(", "));
    if dtypes.is_empty() { levels } else { format!("{levels}; {dtypes}") }
}
