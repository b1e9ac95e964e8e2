//! What people and programs see of a run: functions of its events.

mod bench;
mod check_failures;
mod coverage;
mod description;
mod diagnosed;
mod finding;
mod grade;
mod json;
mod junit;
mod plot;
mod property_page;
mod regions;
mod selftest;
mod snapshot;
mod style;
mod svg;
mod table;
mod vectors;
pub mod words;

pub use bench::bench;
pub use check_failures::check_failures;
pub use description::description;
pub use diagnosed::diagnosed;
pub use json::{event_schema, json, ndjson, report_schema};
pub use junit::junit;
pub use plot::{Picture, PictureError, PictureSize, plot};
pub use property_page::{PropertySection, property_page};
pub use regions::regions;
pub use selftest::{selftest, selftest_markdown};
pub use snapshot::{SnapshotReport, snapshot_json, snapshot_table};
pub use table::table;
pub use vectors::{vectors_json, vectors_table};
