//! Which of the groups a check runs on: all of them only where that shows more.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Level;
use crate::check::{CATALOGUE, Depth, Group};
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// Schemes on which each type and pairing is tried, where there are as many.
const SCHEMES: usize = 3;

/// What memory may depend on.
type Kind = (Pairing, DType);

/// The groups of a level.
#[derive(Default)]
struct OfLevel<'u> {
    kinds_of: BTreeMap<&'u str, BTreeSet<Kind>>,
    schemes_of: BTreeMap<Kind, BTreeSet<&'u str>>,
}

impl OfLevel<'_> {
    /// Whether a check is to run on a group as one of so many of its scheme that each kind comes on `most` schemes; `turn`
    /// says which of them.
    fn on_each_scheme(&self, group: &Group, turn: usize, most: usize) -> bool {
        let kinds = &self.kinds_of[group.scheme.as_str()];
        let share = (most * kinds.len()).div_ceil(self.kinds_of.len());
        let scheme = place(self.kinds_of.keys(), &group.scheme.as_str());
        (scheme * share + place(kinds, &kind(group)) + turn) % kinds.len() < share
    }

    /// Whether a check is to run on a group as the only one of its kind.
    fn on_each_kind(&self, group: &Group, turn: usize) -> bool {
        let schemes = &self.schemes_of[&kind(group)];
        let turn = turn + place(self.schemes_of.keys(), &kind(group));
        place(schemes, &group.scheme.as_str()) == turn % schemes.len()
    }
}

fn kind(group: &Group) -> Kind {
    (group.pairing, group.dtype)
}

fn place<'i, T: PartialEq + 'i>(all: impl IntoIterator<Item = &'i T>, one: &T) -> usize {
    all.into_iter().position(|other| other == one).unwrap_or(0)
}

/// Leaves checks out of groups, which ones by the seed. Those that are not about schemes still run on every scheme, and with
/// every type and pairing on at least [`SCHEMES`] schemes; at quick depth, and if they take long, once with every type and
/// pairing. At quick depth the others run once on every scheme, and with every type and pairing, but for the check that
/// covers what is offered.
/// Those that are `wanted` stay.
#[must_use]
pub fn thinned(
    units: Vec<(Group, String)>,
    (seed, depth): (u64, Depth),
    wanted: impl Fn(&(Group, String)) -> bool,
) -> Vec<(Group, String)> {
    let about_schemes = |id: &str| CATALOGUE.iter().find(|c| c.id() == id).is_none_or(|c| c.is_about_schemes());
    let covers = |id: &str, level| CATALOGUE.iter().any(|c| c.id() == id && c.covers(level));
    let takes_long = |id: &str| CATALOGUE.iter().any(|c| c.id() == id && c.takes_long());
    let ids: BTreeSet<&str> = units.iter().map(|(_, id)| id.as_str()).collect();
    let thin: Vec<&str> = CATALOGUE.iter().filter(|c| !c.is_about_schemes()).map(|c| c.id()).collect();
    let mut levels: BTreeMap<Level, OfLevel> = BTreeMap::new();
    for (group, _) in &units {
        let of_level = levels.entry(group.level).or_default();
        of_level.kinds_of.entry(&group.scheme).or_default().insert(kind(group));
        of_level.schemes_of.entry(kind(group)).or_default().insert(&group.scheme);
    }
    let keep = |(group, id): &(Group, String)| {
        let of_level = &levels[&group.level];
        let all_kinds = of_level.schemes_of.len();
        let turn = |number: usize| number + usize::try_from(seed % all_kinds as u64).unwrap_or(0);
        let id = id.as_str();
        match depth {
            Depth::Quick if covers(id, group.level) => true,
            Depth::Quick if about_schemes(id) => of_level.on_each_scheme(group, turn(place(&ids, &id)), 1),
            Depth::Default | Depth::Deep if about_schemes(id) => true,
            Depth::Default if !takes_long(id) => of_level.on_each_scheme(group, turn(place(&thin, &id)), SCHEMES),
            Depth::Deep => of_level.on_each_scheme(group, turn(place(&thin, &id)), SCHEMES),
            Depth::Quick | Depth::Default => of_level.on_each_kind(group, turn(place(&ids, &id))),
        }
    };
    let kept: Vec<bool> = units.iter().map(|unit| keep(unit) || wanted(unit)).collect();
    units.into_iter().zip(kept).filter_map(|(unit, kept)| kept.then_some(unit)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scheme_and_every_kind_keeps_every_check() {
        let kinds = DType::STORAGE.into_iter().flat_map(|dtype| [Pairing::Half, Pairing::Adjacent].map(|p| (p, dtype)));
        let kinds: Vec<_> = kinds.collect();
        for (schemes, seed) in [1, 2, 7, 20, 23].into_iter().flat_map(|n| [1, 2, 5, 12].map(|seed| (n, seed))) {
            let group = |scheme: usize, (pairing, dtype)| Group {
                scheme: format!("scheme-{scheme}"),
                level: Level::Rotate,
                pairing,
                dtype,
            };
            let groups: Vec<Group> =
                (0..schemes).flat_map(|scheme| kinds.iter().map(move |kind| group(scheme, *kind))).collect();
            let units: Vec<(Group, String)> =
                groups.iter().flat_map(|g| CATALOGUE.iter().map(|c| (g.clone(), c.id().to_owned()))).collect();
            let kept = thinned(units.clone(), (seed, Depth::Default), |_| false);
            let quick = thinned(units.clone(), (seed, Depth::Quick), |_| false);
            for check in CATALOGUE {
                let here: Vec<&Group> =
                    kept.iter().filter(|(_, id)| id == check.id()).map(|(group, _)| group).collect();
                if check.is_about_schemes() {
                    assert_eq!(here.len(), groups.len());
                }
                let of_kind = |kind| here.iter().filter(|group| (group.pairing, group.dtype) == kind).count();
                if check.takes_long() && !check.is_about_schemes() {
                    assert!(kinds.iter().all(|kind| of_kind(*kind) == 1), "{}", check.id());
                    continue;
                }
                assert!(
                    kinds.iter().all(|kind| of_kind(*kind) >= SCHEMES.min(schemes)),
                    "{schemes} schemes, seed {seed}"
                );
                assert!((0..schemes).all(|n| here.iter().any(|group| group.scheme == format!("scheme-{n}"))));
            }
            assert_eq!(kept.len() < units.len(), schemes > 1);
            for check in CATALOGUE {
                let here: Vec<&Group> =
                    quick.iter().filter(|(_, id)| id == check.id()).map(|(group, _)| group).collect();
                let of_kind = |kind| here.iter().filter(|group| (group.pairing, group.dtype) == kind).count();
                let everywhere = |scheme| here.iter().any(|group| group.scheme == format!("scheme-{scheme}"));
                match (check.covers(Level::Rotate), check.is_about_schemes()) {
                    (true, _) => assert_eq!(here.len(), groups.len()),
                    (_, true) => {
                        assert!((0..schemes).all(everywhere));
                        assert!(kinds.iter().all(|kind| of_kind(*kind) > 0));
                        assert!(here.len() <= schemes.max(kinds.len()) + schemes);
                    }
                    (_, false) => assert!(kinds.iter().all(|kind| of_kind(*kind) == 1)),
                }
            }
        }
    }
}
