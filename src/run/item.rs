//! What can be run on a group: a check of the catalogue, or an invariant that the scheme states.

use crate::case::{Case, Level};
use crate::check::{CATALOGUE, Check, Generator, Harness, Measure, Schedule, SpecInvariant, Stop};
use crate::spec::{Library, model};

/// A check of the catalogue, or an invariant that a scheme states.
pub(super) enum Item<'a> {
    /// A check.
    Check(&'static dyn Check),
    /// A stated invariant.
    Invariant(SpecInvariant<'a>),
}

impl<'a> Item<'a> {
    /// The check or invariant of an id that can be judged on a level of a scheme.
    pub(super) fn find(id: &str, level: Level, scheme: &'a model::Scheme) -> Option<Item<'a>> {
        let check = CATALOGUE.iter().find(|c| c.id() == id && c.levels().contains(&level));
        if let Some(check) = check {
            // On positions that can be seen, the statement itself is judged rather than its consequence for outputs.
            return Some(Item::Check(*check));
        }
        let stated = scheme.invariants.iter().find(|i| i.id == id)?;
        SpecInvariant::LEVELS.contains(&level).then_some(Item::Invariant(SpecInvariant { invariant: stated }))
    }

    /// Its id.
    pub(super) fn id(&self) -> &str {
        match self {
            Item::Check(check) => check.id(),
            Item::Invariant(invariant) => &invariant.invariant.id,
        }
    }

    /// Its cases.
    pub(super) fn schedule(&self, generator: &Generator) -> Schedule {
        match self {
            Item::Check(check) if check.is_about_memory() && generator.manifest.copies => Schedule::nothing(
                "the library works on copies (manifest key copies): ropecheck does not own their memory",
            ),
            Item::Check(check) => check.schedule(generator),
            Item::Invariant(invariant) => invariant.schedule(generator),
        }
    }

    /// Judges a case.
    pub(super) fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        match self {
            Item::Check(check) => check.judge(case, harness),
            Item::Invariant(invariant) => invariant.judge(case, harness),
        }
    }
}

/// Ids that can be selected: checks, and invariants that some scheme states.
#[must_use]
pub fn known_ids(library: &Library) -> Vec<String> {
    let mut ids: Vec<String> = CATALOGUE.iter().map(|c| c.id().to_owned()).collect();
    for scheme in library.all() {
        for invariant in &scheme.invariants {
            if !ids.contains(&invariant.id) {
                ids.push(invariant.id.clone());
            }
        }
    }
    ids
}
