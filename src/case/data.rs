//! What q and k hold.

use ndarray::{Array4, Axis};

use crate::numeric::{DType, Rng};
use crate::spec::model::Pairing;

/// What the tensors of a case hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Data {
    /// Evenly in -2..2.
    Uniform,
    /// Mostly as `Uniform`; some elements hundreds of times larger or smaller, some partners nearly equal, some zero.
    Mixed,
    /// Each pair (1, 0).
    First,
    /// Each pair (0, 1).
    Second,
    /// Token t has 1 on channel t modulo head_dim, and 0 elsewhere.
    Channel,
    /// One output of each pair nearly vanishes.
    Cancel,
    /// Numbers near both ends of the type's range, side by side in one pair.
    Extremes,
    /// One output of each pair lies near the middle between two numbers of the type.
    Ties,
    /// Below the smallest normal number.
    Subnormal,
    /// Powers of two and what lies just above them.
    Powers,
    /// Half of the pairs near the largest number: results overflow in part.
    Overflow,
    /// As `Mixed`, with NaN or infinities in one pair of eight, on one channel or on both.
    NotFinite,
}

/// A packed [batch, token, head, channel] tensor of values that the storage type holds exactly.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Tensor(Array4<f64>);

impl Tensor {
    /// All zero.
    #[must_use]
    pub fn zeros(shape: [usize; 4]) -> Self {
        Tensor(Array4::zeros(shape))
    }

    /// Batch, tokens, heads, channels.
    #[must_use]
    pub fn shape(&self) -> [usize; 4] {
        self.0.dim().into()
    }

    /// All values, channels fastest.
    #[must_use]
    pub fn values(&self) -> &[f64] {
        // Never transposed or sliced, so always in standard layout.
        self.0.as_slice().unwrap_or_default()
    }

    /// The same, to be written.
    pub fn values_mut(&mut self) -> &mut [f64] {
        self.0.as_slice_mut().unwrap_or_default()
    }

    /// The channels of one head of one token.
    #[must_use]
    pub fn row(&self, b: usize, t: usize, h: usize) -> &[f64] {
        let (start, channels) = self.start(b, t, h);
        &self.values()[start..start + channels]
    }

    /// The same, to be written.
    pub fn row_mut(&mut self, b: usize, t: usize, h: usize) -> &mut [f64] {
        let (start, channels) = self.start(b, t, h);
        &mut self.values_mut()[start..start + channels]
    }

    fn start(&self, b: usize, t: usize, h: usize) -> (usize, usize) {
        let [_, tokens, heads, channels] = self.shape();
        (((b * tokens + t) * heads + h) * channels, channels)
    }

    /// This tensor with `tokens` tokens of ones in front of every row.
    #[must_use]
    pub fn pushed_back(&self, tokens: usize) -> Self {
        let [batch, _, heads, channels] = self.shape();
        let front = Array4::ones([batch, tokens, heads, channels]);
        // The shapes agree on every axis but the one joined; a mismatch could only leave the tensor as it is.
        let joined = ndarray::concatenate(Axis(1), &[front.view(), self.0.view()]);
        // Of several rows it has the tokens outermost; everything here counts on the standard layout.
        joined.map_or_else(|_| self.clone(), |joined| Tensor(joined.as_standard_layout().into_owned()))
    }
}

/// Channels of pair `i`, inside the rotary width of `rotary_dim` channels from `offset`.
#[must_use]
pub fn channels_of_pair(pairing: Pairing, rotary_dim: usize, offset: usize, i: usize) -> (usize, usize) {
    match pairing {
        Pairing::Half => (offset + i, offset + i + rotary_dim / 2),
        Pairing::Adjacent => (offset + 2 * i, offset + 2 * i + 1),
    }
}

/// Evenly in [-2, 2), on the grid of a type with 8 bits of precision or of the type itself.
pub(super) fn uniform(rng: &mut Rng, dtype: DType) -> f64 {
    dtype.round(4.0 * rng.unit() - 2.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Found by fuzzing: checks that go on from a first call had nothing to read where a batch has several rows.
    #[test]
    fn rows_that_are_pushed_back_stay_where_they_are_looked_for() {
        let mut tensor = Tensor::zeros([2, 3, 2, 4]);
        tensor.values_mut().iter_mut().zip(2u8..).for_each(|(value, n)| *value = f64::from(n));
        for by in [0, 1, 5] {
            let later = tensor.pushed_back(by);
            assert_eq!(later.shape(), [2, 3 + by, 2, 4]);
            for (b, t, h) in (0..2).flat_map(|b| (0..3).flat_map(move |t| (0..2).map(move |h| (b, t, h)))) {
                assert_eq!(later.row(b, t + by, h), tensor.row(b, t, h), "row {b}, token {t}, head {h}");
            }
            assert!((0..by).all(|t| later.row(1, t, 1) == [1.0; 4]));
        }
    }
}
