//! How a kernel comes by its frequencies and angles, in the type of its angles.

use super::functions::{Functions, LibraryFunction};
use super::ideal::odd;
use super::knobs::Knobs;
use crate::contract::{Contract, Procedure};
use crate::numeric::{DType, Dd};

/// What the frequencies of one row of pairs are, exactly.
#[derive(Debug, Clone, Copy)]
pub struct ExactFrequencies<'a> {
    /// Radians per position of each pair.
    pub inv_freq: &'a [f64],
    /// b, where pair i turns with b^(-2i/d).
    pub base: Option<f64>,
    /// d
    pub rotary_dim: u32,
}

/// What a kernel keeps of the frequencies: one each, or the step from one to the next.
#[derive(Debug, Clone)]
enum StoredFrequencies {
    Each(Vec<f64>),
    Step { step: f64, turns: Vec<bool> },
}

/// A kernel's frequencies, and what it makes of a position.
#[derive(Debug, Clone)]
pub struct Angles {
    kept: StoredFrequencies,
    dtype: Option<DType>,
    flush: bool,
    knobs: Knobs,
}

impl Angles {
    /// Computes the frequencies as the contract says. Where they are no powers of a base they come from a table.
    #[must_use]
    pub fn new(contract: &Contract, storage: DType, knobs: &Knobs, exact: ExactFrequencies<'_>) -> Self {
        let dtype = contract.class.angles.dtype(storage);
        let mut angles =
            Self { kept: StoredFrequencies::Each(Vec::new()), dtype, flush: knobs.flush, knobs: knobs.clone() };
        angles.kept = angles.frequencies(contract, exact);
        angles
    }

    /// One rounding to the type of the angles, and then to a narrower one that a fault has.
    fn kept(&self, v: f64, narrower: Option<DType>) -> f64 {
        let v = match self.dtype {
            None => v,
            Some(dtype) => flushed(self.flush, dtype, dtype.round(v)),
        };
        narrower.map_or(v, |dtype| dtype.round(v))
    }

    fn frequencies(&self, contract: &Contract, exact: ExactFrequencies<'_>) -> StoredFrequencies {
        let ExactFrequencies { inv_freq, base, rotary_dim } = exact;
        let narrower = self.knobs.frequency_type;
        let true_base = base;
        let base = base.map(|b| self.knobs.base.unwrap_or(b));
        let d = f64::from(rotary_dim);
        let rule = &contract.frequencies;
        let (Some(base), true) = (base, self.dtype.is_some() && rule.procedure != Procedure::Table) else {
            let other = |i: usize, f: f64| match base {
                // Only a replaced base is computed here.
                Some(b) if base != true_base && f != 0.0 => libm::pow(b, -2.0 * i as f64 / d),
                _ => f,
            };
            return StoredFrequencies::Each(
                inv_freq.iter().enumerate().map(|(i, f)| self.kept(other(i, *f), narrower)).collect(),
            );
        };
        let functions = Functions::new(&self.knobs);
        let ulps = rule.library_ulps;
        let narrow = |v: f64| self.kept(v, None);
        let call = |function, argument: f64, exact: f64| match self.dtype {
            Some(DType::F64) => functions.result_f64(function, argument.to_bits(), exact, ulps),
            _ => narrow(functions.result(function, argument.to_bits(), exact, ulps, 0.0)),
        };
        let b = narrow(base);
        let e = |i: usize| narrow(2.0 * i as f64 / d);
        let step = call(LibraryFunction::Step, e(1), libm::pow(b, -e(1)));
        let log = call(LibraryFunction::Logarithm, b, libm::log(b));
        let log2 = call(LibraryFunction::Logarithm, b, libm::log2(b));
        if rule.procedure == Procedure::Recurrence {
            let step = narrower.map_or(step, |dtype| dtype.round(step));
            return StoredFrequencies::Step { step, turns: inv_freq.iter().map(|f| *f != 0.0).collect() };
        }
        let one = |i: usize, exact: f64| {
            let e = e(i);
            let f = match rule.procedure {
                Procedure::Table | Procedure::Recurrence => exact,
                Procedure::Pow => call(LibraryFunction::Power, -e, libm::pow(b, -e)),
                Procedure::PowReciprocal => 1.0 / call(LibraryFunction::Power, e, libm::pow(b, e)),
                Procedure::Exp => {
                    let exponent = narrow(-e * log);
                    call(LibraryFunction::Exponential, exponent, libm::exp(exponent))
                }
                Procedure::Exp2 => {
                    let exponent = narrow(-e * log2);
                    call(LibraryFunction::Exponential, exponent, libm::exp2(exponent))
                }
                Procedure::Scale => call(LibraryFunction::Power, i as f64, libm::pow(step, i as f64)),
            };
            if exact == 0.0 { 0.0 } else { self.kept(f, narrower) }
        };
        StoredFrequencies::Each(inv_freq.iter().enumerate().map(|(i, f)| one(i, *f)).collect())
    }

    /// The position that a kernel uses in place of `position`: the same, but for faults.
    #[must_use]
    pub fn position(&self, position: Dd) -> Dd {
        let p = self
            .knobs
            .position_bits
            .map_or(position, |bits| Dd::from_f64(position.to_f64().rem_euclid((bits as f64).exp2())));
        match self.knobs.position_type {
            None => p,
            Some(dtype) if dtype.is_float() => Dd::from_f64(dtype.round(odd(p))),
            Some(dtype) => Dd::from_f64(dtype.round(p.to_f64().trunc())),
        }
    }

    /// The kernel's angle of a pair, from what [`Angles::position`] gives.
    #[must_use]
    pub fn angle(&self, pair: usize, position: Dd) -> Dd {
        let exact = self.dtype.is_none();
        let p = match self.dtype {
            None => 0.0,
            // The nearest f64 is the first part.
            Some(DType::F64) => position.hi,
            Some(_) => self.kept(odd(position), None),
        };
        let angle = match &self.kept {
            StoredFrequencies::Each(all) => {
                let f = all.get(pair).copied().unwrap_or(0.0);
                if exact { position.times_f64(f) } else { Dd::from_f64(self.kept(p * f, None)) }
            }
            StoredFrequencies::Step { step, turns } if turns.get(pair) == Some(&true) => {
                Dd::from_f64((0..pair).fold(p, |angle, _| self.kept(angle * step, None)))
            }
            StoredFrequencies::Step { .. } => Dd::ZERO,
        };
        match self.knobs.angle_type {
            Some(dtype) => Dd::from_f64(dtype.round(odd(angle))),
            None => angle,
        }
    }
}

/// `v`, or 0 if it is subnormal and subnormals are flushed.
#[inline]
pub(super) fn flushed(flush: bool, dtype: DType, v: f64) -> f64 {
    if flush && v.abs() < dtype.min_normal() { 0.0 } else { v }
}
