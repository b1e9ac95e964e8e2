//! Where a kernel rotates by three products or by shears: which magnitudes it meets on its way to a pair of
//! outputs, and how far it is from linear.

use super::forms::{FormBound, FormInputs};
use super::pair_bound::PairBound;
use super::types::Types;

impl PairBound {
    /// By how much the sum of the outputs for (a, 0) and (0, b) may differ from that for (a, b), for kernels
    /// that apply no scaling: each is within its own roundings of what the kernel's factors give, which are
    /// the same in all three calls.
    #[must_use]
    pub fn superposition(&self, types: &Types, second: bool, (a, b): (f64, f64)) -> f64 {
        let roundings = |inputs: (f64, f64)| {
            let (y, z) = self.turn.apply(inputs.0, inputs.1);
            let (value, partner) = if second { (z, y) } else { (y, z) };
            self.allowance(types, second, inputs, value, partner).beside_factors()
        };
        // Where inputs are 0, what is left of trig is what flushing costs.
        let flushed = if types.flushes { 3.0 * self.allowance(types, second, (0.0, 0.0), 0.0, 0.0).trig } else { 0.0 };
        roundings((a, b)) + roundings((a, 0.0)) + roundings((0.0, b)) + flushed
    }

    /// Least and largest magnitudes of what is neither an input, nor an output, nor a product with a cosine
    /// or sine that four products have too; of none that is 0 whatever is rounded. Where a least one is not
    /// above 0 it may be anything.
    #[must_use]
    pub fn passed(&self, types: &Types, inputs: (f64, f64)) -> Vec<(f64, f64)> {
        let (a, b) = inputs;
        let form = FormInputs { types, scaled: self.scaled.as_ref(), inputs };
        let error = |i: usize| {
            self.turn.cos.hypot(self.turn.sin) * self.shift + self.trig[i] + self.table[i] + self.reference[i]
        };
        let [cos, sin] = [self.turn.cos, self.turn.sin].map(f64::abs);
        let mut all = Vec::new();
        let mut product = |(low, high): (f64, f64), (least, most): (f64, f64)| all.push((low * least, high * most));
        let size = |input: f64| {
            let (size, error) = (form.size(input), form.error(input));
            (size - error, size + error)
        };
        match &self.form {
            FormBound::FourProducts => {}
            FormBound::ThreeProducts(three) => {
                let of_cos = (form.unscaled(cos - error(0)), form.unscaled(self.most[0]));
                if a + b != 0.0 || form.error(a) + form.error(b) > 0.0 {
                    let (high, rounding) = form.sum();
                    let low = form.size(a + b) - form.error(a) - form.error(b) - rounding;
                    product((low, high + rounding), (1.0, 1.0));
                    product((low, high + rounding), of_cos);
                }
                let exact = [self.turn.cos + self.turn.sin, self.turn.sin - self.turn.cos].map(f64::abs);
                for (i, input) in [b, a].into_iter().enumerate().filter(|(_, input)| *input != 0.0) {
                    let high = form.unscaled(three.most[i]);
                    let rounding = types.step(high);
                    let low = form.unscaled(exact[i] - error(0) - error(1)) - rounding;
                    product(size(input), (low, high + rounding));
                }
            }
            FormBound::Shears(shears) => {
                let [cos, sin] = [cos, sin].map(|v| form.unscaled(v));
                let (error, high) = form.first_shear(shears);
                let moved = self.shift + shears.tangent_error;
                let half = sin / (1.0 + cos);
                let tangent = (half - moved, shears.tangent);
                let of_sine =
                    (form.unscaled(self.turn.sin.abs() - self.trig[1] - self.table[1]) - self.shift, shears.sine);
                if b != 0.0 {
                    product(size(b), tangent);
                }
                // Near a quarter turn either sign may be taken off.
                let sign = if (self.turn.cos < 0.0) == (self.turn.sin < 0.0) { -1.0 } else { 1.0 };
                let sure = cos > self.shift + form.unscaled(self.trig[0] + self.table[0]);
                let off = form.error(a) + form.error(b) + form.size(b) * moved + error;
                let low = if b == 0.0 {
                    size(a).0
                } else if sure {
                    form.size(a + sign * half * b) - off
                } else {
                    0.0
                };
                product((low, high), (1.0, 1.0));
                product((low, high), of_sine);
                let (y, z) = self.turn.apply(a, b);
                let allowed = self.allowance(types, true, inputs, z, y).total();
                product((form.before(z.abs() - allowed), form.before(z.abs() + allowed)), tangent);
            }
        }
        all
    }
}
