//! How far the outputs of a case may be off.

use super::elements::Judge;
use crate::check::harness::Outputs;

impl Judge<'_> {
    /// The largest error that the contract allows an element of these outputs, where it claims anything; only
    /// the inputs are looked at.
    #[must_use]
    pub fn largest_allowance(&self, inputs: &Outputs) -> f64 {
        let mut largest = 0.0f64;
        for (row, token) in (0..self.case.batch()).flat_map(|row| (0..self.tokens()).map(move |token| (row, token))) {
            for (head, pair) in (0..self.heads()).flat_map(|head| (0..self.truth.pairs).map(move |pair| (head, pair))) {
                let bound = self.bound(row, token, head, pair);
                if bound.beyond_limit || bound.too_wide {
                    continue;
                }
                let (a, b) = self.channels(pair);
                let input = self.input_row(inputs, row, token, head);
                let (a, b) = (input[a], input[b]);
                let (y, z) = bound.turn.apply(a, b);
                for (second, value, partner) in [(false, y, z), (true, z, y)] {
                    let allowed = bound.allowance(self.types(head), second, (a, b), value, partner).total();
                    largest = if allowed.is_finite() { largest.max(allowed) } else { largest };
                }
            }
        }
        largest
    }
}
