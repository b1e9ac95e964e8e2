//! Counts of query and key heads that kernels treat differently.

use super::generator::{Generator, HeadPreset};

/// As many key as query heads, groups, one key head; at the smallest width of the group that fits. The first preset alone if
/// the manifest allows none of them.
pub(super) fn head_counts(g: &Generator) -> Vec<HeadPreset> {
    let Some(first) = g.heads().into_iter().next() else { return Vec::new() };
    let counts = [(4, 4), (8, 2), (6, 1)].into_iter().filter(|(q, k): &(u32, u32)| {
        g.manifest.q_heads.allows(i64::from(*q)) && g.manifest.k_heads.allows(i64::from(*k))
    });
    let presets: Vec<_> = counts.map(|(q_heads, k_heads)| HeadPreset { q_heads, k_heads, ..first.clone() }).collect();
    if presets.is_empty() { vec![first] } else { presets }
}
