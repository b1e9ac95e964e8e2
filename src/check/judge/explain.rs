//! What an element that fails looks like: where it is, what it should be, what its bound is made of.

use super::elements::{Element, Judge};
use crate::case::Level;
use crate::check::failure::{
    AngleAt, AxisAt, BoundSource, Cause, ElementError, Failure, Observed, Place, Scalar, Side,
};
use crate::contract::Miss;

impl Judge<'_> {
    /// A channel outside the rotary width that did not come back as it was.
    pub(in crate::check) fn changed_outside(&self, head: usize, input: &[f64], output: &[f64]) -> Option<usize> {
        let rotated = self.truth.rotary_offset..self.truth.rotary_offset + self.truth.rotary_dim;
        (0..input.len()).filter(|c| !rotated.contains(c)).find(|c| !self.keeps(head, input[*c], output[*c]))
    }

    /// The failure of such a channel.
    pub(in crate::check) fn not_preserved(&self, element: Element, input: &[f64], output: &[f64]) -> Box<Failure> {
        let channel = element.channel;
        let observed = Observed::of(self.types(element.head).output, output[channel]);
        Failure::at(self.place(element), Cause::NotPreserved { expected: Scalar(input[channel]), observed })
    }

    /// A token of a batch row, as the layout sees it.
    #[must_use]
    pub fn token_place(&self, row: usize, token: usize) -> Place {
        if self.case.packed {
            return Place::packed_token(&self.case.layouts, token as u64);
        }
        let start = self.case.window.map_or(0, |(start, _)| start);
        Place::token_of_row(&self.case.layouts, row, start + token as u64)
    }

    /// An element of an output.
    #[must_use]
    pub fn place(&self, element: Element) -> Place {
        let Element { row, token, head, channel } = element;
        let (side, number) = if head < self.q_heads() { (Side::Q, head) } else { (Side::K, head - self.q_heads()) };
        let pair = self.pair_of_channel(channel);
        let axis = pair.filter(|_| self.case.level != Level::Apply && self.truth.given.is_none()).map(|pair| {
            let axis = self.axis(head, pair);
            let name = self.axes.get(usize::from(axis)).cloned();
            let position = name.as_ref().map(|_| Scalar(self.position(axis, row, token).to_f64()));
            AxisAt { name, position }
        });
        Place {
            side: Some(side),
            head: Some(number),
            channel: Some(channel),
            pair,
            axis,
            ..self.token_place(row, token)
        }
    }

    /// An element that is a number although its pair holds `input`, which is none.
    pub(super) fn non_finite_lost(&self, element: Element, input: f64, observed: f64) -> Box<Failure> {
        let observed = Observed::of(self.types(element.head).output, observed);
        Failure::at(self.place(element), Cause::NonFiniteLost { input: Scalar(input), observed })
    }

    /// An element that is out of the bound that the contract gives it; `right`: the right output of its pair.
    pub(super) fn out_of_bound(&self, element: Element, miss: &Miss, right: (f64, f64)) -> Box<Failure> {
        let Miss { pair, expected, observed, allowance, .. } = miss;
        let dtype = self.types(element.head).output;
        let error = ElementError::new(dtype, *expected, *observed, allowance.total(), BoundSource::Contract);
        let length = (right.0 * right.0 + right.1 * right.1).sqrt();
        let error = error.explained(allowance, self.angle_at(element, *pair), length);
        Failure::at(self.place(element), Cause::OutOfBound(Box::new(error)))
    }

    /// The angle of a pair, and how far the contract lets the kernel's be from it.
    fn angle_at(&self, element: Element, pair: usize) -> AngleAt {
        let Element { row, token, head, .. } = element;
        if let Some(given) = &self.truth.given {
            let (cos, sin) = given[row][token][pair];
            let dtype = self.case.table_dtype.beside(self.case.dtype);
            return AngleAt::Given { cos: Observed::of(dtype, cos), sin: Observed::of(dtype, sin) };
        }
        let (position, frequency) = (self.position(self.axis(head, pair), row, token), self.frequency(head, pair));
        AngleAt::Position {
            angle: Scalar(position.to_f64() * frequency),
            position: Scalar(position.to_f64()),
            frequency: Scalar(frequency),
            allowed: Scalar(self.angle_error(head, pair, position)),
        }
    }
}
