//! Outputs that are infinite or NaN: where an honest kernel may write them.

use crate::numeric::DType;

use super::arithmetic::Scaling;
use super::pair_bound::PairBound;
use super::types::Types;
use super::types::UP;

/// Which infinities and NaN an honest kernel may write, although its inputs are finite.
pub(super) struct OverflowRange<'a> {
    types: &'a Types,
    value: f64,
    allowed: f64,
    /// The terms that are summed: which infinities each may be.
    terms: [RangeTerm; 2],
    /// Scaled outputs: what one of 1 was before.
    by: f64,
    scales_outputs: bool,
}

/// One of the two products.
#[derive(Debug, Clone, Copy, Default)]
struct RangeTerm {
    /// It may be infinite with the sign +, with the sign -.
    infinite: [bool; 2],
    /// It may be infinity times 0.
    nan: bool,
}

impl<'a> OverflowRange<'a> {
    pub(super) fn new(
        pair: &PairBound,
        types: &'a Types,
        second: bool,
        inputs: (f64, f64),
        value: f64,
        allowed: f64,
    ) -> Self {
        // first = a cos - b sin, second = b cos + a sin.
        let (of_cos, of_sin) = if second { (inputs.1, inputs.0) } else { (inputs.0, -inputs.1) };
        let m = pair.turn.cos.hypot(pair.turn.sin);
        let by = pair.scaled.map_or(1.0, |s| s.by);
        let threshold = |t: Option<DType>| t.map_or(f64::INFINITY, DType::overflow_threshold);
        // A narrow operation that is done in f32 first reaches the threshold a little earlier.
        let reaches = |v: f64, dtype: Option<DType>| match dtype {
            None => false,
            Some(_) => v * (1.0 + 1.0 / f64::from(1 << 23)) >= threshold(dtype).min(DType::F32.overflow_threshold()),
        };
        let term = |input: f64, i: usize| {
            let (factor, most) = ([pair.turn.cos, pair.turn.sin][i], pair.most[i] / by * UP);
            // How far the kernel's factor may be from the exact one, which is larger where the sign is certain.
            let flushed_factor = if types.flushes { DType::F32.min_normal() } else { 0.0 };
            let error = m * (pair.shift + pair.versine) + pair.trig[i] + pair.table[i] + flushed_factor;
            let any_sign = factor.abs() <= error;
            // What is kept before it is scaled is a cosine or a sine, and fits every table.
            let kept = if types.scaling == Scaling::Table { None } else { types.table };
            let infinite_factor = pair.scaled.is_none() && (reaches(most, kept) || reaches(most, types.scaled));
            let scales_input = pair.scaled.filter(|s| !s.outputs);
            let size = scales_input.map_or(input.abs(), |s| s.by * input.abs() + s.cost(types, input.abs()));
            let infinite_input = scales_input.is_some() && reaches(size, types.scaled_result());
            let flushed = types.flushes && input.abs() < types.storage.min_normal();
            let infinite = infinite_factor || infinite_input || reaches(size * most, types.arithmetic);
            let infinite = infinite && input != 0.0;
            let sign = usize::from((input < 0.0) != (factor < 0.0));
            let mut term = RangeTerm {
                nan: (infinite_factor && (input == 0.0 || flushed)) || (infinite_input && any_sign),
                ..RangeTerm::default()
            };
            term.infinite[sign] = infinite;
            term.infinite[1 - sign] = infinite && any_sign;
            term
        };
        let scales_outputs = pair.scaled.is_some_and(|s| s.outputs);
        Self { types, value, allowed, terms: [term(of_cos, 0), term(of_sin, 1)], by, scales_outputs }
    }

    /// Whether the kernel may have written this.
    pub(super) fn may_be(&self, observed: f64) -> bool {
        let [first, second] = self.terms;
        if observed.is_nan() {
            // Infinity times 0, or infinity minus infinity.
            let opposite = |i: usize| first.infinite[i] && second.infinite[1 - i];
            return first.nan || second.nan || opposite(0) || opposite(1);
        }
        let sign = observed.signum();
        let size = self.value * sign + self.allowed;
        if observed.is_infinite() {
            let one = usize::from(sign < 0.0);
            return first.infinite[one] || second.infinite[one] || size >= self.overflow();
        }
        // Dropping low bits never gives infinity: what is too large becomes the largest number, in narrow arithmetic before
        // the sum already.
        let narrow = self.types.arithmetic == Some(self.types.storage);
        let product = [first, second].iter().any(|term| term.infinite != [false; 2]);
        let largest = self.types.storage.max_finite();
        self.types.truncates && ((narrow && product) || (observed.abs() == largest && size >= largest))
    }

    /// Smallest |y| that can become infinite on its way out.
    fn overflow(&self) -> f64 {
        let types = self.types;
        let threshold = |t: Option<DType>| t.map_or(f64::INFINITY, DType::overflow_threshold);
        let written = threshold(Some(types.storage));
        if !self.scales_outputs {
            return written.min(threshold(types.arithmetic));
        }
        let before = if types.scaled == Some(types.storage) { written } else { f64::INFINITY };
        let before = before.min(threshold(types.arithmetic)) * self.by;
        written.min(threshold(types.scaled_result())).min(before)
    }
}
