//! Calls in which every class of what a manifest offers is there, and every two classes that can meet do: a covering array
//! over the dimensions of calls.

mod array;
mod cases;
mod classes;
mod factors;
mod fits;
mod layouts;
mod met;
mod parameters;
mod reach;
mod row;
mod rows;
mod walks;

use std::collections::BTreeMap;

pub(super) use cases::{COVER, Turns, cases};
pub use classes::{Class, Classes};
pub use met::Met;
pub use reach::{DimensionReach, PairReach, Reach};
pub use row::CoverRow;

use super::depth::Depth;
use super::generator::Generator;
use crate::case::Level;

/// The classes of each level of a run, and the calls that cover them.
#[derive(Debug, Clone, Default)]
pub struct Covers(BTreeMap<Level, LevelCover>);

/// What is to be reached of a level.
#[derive(Debug, Clone)]
struct LevelCover {
    classes: Classes,
    rows: Vec<CoverRow>,
    /// Pairs of classes that no call can have.
    impossible: Met,
}

impl Covers {
    /// Of levels, each with a generator for every scheme that is judged on it, whatever its dtype and pairing, and with
    /// whether some check plans the calls.
    #[must_use]
    pub fn new(levels: &[(Vec<Generator>, bool)], depth: Depth) -> Covers {
        let one = |(schemes, planned): &(Vec<Generator>, bool)| {
            let first = schemes.first()?;
            let ids: Vec<String> = schemes.iter().map(|g| g.group.scheme.clone()).collect();
            let classes = Classes::new(first.manifest, first.group.level, first.library, &ids);
            let none = || (Vec::new(), Met::none(classes.all().len()));
            let (rows, impossible) = if *planned { rows::rows(schemes, &classes, depth) } else { none() };
            Some((first.group.level, LevelCover { classes, rows, impossible }))
        };
        // Each of them takes a second or so where much is offered.
        let made = std::thread::scope(|scope| {
            let thread = |level| std::thread::Builder::new().spawn_scoped(scope, move || one(level));
            let running: Vec<_> = levels.iter().map(|level| (level, thread(level))).collect();
            let ended = running.into_iter().map(|(level, thread)| match thread {
                Ok(thread) => thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                // The system has no more threads.
                Err(_) => one(level),
            });
            ended.collect::<Vec<_>>()
        });
        Covers(made.into_iter().flatten().collect())
    }

    /// The classes of a level and its calls.
    #[must_use]
    pub fn level(&self, level: Level) -> Option<(&Classes, &[CoverRow])> {
        self.0.get(&level).map(|cover| (&cover.classes, &cover.rows[..]))
    }

    /// Whether no call of bounded size can have two classes of a level.
    #[must_use]
    pub fn is_impossible(&self, level: Level, a: u16, b: u16) -> bool {
        self.0.get(&level).is_some_and(|cover| cover.impossible.has(a, b))
    }

    /// What was reached of each level, of what met in it.
    #[must_use]
    pub fn reach(&self, met: &BTreeMap<Level, Met>) -> Vec<Reach> {
        let none = Met::default();
        self.0
            .iter()
            .map(|(level, cover)| {
                Reach::new(*level, &cover.classes, met.get(level).unwrap_or(&none), &cover.impossible)
            })
            .collect()
    }
}
