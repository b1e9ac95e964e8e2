//! The arithmetic that a backend declares, as data: `spec/contracts.yaml` holds the numbers, `docs/numerics.md` the proofs.
//!
//! Angle errors are counted in *units*: the relative error of one rounding to the type that angles are computed in.

use crate::numeric::{DType, Dd};

use super::declaration::Declaration;

/// The relative error of one rounding to f32, 2^-24.
pub const F32_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;
/// Roundings multiply: K of them err by at most K (1 + SECOND_ORDER) units as long as K <= [`MAX_STEPS`].
const SECOND_ORDER: f64 = 1.0 / 128.0;
/// Largest K.
const MAX_STEPS: f64 = 65_536.0;

/// In which type something is computed or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Kept {
    /// No rounding at all for angles; f64 or better for everything else.
    #[default]
    Exact,
    /// f64; for angles only.
    F64,
    /// f32.
    F32,
    /// The storage type of the tensors.
    Storage,
}

impl Kept {
    /// The type, for tensors of type `storage`; `None` for no rounding.
    #[must_use]
    pub fn dtype(self, storage: DType) -> Option<DType> {
        match self {
            Self::Exact => None,
            Self::F64 => Some(DType::F64),
            Self::F32 => Some(DType::F32),
            Self::Storage => Some(storage),
        }
    }

    /// The type of angles. No bound is derived for less than f32, so nothing may declare that.
    fn angles(self) -> Option<DType> {
        match self {
            Self::Exact => None,
            Self::F64 => Some(DType::F64),
            Self::F32 | Self::Storage => Some(DType::F32),
        }
    }
}

/// Whether a product may enter the sum without being rounded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Fma {
    /// It may.
    #[default]
    Allowed,
    /// One of the two products always does.
    Always,
    /// Both are rounded.
    Never,
}

/// How values are rounded to a storage type that is narrower than the arithmetic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Store {
    /// To nearest.
    #[default]
    Nearest,
    /// The low bits are dropped.
    TowardZero,
}

/// What is multiplied by the attention scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scaling {
    /// Cosine and sine.
    #[default]
    Factors,
    /// The inputs, before they are rotated.
    Inputs,
    /// The rotated values.
    Outputs,
}

/// What a class of kernels computes in which type.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ClassRule {
    /// Such as `fused`.
    pub name: String,
    /// One line.
    pub doc: String,
    /// Type of position, frequency and angle.
    pub angles: Kept,
    /// Roundings that a position which is no number of that type has been through (1: the conversion).
    pub position_roundings: f64,
    /// How cos and sin are kept.
    pub table: Kept,
    /// Type of the two products and the sum.
    pub arithmetic: Kept,
    /// Ulps of f32 by which sin and cos of the kernel's angle may be wrong (tau), whatever type the angle has.
    pub trig_ulps: f64,
    /// Absolute error of sin and cos on top of that (hardware instructions).
    pub trig_error: f64,
    /// Largest |angle| in radians for which anything is claimed.
    pub angle_limit: Option<f64>,
    /// Whether subnormals may be flushed to zero, on the way in and out of every operation.
    pub flushes: bool,
    /// Fused multiply-add.
    pub fma: Fma,
    /// Rounding to narrow storage.
    pub store: Store,
    /// What the attention scaling is applied to.
    pub scaling: Scaling,
    /// In which type; [`ClassRule::scaling_type`] has the default.
    pub scaled: Option<Kept>,
}

impl ClassRule {
    /// The type of the attention scaling and of what has been scaled. Unless declared: exact where what is scaled is, else f32.
    #[must_use]
    pub fn scaling_type(&self) -> Kept {
        let source = if self.scaling == Scaling::Factors { self.table } else { self.arithmetic };
        self.scaled.unwrap_or(if source == Kept::Exact { Kept::Exact } else { Kept::F32 })
    }
}

/// Base of the logarithm that a frequency is computed with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogBase {
    /// exp(-e ln base)
    Natural,
    /// exp2(-e log2 base)
    Two,
}

/// Errors of one way to a frequency, each a count of what happens on it.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Steps {
    /// Roundings to f32 of the result, such as a table entry or a reciprocal.
    pub roundings: f64,
    /// Calls of a library function whose result errs by P ulps.
    pub library: f64,
    /// Uses of an exponent rounded to f32.
    pub exponent: f64,
}

/// What is computed for a frequency b^(-e), e = 2i/d.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Procedure {
    /// The exact frequency, rounded.
    Table,
    /// pow(b, -e)
    Pow,
    /// 1 / pow(b, e)
    PowReciprocal,
    /// exp(-e log(b))
    Exp,
    /// exp2(-e log2(b))
    Exp2,
    /// pow(pow(b, -2/d), i)
    Scale,
    /// angle(i) = angle(i - 1) * pow(b, -2/d), from angle(0) = position
    Recurrence,
}

impl Procedure {
    /// All, by the names in `spec/contracts.yaml`.
    pub const ALL: [(&'static str, Self); 7] = [
        ("table", Self::Table),
        ("pow", Self::Pow),
        ("pow-reciprocal", Self::PowReciprocal),
        ("exp", Self::Exp),
        ("exp2", Self::Exp2),
        ("scale", Self::Scale),
        ("recurrence", Self::Recurrence),
    ];
}

/// How a backend comes by its frequencies.
#[derive(Debug, Clone, PartialEq)]
pub struct FrequencyRule {
    /// Such as `pow`.
    pub name: String,
    /// One line.
    pub doc: String,
    /// What happens once.
    pub once: Steps,
    /// What happens once per pair index (recurrences, powers of a rounded step).
    pub per_index: Steps,
    /// Ulps of f32 by which the library function may be wrong (P).
    pub library_ulps: f64,
    /// Set where the exponent is a rounded logarithm times e.
    pub logarithm: Option<LogBase>,
    /// What is computed: the counts above say how far it may be off, this is what an emulation does.
    pub procedure: Procedure,
}

/// What a frequency is, as far as its error depends on it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Frequency {
    /// Radians per position: the plan's number, which is the truth.
    pub inv_freq: f64,
    /// b of inv_freq = b^(-e); `None` if the frequency is no such power. Then only a table can be judged.
    pub base: Option<f64>,
    /// e as a fraction, such as (2i, d); `None` if unknown: then taken from `base`, and as inexact.
    pub exponent: Option<(i64, i64)>,
    /// The i of recurrences: how many steps from frequency 1.
    pub index: u32,
}

impl Frequency {
    /// A frequency of which nothing else is known.
    #[must_use]
    pub fn plain(inv_freq: f64) -> Self {
        Self { inv_freq, base: None, exponent: None, index: 0 }
    }

    /// base^(-2i/d), as the f64 `inv_freq`.
    #[must_use]
    pub fn power(inv_freq: f64, base: f64, i: u32, d: u32) -> Self {
        Self { inv_freq, base: Some(base), exponent: Some((2 * i64::from(i), i64::from(d))), index: i }
    }
}

/// The relative error of one rounding to a type: 2^-p.
fn unit(dtype: DType) -> f64 {
    dtype.half_ulp_parts().0
}

/// Half an ulp of a type at v, in its units: H(v) of docs/numerics.md.
fn half_ulp_units(dtype: DType, v: f64) -> f64 {
    dtype.half_ulp(v) / unit(dtype)
}

/// |num/den|, and H*(num/den): 0 if the fraction is a number of the type.
fn exponent_units(dtype: DType, num: i64, den: i64) -> (f64, f64) {
    let e = num as f64 / den as f64;
    let (mut a, mut b) = (num.unsigned_abs(), den.unsigned_abs());
    while b != 0 {
        (a, b) = (b, a % b);
    }
    // In lowest terms: a power of two below, and not more bits above than the type has.
    let exact = num == 0 || {
        let above = num.unsigned_abs() / a;
        den != 0
            && (den.unsigned_abs() / a).is_power_of_two()
            && above >> above.trailing_zeros() < 1 << dtype.precision()
    };
    (e.abs(), if exact { 0.0 } else { half_ulp_units(dtype, e) })
}

impl FrequencyRule {
    /// Error of the frequency itself, in units of the type of `angles` (relative, first order). `None` if this way is not
    /// defined for the frequency, because no base is known.
    #[must_use]
    pub fn steps(&self, frequency: &Frequency, angles: Kept) -> Option<f64> {
        let f = frequency.inv_freq;
        let Some(dtype) = angles.angles() else { return Some(0.0) };
        if f == 0.0 || (f == 1.0 && frequency.exponent.is_none_or(|(num, _)| num == 0)) {
            // Every way gives 0 and 1 exactly: pow(b, 0) = exp(0) = 1.
            return Some(0.0);
        }
        let index = f64::from(frequency.index);
        // The plan's frequency, which is the truth, is itself the formula's value rounded to f64. In units of f32 that is
        // 2^-29, and inside the second order.
        let plan = if dtype == DType::F64 { 1.0 } else { 0.0 };
        let needs_base = self.once.exponent + self.per_index.exponent > 0.0 || self.logarithm.is_some();
        if !needs_base {
            // A frequency that is a number of the type is not changed by being rounded to it.
            let rounds_only = self.once.library == 0.0 && self.per_index == Steps::default();
            let exact = rounds_only && dtype.holds(f);
            let steps = self.cost(&self.once, 0.0) + index * self.cost(&self.per_index, 0.0);
            return Some(if exact { 0.0 } else { steps + plan });
        }
        let base = frequency.base.filter(|b| b.is_finite() && *b > 0.0 && *b != 1.0)?;
        let ln = base.ln().abs();
        // A little above v, so that the end of a binade is passed by what v becomes in the kernel.
        let beyond = |v: f64| v * (1.0 + 1e-6 + 4.0 * (self.library_ulps + 2.0) * unit(dtype));
        let inexact = |e: f64| (e.abs(), half_ulp_units(dtype, beyond(e)));
        let (e, units) = match frequency.exponent {
            Some((num, den)) => exponent_units(dtype, num, den),
            None => inexact(f.ln() / base.ln()),
        };
        // The exponent of the step of a recurrence: e / index.
        let step_units = match frequency.exponent {
            Some((num, den)) if index > 0.0 && num % i64::from(frequency.index) == 0 => {
                exponent_units(dtype, num / i64::from(frequency.index), den).1
            }
            _ => inexact(e / index.max(1.0)).1,
        };
        let mut total = plan + self.cost(&self.once, ln * units) + index * self.cost(&self.per_index, ln * step_units);
        if !dtype.holds(base) {
            // (b (1 + u))^e
            total += e;
        }
        if let Some(log) = self.logarithm {
            let (l, weight) = match log {
                LogBase::Natural => (ln, 1.0),
                LogBase::Two => (ln / std::f64::consts::LN_2, std::f64::consts::LN_2),
            };
            // The logarithm errs by P ulps = 2P half ulps, and its product with e is rounded.
            total += weight * (2.0 * self.library_ulps * half_ulp_units(dtype, l) * e + inexact(l * e).1);
        }
        Some(total)
    }

    /// Units that `steps` cost, where one rounding of the exponent costs `exponent`.
    fn cost(&self, steps: &Steps, exponent: f64) -> f64 {
        steps.roundings + 2.0 * self.library_ulps * steps.library + steps.exponent * exponent
    }

    /// Whether it calls a function of a library, so that `library_ulps` matters.
    #[must_use]
    pub fn calls_library(&self) -> bool {
        self.once.library + self.per_index.library > 0.0 || self.logarithm.is_some()
    }
}

/// What a backend declares for one storage type.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// What is computed in which type.
    pub class: ClassRule,
    /// How it comes by its frequencies.
    pub frequencies: FrequencyRule,
}

impl Contract {
    /// A contract.
    #[must_use]
    pub fn new(class: ClassRule, frequencies: FrequencyRule) -> Self {
        Self { class, frequencies }
    }

    /// Error of a frequency in units of the angles' type; see [`FrequencyRule::steps`].
    #[must_use]
    pub fn steps(&self, frequency: &Frequency) -> Option<f64> {
        self.frequencies.steps(frequency, self.class.angles)
    }

    /// g before it is capped: how far the kernel's angle may be from position * inv_freq, in radians.
    ///
    /// `steps` is [`Contract::steps`], which does not depend on the position.
    #[must_use]
    pub fn angle_error(&self, steps: f64, inv_freq: f64, position: Dd) -> f64 {
        let angle = position.hi * inv_freq;
        let Some(dtype) = self.class.angles.angles() else { return 0.0 };
        if position.hi == 0.0 || inv_freq == 0.0 {
            return 0.0;
        }
        let exact_position = position.lo == 0.0 && dtype.holds(position.hi);
        let mut k = steps;
        if !exact_position {
            k += self.class.position_roundings;
        }
        let factors_exact = steps == 0.0 && exact_position && dtype.holds(inv_freq);
        // The product of two f32 is exact in f64; that of two f64 is seen to be exact where its rest is 0.
        let product_exact = match dtype {
            DType::F64 => position.times_f64(inv_freq).lo == 0.0,
            narrow => narrow.holds(angle),
        };
        if !(factors_exact && product_exact) {
            k += 1.0;
        }
        if k == 0.0 {
            return 0.0;
        }
        if !(k <= MAX_STEPS && angle.abs() < dtype.max_finite()) {
            return f64::INFINITY;
        }
        // Below the normal range a rounding errs by up to half the smallest subnormal, or by the smallest normal number if
        // it flushes. Each of the at most `steps` roundings of a recurrence may.
        let least = if self.class.flushes { dtype.min_normal() } else { dtype.half_ulp(0.0) };
        let underflow = least * (position.hi.abs() + inv_freq.abs() + 2.0) * steps.max(1.0);
        angle.abs() * k * (1.0 + SECOND_ORDER) * unit(dtype) + underflow
    }

    /// The |position| from which on the angle may be wrong by a whole radian, so that only the length of a pair and what
    /// does not depend on the angle is judged. Where the frequency itself is exact these are the positions that are no
    /// numbers of the angles' type (elsewhere positions are taken to be such). Infinite for exact angles and for frequency
    /// 0; `None` as [`FrequencyRule::steps`].
    #[must_use]
    pub fn blind_from(&self, frequency: &Frequency) -> Option<f64> {
        let steps = self.steps(frequency)?;
        let Some(dtype) = self.class.angles.angles() else { return Some(f64::INFINITY) };
        let from = |k: f64| 1.0 / (k * (1.0 + SECOND_ORDER) * unit(dtype) * frequency.inv_freq.abs());
        let exact_until = 1.0 / unit(dtype);
        let blind = if steps == 0.0 {
            let inexact = from(1.0 + self.class.position_roundings).max(exact_until);
            // A power of two times a number of the type is exact; other products are rounded before.
            let power_of_two = frequency.inv_freq.to_bits().trailing_zeros() >= 52;
            if power_of_two { inexact } else { inexact.min(from(1.0)) }
        } else {
            from(1.0 + steps)
        };
        Some(blind)
    }
}

/// All classes and ways that `spec/contracts.yaml` declares, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractTable {
    /// Classes.
    pub classes: Vec<ClassRule>,
    /// Ways to frequencies.
    pub frequencies: Vec<FrequencyRule>,
    /// What the user declares in the place of backends, for one storage type or for all.
    pub overrides: Vec<(Option<DType>, Declaration)>,
}

impl ContractTable {
    /// The contract of these two names.
    #[must_use]
    pub fn contract(&self, class: &str, frequencies: &str) -> Option<Contract> {
        let class = self.classes.iter().find(|rule| rule.name == class)?;
        let frequencies = self.frequencies.iter().find(|rule| rule.name == frequencies)?;
        Some(Contract::new(class.clone(), frequencies.clone()))
    }

    /// A class by name.
    #[must_use]
    pub fn class(&self, name: &str) -> Option<&ClassRule> {
        self.classes.iter().find(|rule| rule.name == name)
    }
}

#[cfg(test)]
#[path = "contract_tests.rs"]
mod tests;
