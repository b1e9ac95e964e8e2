//! Which of the groups a check runs on that is not about schemes, such as one of memory.

use std::collections::{BTreeMap, BTreeSet};

use crate::case::Level;
use crate::check::{CATALOGUE, Group};
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// Schemes on which each type and pairing is tried, where there are as many.
const SCHEMES: usize = 3;

/// What memory may depend on.
type Kind = (Pairing, DType);

/// Leaves checks that are not about schemes out of groups so that each of them still runs on every scheme, and with every type and pairing on
/// at least [`SCHEMES`] schemes. Which ones depends on the seed. Those that are `wanted` stay.
#[must_use]
pub fn thinned(
    units: Vec<(Group, String)>,
    seed: u64,
    wanted: impl Fn(&(Group, String)) -> bool,
) -> Vec<(Group, String)> {
    let thin: Vec<&str> = CATALOGUE.iter().filter(|c| !c.is_about_schemes()).map(|c| c.id()).collect();
    let mut levels: BTreeMap<Level, (BTreeSet<String>, BTreeSet<Kind>)> = BTreeMap::new();
    for (group, _) in &units {
        let (schemes, kinds) = levels.entry(group.level).or_default();
        schemes.insert(group.scheme.clone());
        kinds.insert((group.pairing, group.dtype));
    }
    let keep = |(group, id): &(Group, String)| {
        let (Some(number), Some((schemes, kinds))) =
            (thin.iter().position(|check| check == id), levels.get(&group.level))
        else {
            return true;
        };
        let share = (SCHEMES * kinds.len()).div_ceil(schemes.len());
        let scheme = schemes.iter().position(|scheme| *scheme == group.scheme).unwrap_or(0);
        let kind = kinds.iter().position(|kind| *kind == (group.pairing, group.dtype)).unwrap_or(0);
        let turn = usize::try_from(seed % kinds.len() as u64).unwrap_or(0);
        (scheme + kind + number + turn) % kinds.len() < share
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
            let kept = thinned(units.clone(), seed, |_| false);
            for check in CATALOGUE {
                let here: Vec<&Group> =
                    kept.iter().filter(|(_, id)| id == check.id()).map(|(group, _)| group).collect();
                if check.is_about_schemes() {
                    assert_eq!(here.len(), groups.len());
                }
                let of_kind = |kind| here.iter().filter(|group| (group.pairing, group.dtype) == kind).count();
                assert!(
                    kinds.iter().all(|kind| of_kind(*kind) >= SCHEMES.min(schemes)),
                    "{schemes} schemes, seed {seed}"
                );
                assert!((0..schemes).all(|n| here.iter().any(|group| group.scheme == format!("scheme-{n}"))));
            }
            assert_eq!(kept.len() < units.len(), schemes > SCHEMES);
        }
    }
}
