//! How a kernel comes by its frequencies and angles, in the type of its angles.

use super::angle::{KernelAngle, from_turns, reduced, units_of_a_radian};
use super::functions::{Functions, LibraryFunction};
use super::ideal::odd;
use super::knobs::Knobs;
use crate::contract::{AngleUnit, Contract, Procedure};
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
    /// How many units of the angles are a turn; `None` for radians.
    per_turn: Option<f64>,
    /// Angles are made in radians, and multiplied by what is a radian's part of a turn after that.
    unit_last: bool,
    /// Angles of f64 are reduced and rounded to f32, with a rounded 2 pi.
    reduced: Option<bool>,
    /// Cosines and sines come from those of one position.
    turned: bool,
}

impl Angles {
    /// Computes the frequencies as the contract says. Where they are no powers of a base they come from a table.
    #[must_use]
    pub fn new(contract: &Contract, storage: DType, knobs: &Knobs, exact: ExactFrequencies<'_>) -> Self {
        let class = &contract.class;
        let dtype = class.angles.dtype(storage);
        let per_turn = match class.angle_unit {
            AngleUnit::Radians => None,
            AngleUnit::HalfTurns => Some(2.0),
            AngleUnit::Turns => Some(1.0),
        };
        let table = contract.frequencies.procedure == Procedure::Table;
        // Half an ulp of f32 just below pi.
        let rounds = dtype == Some(DType::F64) && class.angle_error > DType::F32.half_ulp(3.0);
        let mut angles = Self {
            kept: StoredFrequencies::Each(Vec::new()),
            dtype,
            flush: knobs.flush,
            knobs: knobs.clone(),
            per_turn: per_turn.filter(|_| dtype.is_some()),
            unit_last: table && class.angle_roundings >= 2.0,
            reduced: rounds.then_some(class.angle_roundings >= 1.0),
            turned: class.trig_error_per_position > 0.0,
        };
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

    /// A radian in the unit of the angles, as a constant of their type.
    fn radian(&self) -> f64 {
        self.per_turn.map_or(1.0, |per_turn| self.kept(units_of_a_radian(per_turn).to_f64(), None))
    }

    /// An entry of a table of frequencies, in the unit of the angles.
    fn entry(&self, f: f64, roundings: f64) -> f64 {
        match self.per_turn.filter(|_| !self.unit_last) {
            None => f,
            Some(_) if roundings >= 3.0 => self.kept(f, None) * self.radian(),
            Some(per_turn) => {
                let exact = units_of_a_radian(per_turn).times_f64(f);
                if self.dtype == Some(DType::F64) { exact.to_f64() } else { odd(exact) }
            }
        }
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
                inv_freq
                    .iter()
                    .enumerate()
                    .map(|(i, f)| self.kept(self.entry(other(i, *f), rule.once.roundings), narrower))
                    .collect(),
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
            let f = if self.per_turn.is_some() { self.kept(f, None) * self.radian() } else { f };
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
    pub fn angle(&self, pair: usize, position: Dd) -> KernelAngle {
        let p = if self.dtype == Some(DType::F32) { self.kept(odd(position), None) } else { position.hi };
        let whole = p.fract() == 0.0 && (self.dtype.is_some() || position.lo == 0.0) && p.abs() < 1e15;
        if self.turned && whole && p != 0.0 {
            return KernelAngle { times: p.abs() as u64, ..self.once(pair, Dd::from_f64(p.signum())) };
        }
        self.once(pair, position)
    }

    /// The same, without a turn for each position.
    fn once(&self, pair: usize, position: Dd) -> KernelAngle {
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
                let angle = if exact { position.times_f64(f) } else { Dd::from_f64(self.kept(p * f, None)) };
                if self.unit_last { Dd::from_f64(self.kept(angle.hi * self.radian(), None)) } else { angle }
            }
            StoredFrequencies::Step { step, turns } if turns.get(pair) == Some(&true) => {
                let first = if self.per_turn.is_some() { self.kept(p * self.radian(), None) } else { p };
                Dd::from_f64((0..pair).fold(first, |angle, _| self.kept(angle * step, None)))
            }
            StoredFrequencies::Step { .. } => Dd::ZERO,
        };
        let angle: KernelAngle = match self.per_turn {
            Some(per_turn) if self.reduced.is_some() => {
                let part = angle.hi - per_turn * (angle.hi / per_turn).round();
                from_turns(DType::F32.round(part), per_turn)
            }
            Some(per_turn) => from_turns(angle.hi, per_turn),
            None => match self.reduced {
                Some(rounded) => Dd::from_f64(DType::F32.round(reduced(angle.hi, rounded))).into(),
                None => angle.into(),
            },
        };
        match self.knobs.angle_type {
            Some(dtype) => Dd::from_f64(dtype.round(odd(angle.radians))).into(),
            None => angle,
        }
    }
}

/// `v`, or 0 if it is subnormal and subnormals are flushed.
#[inline]
pub(super) fn flushed(flush: bool, dtype: DType, v: f64) -> f64 {
    if flush && v.abs() < dtype.min_normal() { 0.0 } else { v }
}
