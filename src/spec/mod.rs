//! Specs: YAML text to resolved schemes. `docs/spec.md` is the grammar for people who write schemes.

pub mod catalogue;
pub mod diagnostic;
pub mod expr;
pub(crate) mod fields;
pub mod library;
mod load;
pub mod model;
pub mod presets;
mod resolve;
pub mod tables;
pub mod witness;
pub mod yaml;

pub use catalogue::{Catalogue, CatalogueEntry};
pub use diagnostic::{SpecError, SpecErrors, closest as suggest, hint};
pub use library::{Library, LookupError};
pub use model::Scheme;
