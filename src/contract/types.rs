//! The types of one storage type's arithmetic, and what an operation in them costs.

use crate::numeric::DType;

use super::arithmetic::Contract;
use super::arithmetic::Fma;
use super::arithmetic::Rotation;
use super::arithmetic::Scaling;
use super::arithmetic::Store;
use super::precision::Precision;

/// What f64 costs where a contract says "exact": 2^-51 of the largest cosine or sine (2^-52 for the function, 2^-53 for its
/// scaling), and as much of the products (2^-53 for each, 2^-53 for the sum).
pub(super) const F64_COST: f64 = 1.0 / (1u64 << 51) as f64;
/// Makes a quotient that was computed in f64 no smaller than it is, so that it lies in no lower binade.
pub(super) const UP: f64 = 1.0 + 1.0 / (1u64 << 50) as f64;

/// Types that a contract means for one storage type.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Types {
    /// Type of the tensor that is rotated.
    pub storage: DType,
    /// Type of the output.
    pub output: DType,
    /// Type of products and sums; `None`: f64 or better.
    pub arithmetic: Option<DType>,
    /// Type of cos and sin; `None`: f64 or better.
    pub table: Option<DType>,
    /// Whether subnormals may become zero.
    pub flushes: bool,
    /// How a pair is rotated.
    pub rotation: Rotation,
    /// Fused multiply-add.
    pub fma: Fma,
    /// Whether rounding to storage or output drops the low bits, where that is narrower than the arithmetic.
    pub truncates: bool,
    /// What is multiplied by the attention scaling.
    pub scaling: Scaling,
    /// In which type; `None`: f64 or better.
    pub scaled: Option<DType>,
}

impl Types {
    /// The types of `contract` for a tensor of type `storage` and an output of this type too.
    #[must_use]
    pub fn new(contract: &Contract, storage: DType) -> Self {
        Self::between(contract, storage, storage)
    }

    /// The types of `contract` for a tensor of type `storage` and an output of type `output`.
    #[must_use]
    pub fn between(contract: &Contract, storage: DType, output: DType) -> Self {
        let class = &contract.class;
        Self {
            storage,
            output,
            arithmetic: class.arithmetic.dtype(storage),
            table: class.table.dtype(storage),
            flushes: class.flushes,
            rotation: class.rotation,
            fma: class.fma,
            // f32 kept in f32 is not rounded again.
            truncates: class.store == Store::TowardZero
                && (storage != DType::F32 || output != DType::F32 || class.arithmetic == Precision::Exact),
            scaling: class.scaling,
            scaled: class.scaling_type().dtype(storage),
        }
    }

    /// Error of one rounding to nearest in `dtype` of a value up to |v|.
    pub(super) fn rounding(&self, dtype: DType, v: f64) -> f64 {
        if self.flushes { dtype.half_ulp_flushing(v) } else { dtype.half_ulp(v) }
    }

    /// Error of rounding a value up to |v| to the type of the output, as the contract rounds.
    pub(super) fn store(&self, v: f64) -> f64 {
        self.store_in(self.output, v)
    }

    /// The same to the type of the tensor that is rotated.
    pub(super) fn store_between(&self, v: f64) -> f64 {
        self.store_in(self.storage, v)
    }

    fn store_in(&self, dtype: DType, v: f64) -> f64 {
        let nearest = dtype.half_ulp(v);
        let error = if self.truncates { 2.0 * nearest } else { nearest };
        if self.flushes { error.max(dtype.min_normal()) } else { error }
    }

    /// Error of one operation in `dtype` whose exact result is up to |v|. Narrow types may be computed in f32 and rounded
    /// again.
    pub(super) fn operation_in(&self, dtype: Option<DType>, v: f64) -> f64 {
        match dtype {
            None => 0.0,
            Some(DType::F32) => self.rounding(DType::F32, v),
            Some(_) => {
                let wide = self.rounding(DType::F32, v);
                wide + self.store_between(v + wide)
            }
        }
    }

    pub(super) fn operation(&self, v: f64) -> f64 {
        self.operation_in(self.arithmetic, v)
    }

    /// The same of an operation on the way to the last products, which costs something in exact arithmetic
    /// too.
    pub(super) fn step(&self, v: f64) -> f64 {
        if self.arithmetic.is_none() { F64_COST * v } else { self.operation(v) }
    }

    /// Error of a product that is added to something: none where it always enters the sum unrounded.
    pub(super) fn step_product(&self, v: f64) -> f64 {
        if self.fma == Fma::Always && self.arithmetic.is_some() { 0.0 } else { self.step(v) }
    }

    /// Type of what was multiplied by the scaling: the narrower one of its type and the arithmetic's.
    pub(super) fn scaled_result(&self) -> Option<DType> {
        let narrow = |t: Option<DType>| t.is_some_and(|t| t != DType::F32);
        if narrow(self.scaled) || narrow(self.arithmetic) { Some(self.storage) } else { self.scaled }
    }

    /// Whether the sum is rounded again when it is stored.
    pub(super) fn stores(&self) -> bool {
        self.rounds_from(self.arithmetic)
    }

    /// Whether a number of this type is rounded where it is written.
    pub(super) fn rounds_from(&self, dtype: Option<DType>) -> bool {
        dtype.is_none_or(|dtype| !self.output.holds_all(dtype))
    }

    /// Whether `output` is what an honest kernel makes of an input that it only converts, where the output's type does not
    /// hold it.
    #[must_use]
    pub fn keeps(&self, input: f64, output: f64) -> bool {
        if self.output.holds(input) || !input.is_finite() || (input < 0.0) != (output < 0.0) && output != 0.0 {
            return false;
        }
        if output.is_infinite() {
            return !self.truncates && input.abs() >= self.output.overflow_threshold();
        }
        let cut_off = self.truncates && output.abs() == self.output.max_finite() && input.abs() >= output.abs();
        cut_off || (output - input).abs() <= self.store(input)
    }

    /// The type that a result is rounded to last: the output's, or that of the sum.
    pub(super) fn last(&self) -> DType {
        self.arithmetic.filter(|_| !self.stores()).unwrap_or(self.output)
    }
}

/// How the attention scaling enters where it is not a part of the factors.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ScaledValues {
    /// It multiplies the outputs, else the inputs.
    pub outputs: bool,
    /// |m|
    pub by: f64,
    /// How far the kernel's m may be from it.
    pub error: f64,
    /// Whether multiplying by it is exact but for subnormals.
    pub power_of_two: bool,
}

impl ScaledValues {
    /// Error of (v + dv) m with |v| + |dv| <= `size`, apart from m |dv|.
    pub(super) fn cost(&self, types: &Types, size: f64) -> f64 {
        let product = size * (self.by + self.error);
        let dtype = types.scaled_result();
        let f64_cost = if dtype.is_none() { F64_COST * product } else { 0.0 };
        self.error * size + f64_cost + types.operation_in(dtype, if self.power_of_two { 0.0 } else { product })
    }
}
