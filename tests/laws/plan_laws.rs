//! Laws of rotation plans and of the reference rotation, for every scheme at random widths.

use std::sync::LazyLock;

use proptest::prelude::*;

use crate::common::laws;
use ropecheck::numeric::{Dd, Number};
use ropecheck::rotation::{HeadShape, NO_AXIS, PlanCache, PlanError, RotationPlan};
use ropecheck::rotation::{reference::Turn, reference::factor_error};
use ropecheck::spec::Parameters;
use ropecheck::spec::{HeadError, Library};

const FILE: &str = "tests/regressions/plan_laws.txt";

static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap_or_else(|errors| panic!("{errors}")));

const BASES: [i64; 5] = [2, 100, 10_000, 500_000, 10_000_000];

fn heads() -> impl Strategy<Value = HeadShape> {
    (1u32..41, 1u32..5, 1u32..4).prop_map(|(half, k_heads, group)| HeadShape {
        head_dim: 2 * half,
        q_heads: k_heads * group,
        k_heads,
    })
}

/// b^(-2i/d) in f64. The exponent errs by 2^-53 of itself, so that the power errs by ln(b) * 2^-53 of itself, at most 16.2 (all
/// bases here are below 1.1e7); the platform's own error is below an ulp, 2^-52.
fn power(base: f64, i: usize, d: u32) -> (f64, f64) {
    let f = base.powf(-2.0 * i as f64 / f64::from(d));
    (f, f * (base.ln() + 2.0) * f64::EPSILON)
}

proptest! {
    #![proptest_config(laws(6, FILE))]

    #[test]
    fn every_pair_has_its_axis_and_every_axis_its_pairs(shape in heads(), base in prop::sample::select(BASES.to_vec())) {
        for scheme in LIBRARY.schemes() {
            let has_base = scheme.parameters.iter().any(|p| p.name == "base");
            let set = if has_base { vec![("base".to_owned(), Number::from_i64(base))] } else { Vec::new() };
            let Ok(parameters) = Parameters::resolve(scheme, &set) else { continue };
            let plan = match RotationPlan::new(scheme, &parameters, shape) {
                Ok(plan) => plan,
                Err(PlanError { error: HeadError::Misfit(_) | HeadError::Parameter(_), .. }) => continue,
                Err(error) => return Err(TestCaseError::fail(error.to_string())),
            };
            prop_assert!(plan.rotary_dim.is_multiple_of(2) && plan.rotary_offset + plan.rotary_dim <= shape.head_dim);
            prop_assert_eq!(plan.pairs * 2, plan.rotary_dim);
            prop_assert!(plan.map_heads == 1 || plan.map_heads == shape.k_heads);
            let mut counts = vec![0i64; scheme.axes.len()];
            for row in 0..plan.map_heads {
                let (axes, frequencies) = (plan.axes(row), plan.frequencies(row));
                prop_assert_eq!((axes.len(), frequencies.len()), (plan.pairs as usize, plan.pairs as usize));
                for (axis, frequency) in axes.iter().zip(frequencies) {
                    prop_assert!(*axis == NO_AXIS || usize::from(*axis) < counts.len());
                    prop_assert!(frequency.is_finite() && (*axis != NO_AXIS || *frequency == 0.0));
                    if *axis != NO_AXIS {
                        counts[usize::from(*axis)] += 1;
                    }
                }
            }
            // The sections that interfaces take say the same as the map.
            if let Some(sections) = &plan.sections {
                prop_assert_eq!(sections, &counts, "{}", scheme.id());
                prop_assert_eq!(sections.iter().sum::<i64>(), i64::from(plan.pairs));
            }
            // Where a plan says that its base is the whole truth, it is: in the arithmetic of the platform.
            if let Some(said) = plan.base {
                prop_assert!(!has_base || said == base as f64);
                for (i, frequency) in plan.frequencies(0).iter().enumerate().filter(|(_, f)| **f != 0.0) {
                    let (near, error) = power(said, i, plan.rotary_dim);
                    prop_assert!((frequency - near).abs() <= error, "{} pair {}: {} and {}", scheme.id(), i, frequency, near);
                }
            }
            let cache = PlanCache::new();
            for _ in 0..2 {
                let cached = cache.plan(scheme, &parameters, shape);
                prop_assert_eq!(cached.as_deref().ok(), Some(&plan));
            }
            for head in 0..shape.q_heads {
                let own = head / (shape.q_heads / shape.k_heads);
                prop_assert_eq!(plan.row_of_q_head(head), plan.row_of_k_head(own));
            }
        }
    }

    #[test]
    fn a_default_1d_plan_is_the_formula(half in 1u32..129, base in prop::sample::select(BASES.to_vec())) {
        let scheme = LIBRARY.get("rope").expect("a scheme");
        let set = [("base".to_owned(), Number::from_i64(base))];
        let parameters = Parameters::resolve(scheme, &set).expect("a base");
        let plan = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(2 * half)).expect("a plan");
        prop_assert_eq!(plan.base, Some(base as f64));
        for (i, frequency) in plan.inv_freq.iter().enumerate() {
            let (near, error) = power(base as f64, i, 2 * half);
            prop_assert!((frequency - near).abs() <= error, "pair {} of {}: {} and {}", i, half, frequency, near);
        }
        prop_assert!(plan.inv_freq.windows(2).all(|pair| pair[0] > pair[1]), "pairs get slower");
    }
}

fn position() -> impl Strategy<Value = f64> {
    prop_oneof![
        (-300i32..300).prop_map(f64::from),
        any::<i32>().prop_map(f64::from),
        (-9000i32..9000).prop_map(|n| f64::from(n) / 64.0)
    ]
}

proptest! {
    #![proptest_config(laws(4000, FILE))]

    /// direction -1 is the transpose: forth and back is m^2 times the input, and the length grows by m.
    #[test]
    fn backwards_undoes_forwards(p in position(), f in 1e-7f64..1.0, a in -4.0f64..4.0, b in -4.0f64..4.0, m in 0.25f64..4.0) {
        let at = Dd::from_f64(p);
        let (forth, back) = (Turn::new(at, f, m, true), Turn::new(at, f, m, false));
        prop_assert_eq!((forth.cos, forth.sin), (back.cos, -back.sin));
        let (y, z) = forth.apply(a, b);
        let (x, w) = back.apply(y, z);
        // Each of the two factors errs by `reference`, of which each output has two, and every product and sum by 2^-53; all
        // sizes are at most m (|a| + |b|) after one turn, and m^2 of that after two.
        let size = a.abs() + b.abs();
        let reference = factor_error(m, m, p * f);
        let one = size * (2.0 * reference + 3.0 * m * f64::EPSILON);
        let error = 2.0 * m * one + m * size * (2.0 * reference + 3.0 * m * f64::EPSILON) + 2.0 * one * reference;
        prop_assert!((x - m * m * a).abs() <= error && (w - m * m * b).abs() <= error, "{} {} for {} {}", x, w, a, b);
        let length = (y.hypot(z) - m * a.hypot(b)).abs();
        prop_assert!(length <= 2.0 * one, "{}", length);
    }

    /// Two turns are one turn by the sum; all three angles are as exact as the positions.
    #[test]
    fn turns_add_up(p in -1_000_000i32..1_000_000, q in -1_000_000i32..1_000_000, f in 1e-7f64..1.0) {
        let turn = |p: i32| Turn::new(Dd::from_f64(f64::from(p)), f, 1.0, true);
        let (first, second, both) = (turn(p), turn(q), turn(p + q));
        let (cos, sin) = second.apply(first.cos, first.sin);
        let error = |p: i32| factor_error(1.0, 1.0, f64::from(p) * f);
        // Two products of a factor that errs and one that does not exceed 1, twice, and three roundings.
        let allowed = 2.0 * (error(p) + error(q)) + error(p + q) + 3.0 * f64::EPSILON;
        prop_assert!((cos - both.cos).abs() <= allowed && (sin - both.sin).abs() <= allowed, "{} {}", cos, sin);
    }
}
