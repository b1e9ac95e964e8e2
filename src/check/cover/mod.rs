//! Calls in which every class of what a manifest offers is there, and every two classes that can meet do: a covering array
//! over the dimensions of calls.

mod array;
mod cases;
mod classes;
mod reach;
mod row;
mod rows;

use std::collections::BTreeMap;

pub use array::Met;
pub(super) use cases::cases;
pub use classes::{Class, Classes};
pub use reach::{DimensionReach, Reach};
pub use row::CoverRow;

use super::depth::Depth;
use super::generator::Generator;
use crate::case::Level;

/// The classes of each level of a run, and the calls that cover them.
#[derive(Debug, Clone, Default)]
pub struct Covers(BTreeMap<Level, (Classes, Vec<CoverRow>)>);

impl Covers {
    /// Of levels, each with a generator for every scheme that is judged on it, whatever its dtype and pairing, and with
    /// whether some check plans the calls.
    #[must_use]
    pub fn new(levels: &[(Vec<Generator>, bool)], depth: Depth) -> Covers {
        let one = |(schemes, planned): &(Vec<Generator>, bool)| {
            let first = schemes.first()?;
            let ids: Vec<String> = schemes.iter().map(|g| g.group.scheme.clone()).collect();
            let classes = Classes::new(first.manifest, first.group.level, first.library, &ids);
            let rows = if *planned { rows::rows(schemes, &classes, depth) } else { Vec::new() };
            Some((first.group.level, (classes, rows)))
        };
        Covers(levels.iter().filter_map(one).collect())
    }

    /// The classes of a level and its calls.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<(&Classes, &[CoverRow])> {
        self.0.get(&level).map(|(classes, rows)| (classes, &rows[..]))
    }

    /// What was reached of each level, of what met in it.
    #[must_use]
    pub fn reach(&self, met: &BTreeMap<Level, Met>) -> Vec<Reach> {
        let none = Met::default();
        self.0
            .iter()
            .map(|(level, (classes, _))| Reach::new(*level, classes, met.get(level).unwrap_or(&none)))
            .collect()
    }
}
