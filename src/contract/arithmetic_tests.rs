use approx::assert_abs_diff_eq;

use super::*;
use crate::contract::{LogBase, Procedure, Steps};

fn rule(once: Steps, per_index: Steps, logarithm: Option<LogBase>) -> FrequencyRule {
    FrequencyRule {
        name: String::new(),
        doc: String::new(),
        once,
        per_index,
        library_ulps: 1.0,
        logarithm,
        procedure: Procedure::Table,
    }
}

fn steps(roundings: f64, library: f64, exponent: f64) -> Steps {
    Steps { roundings, library, exponent }
}

fn contract(angles: Precision, frequencies: FrequencyRule) -> Contract {
    let class = ClassRule { angles, position_roundings: 1.0, trig_ulps: 2.0, ..ClassRule::default() };
    Contract::new(class, frequencies)
}

#[test]
fn steps_are_counted_as_the_proof_says() {
    let none = Steps::default();
    let table = rule(steps(1.0, 0.0, 0.0), none, None);
    let pow = rule(steps(0.0, 1.0, 1.0), none, None);
    let reciprocal = rule(steps(1.0, 1.0, 1.0), none, None);
    let recurrence = rule(none, steps(1.0, 1.0, 1.0), None);
    let k = |way: &FrequencyRule, frequency: &Frequency| way.steps(frequency, Precision::F32);
    // e = 2 * 3 / 128 is exact in f32; 2 * 31 / 96 is not, and lies in [1/2, 1).
    let (exact, inexact) = (Frequency::power(0.649, 1e4, 3, 128), Frequency::power(0.0026, 1e4, 31, 96));
    assert_eq!(k(&table, &exact), Some(1.0));
    assert_eq!((k(&pow, &exact), k(&reciprocal, &exact)), (Some(2.0), Some(3.0)));
    assert_eq!(k(&pow, &inexact), Some(2.0 + 0.5 * 1e4f64.ln()));
    // Each step: a product, 2 units of pow, and the exponent 2/96, an inexact number in [1/64, 1/32).
    assert_eq!(k(&recurrence, &inexact), Some(31.0 * (3.0 + 1e4f64.ln() / 64.0)));
    // 2/128 is exact.
    assert_eq!(k(&recurrence, &exact), Some(3.0 * 3.0));
    // exp: the logarithm is just below 2 and half of it just below 1, which the kernel's own may reach; both have half ulps
    // of a unit there. With 2 units of exp, 1 for ln times 1/2, the product, and 1/2 for the base, which is no f32.
    let exp = rule(steps(0.0, 1.0, 0.0), none, Some(LogBase::Natural));
    let near = Frequency::power(0.37, (2.0f64 - 2e-7).exp(), 32, 128);
    assert_eq!(k(&exp, &near), Some(2.0 + 1.0 + 1.0 + 0.5));
    // Far from the end of a binade: 0.9 is below 1 for the kernel as well.
    let far = Frequency::power(0.40, 1.8f64.exp(), 32, 128);
    assert_eq!(k(&exp, &far), Some(2.0 + 1.0 + 0.5 + 0.5));
    // Frequencies 1 and 0 are exact on every way, and so is a table entry that is an f32.
    for way in [&table, &pow, &reciprocal, &recurrence] {
        assert_eq!(k(way, &Frequency::power(1.0, 1e6, 0, 96)), Some(0.0));
        assert_eq!(k(way, &Frequency::plain(0.0)), Some(0.0));
        assert_eq!(way.steps(&inexact, Precision::Exact), Some(0.0), "exact angles have no error");
    }
    assert_eq!(k(&table, &Frequency::plain(0.25)), Some(0.0));
    assert_eq!(k(&pow, &Frequency::plain(0.25)), None, "no base, no power");
    for base in [0.0, -2.0, 1.0, f64::INFINITY, f64::NAN] {
        assert_eq!(k(&pow, &Frequency::power(0.5, base, 3, 128)), None, "no powers of {base}");
    }
    // A base that is no f32 costs e units more.
    let odd = Frequency::power(0.649, 10_000.1, 3, 128);
    assert_abs_diff_eq!(k(&pow, &odd).expect("a power"), 2.0 + 6.0 / 128.0, epsilon = 1e-12);
    // In f64 the plan's own rounding is a unit; a table is the plan's numbers; every f64 base is exact.
    let wide = |way: &FrequencyRule, frequency: &Frequency| way.steps(frequency, Precision::F64);
    assert_eq!((wide(&table, &exact), wide(&table, &inexact)), (Some(0.0), Some(0.0)));
    assert_eq!((wide(&pow, &exact), wide(&pow, &odd)), (Some(3.0), Some(3.0)));
    assert_eq!(wide(&pow, &inexact), Some(3.0 + 0.5 * 1e4f64.ln()));
}

#[test]
fn an_angle_that_is_exact_has_no_error() {
    let contract = contract(Precision::F32, rule(steps(1.0, 0.0, 0.0), Steps::default(), None));
    let at = |steps: f64, inv_freq: f64, position: Dd| contract.angle_error(steps, inv_freq, position);
    let units = |g: f64, angle: f64| (g / (angle.abs() * F32_ROUNDING)).round();
    assert_eq!(at(0.0, 1.0, Dd::from_f64(16_777_216.0)), 0.0);
    assert_eq!(at(0.0, 0.25, Dd::from_f64(-12_345.0)), 0.0);
    assert_eq!(at(1.0, 0.1, Dd::ZERO), 0.0);
    // No f32: the conversion and the product.
    assert_eq!(units(at(0.0, 1.0, Dd::from_f64(16_777_217.0)), 16_777_217.0), 2.0);
    assert_eq!(units(at(0.0, 1.0, Dd::from_ratio(10.0, 3.0)), 10.0 / 3.0), 2.0);
    assert_eq!(units(at(1.0, 0.1, Dd::from_f64(7.0)), 0.7), 2.0);
    assert_eq!(units(at(1.0, 0.1, Dd::from_ratio(1.0, 3.0)), 0.1 / 3.0), 3.0);
    // An f32 times an f32 that has more than 24 bits.
    assert_eq!(units(at(0.0, 0.75, Dd::from_f64(16_777_215.0)), 0.75 * 16_777_215.0), 1.0);
    let blind = |f: f64| contract.blind_from(&Frequency::plain(f)).expect("a table");
    assert_eq!(blind(1.0), 16_777_216.0);
    assert_abs_diff_eq!(at(1.0, 0.9, Dd::from_f64(blind(0.9).ceil())), 1.0, epsilon = 1e-6);
    // An exact frequency with a long fraction makes products of more than 24 bits before positions have as many.
    let f = f64::from(3f32.next_up());
    assert_abs_diff_eq!(at(0.0, f, Dd::from_f64(blind(f).ceil())), 1.0, epsilon = 1e-6);
    assert!(blind(f) < 6e6);
    assert!(at(f64::INFINITY, 0.1, Dd::from_f64(7.0)).is_infinite());
    assert!(at(1.0, 1e30, Dd::from_f64(1e30)).is_infinite());
    // An angle that f32 cannot hold may be lost whole.
    assert!(at(1.0, 1e-43, Dd::from_f64(1e-3)) >= 1e-46);
}

#[test]
fn an_f64_angle_errs_by_units_of_f64() {
    let contract = contract(Precision::F64, rule(steps(1.0, 0.0, 0.0), Steps::default(), None));
    let at = |steps: f64, inv_freq: f64, position: Dd| contract.angle_error(steps, inv_freq, position);
    let units = |g: f64, angle: f64| (g / (angle.abs() * 2f64.powi(-53))).round();
    // Positions that are no f32 are numbers of f64; the product is exact where it has 53 bits.
    assert_eq!(at(0.0, 1.0, Dd::from_f64(2_147_483_647.0)), 0.0);
    assert_eq!(at(0.0, 0.75, Dd::from_f64(2_147_483_647.0)), 0.0);
    let f = 0.866_025_403_784_438_6;
    assert_eq!(units(at(0.0, f, Dd::from_f64(16_777_217.0)), f * 16_777_217.0), 1.0);
    assert_eq!(units(at(0.0, 0.5, Dd::from_ratio(10.0, 3.0)), 5.0 / 3.0), 2.0);
    assert_eq!(units(at(3.0, f, Dd::from_f64(7.0)), f * 7.0), 4.0);
    let narrow = Contract { class: ClassRule { angles: Precision::F32, ..contract.class.clone() }, ..contract.clone() };
    let frequency = Frequency::power(f, 1e4, 1, 128);
    let (wide, narrow) = (contract.blind_from(&frequency), narrow.blind_from(&frequency));
    assert_eq!(wide, Some(2f64.powi(53)), "positions beyond it are no f64");
    assert_abs_diff_eq!(narrow.expect("a table") * 2.0 * f * F32_ROUNDING, 1.0, epsilon = 1e-2);
}
