//! Specs: YAML text to resolved schemes. `docs/spec.md` is the grammar for people who write schemes.

pub mod catalogue;
pub mod diagnostic;
pub mod expr;
pub(crate) mod fields;
mod heads;
pub mod hf;
pub mod hf_names;
pub mod library;
mod load;
mod meaning;
pub mod model;
mod parameters;
pub mod presets;
mod regular_file;
pub mod suggest;
pub mod tables;
pub mod witness;
pub mod yaml;

pub use catalogue::{Catalogue, CatalogueEntry};
pub use diagnostic::{SpecError, SpecErrors};
pub use heads::{HeadError, HeadShape, MAX_HEAD_DIM, MIN_FREQUENCY, NO_AXIS};
pub(crate) use heads::{HeadSizes, rotary_dim};
pub use library::{Library, LookupError};
pub use model::Scheme;
pub use parameters::{ParameterError, Parameters};
pub use regular_file::{open_regular, read_regular};
