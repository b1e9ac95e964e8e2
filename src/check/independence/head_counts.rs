//! Counts of query and key heads that kernels treat differently.

use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::rotation::HeadShape;
use crate::spec::Parameters;

/// As many key as query heads, groups, one key head, on the first preset of the group. That preset alone if
/// the manifest or the scheme allows none of them.
pub(in crate::check) fn head_counts(g: &Generator) -> Vec<HeadPreset> {
    let Some(first) = g.heads().into_iter().next() else { return Vec::new() };
    let presets: Vec<HeadPreset> = [(4, 4), (8, 2), (6, 1)]
        .into_iter()
        .map(|(q_heads, k_heads)| HeadPreset { q_heads, k_heads, ..first.clone() })
        .filter(|preset| fits(g, preset))
        .collect();
    if presets.is_empty() { vec![first] } else { presets }
}

/// Whether the manifest takes these counts, and the scheme has a plan for them that it takes: one map for all
/// heads, unless it takes one for each.
fn fits(g: &Generator, heads: &HeadPreset) -> bool {
    let allowed = g.manifest.q_heads.allows(i64::from(heads.q_heads));
    if !allowed || !g.manifest.k_heads.allows(i64::from(heads.k_heads)) {
        return false;
    }
    let case = g.case("", Vec::new(), heads, 0);
    let Ok(parameters) = Parameters::resolve(g.scheme, &case.parameters) else { return false };
    let head_dim = heads.rotary.map_or(heads.head_dim, |(width, _)| width);
    let shape = HeadShape { head_dim, q_heads: heads.q_heads, k_heads: heads.k_heads.max(1) };
    g.plans.plan(g.scheme, &parameters, shape).is_ok_and(|plan| g.manifest.per_head || plan.map_heads <= 1)
}
