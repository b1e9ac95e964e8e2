//! How far up the positions a run has judged: a declared maximum that nobody went to is no pass.

use schemars::JsonSchema;
use serde::Serialize;

use super::result::CheckResult;
use crate::backend::Manifest;
use crate::case::{Consume, Level};
use crate::numeric::DType;

/// How far one level was judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reached {
    /// Level.
    pub level: Level,
    /// The manifest's max_position.
    pub declared: i64,
    /// Largest position of a case that passed.
    pub largest: Option<i64>,
    /// Whether that is the declared one, or the largest below it that the backend's position types can hold.
    pub reached: bool,
}

/// The largest integer up to `most` that a position type holds.
fn largest_held(dtype: DType, most: i64) -> i64 {
    const EXACT: i64 = 1 << 53;
    let most = most.min(EXACT);
    match dtype {
        DType::I32 => most.min(i64::from(i32::MAX)),
        DType::F32 => {
            let near = most as f32;
            // Cutting off: rounding to nearest may go above.
            (if near as i64 > most { near.next_down() } else { near }) as i64
        }
        _ => most,
    }
}

/// Every level of the results on which the backend is given positions, or finds them.
#[must_use]
pub fn reached(manifest: &Manifest, results: &[CheckResult]) -> Vec<Reached> {
    let levels = [Level::Positions, Level::Rotate, Level::Fused].into_iter();
    let judged = levels.filter(|level| results.iter().any(|r| r.level == *level));
    judged
        .map(|level| {
            let declared = manifest.max_position;
            let here = results.iter().filter(|r| r.level == level);
            let largest = here.flat_map(|r| r.bands.values()).filter_map(|b| b.largest_position).max();
            let typed =
                level == Level::Positions || manifest.level(level).is_some_and(|m| m.consumes(Consume::Positions));
            let types = manifest.position_dtypes.iter().filter(|_| typed);
            let possible = types.map(|d| largest_held(*d, declared)).max().unwrap_or(declared);
            Reached { level, declared, largest, reached: largest.is_some_and(|largest| largest >= possible) }
        })
        .collect()
}

impl Reached {
    /// What the verdict adds where the maximum was not reached.
    #[must_use]
    pub fn shortfall(&self) -> Option<String> {
        let Reached { level, declared, largest, reached } = self;
        let largest = largest.map_or_else(|| "at no position".to_owned(), |p| format!("up to position {p}"));
        (!reached).then(|| format!(", {level} {largest} (declared max_position {declared} was not reached)"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_hold_what_they_can() {
        assert_eq!(largest_held(DType::F32, 2_147_483_647), 2_147_483_520);
        assert_eq!(largest_held(DType::F32, 16_777_216), 16_777_216);
        assert_eq!(largest_held(DType::I32, i64::MAX), 2_147_483_647);
        assert_eq!(largest_held(DType::I64, i64::MAX), 1 << 53);
        assert_eq!(largest_held(DType::F64, 131_071), 131_071);
    }

    #[test]
    fn a_maximum_that_was_not_reached_is_said() {
        let at = |largest, reached| Reached { level: Level::Fused, declared: 99, largest, reached };
        assert_eq!(at(Some(99), true).shortfall(), None);
        let says = |r: Reached| r.shortfall().unwrap_or_default();
        assert_eq!(says(at(Some(7), false)), ", fused up to position 7 (declared max_position 99 was not reached)");
        assert_eq!(says(at(None, false)), ", fused at no position (declared max_position 99 was not reached)");
    }
}
