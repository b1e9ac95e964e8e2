//! Library functions that err as far as a contract allows, and ways to a sine that no contract allows.

use super::ideal;
use super::knobs::{Knobs, LibraryErrors, Trig};
use crate::numeric::{DType, Dd, Rng};

/// Which function is called: with its argument it decides the error.
#[derive(Debug, Clone, Copy)]
#[repr(u64)]
pub(super) enum LibraryFunction {
    Power = 1,
    Step,
    Exponential,
    Logarithm,
    Cosine,
    Sine,
    Tangent,
}

/// A library's functions.
#[derive(Debug, Clone)]
pub(super) struct Functions {
    errors: LibraryErrors,
    rng: Rng,
}

impl Functions {
    pub(super) fn new(knobs: &Knobs) -> Self {
        Self { errors: knobs.library, rng: Rng::new(knobs.seed) }
    }

    /// A result whose exact value is `exact`, of the argument with these bits: within `ulps` of f32 and `absolute` of it. A
    /// number of f32, unless so few ulps are allowed that there may be none. 0 and 1 are exact.
    pub(super) fn result(&self, function: LibraryFunction, argument: u64, exact: f64, ulps: f64, absolute: f64) -> f64 {
        if exact == 0.0 || exact == 1.0 || !exact.is_finite() {
            return exact;
        }
        let end = ulps * 2.0 * DType::F32.half_ulp(exact) + absolute;
        let wanted = exact + self.error(function, argument) * end;
        if end < DType::F32.half_ulp(exact) {
            return wanted;
        }
        let mut v = wanted as f32;
        while (f64::from(v) - exact).abs() > end {
            v = if f64::from(v) > exact { v.next_down() } else { v.next_up() };
        }
        f64::from(v)
    }

    /// The same in f64. What comes from libm has used up to an ulp already.
    pub(super) fn result_f64(&self, function: LibraryFunction, argument: u64, exact: f64, ulps: f64) -> f64 {
        if exact == 0.0 || exact == 1.0 || !exact.is_finite() {
            return exact;
        }
        exact + self.error(function, argument) * (ulps - 1.0).max(0.0).floor() * 2.0 * DType::F64.half_ulp(exact)
    }

    /// Which part of the allowed error is taken: -1 to 1.
    fn error(&self, function: LibraryFunction, argument: u64) -> f64 {
        let random = || self.rng.fork(function as u64).fork(argument);
        match self.errors {
            LibraryErrors::None => 0.0,
            LibraryErrors::Random => 2.0 * random().unit() - 1.0,
            LibraryErrors::Up => 1.0,
            LibraryErrors::Down => -1.0,
            LibraryErrors::Alternating if random().one_in(2) => 1.0,
            LibraryErrors::Alternating => -1.0,
        }
    }
}

/// Cosine and sine of an f32 angle by a way that is none of the contracts'; numbers of f32.
pub(super) fn faulty(trig: Trig, angle: f64) -> (f64, f64) {
    let f32_of = |v: f64| f64::from(v as f32);
    let (cos, sin) = match trig {
        Trig::Honest => {
            let (sin, cos) = libm::sincos(angle);
            (cos, sin)
        }
        Trig::Hardware => {
            const GRID: f64 = (1u32 << 23) as f64;
            // The product in f32 loses 2^-24 of the turns; the grid pi * 2^-23 of a radian.
            let turns = f32_of(angle * f32_of(0.5 * std::f64::consts::FRAC_1_PI));
            let (sin, cos) = libm::sincos((turns * GRID).round() / GRID * std::f64::consts::TAU);
            (cos, sin)
        }
        Trig::OneWord => {
            let turns = (angle * std::f64::consts::FRAC_2_PI).round();
            let (sin, cos) = libm::sincos(angle - turns * f32_of(std::f64::consts::FRAC_PI_2));
            match turns.rem_euclid(4.0) as u8 {
                0 => (cos, sin),
                1 => (-sin, cos),
                2 => (-cos, -sin),
                _ => (sin, -cos),
            }
        }
        Trig::Unreduced => {
            // Taylor, up to x^15/15!: right in f32 below pi/2.
            let (mut cos, mut sin, mut term) = (0.0, 0.0, 1.0);
            for n in 0..16 {
                *(if n % 2 == 0 { &mut cos } else { &mut sin }) += if n % 4 < 2 { term } else { -term };
                term *= angle / f64::from(n + 1);
            }
            (cos, sin)
        }
    };
    (f32_of(cos), f32_of(sin))
}

/// Cosine and sine of an angle, exact to f64.
pub(super) fn exact_pair(angle: Dd) -> (f64, f64) {
    let (cos, sin) = exact(angle, false);
    (cos.hi, sin.hi)
}

/// Cosine and sine of an angle, exact to f64, as two f64 each where `twofold`.
pub(super) fn exact(angle: Dd, twofold: bool) -> (Dd, Dd) {
    if twofold {
        return ideal::sincos(angle);
    }
    // With factor 1 the product is the angle itself.
    let of_angle = crate::numeric::sincos(angle, 1.0);
    (Dd::from_f64(of_angle.cos), Dd::from_f64(of_angle.sin))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_stay_within_what_is_declared_and_reach_it() {
        for (errors, low, high) in [
            (LibraryErrors::None, -0.5, 0.5),
            (LibraryErrors::Up, 1.0, 2.0),
            (LibraryErrors::Down, -2.0, -1.0),
            (LibraryErrors::Random, -2.0, 2.0),
            (LibraryErrors::Alternating, -2.0, 2.0),
        ] {
            let functions = Functions::new(&Knobs { library: errors, seed: 4, ..Knobs::default() });
            let mut most = [f64::INFINITY, f64::NEG_INFINITY];
            let mut rng = Rng::new(9);
            for argument in 0..2000 {
                let exact = rng.unit() + 1e-3;
                let got = functions.result(LibraryFunction::Sine, argument, exact, 2.0, 0.0);
                let error = (got - exact) / (2.0 * DType::F32.half_ulp(exact));
                assert!((low..=high).contains(&error), "{errors:?}: {error}");
                assert!(DType::F32.holds(got));
                assert_eq!(got.to_bits(), functions.result(LibraryFunction::Sine, argument, exact, 2.0, 0.0).to_bits());
                most = [most[0].min(error), most[1].max(error)];
            }
            assert!(most[0] < low + 0.1 && most[1] > high - 0.1, "{errors:?}: {most:?}");
        }
        let functions = Functions::new(&Knobs { library: LibraryErrors::Up, ..Knobs::default() });
        assert_eq!(functions.result(LibraryFunction::Cosine, 0, 1.0, 2.0, 0.0), 1.0);
        assert_eq!(functions.result(LibraryFunction::Cosine, 0, 0.3, 0.0, 0.0), 0.3, "no ulp, no rounding");
    }

    #[test]
    fn each_faulty_sine_is_good_near_zero_and_bad_far_out() {
        let error = |trig: Trig, angle: f64| {
            let (cos, sin) = faulty(trig, angle);
            (cos - angle.cos()).abs().max((sin - angle.sin()).abs())
        };
        let most = |trig: Trig, from: f64, to: f64| {
            (0..1000)
                .map(|i| error(trig, f64::from((from + (to - from) * f64::from(i) / 1000.0) as f32)))
                .fold(0.0, f64::max)
        };
        // Half the grid is 2^-21.35 of a radian, the f32 turns a little more.
        assert!((2f64.powf(-21.6)..2f64.powf(-20.5)).contains(&most(Trig::Hardware, -3.1, 3.1)));
        assert!(most(Trig::Hardware, 1000.0, 1100.0) > 1e-5);
        // n * (pi/2 - fl32(pi/2)) = n * 4.4e-8
        assert!(most(Trig::OneWord, -0.7, 0.7) < 1e-7 && most(Trig::OneWord, 1000.0, 1100.0) > 2e-5);
        assert!(most(Trig::Unreduced, -1.5, 1.5) < 1e-7 && most(Trig::Unreduced, 6.0, 8.0) > 0.1);
        assert!(most(Trig::Honest, -1e5, 1e5) < 6e-8);
    }
}
