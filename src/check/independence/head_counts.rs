//! Counts of query and key heads that kernels treat differently.

use crate::check::generator::Generator;
use crate::check::heads::HeadPreset;
use crate::check::schedule::Scheduler;
use crate::rotation::HeadShape;
use crate::spec::Parameters;

/// As many key as query heads, groups, one key head, on small and on wide heads in turn. Heads as they come if the manifest
/// or the scheme allows none of these counts.
pub(in crate::check) fn head_counts(s: &mut Scheduler) -> Vec<HeadPreset> {
    let mut presets = Vec::new();
    for (turn, (q_heads, k_heads)) in [(4, 4), (8, 2), (6, 1)].into_iter().enumerate() {
        let Some(heads) = s.turn(turn) else { continue };
        presets.extend(Some(HeadPreset { q_heads, k_heads, ..heads }).filter(|preset| fits(s.generator, preset)));
    }
    if presets.is_empty() { s.turn(0).into_iter().collect() } else { presets }
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
