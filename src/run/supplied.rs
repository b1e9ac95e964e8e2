//! What the suite supplied, so that nobody judged it.

use schemars::JsonSchema;
use serde::Serialize;

use crate::backend::Manifest;
use crate::case::{Consume, Level};

/// What the suite supplied on a level, and therefore nobody judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Supplied {
    /// Level.
    pub level: Level,
    /// Such as `positions`, `axis map`, `frequencies`.
    pub parts: Vec<String>,
    /// Whether the angles are given whole, as the cosines and sines of every pair: then no scheme is judged, only that they
    /// are applied.
    pub angles: bool,
}

/// What is not judged on each level, because the suite supplies it.
#[must_use]
pub fn supplied(manifest: &Manifest, levels: &[Level]) -> Vec<Supplied> {
    let of = |consumes: &dyn Fn(Consume) -> bool| {
        let mut parts: Vec<&str> = Vec::new();
        let given = consumes(Consume::CosSin);
        let cached = consumes(Consume::CosSinCache);
        if given || consumes(Consume::Positions) {
            parts.push("positions");
        }
        if given || consumes(Consume::AxisOfPair) {
            parts.push("axis map");
        }
        if given || cached || consumes(Consume::InvFreq) {
            parts.push("frequencies");
        }
        if given || cached {
            parts.push("cos and sin");
        }
        parts.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    manifest
        .levels
        .iter()
        .filter(|(level, _)| levels.contains(level))
        .map(|(level, m)| {
            let angles = *level == Level::Apply || m.consumes(Consume::CosSin);
            Supplied { level: *level, parts: of(&|c| m.consumes(c)), angles }
        })
        .filter(|n| !n.parts.is_empty())
        .collect()
}
