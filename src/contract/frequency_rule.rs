//! How a backend may come by its frequencies, and what each way costs in units: `spec/contracts.yaml` holds the counts,
//! `docs/numerics.md` the proofs.

use crate::numeric::DType;

use super::precision::Precision;
use super::precision::unit;

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
    pub fn steps(&self, frequency: &Frequency, angles: Precision) -> Option<f64> {
        let f = frequency.inv_freq;
        let Some(dtype) = angles.angles() else { return Some(0.0) };
        if f != 0.0 && self.needs_base() && frequency.base.is_none() {
            return None;
        }
        if f == 0.0 || (f == 1.0 && frequency.exponent.is_none_or(|(num, _)| num == 0)) {
            // Every way gives 0 and 1 exactly: pow(b, 0) = exp(0) = 1.
            return Some(0.0);
        }
        let index = f64::from(frequency.index);
        // The plan's frequency, which is the truth, is itself the formula's value rounded to f64. In units of f32 that is
        // 2^-29, and inside the second order.
        let plan = if dtype == DType::F64 { 1.0 } else { 0.0 };
        if !self.needs_base() {
            // A frequency that is a number of the type is not changed by being rounded to it.
            let exact = self.only_rounds() && dtype.holds(f);
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

    /// The same of the frequency in turns or half turns, 1/(2 pi) or 1/pi of it. A table holds that itself, rounded;
    /// what is computed is multiplied by a rounded constant, which is two roundings more.
    pub(super) fn steps_of_turns(&self, frequency: &Frequency, angles: Precision) -> Option<f64> {
        let steps = self.steps(frequency, angles)?;
        if frequency.inv_freq == 0.0 || angles.angles().is_none() {
            return Some(0.0);
        }
        // No such frequency is a number of the type, whatever the one in radians is.
        Some(if self.only_rounds() { self.once.roundings } else { steps + 2.0 })
    }

    /// Whether its error depends on the base, so that a frequency must be a power of one.
    #[must_use]
    pub fn needs_base(&self) -> bool {
        self.once.exponent + self.per_index.exponent > 0.0 || self.logarithm.is_some()
    }

    /// Whether a frequency is computed otherwise and only rounded.
    pub(super) fn only_rounds(&self) -> bool {
        !self.needs_base() && self.once.library == 0.0 && self.per_index == Steps::default()
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_is_exact_where_its_quotient_is_a_number_of_the_type() {
        for den in 1..200 {
            for num in -200..200 {
                // num / den in f64, times den: exact in i128 arithmetic on a grid of 2^-60.
                let quotient = num as f64 / den as f64;
                let scaled = quotient * 2f64.powi(60);
                let gives_back = scaled.fract() == 0.0 && scaled as i128 * i128::from(den) == i128::from(num) << 60;
                for dtype in [DType::F32, DType::F64] {
                    let exact = gives_back && dtype.holds(quotient);
                    assert_eq!(exponent_units(dtype, num, den).1 == 0.0, exact, "{num}/{den} in {dtype}");
                }
            }
        }
        assert!(exponent_units(DType::F32, (1 << 24) + 1, 2).1 > 0.0);
        assert_eq!(exponent_units(DType::F64, (1 << 24) + 1, 2).1, 0.0);
    }
}
