//! What a passing case can have seen: a kernel may leave a pair unturned and still keep every bound. `docs/numerics.md`
//! ("What cannot be seen") says when a pair counts as observed.

use std::borrow::Borrow;

use super::elements::Judge;
use crate::case::Level;
use crate::check::harness::Outputs;
use crate::contract::PairRow;
use crate::contract::{Judgement, PairBound, Types};
use crate::rotation::NO_AXIS;

/// Whether a pair that was left unturned, or turned by an angle wrong by its own size, would have been seen at this
/// element: it was judged, and an allowance E hides angle errors up to E / |partner output|.
pub(super) fn observed(bound: &PairBound, types: &Types, angle: f64, row: PairRow<'_>, pair: usize) -> bool {
    let limit = angle.abs().min(1.0);
    if bound.shift >= 1.0 {
        return false;
    }
    let inputs = (row.a[pair], row.b[pair]);
    let (y, z) = bound.turn.apply(inputs.0, inputs.1);
    [(false, y, z, row.first[pair]), (true, z, y, row.second[pair])].into_iter().any(
        |(second, value, partner, found)| {
            let seen_at_all = bound.least_allowance(types, value) < limit * partner.abs();
            // NaN and infinity compare as not smaller.
            seen_at_all
                && bound.allowance(types, second, inputs, value, partner).total() < limit * partner.abs()
                && matches!(bound.judge(types, second, inputs, found), Judgement::Pass { .. })
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

    /// Marks the pairs of one head of one token whose angle was observed; `seen` has those that were before.
    pub(super) fn observe<B: Borrow<PairBound>>(
        &self,
        (row, token, head): (usize, usize, usize),
        columns: PairRow<'_>,
        bound_of: impl Fn(usize) -> B,
        seen: &mut [bool],
    ) {
        for (pair, seen) in seen.iter_mut().enumerate().filter(|(_, seen)| !**seen) {
            let angle = self.angle(row, token, head, pair);
            if angle != 0.0 {
                *seen = observed(bound_of(pair).borrow(), self.types(head), angle, columns, pair);
            }
        }
    }

    /// Of the pairs that were seen, how many turn by a frequency that has to be found: 0 turns nothing, and 1, that of the
    /// first pair, is exact under every contract, so that it is seen where no other pair is.
    pub(super) fn observations(&self, seen: &[bool]) -> u64 {
        let plan = &self.truth.plan;
        let of =
            |row: u32, pair: usize| if plan.axes(row)[pair] == NO_AXIS { 0.0 } else { plan.frequencies(row)[pair] };
        let every = || (0..plan.map_heads).flat_map(|row| (0..seen.len()).map(move |pair| (row, pair)));
        let is_one = |(row, pair)| of(row, pair) == 1.0;
        // A scheme may have no other frequency.
        let one_counts = seen.len() > 1 && every().all(|at| is_one(at) || of(at.0, at.1) == 0.0);
        let counts = |pair: usize| {
            self.truth.given.is_some()
                || (0..plan.map_heads).any(|row| of(row, pair) != 0.0 && (one_counts || !is_one((row, pair))))
        };
        seen.iter().enumerate().filter(|(pair, seen)| **seen && counts(*pair)).count() as u64
    }

    /// Pairs that turn and whose angle these outputs show, within their bounds, on some token: for checks that judge in
    /// another way than element by element.
    pub(in crate::check) fn observed_in(&self, outputs: &Outputs) -> u64 {
        let mut seen = vec![false; self.truth.pairs];
        for (row, token) in (0..self.case.batch()).flat_map(|row| (0..self.tokens()).map(move |token| (row, token))) {
            if seen.iter().all(|seen| *seen) {
                break;
            }
            let [a, b, first, second] = self.columns(outputs, row, token, 0);
            let columns = PairRow { a: &a, b: &b, first: &first, second: &second };
            self.observe((row, token, 0), columns, |pair| self.bound(row, token, 0, pair), &mut seen);
        }
        self.observations(&seen)
    }

    /// First and second channels of every pair: inputs, then outputs.
    fn columns(&self, outputs: &Outputs, row: usize, token: usize, head: usize) -> [Vec<f64>; 4] {
        let (input, output) = (self.input_row(outputs, row, token, head), self.output_row(outputs, row, token, head));
        let of = |source: &[f64], second: bool| {
            let channel = |pair| if second { self.channels(pair).1 } else { self.channels(pair).0 };
            (0..self.truth.pairs).map(|pair| source[channel(pair)]).collect::<Vec<f64>>()
        };
        [of(input, false), of(input, true), of(output, false), of(output, true)]
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
