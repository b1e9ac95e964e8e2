//! What no run on a backend judges, because of what its manifest offers: known before a call is made.

use std::collections::{BTreeMap, BTreeSet};

use super::context::{Context, Options};
use super::groups::groups;
use super::item::Item;
use crate::backend::Manifest;
use crate::case::Level;

/// What no run judges.
#[derive(Debug, Clone, Default)]
pub(super) struct NotOffered {
    /// For each level, each check (with its band, where it has some) and reason: the schemes that it is about.
    pub(super) gaps: BTreeMap<(Level, String, String), Vec<String>>,
    /// Schemes of which no check has a case on a level.
    pub(super) idle: BTreeSet<(Level, String)>,
}

/// What no run judges. Of the storage types and pairings of a level the first is asked.
pub(super) fn not_offered(manifest: &Manifest, context: &Context) -> NotOffered {
    let first = Manifest {
        dtypes: manifest.dtypes.iter().take(1).copied().collect(),
        pairings: manifest.pairings.iter().take(1).copied().collect(),
        ..manifest.clone()
    };
    let options = Options { cases: Options::CASES, seed: 1, ..Options::default() };
    let (mut found, mut busy) = (NotOffered::default(), BTreeSet::new());
    for (group, id) in groups(&first, context.library, &options).unwrap_or_default() {
        let Some(generator) = context.generator(&group, manifest, &options) else { continue };
        let Some(item) = Item::find(&id, group.level, generator.scheme) else { continue };
        let schedule = item.schedule(&generator);
        let place = (group.level, group.scheme.clone());
        let set = if schedule.cases.is_empty() { &mut found.idle } else { &mut busy };
        set.insert(place);
        for gap in schedule.gaps {
            let what = if gap.band == "-" { id.clone() } else { format!("{id} {}", gap.band) };
            let schemes = found.gaps.entry((group.level, what, gap.why)).or_default();
            if !schemes.contains(&group.scheme) {
                schemes.push(group.scheme.clone());
            }
        }
    }
    found.idle.retain(|place| !busy.contains(place));
    found
}
