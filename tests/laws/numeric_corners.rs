//! Corners of the arithmetic that changed sources showed to be untested (scripts/mutants_lane.sh): each holds against exact numbers.

use ropecheck::numeric::{Dd, Number, NumberError, Rng, SINCOS_ERROR, sincos, sincos_error};

fn exact(value: f64) -> Number {
    Number::from_f64(value).expect("a number of moderate size")
}

fn of(value: Dd) -> Number {
    exact(value.hi).add(&exact(value.lo)).expect("fits")
}

/// Integers of 60 bits as two f64, in both orders of size.
fn wide(rng: &mut Rng) -> Dd {
    let hi = (rng.between(-(1 << 30), 1 << 30) * (1 << 20)) as f64;
    Dd { hi, lo: rng.between(-100, 100) as f64 / 1024.0 }
}

#[test]
fn sums_of_double_doubles_are_exact_where_they_fit() {
    let mut rng = Rng::new(11);
    for turn in 0..4000 {
        let (mut a, mut b) = (wide(&mut rng), wide(&mut rng));
        if turn % 3 == 0 {
            a.hi = (a.hi / (1i64 << 45) as f64).trunc();
        }
        if turn % 2 == 0 {
            std::mem::swap(&mut a, &mut b);
        }
        // All bits lie within 2^50 and 2^-10, so that the sum of four numbers has 62 of them, which two f64 hold.
        let sum = a.plus(b);
        assert_eq!(of(sum), of(a).add(&of(b)).expect("fits"), "{a:?} and {b:?}");
        assert_eq!(sum.to_f64(), of(sum).to_f64());
        let product = a.times_f64(3.0);
        assert_eq!(of(product), of(a).mul(&exact(3.0)).expect("fits"));
    }
    assert_eq!(Dd { hi: 3.0, lo: 0.5f64.powi(70) }.to_f64(), 3.0);
    assert_eq!(Dd { hi: 0.0, lo: 0.25 }.to_f64(), 0.25);
}

#[test]
fn floats_beyond_a_fraction_are_refused() {
    let most = 2f64.powi(126);
    assert_eq!(exact(most).as_ratio(), Some((1 << 126, 1)));
    assert_eq!(exact(1.5 * most).as_ratio(), Some((3 << 125, 1)));
    for value in [2.0 * most, 3.0 * most, 1.75 * 2.0 * most, f64::MAX] {
        assert_eq!(Number::from_f64(value).err(), Some(NumberError::Overflow), "{value:e}");
        assert_eq!(Number::from_f64(-value).err(), Some(NumberError::Overflow), "{value:e}");
    }
    assert_eq!(exact(0.5f64.powi(126)).as_ratio(), Some((1, 1 << 126)));
    assert!(Number::from_f64(0.5f64.powi(127)).is_err());
}

#[test]
fn powers_are_exact_up_to_the_last_that_fits() {
    let integer = Number::from_i64;
    for (base, power, value) in
        [(2, 126, 1i128 << 126), (-2, 125, -(1 << 125)), (10, 38, 10i128.pow(38)), (-1, 6, 1), (-1, 7, -1), (1, 9, 1)]
    {
        let found = integer(base).pow(&integer(power)).expect("a power");
        assert_eq!(found.as_ratio(), Some((value, 1)), "{base}^{power}");
    }
    assert!(!integer(2).pow(&integer(127)).expect("a real").is_exact());
}

/// Angles so large that the part beyond an f64 is no longer small: the second-order part is all that holds them.
#[test]
fn sines_of_very_large_angles_hold() {
    assert_eq!(SINCOS_ERROR, 2f64.powi(-51));
    let mut rng = Rng::new(12);
    for bits in [34, 40, 45, 48] {
        for _ in 0..40 {
            let position = Dd::from_f64(rng.between(1 << (bits - 1), 1 << bits) as f64 * 1.000_000_1);
            let f = 1.0 + rng.between(0, 1 << 40) as f64 / (1u64 << 41) as f64;
            let angle = exact(position.hi).mul(&exact(f)).expect("fits");
            let found = sincos(position, f);
            for (value, truth) in [(found.cos, angle.cos()), (found.sin, angle.sin())] {
                let truth = truth.expect("a real");
                let error = exact(value).sub(&truth).expect("a real").abs().to_f64();
                let allowed = sincos_error(truth.to_f64(), angle.to_f64());
                assert!(error <= allowed, "{error:e} is more than {allowed:e} at {}", angle.to_f64());
            }
        }
    }
}

/// Multiples of pi between 2^33 and 2^35, rounded to two f64 whose second part is about 2^-20, and their sines: mpmath 1.3 with 300
/// bits. What is lost of the second part, such as its third power, is far above the sharper bound where the sine is this small.
#[test]
fn sines_next_to_multiples_of_pi_hold() {
    for (hi, lo, sin) in [
        (13940619407.7109, 9.531113686321288e-7, 4.396571122415089e-23),
        (10990669834.175423, -8.892949000257625e-7, 1.1900834812871453e-24),
        (9781937637.344292, 8.892230306771188e-7, -1.7492677867188346e-23),
        (20881807482.291386, 1.8682162426866667e-6, -6.958346432263965e-23),
        (17237990732.187996, 1.8801917701577836e-6, 1.0048093365887708e-22),
        (30163321884.562088, -1.8228039478638264e-6, -9.207558004770018e-23),
    ] {
        let error = (sincos(Dd { hi, lo }, 1.0).sin - sin).abs();
        // And half an ulp of the number above.
        let allowed = sincos_error(sin, hi) + 0.5f64.powi(53) * sin.abs();
        assert!(error <= allowed, "{error:e} is more than {allowed:e} at {hi}");
    }
}

#[test]
fn the_bound_of_a_factor_is_the_one_that_is_proved() {
    // 2^-51 |factor| + 2^-98 |angle|
    assert_eq!(sincos_error(0.5, 0.0), 0.5f64.powi(52));
    assert_eq!(sincos_error(-0.5, 0.0), 0.5f64.powi(52));
    assert_eq!(sincos_error(0.0, 8.0), 0.5f64.powi(95));
    assert_eq!(sincos_error(0.0, -8.0), 0.5f64.powi(95));
    assert_eq!(sincos_error(1.0, 2f64.powi(40)), 0.5f64.powi(51) + 0.5f64.powi(58));
}

fn root(degree: i128) -> Number {
    Number::ratio(1, degree).expect("a fraction")
}

#[test]
fn roots_are_exact_where_they_can_be() {
    for n in [2, 3, 127, 128, 129, 1 << 31, 1 << 40] {
        assert_eq!(Number::ONE.pow(&root(n)).expect("a power"), Number::ONE, "degree {n}");
    }
    // Roots of more bits than an f64 has.
    for root in [(1i128 << 62) + 3, (1 << 53) + 1, 3_037_000_499] {
        let square = Number::ratio(root * root, 1).expect("fits");
        assert_eq!(square.pow(&self::root(2)).expect("a power").as_ratio(), Some((root, 1)));
    }
    let large = Number::from_i64(1 << 62);
    assert_eq!(large.pow(&root(62)).expect("a power").as_ratio(), Some((2, 1)));
    assert!(!large.pow(&root(63)).expect("a power").is_exact());
}
