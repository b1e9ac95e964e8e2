//! The reference sine and cosine err by less than 2^-50, at every position to 2^31.

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

/// value = m * 2^e.
fn parts(value: f64) -> (i64, isize) {
    let bits = value.to_bits();
    let exponent = ((bits >> 52) & 0x7ff) as isize;
    let fraction = (bits & ((1 << 52) - 1)) as i64 | (i64::from(exponent != 0) << 52);
    (if value < 0.0 { -fraction } else { fraction }, exponent.max(1) - 1075)
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
    let text = include_str!("../golden/reference_points.txt");
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

#[test]
fn random_points_hold_against_200_bits() {
    const COUNT: u32 = 20_000;
    let mut rng = Rng::new(50);
    let mut worst = 0.0f64;
    for n in 0..COUNT {
        let inv_freq = match n % 4 {
            0 => 1.0,
            1 => rng.unit() + 1e-9,
            _ => (-rng.unit() * 14.0).exp(),
        };
        let size = 2f64.powi(rng.between(-20, 31) as i32);
        let sign = if rng.one_in(2) { 1.0 } else { -1.0 };
        let position = match n % 3 {
            0 => sign * (rng.unit() * size).floor(),
            1 => sign * rng.unit() * size,
            // As near to a multiple of pi/2 as an f64 position comes.
            _ => {
                let turns = (rng.unit() * size.max(2.0)).floor();
                (turns * std::f64::consts::FRAC_PI_2 / inv_freq).min(2f64.powi(31))
            }
        };
        let ((m, e), (k, f)) = (parts(position), parts(inv_freq));
        let angle = Binary::from_parts(IBig::from(m) * IBig::from(k), e + f).with_precision(BITS).value();
        let (sin, cos) = angle.sin_cos();
        let ours = sincos(Dd::from_f64(position), inv_freq);
        worst = worst.max(hold(&format!("{position:e} * {inv_freq:e}"), ours, position * inv_freq, &cos, &sin));
    }
    println!("largest error on {COUNT} random points: 2^{:.2}", worst.log2());
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
