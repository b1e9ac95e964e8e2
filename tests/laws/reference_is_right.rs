//! The reference sine and cosine err by less than 2^-50, at every position to 2^31.

use crate::fixed::{self, Fixed, Rational, parts};
use dashu_base::Abs;
use dashu_float::FBig;
use dashu_float::round::mode::HalfEven;
use dashu_int::{IBig, UBig};
use ropecheck::numeric::{Dd, Number, Rng, SINCOS_ERROR, SinCos, sincos, sincos_error};

type Binary = FBig<HalfEven, 2>;

const BITS: usize = 200;
/// What the project promises.
const PROMISE: f64 = 1.0 / (1u64 << 50) as f64;

fn binary(value: f64) -> Binary {
    let (m, e) = parts(value);
    Binary::from_parts(IBig::from(m), e).with_precision(BITS).value()
}

/// A decimal such as `-2.62e-11`, to 200 bits.
fn decimal(text: &str) -> Binary {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits: IBig = format!("{whole}{fraction}").parse().expect("digits");
    let exponent: i64 = exponent.parse::<i64>().expect("an exponent") - fraction.len() as i64;
    let power = IBig::from(UBig::from(10u8).pow(exponent.unsigned_abs() as usize));
    let (digits, power) = (Binary::from_parts(digits, 0), Binary::from_parts(power, 0));
    let (digits, power) = (digits.with_precision(BITS).value(), power.with_precision(BITS).value());
    if exponent < 0 { digits / power } else { digits * power }
}

fn error(ours: f64, truth: &Binary) -> f64 {
    (binary(ours) - truth).abs().to_f64().value()
}

/// Both factors of one point within the promise and within the sharper bound; returns the larger absolute error.
fn hold(what: &str, ours: SinCos, angle: f64, cos: &Binary, sin: &Binary) -> f64 {
    let mut worst = 0.0f64;
    for (name, ours, truth) in [("cos", ours.cos, cos), ("sin", ours.sin, sin)] {
        let error = error(ours, truth);
        assert!(error <= SINCOS_ERROR.min(PROMISE), "{name}({what}) is {ours:e}, wrong by {error:e}");
        let sharp = sincos_error(truth.to_f64().value(), angle);
        assert!(error <= sharp, "{name}({what}) is {ours:e}, wrong by {error:e}, more than {sharp:e}");
        worst = worst.max(error);
    }
    worst
}

#[test]
fn golden_points_of_an_independent_program_hold() {
    let text = include_str!("../../golden/reference_points.txt");
    let (mut count, mut worst) = (0, 0.0f64);
    for line in text.lines().filter(|line| !line.starts_with('#')) {
        let mut fields = line.split(' ');
        let mut field = || fields.next().expect("four fields");
        let position = Number::parse(field()).expect("a fraction");
        let inv_freq = f64::from_bits(u64::from_str_radix(field(), 16).expect("hex"));
        let (cos, sin) = (decimal(field()), decimal(field()));
        let ours = sincos(position.to_dd(), inv_freq);
        worst = worst.max(hold(line, ours, position.to_f64() * inv_freq, &cos, &sin));
        count += 1;
    }
    assert_eq!(count, 10_000);
    println!("largest error on {count} golden points: 2^{:.2}", worst.log2());
}

/// An exact position, and as the reference takes it.
struct Point {
    exact: Rational,
    position: Dd,
    inv_freq: f64,
}

/// Frequencies of real heads mostly; any, powers of two and very small ones too.
fn inv_freq(rng: &mut Rng) -> f64 {
    const BASES: [f64; 5] = [1e4, 5e5, 1e6, 5e6, 1e7];
    const DIMS: [u64; 6] = [48, 64, 96, 120, 128, 256];
    match rng.below(8) {
        0 => 1.0,
        1 => rng.unit() + 1e-9,
        2 => 2f64.powi(-(rng.below(24) as i32)),
        // A plan has none below 2^-100.
        3 => (1.0 + rng.unit()) * 2f64.powi(-1 - rng.below(99) as i32),
        _ => {
            let d = DIMS[rng.below(6) as usize];
            BASES[rng.below(5) as usize].powf(-((2 * rng.below(d / 2)) as f64) / d as f64)
        }
    }
}

fn point(rng: &mut Rng, fixed: &Fixed, n: u32) -> Point {
    const LIMIT: u64 = 1 << 31;
    let f = inv_freq(rng);
    let sign = if rng.one_in(2) { 1.0 } else { -1.0 };
    let below_a_power = |rng: &mut Rng, most: u64| {
        let bits = 1 + rng.below(most);
        rng.below(1 << bits)
    };
    let position = match n % 10 {
        0 => below_a_power(rng, 31) as f64,
        1 => -(below_a_power(rng, 31) as f64),
        2 => rng.below(LIMIT + 1) as f64,
        // Any f64.
        3 => sign * rng.unit() * 2f64.powi(rng.between(-60, 31) as i32),
        // Where f32 positions end, and the limit.
        4 if rng.one_in(2) => sign * ((1u64 << 24) as f64 + rng.between(-2, 2) as f64),
        4 => sign * (LIMIT - rng.below(9)) as f64,
        // Integers nearest to multiples of pi/2, as no smaller one is; and small multiples of them.
        5..=7 => {
            let found = fixed.near_quarter_turns(f, LIMIT);
            let back = rng.below(3) as usize;
            let best = *found.get(found.len().saturating_sub(1 + back)).unwrap_or(&1);
            let times = if back == 0 { 1 } else { 1 + rng.below((LIMIT / best.max(1)).min(5)) };
            sign * (best * times) as f64
        }
        // The f64 nearest to a multiple of pi/2.
        8 => {
            let turns = below_a_power(rng, 30) as f64;
            sign * (turns * std::f64::consts::FRAC_PI_2 / f).min(LIMIT as f64)
        }
        // Fractions that no f64 holds.
        _ => {
            let den = [3, 5, 7, 10, 97, 1001, 99_991][rng.below(7) as usize];
            let num = sign as i64 * below_a_power(rng, 47).min(LIMIT * den) as i64;
            let position = Number::ratio(i128::from(num), i128::from(den)).expect("a fraction").to_dd();
            return Point { exact: Rational { num: num.into(), den: den.into(), exponent: 0 }, position, inv_freq: f };
        }
    };
    Point { exact: Rational::of_f64(position), position: Dd::from_f64(position), inv_freq: f }
}

#[test]
fn random_and_adversarial_points_hold() {
    const COUNT: u32 = 100_000;
    /// Every so many of them are asked of dashu-float too.
    const CONFIRMED: u32 = 61;
    let (mut rng, fixed) = (Rng::new(50), Fixed::new());
    let (mut worst, mut nearest, mut largest, mut confirmed) = (0.0f64, 1.0f64, 0.0f64, 0);
    for n in 0..COUNT {
        let Point { exact, position, inv_freq } = point(&mut rng, &fixed, n);
        let truth = fixed.cos_sin(&exact, inv_freq);
        let ours = sincos(position, inv_freq);
        let angle = position.hi * inv_freq;
        assert!(position.hi.abs() <= 2f64.powi(31));
        largest = largest.max(position.hi.abs());
        for (name, ours, truth) in [("cos", ours.cos, truth.0), ("sin", ours.sin, truth.1)] {
            let what = || format!("{name}({exact:?} * {inv_freq:e}) is {ours:e}");
            let error = fixed::to_f64((fixed::of_f64(ours) - truth).abs());
            assert!(error <= PROMISE.min(SINCOS_ERROR), "{}, wrong by {error:e}", what());
            let sharp = sincos_error(fixed::to_f64(truth), angle) + fixed::ERROR;
            assert!(error <= sharp, "{}, wrong by {error:e}, more than {sharp:e}", what());
            worst = worst.max(error);
            if angle.abs() > 1.0 {
                nearest = nearest.min(fixed::to_f64(truth).abs());
            }
        }
        if angle.abs() < 1e-12 {
            // Too small for fixed point. sin x = x up to x^3 / 6, and the product in f64 errs by 2^-53 of itself.
            assert!((ours.sin - angle).abs() <= PROMISE * angle.abs(), "sin({angle:e}) is {:e}", ours.sin);
        }
        if n % CONFIRMED == 0 {
            let (cos, sin) = library(&exact, inv_freq);
            for (truth, library) in [(truth.0, cos), (truth.1, sin)] {
                let truth = Binary::from_parts(IBig::from(truth), -(fixed::FRACTION as isize));
                let difference = (truth.with_precision(BITS).value() - library).abs().to_f64().value();
                assert!(
                    difference <= fixed::ERROR,
                    "fixed point and dashu-float differ by {difference:e} at {exact:?}"
                );
                confirmed += 1;
            }
        }
    }
    assert!(
        largest >= 2f64.powi(31) - 8.0 && nearest < 1e-15 && confirmed > 3_000,
        "{largest} {nearest:e} {confirmed}"
    );
    println!("largest error on {COUNT} points: 2^{:.2}; nearest to 0: {nearest:e}", worst.log2());
}

/// Cosine and sine by a library of arbitrary precision.
fn library(position: &Rational, inv_freq: f64) -> (Binary, Binary) {
    let (k, e) = parts(inv_freq);
    let product = Binary::from_parts(&position.num * IBig::from(k), position.exponent + e);
    let den = Binary::from_parts(position.den.clone().into(), 0);
    let angle = product.with_precision(BITS).value() / den.with_precision(BITS).value();
    let (sin, cos) = angle.sin_cos();
    (cos, sin)
}

#[test]
fn fractions_are_not_rounded_to_f64_first() {
    // At 10^9 / 3 the f64 nearest to the position is 2e-8 away: far more than the promise.
    let position = Number::parse("1000000000/3").expect("a fraction");
    let truth = position.to_real().sin_cos().expect("an angle");
    let ours = sincos(position.to_dd(), 1.0);
    assert!((ours.sin - truth.0.to_f64()).abs() <= PROMISE && (ours.cos - truth.1.to_f64()).abs() <= PROMISE);
    let rounded = sincos(Dd::from_f64(position.to_f64()), 1.0);
    assert!((rounded.cos - truth.1.to_f64()).abs() > 1e-10);
}

#[test]
fn angles_that_are_not_finite_give_nan() {
    for (position, inv_freq) in [(f64::NAN, 1.0), (f64::INFINITY, 0.5), (1e300, 1e300), (1.0, f64::NAN)] {
        let SinCos { cos, sin } = sincos(Dd::from_f64(position), inv_freq);
        assert!(cos.is_nan() && sin.is_nan());
    }
    assert_eq!(sincos(Dd::ZERO, 0.3), SinCos { cos: 1.0, sin: 0.0 });
}
