//! How far an honest kernel may be from the reference, for the two outputs of a pair. `docs/numerics.md` derives every term.

use crate::numeric::{DType, Dd};

use super::allowance::Allowance;
use super::arithmetic::AngleUnit;
use super::arithmetic::Contract;
use super::arithmetic::F32_ROUNDING;
use super::arithmetic::Rotation;
use super::arithmetic::Scaling;
use super::forms::{FormBound, FormInputs, ShearSource, Shears, ThreeProducts};
use super::precision::Precision;
use super::types::F64_COST;
use super::types::ScaledValues;
use super::types::Types;
use super::types::UP;
use crate::rotation::reference::Turn;
use crate::rotation::reference::factor_error;

/// Rounding of the bound itself in f64: ten operations at 2^-53, and far more.
const EVALUATION: f64 = 1.0 / (1u64 << 46) as f64;

/// What an honest kernel's factors may be, for one pair of one token.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PairBound {
    /// The exact factors.
    pub turn: Turn,
    /// sin of the largest angle error, or 1.
    pub shift: f64,
    /// 1 - cos of the largest angle error, or 2.
    pub versine: f64,
    /// Errors of the factors cos and sin, for the kernel's own angle: of the function and the scaling.
    pub trig: [f64; 2],
    /// The same: of keeping them in the table's type.
    pub table: [f64; 2],
    /// Largest magnitudes of the kernel's factors (times the scaling, wherever it is applied).
    pub most: [f64; 2],
    /// Errors of the reference's own factors.
    pub reference: [f64; 2],
    /// What the way the pair is rotated adds.
    pub form: FormBound,
    /// The scaling of inputs or outputs, if it is not 1 and not in the factors.
    pub scaled: Option<ScaledValues>,
    /// The angle may be beyond what the contract claims anything for.
    pub beyond_limit: bool,
    /// The contract bounds the angle's error by nothing.
    pub too_wide: bool,
}

impl PairBound {
    /// The bound at `position * inv_freq`; `steps` is [`Contract::steps`] for that frequency.
    #[must_use]
    pub fn new(
        contract: &Contract,
        types: &Types,
        steps: f64,
        inv_freq: f64,
        position: Dd,
        scaling: f64,
        forward: bool,
    ) -> Self {
        let turn = Turn::new(position, inv_freq, scaling, forward);
        let g = contract.angle_error(steps, inv_freq, position);
        let angle = position.hi * inv_freq;
        let m = scaling.abs();
        // As many turns as the kernel's position says, which may have been rounded up.
        let turns = position.hi.abs() * (1.0 + 2.0 * F32_ROUNDING * contract.class.position_roundings);
        let spread = contract.class.trig_error_per_position * turns;
        let too_wide = !(g.is_finite() && spread <= contract.class.most_spread());
        let (shift, versine) = (g.min(1.0), (0.5 * g * g).min(2.0));
        let factors = [turn.cos, turn.sin];
        let mut pair = Self {
            turn,
            shift,
            versine,
            trig: [0.0; 2],
            table: [0.0; 2],
            most: factors.map(f64::abs),
            reference: factors.map(|factor| factor_error(factor, scaling, angle)),
            form: FormBound::FourProducts,
            scaled: None,
            beyond_limit: contract.class.angle_limit.is_some_and(|limit| angle.is_nan() || angle.abs() + g > limit),
            too_wide,
        };
        let scaling_overflows = types.scaled.is_some_and(|t| m.is_nan() || m >= t.overflow_threshold());
        if too_wide || scaling_overflows {
            // The kernel's angle, or its scaling, may overflow: nothing can be said.
            pair.most = [f64::INFINITY; 2];
            return pair;
        }
        // Multiplying by a power of two rounds only among the subnormals, if what it multiplies is in the product's type.
        let source = match types.scaling {
            Scaling::Factors | Scaling::Table => types.table,
            Scaling::Inputs => Some(types.storage),
            Scaling::Outputs => types.arithmetic,
        };
        let in_type = source.is_some() || types.scaled.is_some_and(|t| t != DType::F32);
        let power_of_two = in_type && scaling.to_bits().trailing_zeros() >= 52;
        let error = types.scaled.map_or(0.0, |t| if t.holds(scaling) { 0.0 } else { t.half_ulp(scaling) });
        let values = ScaledValues { outputs: types.scaling == Scaling::Outputs, by: m, error, power_of_two };
        let in_factors = contract.class.scales_factors() || scaling == 1.0 || m == 0.0;
        let table_first = types.scaling == Scaling::Table && scaling != 1.0;
        pair.scaled = (!in_factors).then_some(values);
        for (i, factor) in factors.into_iter().enumerate() {
            // |cos| of the kernel's angle; the sine and cosine of a float other than 0 are below 1.
            let unscaled = if scaling == 1.0 || m == 0.0 { factor.abs() } else { factor.abs() / m * UP };
            let size = (unscaled + shift + pair.reference[i] / m).min(1.0);
            let mut trig = trig_error(contract, types, size, spread);
            let narrow_table = types.table.filter(|t| *t != DType::F32);
            if table_first {
                // (v + trig + kept) (m + error), rounded: the table keeps what is not scaled yet.
                let mut kept = narrow_table.map_or(0.0, |narrow| types.rounding(narrow, size + trig));
                if types.scaled.is_some_and(|t| t != DType::F32 && Some(t) != types.table) {
                    kept += types.store_between(size + trig + kept);
                }
                let cost = scale_cost(types, &values, size + trig + kept);
                pair.trig[i] = m * trig + cost;
                pair.table[i] = m * kept;
                pair.most[i] = m * size + pair.trig[i] + pair.table[i];
                continue;
            }
            if in_factors && scaling != 1.0 {
                if types.scaled.is_some_and(|t| t != DType::F32) {
                    // Precision in the storage type before it is multiplied in it.
                    trig += types.store_between(size + trig);
                }
                // (v + trig) (m + error), rounded.
                trig = m * trig + scale_cost(types, &values, size + trig);
            } else {
                trig *= m;
            }
            let kept = match types.table {
                None | Some(DType::F32) => 0.0,
                // What was scaled in the storage type is in it already.
                Some(_) if in_factors && scaling != 1.0 && types.scaled == types.table => 0.0,
                Some(narrow) if in_factors => types.rounding(narrow, m * size + trig),
                Some(narrow) => m * types.rounding(narrow, size + trig / m * UP),
            };
            pair.trig[i] = trig;
            pair.table[i] = kept;
            pair.most[i] = m * size + trig + kept;
        }
        pair.set_form(contract, types, m);
        pair
    }

    /// What the way the pair is rotated adds, once all else is known.
    fn set_form(&mut self, contract: &Contract, types: &Types, m: f64) {
        match types.rotation {
            Rotation::FourProducts => {}
            Rotation::ThreeProducts => self.form = self.three_products(m),
            Rotation::Shears => {
                let unscaled = |errors: [f64; 2]| if m == 1.0 { errors } else { errors.map(|v| v / m * UP) };
                let [cos, sin] = [self.turn.cos, self.turn.sin].map(|v| if m == 1.0 { v.abs() } else { v.abs() / m });
                let [of_cos, of_sin] = unscaled(self.reference);
                let least = if types.flushes { DType::F32.min_normal() } else { 0.0 };
                let source = ShearSource {
                    exact: [(cos * UP + self.shift + of_cos).min(1.0), (sin * UP + self.shift + of_sin).min(1.0)],
                    least_cos: (cos / UP - self.shift - of_cos).max(0.0),
                    trig: unscaled(self.trig),
                    table: unscaled(self.table),
                    tangent: Some(ShearSource::of_library),
                    library: (contract.class.trig_ulps, contract.class.trig_error, least),
                };
                match Shears::new(types, &source) {
                    Some(shears) => self.form = FormBound::Shears(shears),
                    None => (self.too_wide, self.most) = (true, [f64::INFINITY; 2]),
                }
            }
        }
    }

    /// c + s and s - c: each of the two errs by no more than sin and cos of the angle's error, as far as both
    /// may move.
    fn three_products(&self, m: f64) -> FormBound {
        let Turn { cos, sin } = self.turn;
        let [trig, table, reference] = [self.trig, self.table, self.reference].map(|[cos, sin]| cos + sin);
        let error = 2.0 * m * self.shift + trig + table + reference;
        FormBound::ThreeProducts(ThreeProducts { most: [cos + sin, sin - cos].map(|v| v.abs() * UP + error) })
    }

    /// The bound where the suite supplied cos and sin (scaling included), as numbers of f32 or of the storage type.
    #[must_use]
    pub fn of_table(types: &Types, cos: f64, sin: f64) -> Self {
        let factors = [cos, sin];
        let table = factors.map(|factor| match types.table {
            Some(narrow) if !narrow.holds(factor) => types.rounding(narrow, factor),
            _ => 0.0,
        });
        let mut pair = Self {
            turn: Turn { cos, sin },
            shift: 0.0,
            versine: 0.0,
            trig: [0.0; 2],
            table,
            most: [cos.abs() + table[0], sin.abs() + table[1]],
            reference: factors.map(|factor| factor_error(factor, 0.0, 0.0)),
            form: FormBound::FourProducts,
            scaled: None,
            beyond_limit: false,
            too_wide: false,
        };
        match types.rotation {
            Rotation::FourProducts => {}
            Rotation::ThreeProducts => pair.form = pair.three_products(1.0),
            Rotation::Shears => match Shears::given(types, cos, sin, table) {
                Some(shears) => pair.form = FormBound::Shears(shears),
                None => (pair.too_wide, pair.most) = (true, [f64::INFINITY; 2]),
            },
        }
        pair
    }

    /// A part of the bound of an output of this value that costs little to know: its last rounding. 0 where less is
    /// known, or nothing is claimed.
    #[must_use]
    pub fn least_allowance(&self, types: &Types, value: f64) -> f64 {
        let claimed = !(self.beyond_limit || self.too_wide) && self.most.iter().all(|most| most.is_finite());
        if claimed && self.scaled.is_none() { types.last().half_ulp(value) } else { 0.0 }
    }

    /// Bound of the first output of (a, b), or of the second with `second`; `value` is the reference's value of it and
    /// `partner` that of the other output.
    #[must_use]
    pub fn allowance(&self, types: &Types, second: bool, inputs: (f64, f64), value: f64, partner: f64) -> Allowance {
        // first = a cos - b sin, second = b cos + a sin: the input of cos, then that of sin.
        let (of_cos, of_sin) = if second { (inputs.1, inputs.0) } else { inputs };
        let (of_cos, of_sin, value, partner) = (of_cos.abs(), of_sin.abs(), value.abs(), partner.abs());
        let form = FormInputs { types, scaled: self.scaled.as_ref(), inputs };
        if let FormBound::Shears(shears) = &self.form {
            let angle = |value: f64, partner: f64| self.shift * partner + self.versine * value;
            let values = if second { [partner, value] } else { [value, partner] };
            let angles = [angle(values[0], values[1]), angle(values[1], values[0])];
            let mut part = form.shears(shears, angles, second, values);
            part.reference = of_cos * self.reference[0] + of_sin * self.reference[1] + EVALUATION * part.total();
            return part;
        }
        let mut part = Allowance {
            angle: self.shift * partner + self.versine * value,
            trig: of_cos * self.trig[0] + of_sin * self.trig[1],
            table: of_cos * self.table[0] + of_sin * self.table[1],
            ..Allowance::default()
        };
        if types.flushes {
            // An input that is subnormal may count as 0.
            let uses = match &self.form {
                // In the sum and in its own product, which need not agree on that.
                FormBound::ThreeProducts(three) => 2.0 * self.most[0] + three.most[usize::from(second)],
                _ => self.most[0] + self.most[1],
            };
            part.trig += types.storage.min_normal() * uses;
        }
        let terms = (of_cos * self.most[0], of_sin * self.most[1]);
        let before = self.scaled.filter(|by| !by.outputs);
        // Each input is m x and an error; the kernel's factors are the unscaled ones.
        let error = |input: f64, most: f64| before.map_or(0.0, |by| by.cost(types, input) * most / by.by * UP);
        let errors = (error(of_cos, self.most[0]), error(of_sin, self.most[1]));
        part.scaling = errors.0 + errors.1;
        match &self.form {
            FormBound::ThreeProducts(three) => form.three_products(&mut part, three, self.most[0], second, value),
            _ => {
                let terms = (form.before(terms.0 + errors.0), form.before(terms.1 + errors.1));
                part.finish(types, self.scaled.as_ref(), Allowance::products(types, terms), value);
            }
        }
        let evaluation = EVALUATION * part.total();
        part.reference = of_cos * self.reference[0] + of_sin * self.reference[1] + evaluation;
        part
    }
}

/// Error of a factor times the scaling, in the scaling's own type.
fn scale_cost(types: &Types, values: &ScaledValues, size: f64) -> f64 {
    let product = size * (values.by + values.error);
    let rounded = match types.scaled {
        None => F64_COST * product,
        dtype => types.operation_in(dtype, if values.power_of_two { 0.0 } else { product }),
    };
    values.error * size + rounded
}

/// Error of a library's sine or cosine whose exact value is up to `size` <= 1.
fn trig_error(contract: &Contract, types: &Types, size: f64, spread: f64) -> f64 {
    let class = &contract.class;
    let kept = if class.table == Precision::Exact { F64_COST * size } else { 0.0 };
    // (1 + e)^p - 1 for p turns that each err by e of a length of 1.
    let kept = if spread == 0.0 { kept } else { kept + libm::expm1(spread) };
    if class.trig_ulps == 0.0 && class.trig_error == 0.0 {
        return kept;
    }
    // Just below 1 an ulp is half of that at 1. No float of radians but 0 has a cosine or sine of 1, and there every
    // library is exact; half a turn is a float, and its cosine -1 may err by ulps of 1.
    let most = if class.angle_unit == AngleUnit::Radians { 1.0f64.next_down() } else { 1.0 };
    let ulp = 2.0 * DType::F32.half_ulp(size.min(most));
    let error = class.trig_ulps * ulp;
    kept + class.trig_error + if types.flushes { error.max(DType::F32.min_normal()) } else { error }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::contracts;

    fn contract(class: &str) -> Contract {
        contracts().expect("the contracts load").contract(class, "table").expect("a class")
    }

    /// Cosines and sines that are given: what is kept of them in a narrow table is rounded to it, unless it is a number of it already.
    #[test]
    fn factors_that_are_given_are_rounded_once_where_the_table_is_narrower() {
        let third = f64::from(1.0f32 / 3.0);
        for storage in [DType::F16, DType::BF16] {
            let (wide, cached) = (Types::new(&contract("fused"), storage), Types::new(&contract("cached"), storage));
            assert_eq!((wide.table, cached.table), (Some(DType::F32), Some(storage)));
            let of = |types: &Types, cos: f64, sin: f64| PairBound::of_table(types, cos, sin);
            // Half an ulp in [1/4, 1/2): 2^-13 for f16, 2^-10 for bf16.
            let half = if storage == DType::F16 { 0.5f64.powi(13) } else { 0.5f64.powi(10) };
            assert_eq!(of(&cached, third, -0.5).table, [half, 0.0]);
            assert_eq!(of(&cached, third, -0.5).most, [third + half, 0.5]);
            assert_eq!(of(&cached, 0.75, third).table, [0.0, half]);
            assert_eq!(of(&wide, third, third).table, [0.0; 2]);
            assert_eq!(of(&cached, 0.75, -0.5).table, [0.0; 2]);
        }
    }
}
