use super::*;

fn n(text: &str) -> Number {
    Number::parse(text).unwrap()
}

#[test]
fn exact_arithmetic_is_exact() {
    assert_eq!(n("1/3").add(&n("1/6")).unwrap(), n("0.5"));
    assert_eq!(n("1/3").sub(&n("1/3")).unwrap(), Number::ZERO);
    assert_eq!(n("10/3").mul(&n("0.3")).unwrap().to_i64(), Some(1));
    assert_eq!(n("7").div(&n("-2")).unwrap(), n("-3.5"));
    assert_eq!(n("6").div(&n("-2")).unwrap().to_i64(), Some(-3));
    assert_eq!(n("5").div(&Number::ZERO).unwrap_err(), NumberError::DivisionByZero);
    let big = Number::from_i64(i64::MAX);
    let beyond = big.add(&Number::ONE).unwrap();
    assert_eq!(beyond.to_string(), "9223372036854775808");
    assert_eq!(beyond.sub(&Number::ONE).unwrap().to_i64(), Some(i64::MAX), "back on the fast path");
    assert_eq!(Number::from_i64(i64::MIN).neg().to_string(), "9223372036854775808");
    assert_eq!(Number::from_i64(i64::MIN).div(&Number::from_i64(-1)).unwrap(), beyond);
    assert_eq!(Number::from_i64(i64::MIN).rem(&Number::from_i64(-1)).unwrap(), Number::ZERO);
    assert_eq!(beyond.mul(&beyond).unwrap().mul(&n("2")).unwrap_err(), NumberError::Overflow);
    assert_eq!(n("1/3").mul(&Number::ratio(1, i128::MAX).unwrap()).unwrap_err(), NumberError::Overflow);
}

#[test]
fn floor_and_modulo_round_down() {
    for (text, floor, ceil) in [("3.5", 3, 4), ("-3.5", -4, -3), ("-10/3", -4, -3), ("5", 5, 5), ("0", 0, 0)] {
        assert_eq!(
            (n(text).floor().unwrap().to_i64(), n(text).ceil().unwrap().to_i64()),
            (Some(floor), Some(ceil)),
            "{text}"
        );
    }
    for (a, b, rest) in [
        ("7", "3", "1"),
        ("-7", "3", "2"),
        ("7", "-3", "-2"),
        ("-7", "-3", "-1"),
        ("7.5", "2", "1.5"),
        ("-1/3", "1", "2/3"),
    ] {
        assert_eq!(n(a).rem(&n(b)).unwrap(), n(rest), "{a} mod {b}");
    }
    // A real whose value is known: floor(sqrt 2 * 10^9), and the largest integer below -pi.
    let root = n("2e18").sqrt().unwrap();
    assert!(!root.is_exact());
    assert_eq!(root.floor().unwrap().to_i64(), Some(1_414_213_562));
    assert_eq!(Number::pi().neg().floor().unwrap().to_i64(), Some(-4));
    assert_eq!(Number::pi().ceil().unwrap().to_i64(), Some(4));
    assert_eq!(n("-4.0").to_real().floor().unwrap(), -4);
    assert_eq!(Number::from(n("1e-30").to_real()).floor().unwrap(), Number::ZERO);
    assert_eq!(Number::from(n("-1e-30").to_real()).floor().unwrap().to_i64(), Some(-1));
}

#[test]
fn powers_are_exact_where_they_can_be() {
    for (base, exponent, result) in [
        ("2", "10", "1024"),
        ("10000", "-1/2", "0.01"),
        ("10000", "-3/4", "0.001"),
        ("8/27", "2/3", "4/9"),
        ("-2", "3", "-8"),
        ("-2", "-3", "-0.125"),
        ("-1", "1000001", "-1"),
        ("7", "0", "1"),
        ("0", "0", "1"),
        ("0", "2/3", "0"),
        ("1.5", "2", "2.25"),
    ] {
        let power = n(base).pow(&n(exponent)).unwrap();
        assert!(power.is_exact(), "{base}^{exponent}");
        assert_eq!(power, n(result), "{base}^{exponent}");
    }
    assert_eq!(n("0").pow(&n("-1")).unwrap_err(), NumberError::DivisionByZero);
    assert!(matches!(n("-2").pow(&n("0.5")).unwrap_err(), NumberError::Domain(_)));
    assert_eq!(n("-10").pow(&n("1001")).unwrap_err(), NumberError::Overflow);
    let frequency = n("10000").pow(&n("-2/128")).unwrap();
    assert!(!frequency.is_exact());
    // Computed by mpmath at 60 digits; nearest f64.
    assert_eq!(frequency.to_f64(), 0.865_964_323_360_065_3);
    assert!(n("10").pow(&n("100")).unwrap().to_f64() == 1e100, "an integer power beyond i128 is real");
    assert_eq!(n("2").pow(&n("100000")).unwrap_err(), NumberError::Overflow);
}

#[test]
fn logarithms_of_nothing_and_less_are_refused() {
    for value in [0, -1, -1000] {
        assert!(matches!(Real::from_i128(value).ln(), Err(NumberError::Domain(_))), "{value}");
    }
    assert_eq!(Real::from_i128(1).ln().map(|ln| ln.to_f64()), Ok(0.0));
}

/// A map of numbers is slow otherwise, and works all the same.
#[test]
fn hashes_tell_numbers_apart() {
    use std::hash::BuildHasher;
    let hasher = std::hash::RandomState::new();
    let hashes: std::collections::BTreeSet<u64> = (0..100).map(|v| hasher.hash_one(Number::from_i64(v))).collect();
    assert!(hashes.len() > 90);
    assert_eq!(hasher.hash_one(n("0.5")), hasher.hash_one(n("1/2")));
}

#[test]
fn reals_compare_to_a_hundred_bits_and_exact_numbers_to_all() {
    use Ordering::{Equal, Greater, Less};
    let root = n("2").sqrt().unwrap();
    let again = root.add(&n("1/3")).and_then(|sum| sum.sub(&n("1/3"))).unwrap();
    assert_eq!(root.compare(&again), Equal);
    let (squared, two) = (n("3").sqrt().unwrap().sin().unwrap(), n("2"));
    let (sin, cos) = (squared.mul(&squared).unwrap(), n("3").sqrt().unwrap().cos().unwrap());
    assert_eq!(sin.add(&cos.mul(&cos).unwrap()).unwrap().compare(&n("1")), Equal, "a real and an exact number");
    // 2^-100 (1.41 + 1.41 + 1) lies between 2^-99 and 2^-98.
    let near = |bits: u32| root.add(&Number::ratio(1, 1 << bits).unwrap()).unwrap();
    assert_eq!((near(99).compare(&root), root.compare(&near(99))), (Equal, Equal));
    assert_eq!((near(98).compare(&root), root.compare(&near(98))), (Greater, Less));
    assert_ne!(near(99), root, "cmp tells all bits apart");
    assert_eq!((root.compare(&two), two.compare(&root)), (Less, Greater));
    // Exact numbers, however near.
    assert_eq!(Number::ratio(1, 1 << 110).unwrap().compare(&Number::ZERO), Greater);
    // Relative above 1.
    let (large, step) = (n("10").pow(&n("100")).unwrap(), n("2").pow(&n("230")).unwrap());
    assert_eq!(large.add(&step).unwrap().compare(&large), Equal);
    assert_eq!(large.add(&step.mul(&n("256")).unwrap()).unwrap().compare(&large), Greater);
}

#[test]
fn functions_have_their_values() {
    assert_eq!(n("2").sqrt().unwrap().to_f64(), 2f64.sqrt());
    assert!(n("4/9").sqrt().unwrap() == n("2/3") && n("4/9").sqrt().unwrap().is_exact());
    assert!(n("-1").sqrt().is_err() && n("0").ln().is_err() && n("-1").ln().is_err());
    assert_eq!(Number::atan2(&n("0"), &n("0")).unwrap().to_i64(), Some(0));
    assert_eq!(Number::atan2(&n("0"), &n("-1")).unwrap(), Number::pi());
    assert_eq!(Number::atan2(&n("1"), &n("0")).unwrap().to_f64(), std::f64::consts::FRAC_PI_2);
    assert_eq!(Number::pi().to_f64(), std::f64::consts::PI);
    // sin of the f64 nearest to pi is what that f64 lacks: 1.2246467991473532e-16.
    let nearly = Number::from_f64(std::f64::consts::PI).unwrap();
    assert_eq!(nearly.sin().unwrap().to_f64(), 1.224_646_799_147_353_2e-16);
    assert_eq!(n("1").exp().unwrap().to_f64(), std::f64::consts::E);
    assert_eq!(n("10").ln().unwrap().to_f64(), std::f64::consts::LN_10);
    assert_eq!((n("0").sin().unwrap(), n("0").cos().unwrap(), n("0").exp().unwrap()), (n("0"), n("1"), n("1")));
    assert!(n("1e6").exp().is_err() && n("-1e6").exp().is_err());
    assert!(Number::ratio(1, i128::MAX).unwrap().exp().unwrap() > Number::ONE);
    let mut huge = n("1e38").to_real();
    for _ in 0..6 {
        huge = huge.mul(&huge).unwrap();
    }
    assert!(Number::from(huge).sin().is_err(), "angles have a limit");
}

#[test]
fn rounding_to_f64_is_nearest_even() {
    assert_eq!(n("10/3").to_f64(), 10.0 / 3.0);
    assert_eq!(n("9007199254740993").to_f64(), 9_007_199_254_740_992.0);
    assert_eq!(n("9007199254740995").to_f64(), 9_007_199_254_740_996.0);
    let tie = Number::ratio((1 << 60) + (1 << 7), 1 << 60).unwrap();
    assert_eq!(tie.to_f64(), 1.0);
    assert_eq!(Number::ratio((1 << 60) + (1 << 7) + 1, 1 << 60).unwrap().to_f64(), 1.0 + f64::EPSILON);
    // Denominators beyond 64 bits take the other path; against the quotient of the same value with small ones.
    let shift = 3i128.pow(50);
    assert_eq!(Number::ratio(7 * shift + 1, 11 * shift).unwrap().to_f64(), 7.0 / 11.0);
    assert_eq!(Number::ratio(-1, i128::MAX).unwrap().to_f64(), -2f64.powi(-127));
    assert_eq!(n("170141183460469231731687303715884105727").to_f64(), 2f64.powi(127));
}

#[test]
fn double_doubles_carry_what_is_left() {
    for text in ["10/3", "-22/7", "9007199254740993", "170141183460469231731687303715884105727/3", "1e-30", "5"] {
        let dd = n(text).to_dd();
        assert_eq!(dd.hi, n(text).to_f64(), "{text}");
        let left = n(text).to_real().sub(&Real::from_f64(dd.hi)).unwrap().sub(&Real::from_f64(dd.lo)).unwrap();
        assert!(left.to_f64().abs() <= dd.hi.abs() * 2f64.powi(-106), "{text}");
        assert!(dd.lo.abs() <= dd.hi.abs() * 2f64.powi(-53), "{text}");
    }
    let pi = Number::pi().to_dd();
    assert_eq!((pi.hi, pi.lo), (std::f64::consts::PI, 1.224_646_799_147_353_2e-16));
}

#[test]
fn exact_f64_come_back() {
    for v in [0.0, 1.0, -0.1, 1e-15, 2f64.powi(-70), 1e15 + 0.5, 2f64.powi(126), -3e18, 9e15, f64::from(f32::MAX) / 8.0]
    {
        assert_eq!(Number::from_f64(v).unwrap().to_f64(), v, "{v}");
    }
    assert!(
        Number::from_f64(f64::NAN).is_err() && Number::from_f64(1e300).is_err() && Number::from_f64(1e-300).is_err()
    );
}

#[test]
fn order_is_by_value_whatever_the_representation() {
    let real = |text: &str| Number::from(n(text).to_real());
    assert_eq!(real("2"), n("2"));
    assert_eq!(real("0.5").cmp(&n("1/3")), Ordering::Greater);
    assert_eq!(n("1/3").cmp(&real("1/3")), Number::ratio(1, 3).unwrap().cmp(&real("1/3")));
    assert_ne!(real("1/3"), n("1/3"), "a rounded third is not a third");
    assert!(n("-10/3") < n("-3") && n("3") < Number::pi() && Number::pi() < n("22/7"));
    let hash = |v: &Number| {
        let mut state = std::collections::hash_map::DefaultHasher::new();
        v.hash(&mut state);
        state.finish()
    };
    assert_eq!(hash(&real("2")), hash(&n("2")));
}
