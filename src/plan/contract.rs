//! The arithmetic that a backend declares, as data: `spec/contracts.yaml` holds the numbers, `docs/numerics.md` the proofs.

use crate::numeric::{DType, Dd};

/// Unit of every angle error here: the relative error of one rounding to f32.
pub const F32_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;
/// Roundings multiply: K of them err by at most K (1 + SECOND_ORDER) units as long as K <= [`MAX_STEPS`].
const SECOND_ORDER: f64 = 1.0 / 128.0;
/// Largest K.
const MAX_STEPS: f64 = 65_536.0;

/// In which type something is computed or kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kept {
    /// No rounding at all; the limit case.
    Exact,
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
            Self::F32 => Some(DType::F32),
            Self::Storage => Some(storage),
        }
    }
}

/// What a class of kernels computes in which type.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRule {
    /// Such as `fused`.
    pub name: String,
    /// One line.
    pub doc: String,
    /// Whether the angle has an error at all.
    pub angles: Kept,
    /// How cos and sin are kept.
    pub table: Kept,
    /// Type of the two products and the sum.
    pub arithmetic: Kept,
    /// Ulps of f32 by which sin and cos of the f32 angle may be wrong (tau).
    pub trig_ulps: f64,
    /// Absolute error of sin and cos on top of that (hardware instructions).
    pub trig_error: f64,
    /// Largest |angle| for which `trig_error` is declared.
    pub angle_limit: Option<f64>,
    /// Whether subnormals may be flushed to zero, on the way in and out of every operation.
    pub flushes: bool,
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

/// Half an ulp of f32 at v in units of 2^-24: H(v) of the design.
fn half_ulp_units(v: f64) -> f64 {
    DType::F32.half_ulp(v) / F32_ROUNDING
}

/// |e|, and H*(e): 0 if e is exact in f32.
fn exponent_units(num: i64, den: i64) -> (f64, f64) {
    let e = num as f64 / den as f64;
    // num / den is a number of f32 iff the rounded quotient is one and gives num back (24 + 63 bits: exact in i128).
    let exact = den != 0 && f64::from(e as f32) == e && {
        let scaled = e * (1u64 << 40) as f64;
        scaled.fract() == 0.0 && scaled.abs() < 1e18 && (scaled as i128) * i128::from(den) == i128::from(num) << 40
    };
    (e.abs(), if exact { 0.0 } else { half_ulp_units(e) })
}

/// |e|, and the half ulp of an exponent that is not known exactly; a little above e, so that a binade's end is passed.
fn inexact_exponent(e: f64) -> (f64, f64) {
    (e.abs(), half_ulp_units(e * (1.0 + 1e-6)))
}

impl FrequencyRule {
    /// Error of the frequency itself, in units of 2^-24 (relative, first order). `None` if this way is not defined for the
    /// frequency, because no base is known.
    #[must_use]
    pub fn steps(&self, frequency: &Frequency) -> Option<f64> {
        let f = frequency.inv_freq;
        if f == 0.0 || (f == 1.0 && frequency.exponent.is_none_or(|(num, _)| num == 0)) {
            // Every way gives 0 and 1 exactly: pow(b, 0) = exp(0) = 1.
            return Some(0.0);
        }
        let index = f64::from(frequency.index);
        let needs_base = self.once.exponent + self.per_index.exponent > 0.0 || self.logarithm.is_some();
        if !needs_base {
            // A frequency that is an f32 is not changed by being rounded to one.
            let rounds_only = self.once.library == 0.0 && self.per_index == Steps::default();
            let exact = rounds_only && DType::F32.holds(f);
            let steps = self.cost(&self.once, 0.0) + index * self.cost(&self.per_index, 0.0);
            return Some(if exact { 0.0 } else { steps });
        }
        let base = frequency.base.filter(|b| b.is_finite() && *b > 0.0 && *b != 1.0)?;
        let ln = base.ln().abs();
        let (e, units) = match frequency.exponent {
            Some((num, den)) => exponent_units(num, den),
            None => inexact_exponent(f.ln() / base.ln()),
        };
        // The exponent of the step of a recurrence: e / index.
        let step_units = match frequency.exponent {
            Some((num, den)) if index > 0.0 && num % i64::from(frequency.index) == 0 => {
                exponent_units(num / i64::from(frequency.index), den).1
            }
            _ => inexact_exponent(e / index.max(1.0)).1,
        };
        let mut total = self.cost(&self.once, ln * units) + index * self.cost(&self.per_index, ln * step_units);
        if !DType::F32.holds(base) {
            // (b (1 + u))^e
            total += e;
        }
        if let Some(log) = self.logarithm {
            let (l, weight) = match log {
                LogBase::Natural => (ln, 1.0),
                LogBase::Two => (ln / std::f64::consts::LN_2, std::f64::consts::LN_2),
            };
            // The logarithm errs by P ulps = 2P half ulps, and its product with e is rounded.
            total += weight * (2.0 * self.library_ulps * half_ulp_units(l) * e + inexact_exponent(l * e).1);
        }
        Some(total)
    }

    /// Units that `steps` cost, where one rounding of the exponent costs `exponent`.
    fn cost(&self, steps: &Steps, exponent: f64) -> f64 {
        steps.roundings + 2.0 * self.library_ulps * steps.library + steps.exponent * exponent
    }
}

/// What a backend declares for one storage type.
#[derive(Debug, Clone, PartialEq)]
pub struct Contract {
    /// What is computed in which type.
    pub class: ClassRule,
    /// How it comes by its frequencies.
    pub frequencies: FrequencyRule,
    /// Roundings that a position which is no f32 has been through (1: the conversion).
    pub position_roundings: f64,
}

impl Contract {
    /// A contract; positions are converted to f32 with one rounding.
    #[must_use]
    pub fn new(class: ClassRule, frequencies: FrequencyRule) -> Self {
        Self { class, frequencies, position_roundings: 1.0 }
    }

    /// g before it is capped: how far the kernel's angle may be from position * inv_freq, in radians.
    ///
    /// `steps` is [`FrequencyRule::steps`], which does not depend on the position.
    #[must_use]
    pub fn angle_error(&self, steps: f64, inv_freq: f64, position: Dd) -> f64 {
        let angle = position.hi * inv_freq;
        if self.class.angles == Kept::Exact || position.hi == 0.0 || inv_freq == 0.0 {
            return 0.0;
        }
        let exact_position = position.is_f32();
        let mut k = steps;
        if !exact_position {
            k += self.position_roundings;
        }
        // The product is exact where both factors are and it has no more than 24 bits; 24 + 24 bits are exact in f64.
        if !(steps == 0.0 && exact_position && DType::F32.holds(inv_freq) && DType::F32.holds(angle)) {
            k += 1.0;
        }
        if k == 0.0 {
            return 0.0;
        }
        if k > MAX_STEPS || angle.abs() >= f64::from(f32::MAX) {
            return f64::INFINITY;
        }
        // Below the normal range of f32 a rounding errs by up to half the smallest subnormal, or all of it if flushed.
        let least = if self.class.flushes { DType::F32.min_normal() } else { DType::F32.half_ulp(0.0) };
        let underflow = least * (position.hi.abs() + inv_freq.abs() + 2.0);
        angle.abs() * k * (1.0 + SECOND_ORDER) * F32_ROUNDING + underflow
    }

    /// The |position| from which on the angle may be wrong by a whole radian, so that only the length of a pair and what
    /// does not depend on the angle is judged. Where the frequency itself is exact these are the positions beyond 2^24 that
    /// are no f32 (elsewhere positions are taken to be f32). Infinite for exact angles and for frequency 0; `None` as [`FrequencyRule::steps`].
    #[must_use]
    pub fn blind_from(&self, frequency: &Frequency) -> Option<f64> {
        let steps = self.frequencies.steps(frequency)?;
        if self.class.angles == Kept::Exact {
            return Some(f64::INFINITY);
        }
        let from = |k: f64| 1.0 / (k * (1.0 + SECOND_ORDER) * F32_ROUNDING * frequency.inv_freq.abs());
        let exact_until = 1.0 / F32_ROUNDING;
        Some(if steps == 0.0 { from(1.0 + self.position_roundings).max(exact_until) } else { from(1.0 + steps) })
    }
}

/// All classes and ways that `spec/contracts.yaml` declares, in its order.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContractTable {
    /// Classes.
    pub classes: Vec<ClassRule>,
    /// Ways to frequencies.
    pub frequencies: Vec<FrequencyRule>,
}

impl ContractTable {
    /// The contract of these two names.
    #[must_use]
    pub fn contract(&self, class: &str, frequencies: &str) -> Option<Contract> {
        let class = self.classes.iter().find(|rule| rule.name == class)?;
        let frequencies = self.frequencies.iter().find(|rule| rule.name == frequencies)?;
        Some(Contract::new(class.clone(), frequencies.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rule(once: Steps, per_index: Steps, logarithm: Option<LogBase>) -> FrequencyRule {
        FrequencyRule {
            name: String::new(),
            doc: String::new(),
            once,
            per_index,
            library_ulps: 1.0,
            logarithm,
            procedure: Procedure::Table,
        }
    }

    fn steps(roundings: f64, library: f64, exponent: f64) -> Steps {
        Steps { roundings, library, exponent }
    }

    #[test]
    fn steps_are_counted_as_the_proof_says() {
        let none = Steps::default();
        let table = rule(steps(1.0, 0.0, 0.0), none, None);
        let pow = rule(steps(0.0, 1.0, 1.0), none, None);
        let reciprocal = rule(steps(1.0, 1.0, 1.0), none, None);
        let recurrence = rule(none, steps(1.0, 1.0, 1.0), None);
        // e = 2 * 3 / 128 is exact in f32; 2 * 31 / 96 is not, and lies in [1/2, 1).
        let (exact, inexact) = (Frequency::power(0.649, 1e4, 3, 128), Frequency::power(0.0026, 1e4, 31, 96));
        assert_eq!(table.steps(&exact), Some(1.0));
        assert_eq!((pow.steps(&exact), reciprocal.steps(&exact)), (Some(2.0), Some(3.0)));
        assert_eq!(pow.steps(&inexact), Some(2.0 + 0.5 * 1e4f64.ln()));
        // Each step: a product, 2 units of pow, and the exponent 2/96, an inexact number in [1/64, 1/32).
        assert_eq!(recurrence.steps(&inexact), Some(31.0 * (3.0 + 1e4f64.ln() / 64.0)));
        // Frequencies 1 and 0 are exact on every way, and so is a table entry that is an f32.
        for way in [&table, &pow, &reciprocal, &recurrence] {
            assert_eq!(way.steps(&Frequency::power(1.0, 1e6, 0, 96)), Some(0.0));
            assert_eq!(way.steps(&Frequency::plain(0.0)), Some(0.0));
        }
        assert_eq!(table.steps(&Frequency::plain(0.25)), Some(0.0));
        assert_eq!(pow.steps(&Frequency::plain(0.25)), None, "no base, no power");
        // A base that is no f32 costs e units more.
        let odd = Frequency::power(0.649, 10_000.1, 3, 128);
        assert!((pow.steps(&odd).unwrap_or(0.0) - 2.0 - 6.0 / 128.0).abs() < 1e-12);
    }

    #[test]
    fn an_angle_that_is_exact_has_no_error() {
        let class = ClassRule {
            name: String::new(),
            doc: String::new(),
            angles: Kept::F32,
            table: Kept::F32,
            arithmetic: Kept::F32,
            trig_ulps: 2.0,
            trig_error: 0.0,
            angle_limit: None,
            flushes: false,
        };
        let contract = Contract::new(class, rule(steps(1.0, 0.0, 0.0), Steps::default(), None));
        let at = |steps: f64, inv_freq: f64, position: Dd| contract.angle_error(steps, inv_freq, position);
        let units = |g: f64, angle: f64| (g / (angle.abs() * F32_ROUNDING)).round();
        assert_eq!(at(0.0, 1.0, Dd::from_f64(16_777_216.0)), 0.0);
        assert_eq!(at(0.0, 0.25, Dd::from_f64(-12_345.0)), 0.0);
        assert_eq!(at(1.0, 0.1, Dd::ZERO), 0.0);
        // No f32: the conversion and the product.
        assert_eq!(units(at(0.0, 1.0, Dd::from_f64(16_777_217.0)), 16_777_217.0), 2.0);
        assert_eq!(units(at(0.0, 1.0, Dd::from_ratio(10.0, 3.0)), 10.0 / 3.0), 2.0);
        assert_eq!(units(at(1.0, 0.1, Dd::from_f64(7.0)), 0.7), 2.0);
        assert_eq!(units(at(1.0, 0.1, Dd::from_ratio(1.0, 3.0)), 0.1 / 3.0), 3.0);
        // An f32 times an f32 that has more than 24 bits.
        assert_eq!(units(at(0.0, 0.75, Dd::from_f64(16_777_215.0)), 0.75 * 16_777_215.0), 1.0);
        let blind = |f: f64| contract.blind_from(&Frequency::plain(f)).expect("a table");
        assert_eq!(blind(1.0), 16_777_216.0);
        assert!((at(1.0, 0.9, Dd::from_f64(blind(0.9).ceil())) - 1.0).abs() < 1e-6);
        assert!(at(f64::INFINITY, 0.1, Dd::from_f64(7.0)).is_infinite());
        assert!(at(1.0, 1e30, Dd::from_f64(1e30)).is_infinite());
        // An angle that f32 cannot hold may be lost whole.
        assert!(at(1.0, 1e-43, Dd::from_f64(1e-3)) >= 1e-46);
    }
}
