//! Closed lists that arguments take their values from, as clap reads them.

use clap::ValueEnum;
use clap::builder::PossibleValue;

use crate::case::Level;
use crate::numeric::DType;

impl ValueEnum for Level {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::ALL
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// The types that q and k may have, and no other.
impl ValueEnum for DType {
    fn value_variants<'a>() -> &'a [Self] {
        &Self::STORAGE
    }

    fn to_possible_value(&self) -> Option<PossibleValue> {
        Some(PossibleValue::new(self.name()))
    }
}

/// What a command prints that no CI system reads by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people
    Table,
    /// For programs
    Json,
}
