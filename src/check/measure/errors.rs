//! How errors and their bounds grow with positions: what pictures are drawn from.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The largest error of an octave of positions and the largest bound there, each as a part of the length of the right
/// output pair, so that they do not depend on what tensors held.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ErrorAndBound {
    /// Largest error.
    pub error: f64,
    /// Largest bound.
    pub bound: f64,
}

/// Errors of elements that were graded, by octave: of n, positions p with 2^n <= |p| < 2^(n+1). The first and the last
/// octave hold what is beyond them, too. Pairs that are very short or very long are left out: what they lose at the ends of
/// a type's range says nothing of positions.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Errors(BTreeMap<i32, ErrorAndBound>);

/// Lengths of pairs that count.
const LENGTHS: std::ops::RangeInclusive<f64> = 0.0625..=256.0;
/// Octaves that are told apart.
const OCTAVES: [i32; 2] = [-8, 53];

impl Errors {
    /// The octave of a position; none of 0, which turns nothing, and of what is no number.
    #[must_use]
    pub fn octave(position: f64) -> Option<i32> {
        let exponent = (position.to_bits() >> 52) as i32 & 0x7ff;
        let some = position != 0.0 && position.is_finite();
        some.then(|| (exponent - 1023).clamp(OCTAVES[0], OCTAVES[1]))
    }

    /// Whether a pair is neither very short nor very long.
    #[must_use]
    pub fn counts(length: f64) -> bool {
        LENGTHS.contains(&length)
    }

    /// Adds an element at a position: its error and bound, and the length of its pair.
    pub fn add(&mut self, position: f64, length: f64, error: f64, bound: f64) {
        let octave = Self::octave(position).filter(|_| Self::counts(length) && error.is_finite() && bound.is_finite());
        if let Some(octave) = octave {
            self.grow(octave, ErrorAndBound { error: error / length, bound: bound / length });
        }
    }

    fn grow(&mut self, octave: i32, by: ErrorAndBound) {
        let known = self.0.entry(octave).or_default();
        known.error = known.error.max(by.error);
        known.bound = known.bound.max(by.bound);
    }

    /// Adds all of another one.
    pub fn merge(&mut self, other: &Errors) {
        other.iter().for_each(|(octave, errors)| self.grow(octave, errors));
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Octaves from the lowest on, with what they have.
    pub fn iter(&self) -> impl Iterator<Item = (i32, ErrorAndBound)> {
        self.0.iter().map(|(octave, errors)| (*octave, *errors))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octaves_keep_the_largest_and_ends_what_is_beyond() {
        let octaves = [0.0, 1.0, -1.5, 2.0, 4095.0, 4096.0, 0.5, 1e-30, 1e300, f64::NAN].map(Errors::octave);
        let wanted = [None, Some(0), Some(0), Some(1), Some(11), Some(12), Some(-1), Some(-8), Some(53), None];
        assert_eq!(octaves, wanted);
        let mut all = Errors::default();
        all.add(5.0, 2.0, 1e-3, 4e-3);
        all.add(-7.0, 4.0, 1e-2, 2e-3);
        // Too short, too long, at 0, and no numbers.
        for (position, length, error) in [(5.0, 0.01, 1.0), (5.0, 1e4, 1.0), (0.0, 1.0, 1.0), (5.0, 1.0, f64::NAN)] {
            all.add(position, length, error, 1.0);
        }
        let mut other = Errors::default();
        other.add(3.0, 1.0, 0.25, 0.5);
        all.merge(&other);
        let found: Vec<_> = all.iter().map(|(octave, of)| (octave, of.error, of.bound)).collect();
        assert_eq!(found, [(1, 0.25, 0.5), (2, 2.5e-3, 2e-3)]);
    }
}
