//! What a rotation by three products or by three shears adds to a bound. `docs/numerics.md` derives every
//! term.

use super::allowance::Allowance;
use super::types::F64_COST;
use super::types::ScaledValues;
use super::types::Types;
use super::types::UP;
use crate::numeric::DType;

/// What the way a pair is rotated adds to its bound.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum FormBound {
    /// Nothing.
    FourProducts,
    /// c (a + b) - b (c + s) and c (a + b) + a (s - c).
    ThreeProducts(ThreeProducts),
    /// a += t b, b += s a, a += t b.
    Shears(Shears),
}

/// Rotating by three products.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ThreeProducts {
    /// Largest magnitudes of the kernel's c + s, for the first output, and s - c, for the second, before they
    /// are rounded; times the scaling, wherever it is applied.
    pub most: [f64; 2],
}

/// Rotating by three shears.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shears {
    /// Largest |cos| and |sin| of the kernel's own angle.
    pub exact: [f64; 2],
    /// Largest |s| of the kernel.
    pub sine: f64,
    /// Largest |t| of the kernel.
    pub tangent: f64,
    /// By how much |t| may differ from the exact one of the kernel's own angle.
    pub tangent_error: f64,
    /// Errors of what multiplies the inputs in the end: of the functions, of the table, of making t.
    pub errors: [ShearErrors; 3],
}

/// By how much what multiplies an input in the end differs from a cosine or a sine.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct ShearErrors {
    /// Of 1 + t s, for both outputs.
    pub cos: f64,
    /// Of t (2 + t s), for the first output, and of s, for the second.
    pub sin: [f64; 2],
}

/// Errors of the sine and of the tangent of half the angle, by their reasons.
#[derive(Debug, Clone, Copy, Default)]
struct TangentErrors {
    /// Of the functions.
    trig: f64,
    /// Of the table.
    table: f64,
    /// Of making t from cosine and sine.
    made: f64,
}

impl TangentErrors {
    fn total(self) -> f64 {
        self.trig + self.table + self.made
    }
}

/// What the tangent is made from: the kernel's cosines and sines.
#[derive(Debug, Clone, Copy)]
pub(super) struct ShearSource {
    /// Largest |cos| and |sin| of the kernel's own angle.
    pub exact: [f64; 2],
    /// Smallest |cos| of it.
    pub least_cos: f64,
    /// Errors of its cosine and sine.
    pub trig: [f64; 2],
    /// Of keeping them.
    pub table: [f64; 2],
    /// Error of the function tan of half the angle, at a tangent of this size; `None` where cosines and sines
    /// are given.
    pub tangent: Option<fn(&ShearSource, f64) -> f64>,
    /// Ulps of f32, absolute error, and least error of library functions.
    pub library: (f64, f64, f64),
}

impl ShearSource {
    /// Error of the library's tangent.
    pub(super) fn of_library(&self, size: f64) -> f64 {
        let (ulps, absolute, least) = self.library;
        absolute + F64_COST * size + (ulps * 2.0 * DType::F32.half_ulp(size)).max(least)
    }
}

impl ShearErrors {
    /// For errors of s and of t: the exact ones have 1 + t s = c and t (2 + t s) = -s.
    fn new(exact: [f64; 2], tangent: f64, sine_error: f64, tangent_error: f64) -> Self {
        let [cos, sin] = exact;
        let first = 2.0 * cos * tangent_error
            + tangent * tangent * sine_error
            + 2.0 * tangent * tangent_error * sine_error
            + tangent_error * tangent_error * (sin + sine_error);
        let cos = sin * tangent_error + tangent * sine_error + sine_error * tangent_error;
        Self { cos, sin: [first, sine_error] }
    }

    fn minus(self, other: Self) -> Self {
        let sin = [self.sin[0] - other.sin[0], self.sin[1] - other.sin[1]];
        Self { cos: self.cos - other.cos, sin }
    }
}

impl Shears {
    /// `None` where 1 + c may be next to nothing.
    pub(super) fn new(types: &Types, source: &ShearSource) -> Option<Self> {
        let ShearSource { exact, trig, table, .. } = *source;
        let kept = [trig[0] + table[0], trig[1] + table[1]];
        // The sign that is taken off is that of the exact cosine, or of the kernel's.
        let least = source.least_cos - kept[0];
        let below = (1.0 + least) / UP;
        if below < 0.25 || below.is_nan() {
            return None;
        }
        let tangent = exact[1] / below;
        // s / (1 + c) in steps that round like this, from a cosine and a sine that err by so much.
        let made = |errors: [f64; 2], step: &dyn Fn(f64) -> f64| {
            let sum = step(1.0 + exact[0] + errors[0]);
            let quotient = (exact[1] + errors[1]) / below;
            let moved = quotient * sum / (below - sum).max(0.0);
            moved + step(quotient + moved)
        };
        let functions = (trig[1] + tangent * trig[0]) / below;
        // From what is kept of cosine and sine, in the type of the arithmetic.
        let mut worst = TangentErrors {
            trig: functions,
            table: (table[1] + tangent * table[0]) / below,
            made: made(kept, &|v| types.step(v)),
        };
        if let Some(library) = source.tangent {
            let keep = |v: f64| match types.table {
                None | Some(DType::F32) => 0.0,
                Some(narrow) => types.rounding(narrow, v),
            };
            let wide = |v: f64| if types.table.is_none() { F64_COST * v } else { types.rounding(DType::F32, v) };
            // From cosine and sine before they are kept, and kept itself; or from the function tan.
            let early = TangentErrors { trig: functions, table: 0.0, made: made(trig, &wide) };
            let direct = TangentErrors { trig: library(source, tangent), ..TangentErrors::default() };
            for other in [early, direct] {
                let other = TangentErrors { table: keep(tangent + other.total()), ..other };
                if other.total() > worst.total() {
                    worst = other;
                }
            }
        }
        let of = |sine, half| ShearErrors::new(exact, tangent, sine, half);
        let functions = of(trig[1], worst.trig);
        let with_table = of(kept[1], worst.trig + worst.table);
        let all = of(kept[1], worst.total());
        let shears = Self {
            exact,
            sine: exact[1] + kept[1],
            tangent: tangent + worst.total(),
            tangent_error: worst.total(),
            errors: [functions, with_table.minus(functions), all.minus(with_table)],
        };
        // A sum that is rounded to nothing, of types that hold no 1.
        shears.tangent.is_finite().then_some(shears)
    }

    /// Of a cosine and a sine that are given, and need not be those of one angle: what the shears of the
    /// exact t come to differs from them by so much more.
    pub(super) fn given(types: &Types, cos: f64, sin: f64, table: [f64; 2]) -> Option<Self> {
        let exact = [cos.abs(), sin.abs()];
        let source =
            ShearSource { exact, least_cos: exact[0], trig: [0.0; 2], table, tangent: None, library: (0.0, 0.0, 0.0) };
        let mut shears = Self::new(types, &source)?;
        let half = -exact[1] / (1.0 + exact[0]);
        let (made_cos, made_sin) = (1.0 + half * exact[1], -half * (2.0 + half * exact[1]));
        let off = [(made_cos - exact[0]).abs() + F64_COST, (made_sin - exact[1]).abs() + F64_COST];
        let [functions, ..] = &mut shears.errors;
        functions.cos += off[0];
        // 1 + t s is what t (2 + t s) moves by.
        functions.sin[0] += off[1] + 2.0 * off[0] * shears.tangent_error;
        // No turn, but one that changes lengths by a quarter.
        (off[0] + off[1] < 0.25).then_some(shears)
    }

    /// Largest magnitude of 1 + t s.
    fn cos(&self) -> f64 {
        self.exact[0] + self.errors.iter().map(|errors| errors.cos).sum::<f64>()
    }

    /// Largest magnitude of t (2 + t s), or of s.
    fn sin(&self, second: bool) -> f64 {
        self.exact[1] + self.errors.iter().map(|errors| errors.sin[usize::from(second)]).sum::<f64>()
    }
}

/// The inputs as a kernel uses them, and its scaling.
#[derive(Debug, Clone, Copy)]
pub(super) struct FormInputs<'a> {
    /// Types.
    pub types: &'a Types,
    /// Scaling of inputs or outputs.
    pub scaled: Option<&'a ScaledValues>,
    /// a and b.
    pub inputs: (f64, f64),
}

impl FormInputs<'_> {
    /// Error of an input that was scaled.
    pub(super) fn error(&self, input: f64) -> f64 {
        self.scaled.filter(|by| !by.outputs).map_or(0.0, |by| by.cost(self.types, input.abs()))
    }

    /// Magnitude of an input as it is used, but for that error.
    pub(super) fn size(&self, input: f64) -> f64 {
        input.abs() * self.scaled.filter(|by| !by.outputs).map_or(1.0, |by| by.by)
    }

    /// What a magnitude that has the scaling in it is without.
    pub(super) fn unscaled(&self, v: f64) -> f64 {
        self.scaled.map_or(v, |by| v / by.by * UP)
    }

    /// The magnitude of an output before the scaling.
    pub(super) fn before(&self, v: f64) -> f64 {
        self.scaled.filter(|by| by.outputs).map_or(v, |by| v / by.by * UP)
    }

    /// What comes before the scaling of outputs, after that.
    fn after(&self, v: f64) -> f64 {
        self.scaled.filter(|by| by.outputs).map_or(v, |by| v * by.by)
    }

    /// Largest magnitude of a + b, and the error of its rounding.
    pub(super) fn sum(&self) -> (f64, f64) {
        let (a, b) = self.inputs;
        let exact = self.size(a + b) * UP + self.error(a) + self.error(b);
        (exact, self.types.step(exact))
    }

    /// Adds what three products cost to a bound that has angle, trig and table; `cos` is the largest |c|.
    pub(super) fn three_products(
        &self,
        part: &mut Allowance,
        three: &ThreeProducts,
        cos: f64,
        second: bool,
        value: f64,
    ) {
        let types = self.types;
        let of_sum = if second { self.inputs.0 } else { self.inputs.1 };
        let cos = self.unscaled(cos);
        let factor = self.unscaled(three.most[usize::from(second)]);
        let (sum, sum_error) = self.sum();
        let factor_error = types.step(factor);
        let input = self.size(of_sum) + self.error(of_sum);
        part.steps = self.after(cos * sum_error + input * factor_error);
        let terms = (cos * (sum + sum_error), input * (factor + factor_error));
        part.finish(types, self.scaled, Allowance::products(types, terms), value);
    }

    /// Error and largest magnitude of a + t b.
    pub(super) fn first_shear(&self, shears: &Shears) -> (f64, f64) {
        let (a, b) = self.inputs;
        let [a, b] = [a, b].map(|v| self.size(v) + self.error(v));
        let product = shears.tangent * b;
        let rounded = self.types.step_product(product);
        let error = rounded + self.types.step(a + product + rounded);
        (error, a + product + error)
    }

    /// The bound of a pair that is sheared, from its part `angle`, given for both outputs; without the
    /// reference's own.
    pub(super) fn shears(&self, shears: &Shears, angles: [f64; 2], second: bool, values: [f64; 2]) -> Allowance {
        let types = self.types;
        let (a, b) = self.inputs;
        let (shear_error, sheared) = self.first_shear(shears);
        let m = self.scaled.map_or(1.0, |by| by.by);
        // Everything but the rounding of the last products and of what follows.
        let begun = |second: bool| {
            let (of_cos, of_sin) = if second { (b, a) } else { (a, b) };
            let of =
                |errors: &ShearErrors| m * (of_cos.abs() * errors.cos + of_sin.abs() * errors.sin[usize::from(second)]);
            let [trig, table, tangent] = [&shears.errors[0], &shears.errors[1], &shears.errors[2]].map(of);
            let scaling = self.error(of_cos) * shears.cos() + self.error(of_sin) * shears.sin(second);
            // An input that is subnormal may count as 0, wherever it is used.
            let (sine, half) = (shears.sine, shears.tangent);
            let uses = 1.0 + 2.0 * half + (1.0 + half) * (1.0 + half) * sine;
            let flushed = if types.flushes { m * types.storage.min_normal() * uses } else { 0.0 };
            let angle = angles[usize::from(second)];
            Allowance { angle, trig: trig + flushed, table, tangent, scaling, ..Allowance::default() }
        };
        // A product, and what it is added to: in exact arithmetic it pays for the sum as well.
        let last = |product: f64, to: f64| {
            let exact = if types.arithmetic.is_none() { F64_COST * to } else { 0.0 };
            types.step_product(product) + exact
        };
        let mut other = begun(true);
        other.steps = self.after(shears.sine * shear_error);
        let product = last(shears.sine * sheared, self.size(b) + self.error(b));
        if second {
            other.finish(types, self.scaled, product, values[1]);
            return other;
        }
        // The second output as the first one takes it in.
        let moved = other.total() + self.after(product);
        let taken = self.before(values[1].abs() + moved);
        let taken_error = types.step(taken);
        let mut part = begun(false);
        part.steps = self.after(shears.cos() * shear_error + shears.tangent * (product + taken_error));
        let product = last(shears.tangent * (taken + taken_error), sheared);
        part.finish(types, self.scaled, product, values[0]);
        part
    }
}
