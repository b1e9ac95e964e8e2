//! The arithmetic that a backend declares, as data: `spec/contracts.yaml` holds the numbers, `docs/numerics.md` the proofs.
//!
//! Angle errors are counted in *units*: the relative error of one rounding to the type that angles are computed in.

use crate::numeric::{DType, Dd};

use super::frequency_rule::{Frequency, FrequencyRule};
use super::precision::Precision;
use super::precision::unit;

/// The relative error of one rounding to f32, 2^-24.
pub const F32_ROUNDING: f64 = 1.0 / (1u64 << 24) as f64;
/// Roundings multiply: K of them err by at most K (1 + SECOND_ORDER) units as long as K <= [`MAX_STEPS`].
const SECOND_ORDER: f64 = 1.0 / 128.0;
/// Largest K.
const MAX_STEPS: f64 = 65_536.0;

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

/// What angles are counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum AngleUnit {
    /// Radians: the plan's frequencies as they are.
    #[default]
    Radians,
    /// Pi radians, as for sinpi.
    HalfTurns,
    /// 2 pi radians.
    Turns,
}

impl AngleUnit {
    /// One of it, in radians.
    #[must_use]
    pub fn radians(self) -> f64 {
        match self {
            Self::Radians => 1.0,
            Self::HalfTurns => std::f64::consts::PI,
            Self::Turns => std::f64::consts::TAU,
        }
    }
}

/// How a pair is rotated by its cosine and sine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rotation {
    /// a c - b s and b c + a s.
    #[default]
    FourProducts,
    /// c (a + b) - b (c + s) and c (a + b) + a (s - c).
    ThreeProducts,
    /// a += t b, b += s a, a += t b with t = -s / (1 + c), after a half turn of both where c is negative.
    Shears,
}

/// What is multiplied by the attention scaling.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scaling {
    /// Cosine and sine, before they are kept in the table.
    #[default]
    Factors,
    /// What the table keeps of them.
    Table,
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
    pub angles: Precision,
    /// What angles are counted in.
    pub angle_unit: AngleUnit,
    /// Roundings that a position which is no number of that type has been through (1: the conversion).
    pub position_roundings: f64,
    /// Roundings of an angle besides that of position * frequency.
    pub angle_roundings: f64,
    /// Absolute error of an angle on top of all roundings, in radians.
    pub angle_error: f64,
    /// How cos and sin are kept.
    pub table: Precision,
    /// Type of products and sums.
    pub arithmetic: Precision,
    /// Ulps of f32 by which sin and cos of the kernel's angle may be wrong (tau), whatever type the angle has.
    pub trig_ulps: f64,
    /// Absolute error of sin and cos on top of that (hardware instructions).
    pub trig_error: f64,
    /// Relative error of (cos, sin) per position: each is the one before it, turned.
    pub trig_error_per_position: f64,
    /// Largest |angle| in radians for which anything is claimed.
    pub angle_limit: Option<f64>,
    /// Whether subnormals may be flushed to zero, on the way in and out of every operation.
    pub flushes: bool,
    /// How a pair is rotated.
    pub rotation: Rotation,
    /// Fused multiply-add.
    pub fma: Fma,
    /// Rounding to narrow storage.
    pub store: Store,
    /// What the attention scaling is applied to.
    pub scaling: Scaling,
    /// In which type; [`ClassRule::scaling_type`] has the default.
    pub scaled: Option<Precision>,
}

impl ClassRule {
    /// Whether cosine and sine are scaled.
    #[must_use]
    pub fn scales_factors(&self) -> bool {
        matches!(self.scaling, Scaling::Factors | Scaling::Table)
    }

    /// The largest product of `trig_error_per_position` and a position at which anything is claimed. Shears
    /// divide by 1 + c, so a cosine near 0 must not err by 1.
    pub(super) fn most_spread(&self) -> f64 {
        if self.rotation == Rotation::Shears { 0.4 } else { 1.0 }
    }

    /// The type of the attention scaling and of what has been scaled. Unless declared: exact where what is scaled is, else f32.
    #[must_use]
    pub fn scaling_type(&self) -> Precision {
        let source = if self.scales_factors() { self.table } else { self.arithmetic };
        self.scaled.unwrap_or(if source == Precision::Exact { Precision::Exact } else { Precision::F32 })
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
        if self.class.angle_unit == AngleUnit::Radians {
            self.frequencies.steps(frequency, self.class.angles)
        } else {
            self.frequencies.steps_of_turns(frequency, self.class.angles)
        }
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
        // No frequency but 0 is a number of the type in turns, as pi is irrational.
        let radians = self.class.angle_unit == AngleUnit::Radians;
        let factors_exact = radians && steps == 0.0 && exact_position && dtype.holds(inv_freq);
        // The product of two f32 is exact in f64; that of two f64 is seen to be exact where its rest is 0.
        let product_exact = match dtype {
            DType::F64 => position.times_f64(inv_freq).lo == 0.0,
            narrow => narrow.holds(angle),
        };
        if !(factors_exact && product_exact) {
            k += 1.0;
        }
        k += self.class.angle_roundings;
        if k == 0.0 {
            return self.class.angle_error;
        }
        if !(k <= MAX_STEPS && angle.abs() < dtype.max_finite()) {
            return f64::INFINITY;
        }
        // Below the normal range a rounding errs by up to half the smallest subnormal, or by the smallest normal number if
        // it flushes. Each of the at most `steps` roundings of a recurrence may.
        let least = if self.class.flushes { dtype.min_normal() } else { dtype.half_ulp(0.0) };
        let times = (steps.max(1.0) + self.class.angle_roundings) * self.class.angle_unit.radians();
        let underflow = least * (position.hi.abs() + inv_freq.abs() + 2.0) * times;
        angle.abs() * k * (1.0 + SECOND_ORDER) * unit(dtype) + underflow + self.class.angle_error
    }

    /// The |position| from which on the angle may be wrong by a whole radian, so that only the length of a pair and what
    /// does not depend on the angle is judged. Where the frequency itself is exact these are the positions that are no
    /// numbers of the angles' type (elsewhere positions are taken to be such). Infinite for exact angles and for frequency
    /// 0; `None` as [`FrequencyRule::steps`].
    #[must_use]
    pub fn blind_from(&self, frequency: &Frequency) -> Option<f64> {
        let steps = self.steps(frequency)?;
        let class = &self.class;
        // From there on nothing is judged at all.
        let most = class.most_spread();
        let too_wide = if frequency.inv_freq == 0.0 { f64::INFINITY } else { most / class.trig_error_per_position };
        let Some(dtype) = class.angles.angles() else { return Some(too_wide) };
        let left = 1.0 - class.angle_error;
        let from = |k: f64| left / (k * (1.0 + SECOND_ORDER) * unit(dtype) * frequency.inv_freq.abs());
        let exact_until = 1.0 / unit(dtype);
        let exact = steps == 0.0 && class.angle_unit == AngleUnit::Radians && class.angle_roundings == 0.0;
        let blind = if exact {
            let inexact = from(1.0 + self.class.position_roundings).max(exact_until);
            // A power of two times a number of the type is exact; other products are rounded before.
            let power_of_two = frequency.inv_freq.to_bits().trailing_zeros() >= 52;
            if power_of_two { inexact } else { inexact.min(from(1.0)) }
        } else {
            from(1.0 + steps + class.angle_roundings)
        };
        Some(blind.min(too_wide))
    }
}

#[cfg(test)]
#[path = "arithmetic_tests.rs"]
mod tests;
