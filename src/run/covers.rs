//! Which calls a run makes of what is offered.

use std::collections::BTreeMap;

use super::context::{Context, Options};
use crate::backend::Manifest;
use crate::case::Level;
use crate::check::cover::Covers;
use crate::check::{CATALOGUE, Group};
use crate::numeric::DType;

/// What the calls of a run are to reach, level by level.
pub(super) fn covers(manifest: &Manifest, context: &Context, options: &Options, units: &[(Group, String)]) -> Covers {
    // What is selected: rows for another type would not be run.
    let dtypes = |dtype: &DType| {
        let mut tensors = units.iter().filter(|(group, _)| group.level != Level::Positions);
        tensors.any(|(group, _)| group.dtype == *dtype)
    };
    let selected = manifest.dtypes.iter().copied().filter(dtypes).collect();
    let manifest = &Manifest { dtypes: selected, ..manifest.clone() };
    let mut levels: BTreeMap<Level, (BTreeMap<&str, &Group>, bool)> = BTreeMap::new();
    for (group, id) in units {
        let (schemes, planned) = levels.entry(group.level).or_default();
        schemes.entry(&group.scheme).or_insert(group);
        *planned |= CATALOGUE.iter().any(|check| check.id() == id && check.covers(group.level));
    }
    let generators = |(schemes, planned): &(BTreeMap<&str, &Group>, bool)| {
        (schemes.values().filter_map(|group| context.generator(group, manifest, options)).collect(), *planned)
    };
    Covers::new(&levels.values().map(generators).collect::<Vec<_>>(), options.depth)
}
