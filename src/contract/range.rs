//! Outputs that are infinite or NaN: where an honest kernel may write them.

use crate::numeric::DType;

use super::arithmetic::Scaling;
use super::forms::{FormBound, FormInputs};
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

/// A factor of a product.
#[derive(Debug, Clone, Copy)]
struct RangeFactor {
    exact: f64,
    /// How far the kernel's may be from it.
    error: f64,
    /// Its largest magnitude, without the scaling of inputs or outputs.
    most: f64,
    /// It may be infinite.
    infinite: bool,
}

/// What is multiplied by it: an input, or the sum of two.
#[derive(Debug, Clone, Copy)]
struct RangeInput {
    value: f64,
    /// Its largest magnitude, with the scaling of inputs.
    size: f64,
    infinite: bool,
    may_be_zero: bool,
    /// Its sign is not that of the exact value for certain.
    any_sign: bool,
    nan: bool,
}

/// One of the two terms that are summed.
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
        let threshold = |t: Option<DType>| t.map_or(f64::INFINITY, DType::overflow_threshold);
        let m = pair.turn.cos.hypot(pair.turn.sin);
        let by = pair.scaled.map_or(1.0, |s| s.by);
        // A narrow operation that is done in f32 first reaches the threshold a little earlier.
        let reaches = |v: f64, dtype: Option<DType>| match dtype {
            None => false,
            Some(_) => v * (1.0 + 1.0 / f64::from(1 << 23)) >= threshold(dtype).min(DType::F32.overflow_threshold()),
        };
        // How far a kernel's factor may be from the exact one, which is larger where the sign is certain.
        let flushed_factor = if types.flushes { DType::F32.min_normal() } else { 0.0 };
        let error = |i: usize| m * (pair.shift + pair.versine) + pair.trig[i] + pair.table[i] + flushed_factor;
        // What is kept before it is scaled is a cosine or a sine, and fits every table.
        let kept = if types.scaling == Scaling::Table { None } else { types.table };
        let factor = |i: usize| {
            let (exact, most) = ([pair.turn.cos, pair.turn.sin][i], pair.most[i] / by * UP);
            let infinite = pair.scaled.is_none() && (reaches(most, kept) || reaches(most, types.scaled));
            RangeFactor { exact, error: error(i), most, infinite }
        };
        let form = FormInputs { types, scaled: pair.scaled.as_ref(), inputs };
        let scales_inputs = pair.scaled.is_some_and(|s| !s.outputs);
        let input = |value: f64| {
            let size = form.size(value) + form.error(value);
            let infinite = scales_inputs && reaches(size, types.scaled_result());
            let may_be_zero = value == 0.0 || (types.flushes && value.abs() < types.storage.min_normal());
            RangeInput { value, size, infinite, may_be_zero, any_sign: false, nan: false }
        };
        let term = |input: RangeInput, factor: RangeFactor| {
            let any_sign = input.any_sign || factor.exact.abs() <= factor.error;
            let infinite = factor.infinite || input.infinite || reaches(input.size * factor.most, types.arithmetic);
            let infinite = infinite && (input.value != 0.0 || input.any_sign);
            let sign = usize::from((input.value < 0.0) != (factor.exact < 0.0));
            let times_zero = input.infinite && factor.exact.abs() <= factor.error;
            let mut term = RangeTerm {
                nan: input.nan || (factor.infinite && input.may_be_zero) || times_zero,
                ..RangeTerm::default()
            };
            term.infinite[sign] = infinite;
            term.infinite[1 - sign] = infinite && any_sign;
            term
        };
        // first = a cos - b sin, second = b cos + a sin.
        let (of_cos, of_sin) = if second { (inputs.1, inputs.0) } else { (inputs.0, -inputs.1) };
        let terms = match &pair.form {
            FormBound::FourProducts => [term(input(of_cos), factor(0)), term(input(of_sin), factor(1))],
            FormBound::ThreeProducts(three) => {
                let (cos, sin) = (factor(0), factor(1));
                let (size, rounding) = form.sum();
                let (a, b) = (input(inputs.0), input(inputs.1));
                let sum = RangeInput {
                    value: inputs.0 + inputs.1,
                    size: size + rounding,
                    infinite: a.infinite || b.infinite || reaches(size + rounding, types.arithmetic),
                    // Two inputs of opposite signs, of which flushing takes one.
                    may_be_zero: types.flushes || inputs.0 + inputs.1 == 0.0,
                    any_sign: form.size(inputs.0 + inputs.1) <= form.error(inputs.0) + form.error(inputs.1),
                    nan: a.infinite && b.infinite && (inputs.0 < 0.0) != (inputs.1 < 0.0),
                };
                // c + s for the first output, and s - c for the second.
                let most = form.unscaled(three.most[usize::from(second)]);
                let both = RangeFactor {
                    exact: if second { sin.exact - cos.exact } else { sin.exact + cos.exact },
                    error: cos.error + sin.error + by * types.step(most),
                    most: most + types.step(most),
                    infinite: cos.infinite
                        || sin.infinite
                        || (pair.scaled.is_none() && reaches(most, types.arithmetic)),
                };
                [term(sum, cos), term(input(of_sin), both)]
            }
            FormBound::Shears(shears) => {
                let (_, sheared) = form.first_shear(shears);
                let input_overflows = input(inputs.0).infinite || input(inputs.1).infinite;
                // a + t b, then its product with s.
                let first = reaches(sheared * shears.sine.max(1.0), types.arithmetic) || input_overflows;
                let (y, z) = pair.turn.apply(inputs.0, inputs.1);
                let taken = form.before(z.abs() + pair.allowance(types, true, inputs, z, y).total());
                // The first output takes the second one in, before that is stored.
                let overflows = first || (!second && reaches(taken * shears.tangent.max(1.0), types.arithmetic));
                let nothing = factor(1).exact.abs() <= factor(1).error;
                let nan = overflows && (!second || nothing || input_overflows);
                [RangeTerm { infinite: [overflows; 2], nan }, RangeTerm::default()]
            }
        };
        let scales_outputs = pair.scaled.is_some_and(|s| s.outputs);
        Self { types, value, allowed, terms, by, scales_outputs }
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
        let cut_off = |dtype: DType| observed.abs() == dtype.max_finite() && size >= dtype.max_finite();
        let between = self.types.arithmetic.or(self.types.scaled_result());
        self.types.truncates
            && ((narrow && product)
                || cut_off(self.types.output)
                || between == Some(self.types.storage) && cut_off(self.types.storage))
    }

    /// Smallest |y| that can become infinite on its way out.
    fn overflow(&self) -> f64 {
        let types = self.types;
        let threshold = |t: Option<DType>| t.map_or(f64::INFINITY, DType::overflow_threshold);
        let written = threshold(Some(types.output));
        if !self.scales_outputs {
            return written.min(threshold(types.arithmetic));
        }
        let before = if types.scaled == Some(types.storage) { threshold(types.scaled) } else { f64::INFINITY };
        let before = before.min(threshold(types.arithmetic)) * self.by;
        written.min(threshold(types.scaled_result())).min(before)
    }
}
