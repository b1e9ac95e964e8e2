//! One kernel's arithmetic, operation by operation, each exact and then rounded as the contract says.
//!
//! Values are f64 that hold numbers of narrower types, or pairs of f64 where nothing is rounded. Products of two numbers of
//! up to 24 bits are exact in f64; a sum of two of them is exact, or so much larger than one of them that rounding it twice
//! changes nothing. Where three numbers meet, or a factor was not rounded, rounding goes by way of [`odd`].

use super::angle::KernelAngle;
use super::factor::Factor;
use super::frequencies::flushed;
use super::functions::{self, Functions, LibraryFunction};
use super::ideal::odd;
use super::knobs::{Fused, Knobs, Storing, Trig};
use super::turned::turned;
use crate::contract::Types;
use crate::contract::{Contract, Fma, Rotation, Scaling};
use crate::numeric::{DType, Dd};

/// The arithmetic of one kernel for one storage type and one attention scaling.
#[derive(Debug, Clone)]
pub struct Arithmetic {
    pub(super) types: Types,
    /// Contract's or fault's.
    pub(super) table: Option<DType>,
    arithmetic: Option<DType>,
    pub(super) trig_ulps: f64,
    pub(super) trig_error: f64,
    pub(super) functions: Functions,
    pub(super) knobs: Knobs,
    pub(super) fused: Fused,
    /// m where it is applied to inputs, to outputs, to factors; else 1.
    inputs: f64,
    outputs: f64,
    factors: f64,
    /// Whether numbers of more than 24 bits may be multiplied.
    wide: bool,
}

impl Arithmetic {
    /// That of a contract, with the knobs' faults.
    #[must_use]
    pub fn new(contract: &Contract, storage: DType, knobs: &Knobs, scaling: f64) -> Self {
        Self::of(contract, Types::new(contract, storage), knobs, scaling)
    }

    /// The same, between tensors of such types.
    #[must_use]
    pub fn of(contract: &Contract, types: Types, knobs: &Knobs, scaling: f64) -> Self {
        let class = &contract.class;
        let table = knobs.table_type.or(types.table);
        let fused = if class.fma == Fma::Always && knobs.fused == Fused::None { Fused::OfCos } else { knobs.fused };
        let scale = |what| if types.scaling == what { scaling } else { 1.0 };
        let not_rounded = types.scaled.is_none() && scaling != 1.0 && types.scaling != Scaling::Outputs;
        let few_ulps = table == Some(DType::F32) && class.trig_ulps < 0.5 && class.trig_error == 0.0;
        Self {
            types,
            table,
            arithmetic: knobs.arithmetic_type.or(types.arithmetic),
            trig_ulps: class.trig_ulps,
            trig_error: class.trig_error,
            functions: Functions::new(knobs),
            knobs: knobs.clone(),
            fused,
            inputs: scale(Scaling::Inputs),
            outputs: scale(Scaling::Outputs),
            factors: if class.scales_factors() { scaling } else { 1.0 },
            wide: table.is_none() || few_ulps || not_rounded,
        }
    }

    fn rounded(&self, dtype: DType, v: f64) -> f64 {
        flushed(self.knobs.flush, dtype, dtype.round(v))
    }

    /// The factors for an angle of this kernel; `forward` is direction +1.
    #[must_use]
    pub fn factor(&self, angle: impl Into<KernelAngle>, forward: bool) -> Factor {
        let angle = angle.into();
        let exact = angle.times == 1 && self.table.is_none() && self.trig_ulps == 0.0 && self.trig_error == 0.0;
        let factor = if exact && self.types.scaled.is_none() && self.knobs.trig == Trig::Honest {
            let (cos, sin) = functions::exact(angle.radians, true);
            Factor { cos: cos.times_f64(self.factors), sin: sin.times_f64(self.factors), tangent: None }
        } else {
            let one = self.trig(angle);
            let (cos, sin) = if angle.times == 1 { one } else { turned(one, angle.times) };
            let once = angle.times == 1 && self.types.rotation == Rotation::Shears && self.knobs.trig == Trig::Honest;
            let tangent = once.then(|| self.tangent((cos, sin), argument(angle), functions::exact_pair(angle.radians)));
            Factor { cos: self.kept(cos), sin: self.kept(sin), tangent: tangent.flatten() }
        };
        let back = |factor: Factor| Factor { sin: -factor.sin, tangent: factor.tangent.map(|t| -t), ..factor };
        if forward { factor } else { back(factor) }
    }

    /// Cosine and sine as the library gives them.
    fn trig(&self, angle: KernelAngle) -> (f64, f64) {
        let argument = argument(angle);
        let KernelAngle { radians: angle, of_turns, .. } = angle;
        if self.knobs.trig != Trig::Honest {
            return functions::faulty(self.knobs.trig, angle.to_f64());
        }
        let (cos, sin) = functions::exact(angle, false);
        let result = |function, exact: f64| {
            // Only 0 has a cosine of 1, even where the nearest f64 is 1; but quarter turns are floats.
            let exact = match (angle.hi == 0.0, of_turns) {
                (true, _) => exact,
                (false, true) => {
                    if exact.abs() < 1e-30 {
                        0.0
                    } else {
                        exact
                    }
                }
                (false, false) => exact.clamp(-1f64.next_down(), 1f64.next_down()),
            };
            let v = self.functions.result(function, argument, exact, self.trig_ulps, self.trig_error);
            flushed(self.knobs.flush, DType::F32, v)
        };
        (result(LibraryFunction::Cosine, cos.hi), result(LibraryFunction::Sine, sin.hi))
    }

    /// A factor, scaled and kept in the table's type.
    pub(super) fn kept(&self, v: f64) -> Dd {
        let keeps = |v: f64| match self.table {
            None | Some(DType::F32) => v,
            Some(table) => self.rounded(table, v),
        };
        let table_first = self.types.scaling == Scaling::Table && self.factors != 1.0;
        let v = if table_first { keeps(v) } else { v };
        let v = match self.types.scaled {
            _ if self.factors == 1.0 => v,
            None => v * self.factors,
            Some(DType::F32) => self.rounded(DType::F32, v * DType::F32.round(self.factors)),
            Some(narrow) => self.narrow(narrow, self.rounded(narrow, v) * narrow.round(self.factors)),
        };
        Dd::from_f64(if table_first { v } else { keeps(v) })
    }

    /// An operation in a narrow type with this exact result.
    #[inline]
    fn narrow(&self, dtype: DType, v: f64) -> f64 {
        let v = if self.knobs.through_f32 { self.rounded(DType::F32, v) } else { v };
        if self.types.truncates {
            flushed(self.knobs.flush, dtype, toward_zero(dtype, v))
        } else {
            self.rounded(dtype, v)
        }
    }

    /// One operation with this exact result, of up to 51 bits and a sticky one.
    #[inline]
    fn operation_in(&self, dtype: Option<DType>, v: f64) -> f64 {
        match dtype {
            None => v,
            Some(DType::F32) => self.rounded(DType::F32, v),
            Some(narrow) => self.narrow(narrow, v),
        }
    }

    #[inline]
    fn operation(&self, v: f64) -> f64 {
        self.operation_in(self.arithmetic, v)
    }

    /// The same for a result of two f64.
    #[inline]
    pub(super) fn wide_operation(&self, v: Dd) -> Dd {
        if self.arithmetic.is_none() { v } else { Dd::from_f64(self.operation(odd(v))) }
    }

    /// m as the kernel has it.
    fn scale(&self, m: f64) -> f64 {
        self.types.scaled.map_or(m, |dtype| dtype.round(m))
    }

    /// Type of what was multiplied by the scaling: the narrower one of its type and the arithmetic's.
    fn scaled_result(&self) -> Option<DType> {
        let narrow = |t: &Option<DType>| t.is_some_and(|t| t != DType::F32);
        [self.types.scaled, self.arithmetic].into_iter().find(narrow).unwrap_or(self.types.scaled)
    }

    /// An input as the kernel uses it.
    #[inline]
    fn loaded(&self, v: f64) -> f64 {
        let v = self.knobs.load_through.map_or(v, |dtype| dtype.round(v));
        let v = flushed(self.knobs.flush, self.types.storage, v);
        if self.inputs == 1.0 { v } else { self.operation_in(self.scaled_result(), v * self.scale(self.inputs)) }
    }

    /// What the kernel writes for a pair: two numbers of the output's type.
    #[inline]
    #[must_use]
    pub fn turn(&self, a: f64, b: f64, factor: &Factor) -> (f64, f64) {
        let (a, b) = (self.loaded(a), self.loaded(b));
        match self.types.rotation {
            Rotation::FourProducts => {}
            Rotation::ThreeProducts => return self.three_products(a, b, factor),
            Rotation::Shears => return self.shears(a, b, factor),
        }
        let (cos, sin) = (factor.cos, factor.sin);
        if self.wide || self.arithmetic.is_none() || self.knobs.storing == Storing::TowardZero || self.outputs != 1.0 {
            return (self.wide_sum(a, cos, b, -sin), self.wide_sum(b, cos, a, sin));
        }
        let (cos, sin) = (cos.hi, sin.hi);
        match self.fused {
            Fused::None => {
                let first = self.operation(self.operation(a * cos) - self.operation(b * sin));
                let second = self.operation(self.operation(b * cos) + self.operation(a * sin));
                (self.stored(first), self.stored(second))
            }
            Fused::OfCos => {
                let first = self.fused(a * cos, -self.operation(b * sin));
                let second = self.fused(b * cos, self.operation(a * sin));
                (self.stored(first), self.stored(second))
            }
            Fused::OfSin => {
                let first = self.fused(-(b * sin), self.operation(a * cos));
                let second = self.fused(a * sin, self.operation(b * cos));
                (self.stored(first), self.stored(second))
            }
        }
    }

    /// product + term in one rounding; the product is exact.
    #[inline]
    fn fused(&self, product: f64, term: f64) -> f64 {
        let sum = product + term;
        let from_term = sum - product;
        let lo = (product - (sum - from_term)) + (term - from_term);
        self.operation(odd(Dd { hi: sum, lo }))
    }

    /// x * of_cos + z * of_sin with nothing assumed about the factors, scaled and stored.
    fn wide_sum(&self, x: f64, of_cos: Dd, z: f64, of_sin: Dd) -> f64 {
        self.sum_of(of_cos.times_f64(x), of_sin.times_f64(z))
    }

    /// The sum of two products, scaled and stored.
    pub(super) fn sum_of(&self, p: Dd, q: Dd) -> f64 {
        let sum = match self.fused {
            Fused::None => self.wide_operation(p).plus(self.wide_operation(q)),
            Fused::OfCos => p.plus(self.wide_operation(q)),
            Fused::OfSin => self.wide_operation(p).plus(q),
        };
        if !sum.hi.is_finite() {
            // Infinities of the operations; their second parts mean nothing.
            return self.finished(self.operation(self.operation(p.hi) + self.operation(q.hi)));
        }
        if self.knobs.storing == Storing::TowardZero && self.arithmetic == Some(self.types.output) {
            return self.finished(odd(sum));
        }
        self.finished(odd(self.wide_operation(sum)))
    }

    /// A rotated value, scaled if that is done last, and stored.
    pub(super) fn finished(&self, v: f64) -> f64 {
        if self.outputs == 1.0 {
            return self.stored(v);
        }
        let narrow_scaling = self.types.scaled.is_some_and(|t| t != DType::F32);
        // An operation on tensors, which were stored before it.
        let stored = narrow_scaling && self.arithmetic != Some(self.types.storage);
        let v = if stored { self.stored_in(self.types.storage, v) } else { v };
        let result = self.scaled_result();
        let v = self.operation_in(result, v * self.scale(self.outputs));
        if result == Some(self.types.output) { v } else { self.stored(v) }
    }

    /// A result as the kernel writes it.
    #[inline]
    pub(super) fn stored(&self, v: f64) -> f64 {
        self.stored_in(self.types.output, v)
    }

    #[inline]
    fn stored_in(&self, storage: DType, v: f64) -> f64 {
        match self.knobs.storing {
            Storing::Honest if self.types.truncates => flushed(self.knobs.flush, storage, toward_zero(storage, v)),
            Storing::Honest => self.rounded(storage, v),
            Storing::TowardZero => flushed(self.knobs.flush, storage, toward_zero(storage, v)),
            Storing::Through(dtype) => self.rounded(storage, dtype.round(v)),
            Storing::Saturating => self.rounded(storage, v).clamp(-storage.max_finite(), storage.max_finite()),
        }
    }

    /// Turns a row of pairs; as many as all slices have.
    pub fn turn_row(&self, a: &[f64], b: &[f64], factors: &[Factor], first: &mut [f64], second: &mut [f64]) {
        let outputs = first.iter_mut().zip(second);
        for (((a, b), factor), (first, second)) in a.iter().zip(b).zip(factors).zip(outputs) {
            (*first, *second) = self.turn(*a, *b, factor);
        }
    }
}

/// What decides how a library function of an angle errs.
fn argument(angle: KernelAngle) -> u64 {
    let Dd { hi, lo } = angle.radians;
    hi.to_bits() ^ lo.to_bits().rotate_left(17)
}

/// The number of a type that `v` is cut off to; infinity where its exponent is beyond the type.
fn toward_zero(dtype: DType, v: f64) -> f64 {
    let bits = dtype.encode(v);
    let rounded = dtype.decode(bits);
    let beyond = v.abs() >= f64::from(dtype.max_exponent() + 1).exp2();
    // The encoding's magnitude is in its low bits, so that one less is the neighbour towards zero.
    if !beyond && rounded.abs() > v.abs() { dtype.decode(bits - 1) } else { rounded }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contract::contracts;
    use crate::numeric::{Real, Rng};

    fn of(class: &str, storage: DType, knobs: &Knobs) -> Arithmetic {
        let contract = contracts().expect("they load").contract(class, "table").expect("a class");
        Arithmetic::new(&contract, storage, knobs, 1.0)
    }

    fn numbers(rng: &mut Rng, storage: DType) -> [f64; 4] {
        let mut any = |dtype: DType, scale: i32| dtype.round((2.0 * rng.unit() - 1.0) * f64::from(scale).exp2());
        let spread = if storage == DType::F16 { 6 } else { 40 };
        [any(storage, spread), any(storage, -spread / 2), any(DType::F32, 0), any(DType::F32, 0)]
    }

    #[test]
    fn f32_arithmetic_is_that_of_the_machine() {
        let mut rng = Rng::new(5);
        for fused in [Fused::None, Fused::OfCos, Fused::OfSin] {
            let kernel = of("fused", DType::F32, &Knobs { fused, ..Knobs::default() });
            for _ in 0..5000 {
                let [a, b, cos, sin] = numbers(&mut rng, DType::F32);
                let factor = Factor { cos: Dd::from_f64(cos), sin: Dd::from_f64(sin), tangent: None };
                let (first, second) = kernel.turn(a, b, &factor);
                let [a, b, c, s] = [a, b, cos, sin].map(|v| v as f32);
                let expected = match fused {
                    Fused::None => (a * c - b * s, b * c + a * s),
                    Fused::OfCos => (a.mul_add(c, -(b * s)), b.mul_add(c, a * s)),
                    Fused::OfSin => ((-b).mul_add(s, a * c), a.mul_add(s, b * c)),
                };
                assert_eq!((first as f32, second as f32), expected, "{fused:?}: {a} {b} {c} {s}");
            }
        }
    }

    #[test]
    fn narrow_arithmetic_by_way_of_f32_is_that_of_the_crate_half() {
        let mut rng = Rng::new(6);
        let kernel = of("eager", DType::BF16, &Knobs { through_f32: true, ..Knobs::default() });
        let narrow = |v: f64| half::bf16::from_f64(v);
        for _ in 0..5000 {
            let [a, b, cos, sin] = numbers(&mut rng, DType::BF16).map(|v| DType::BF16.round(v));
            let factor = Factor { cos: Dd::from_f64(cos), sin: Dd::from_f64(sin), tangent: None };
            let (first, second) = kernel.turn(a, b, &factor);
            let [a, b, c, s] = [a, b, cos, sin].map(narrow);
            assert_eq!((first, second), ((a * c - b * s).to_f64(), (b * c + a * s).to_f64()));
        }
    }

    /// y is that of 256 bits, and no neighbour of what was written is nearer to it.
    #[test]
    fn class_ideal_rounds_once() {
        let mut rng = Rng::new(7);
        let real = |v: f64| Real::from_f64(v);
        for storage in [DType::F32, DType::F16, DType::BF16] {
            let kernel = of("ideal", storage, &Knobs::default());
            for turn in 0..600 {
                let angle = Dd::from_f64(rng.below(1 << 22) as f64).times_f64(rng.unit());
                let factor = kernel.factor(angle, true);
                let [a, b, ..] = numbers(&mut rng, storage);
                // Every other one cancels.
                let b = if turn % 2 == 0 { storage.round(a * factor.cos.hi / factor.sin.hi) } else { b };
                let (first, _) = kernel.turn(a, b, &factor);
                let of_dd = |v: Dd| real(v.hi).add(&real(v.lo)).expect("a number");
                let products =
                    [(a, factor.cos), (b, factor.sin)].map(|(x, v)| real(x).mul(&of_dd(v)).expect("a number"));
                let exact = products[0].sub(&products[1]).expect("a number");
                let distance = |v: f64| real(v).sub(&exact).expect("a number").to_f64().abs();
                let bits = storage.encode(first);
                for neighbour in [bits + 1, bits.saturating_sub(1)].map(|bits| storage.decode(bits)) {
                    if neighbour.is_finite() {
                        assert!(distance(first) <= distance(neighbour), "{storage}: {a:e} {b:e} at {angle:?}");
                    }
                }
            }
        }
    }

    #[test]
    fn knobs_of_the_store_do_what_they_say() {
        assert_eq!(toward_zero(DType::BF16, 1.0 + 1.9 / 128.0), 1.0 + 1.0 / 128.0);
        assert_eq!(toward_zero(DType::F16, -(2.0 - 1e-9)), -(2.0 - 1.0 / 1024.0));
        assert_eq!(toward_zero(DType::F16, 65_535.0), 65_504.0);
        assert_eq!(toward_zero(DType::F16, -65_536.0), f64::NEG_INFINITY);
        let unit = Factor { cos: Dd::from_f64(1.0), sin: Dd::ZERO, tangent: None };
        let through =
            |storage, dtype| of("fused", storage, &Knobs { storing: Storing::Through(dtype), ..Knobs::default() });
        // 1e5 is beyond f16; 1 + 2^-10 is no bf16.
        assert_eq!(through(DType::BF16, DType::F16).turn(99_840.0, 0.0, &unit).0, f64::INFINITY);
        assert_eq!(through(DType::F16, DType::BF16).turn(1.0 + 1.0 / 1024.0, 0.0, &unit).0, 1.0);
        // f32 storage is cut off where the sum would be rounded.
        let cut = of("fused", DType::F32, &Knobs { storing: Storing::TowardZero, ..Knobs::default() });
        let both = Factor { cos: Dd::from_f64(1.0), sin: Dd::from_f64(-1.0), tangent: None };
        assert_eq!(cut.turn(1.0, 1.9 / f64::from(1 << 24), &both).0, 1.0);
        let flushing = of("fused", DType::F16, &Knobs { flush: true, ..Knobs::default() });
        assert_eq!(flushing.turn(3e-5, 0.0, &unit), (0.0, 0.0));
    }
}
