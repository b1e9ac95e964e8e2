//! What a passing case can have seen: a kernel may leave a pair unturned and still keep every bound. `docs/numerics.md`
//! ("What cannot be seen") says when a pair counts as observed.

use super::elements::Judge;
use crate::case::Level;
use crate::contract::PairRow;
use crate::contract::{PairBound, Types};
use crate::rotation::NO_AXIS;

/// Whether a pair that was left unturned, or turned by an angle wrong by its own size, would have been seen at this
/// element: an allowance E hides angle errors up to E / |partner output|.
pub(super) fn observed(bound: &PairBound, types: &Types, angle: f64, row: PairRow<'_>, pair: usize) -> bool {
    let limit = angle.abs().min(1.0);
    if bound.shift >= 1.0 || limit == 0.0 {
        return false;
    }
    let inputs = (row.a[pair], row.b[pair]);
    let (y, z) = bound.turn.apply(inputs.0, inputs.1);
    [(false, y, z, row.first[pair]), (true, z, y, row.second[pair])].into_iter().any(
        |(second, value, partner, found)| {
            // NaN and infinity compare as not smaller.
            found.is_finite() && bound.allowance(types, second, inputs, value, partner).total() < limit * partner.abs()
        },
    )
}

impl Judge<'_> {
    /// The angle of a pair, in radians; 1 for a pair that must not turn, whose smallest turn is looked for.
    pub(super) fn angle(&self, row: usize, token: usize, head: usize, pair: usize) -> f64 {
        if let Some(given) = &self.truth.given {
            let (cos, sin) = given[row][token][pair];
            return sin.atan2(cos);
        }
        match self.frequency(head, pair) {
            0.0 => 1.0,
            frequency => self.position(self.axis(head, pair), row, token).hi * frequency,
        }
    }

    /// The largest position of the case on an axis that turns a pair; `None` on level apply, which has none.
    pub(in crate::check) fn largest_position(&self) -> Option<i64> {
        if self.case.level == Level::Apply {
            return None;
        }
        let axes = &self.truth.plan.axis_of_pair;
        let used = |axis: &usize| axes.iter().any(|a| *a != NO_AXIS && usize::from(*a) == *axis);
        let positions = (0..self.truth.positions.len()).filter(used).flat_map(|axis| &self.truth.positions[axis]);
        let largest = positions.flatten().map(|p| p.hi).reduce(f64::max)?;
        // Positions lie within 2^53 of 0.
        Some(largest.floor() as i64)
    }
}
