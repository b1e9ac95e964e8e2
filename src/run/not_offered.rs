//! What no run on a backend judges, because of what its manifest offers: known before a call is made.

use std::collections::BTreeMap;

use super::context::{Context, Options};
use super::groups::groups;
use super::item::Item;
use crate::backend::Manifest;
use crate::case::Level;

/// For each level, each check (with its band, where it has some) and reason: the schemes that it is about. Of the storage
/// types and pairings of a level the first is asked.
#[must_use]
pub fn not_offered(manifest: &Manifest, context: &Context) -> BTreeMap<(Level, String, String), Vec<String>> {
    let first = Manifest {
        dtypes: manifest.dtypes.iter().take(1).copied().collect(),
        pairings: manifest.pairings.iter().take(1).copied().collect(),
        ..manifest.clone()
    };
    let options = Options { cases: Options::CASES, seed: 1, ..Options::default() };
    let mut found: BTreeMap<_, Vec<String>> = BTreeMap::new();
    for (group, id) in groups(&first, context.library, &options).unwrap_or_default() {
        let Some(generator) = context.generator(&group, manifest, &options) else { continue };
        let Some(item) = Item::find(&id, group.level, generator.scheme) else { continue };
        for gap in item.schedule(&generator).gaps {
            let what = if gap.band == "-" { id.clone() } else { format!("{id} {}", gap.band) };
            let schemes = found.entry((group.level, what, gap.why)).or_default();
            if !schemes.contains(&group.scheme) {
                schemes.push(group.scheme.clone());
            }
        }
    }
    found
}
