//! How far an honest kernel may be from the reference, element by element. `docs/numerics.md` derives every term.

use crate::numeric::{DType, Dd};

use super::contract::{Contract, F32_ROUNDING, Kept};
use super::reference::{Turn, factor_error};

/// Types that a contract means for one storage type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Types {
    /// Type of the tensors.
    pub storage: DType,
    /// Type of products and sums; `None`: exact.
    pub arithmetic: Option<DType>,
    /// Type of cos and sin; `None`: exact.
    pub table: Option<DType>,
    /// Whether subnormals may become zero.
    pub flushes: bool,
}

impl Types {
    /// The types of `contract` for tensors of type `storage`.
    #[must_use]
    pub fn new(contract: &Contract, storage: DType) -> Self {
        let class = &contract.class;
        let (arithmetic, table) = (class.arithmetic.dtype(storage), class.table.dtype(storage));
        Self { storage, arithmetic, table, flushes: class.flushes }
    }

    /// Error of one rounding to `dtype` of a value up to |v|.
    fn rounding(&self, dtype: DType, v: f64) -> f64 {
        if self.flushes { dtype.half_ulp_flushing(v) } else { dtype.half_ulp(v) }
    }

    /// Error of one operation whose exact result is up to |v|. Narrow types may be computed in f32 and rounded again.
    fn operation(&self, v: f64) -> f64 {
        match self.arithmetic {
            None => 0.0,
            Some(DType::F32) => self.rounding(DType::F32, v),
            Some(narrow) => {
                let wide = self.rounding(DType::F32, v);
                wide + self.rounding(narrow, v + wide)
            }
        }
    }

    /// Whether the sum is rounded again when it is stored.
    pub(super) fn stores(&self) -> bool {
        self.arithmetic != Some(self.storage)
    }

    /// Smallest result of an operation that can become infinite.
    fn overflow(&self) -> f64 {
        self.arithmetic.map_or(f64::INFINITY, DType::overflow_threshold).min(self.storage.overflow_threshold())
    }
}

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
    /// Largest magnitudes of the kernel's factors.
    pub most: [f64; 2],
    /// Errors of the reference's own factors.
    pub reference: [f64; 2],
}

impl PairBound {
    /// The bound at `position * inv_freq`; `steps` is `contract.frequencies.steps(..)` for that frequency.
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
        };
        if !g.is_finite() {
            // The kernel's angle may overflow: nothing can be said.
            pair.most = [f64::INFINITY; 2];
            return pair;
        }
        let scaled = scaling != 1.0 && contract.class.table != Kept::Exact;
        // Multiplying by a power of two rounds only among the subnormals.
        let power_of_two = scaling.to_bits().trailing_zeros() >= 52;
        let scaling_error = if DType::F32.holds(scaling) { 0.0 } else { F32_ROUNDING };
        for (i, factor) in factors.into_iter().enumerate() {
            // |cos| of the kernel's angle; the sine and cosine of an f32 other than 0 are below 1.
            let unscaled = if scaling == 1.0 { factor.abs() } else { factor.abs() / m };
            let size = (unscaled + shift + pair.reference[i] / m).min(1.0);
            let mut trig = m * trig_error(contract, types, size);
            if scaled {
                // (v + trig) * m (1 + u), rounded.
                trig += scaling_error * (trig + m * size);
                trig += types.rounding(DType::F32, if power_of_two { 0.0 } else { m * size + trig });
            }
            let table = match types.table {
                None | Some(DType::F32) => 0.0,
                Some(narrow) => types.rounding(narrow, m * size + trig),
            };
            pair.trig[i] = trig;
            pair.table[i] = table;
            pair.most[i] = m * size + trig + table;
        }
        pair
    }

    /// The bound where the suite supplied cos and sin (scaling included), as numbers of f32 or of the storage type.
    #[must_use]
    pub fn of_table(types: &Types, cos: f64, sin: f64) -> Self {
        let factors = [cos, sin];
        let table = factors.map(|factor| match types.table {
            Some(narrow) if !narrow.holds(factor) => types.rounding(narrow, factor),
            _ => 0.0,
        });
        let most = [cos.abs() + table[0], sin.abs() + table[1]];
        let reference = factors.map(|factor| factor_error(factor, 0.0, 0.0));
        Self { turn: Turn { cos, sin }, shift: 0.0, versine: 0.0, trig: [0.0; 2], table, most, reference }
    }

    /// Bound of the first output of (a, b), or of the second with `second`; `value` is the reference's value of it and
    /// `partner` that of the other output.
    #[must_use]
    pub fn allowance(&self, types: &Types, second: bool, inputs: (f64, f64), value: f64, partner: f64) -> Allowance {
        // first = a cos - b sin, second = b cos + a sin: the input of cos, then that of sin.
        let (of_cos, of_sin) = if second { (inputs.1, inputs.0) } else { inputs };
        let (of_cos, of_sin, value, partner) = (of_cos.abs(), of_sin.abs(), value.abs(), partner.abs());
        let angle = self.shift * partner + self.versine * value;
        let mut trig = of_cos * self.trig[0] + of_sin * self.trig[1];
        if types.flushes {
            // An input that is subnormal may count as 0.
            trig += types.storage.min_normal() * (self.most[0] + self.most[1]);
        }
        let table = of_cos * self.table[0] + of_sin * self.table[1];
        let products = types.operation(of_cos * self.most[0]) + types.operation(of_sin * self.most[1]);
        let before = angle + trig + table + products;
        let sum = types.operation(value + before);
        let before = before + sum;
        let store = if types.stores() { types.rounding(types.storage, value + before) } else { 0.0 };
        let reference = of_cos * self.reference[0] + of_sin * self.reference[1] + EVALUATION * (before + store);
        Allowance { angle, trig, table, products, sum, store, reference }
    }

    /// Judges one observed value. `Pass` means |observed - reference| <= allowance.
    #[must_use]
    pub fn judge(&self, types: &Types, second: bool, inputs: (f64, f64), observed: f64) -> Judgement {
        if !(inputs.0.is_finite() && inputs.1.is_finite()) {
            return Judgement::InputNotFinite;
        }
        let (first, other) = self.turn.apply(inputs.0, inputs.1);
        let (value, partner) = if second { (other, first) } else { (first, other) };
        if !(value.is_finite() && partner.is_finite() && self.most[0].is_finite() && self.most[1].is_finite()) {
            return Judgement::RangeNotJudged;
        }
        let allowed = self.allowance(types, second, inputs, value, partner).total();
        if observed.is_finite() {
            let ratio = (observed - value).abs() / allowed;
            // Written so that a NaN is no pass.
            return if ratio <= 1.0 { Judgement::Pass { ratio } } else { Judgement::Fail };
        }
        if self.may_overflow(types, second, inputs, value, allowed, observed) {
            Judgement::RangeNotJudged
        } else {
            Judgement::Fail
        }
    }

    /// Whether an honest kernel may write `observed`, which is infinite or NaN, although the inputs are finite.
    fn may_overflow(
        &self,
        types: &Types,
        second: bool,
        inputs: (f64, f64),
        value: f64,
        allowed: f64,
        observed: f64,
    ) -> bool {
        let (of_cos, of_sin) = if second { (inputs.1, inputs.0) } else { inputs };
        let limit = types.arithmetic.map_or(f64::INFINITY, DType::overflow_threshold);
        let factor_limit =
            types.table.map_or(f64::INFINITY, |t| t.overflow_threshold().min(DType::F32.overflow_threshold()));
        let factor = self.most.map(|most| most >= factor_limit);
        let product = [of_cos.abs() * self.most[0] >= limit, of_sin.abs() * self.most[1] >= limit];
        let infinite = [product[0] || factor[0], product[1] || factor[1]];
        if observed.is_nan() {
            // Infinity minus infinity, or infinity times 0.
            let flushed = if types.flushes { types.storage.min_normal() } else { 0.0 };
            let zero = |input: f64| input == 0.0 || input.abs() < flushed;
            return (infinite[0] && infinite[1]) || (factor[0] && zero(of_cos)) || (factor[1] && zero(of_sin));
        }
        // A product may have either sign only together with the other one; either is granted.
        infinite[0] || infinite[1] || value * observed.signum() + allowed >= types.overflow()
    }
}

/// Rounding of the bound itself in f64: ten operations at 2^-53, and far more.
const EVALUATION: f64 = 1.0 / (1u64 << 46) as f64;

/// Error of a library's sine or cosine whose exact value is up to `size` <= 1.
fn trig_error(contract: &Contract, types: &Types, size: f64) -> f64 {
    let class = &contract.class;
    if class.trig_ulps == 0.0 && class.trig_error == 0.0 {
        return 0.0;
    }
    // Just below 1 an ulp is half of that at 1, and exactly 1 is met by every library.
    let ulp = 2.0 * DType::F32.half_ulp(size.min(1.0f64.next_down()));
    let error = class.trig_ulps * ulp;
    class.trig_error + if types.flushes { error.max(DType::F32.min_normal()) } else { error }
}

/// A bound, by the reason that each part of it exists for.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Allowance {
    /// The kernel's angle is an f32, as is its frequency.
    pub angle: f64,
    /// Its sine and cosine, and their scaling.
    pub trig: f64,
    /// Keeping these in a narrow table.
    pub table: f64,
    /// Rounding the two products.
    pub products: f64,
    /// Rounding their sum.
    pub sum: f64,
    /// Rounding to the storage type.
    pub store: f64,
    /// The reference's own error.
    pub reference: f64,
}

impl Allowance {
    /// The whole bound.
    #[must_use]
    pub fn total(&self) -> f64 {
        self.angle + self.trig + self.table + self.products + self.sum + self.store + self.reference
    }

    /// The parts by name, largest first.
    #[must_use]
    pub fn parts(&self) -> [(&'static str, f64); 7] {
        let mut parts = [
            ("angle", self.angle),
            ("trig", self.trig),
            ("table", self.table),
            ("products", self.products),
            ("sum", self.sum),
            ("store", self.store),
            ("reference", self.reference),
        ];
        parts.sort_by(|a, b| b.1.total_cmp(&a.1));
        parts
    }
}

/// What becomes of one element.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Judgement {
    /// Within the bound; error / bound.
    Pass {
        /// 0 to 1.
        ratio: f64,
    },
    /// Not what an honest kernel can write.
    Fail,
    /// Infinite or NaN where an honest kernel may overflow.
    RangeNotJudged,
    /// An input is infinite or NaN: this pair's outputs are free.
    InputNotFinite,
}

/// By how much output y for (a, b) may differ from p1 + p2, the outputs for (a, 0) and (0, b) at the same position, whatever
/// the angle, for every kernel that rounds to nearest and applies no scaling; all three finite.
#[must_use]
pub fn superposition_allowance(types: &Types, y: f64, p1: f64, p2: f64) -> f64 {
    // Rounding is monotone, so a result in a binade was in it, or at its upper end, before it was rounded: the roundings of
    // the products, the sum and the store are each at most what they are at the result.
    [y, p1, p2]
        .iter()
        .map(|v| types.operation(v.abs()) + if types.stores() { types.rounding(types.storage, *v) } else { 0.0 })
        .sum()
}
