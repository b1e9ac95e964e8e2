//! Code under test: what it says of itself (manifest), how it is called (call, over one arena of bytes), and
//! where it runs.

mod call_answer;
pub mod control;
pub mod emulated;
pub mod float_environment;
mod foreign_text;
pub mod function;
pub mod host;
mod integers;
mod interface;
pub mod layout_limits;
pub mod library;
pub mod manifest;
mod manifest_docs;
mod manifest_json;
mod manifest_kinds;
mod manifest_mistakes;
mod manifest_offers;
pub mod parameter_offer;
pub mod program;
mod refusal;
mod source_place;
mod start_error;
pub mod timing;

pub use crate::case::call::Call;
pub use call_answer::{Answer, Death, Doing, End, Hang};
pub use float_environment::{FloatEnvironment, FloatSetting};
pub use foreign_text::{ForeignText, is_printable};
pub use interface::{Backend, BackendFactory, BadAccess, Cage};
pub use manifest::{Manifest, Vocabulary};
pub use manifest_json::manifest_schema;
pub use refusal::Refusal;
pub use source_place::SourcePlace;
pub use start_error::{StartError, StartErrorKind};
pub use timing::{Timed, Timing};
