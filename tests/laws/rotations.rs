//! Kernels that rotate by three products or by three shears, as the worked examples of `spec/contracts.yaml`
//! do: what holds of them beside their bound, which tests/laws/declared_arithmetic.rs and tests/laws/adversarial.rs
//! hold.

use std::sync::LazyLock;

use ropecheck::backend::emulated::{Angles, Arithmetic, ExactFrequencies, Factor};
use ropecheck::backend::emulated::{Fused, HalfTangent, Knobs, Storing};
use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, ContractTable, Declaration};
use ropecheck::contract::{Judgement, PairBound, Types};
use ropecheck::numeric::{DType, Dd, Rng};

use crate::inputs::Inputs;
use crate::world::{World, worlds};

const STORAGES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
/// The examples that rotate by other than four products.
const ROTATED: [&str; 6] =
    ["three-products", "three-products-narrow", "three-products-fused", "shears", "shears-narrow", "shears-fused"];

static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
static WORLD: LazyLock<World> = LazyLock::new(|| worlds(&[1e4], &[64]).pop().expect("a base and a width"));

fn contract(text: &str) -> Contract {
    Declaration::parse(text).and_then(|d| d.resolve(&TABLE)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn example(name: &str) -> Contract {
    let example = TABLE.examples.iter().find(|example| example.name == name).unwrap_or_else(|| panic!("{name}"));
    example.declared.resolve(&TABLE).expect("the file was read")
}

/// Inputs times a power of two give the outputs times it, wherever what they pass through stays normal; and
/// somewhere else not.
#[test]
fn powers_of_two_pass_where_everything_stays_normal() {
    let world = &*WORLD;
    for name in ROTATED {
        let own = example(name);
        for storage in STORAGES {
            let (types, steps, inputs) = (Types::new(&own, storage), world.steps(&own), Inputs::new(storage));
            let least = 2.0 * types.arithmetic.map_or(0.0, DType::min_normal).max(storage.min_normal());
            let most = 0.5 * storage.max_finite();
            let (mut held, mut differed, mut rng) = (0, 0, Rng::new(51));
            for variant in 0..9 {
                let fused = [Fused::None, Fused::OfCos, Fused::OfSin][variant % 3];
                let tangent = [HalfTangent::OfTable, HalfTangent::OfFactors, HalfTangent::Function][variant / 3];
                let knobs = Knobs { fused, tangent, through_f32: variant % 2 == 1, ..Knobs::default() };
                let exact = ExactFrequencies {
                    inv_freq: &world.inv_freq,
                    base: Some(world.base),
                    rotary_dim: world.rotary_dim,
                };
                let (angles, arithmetic) =
                    (Angles::new(&own, storage, &knobs, exact), Arithmetic::new(&own, storage, &knobs, 1.0));
                for _ in 0..60 {
                    let at = Dd::from_f64(rng.below(1 << 16) as f64);
                    for (pair, (f, steps)) in world.inv_freq.iter().zip(&steps).enumerate() {
                        let bound = PairBound::new(&own, &types, *steps, *f, at, 1.0, true);
                        let factor = arithmetic.factor(angles.angle(pair, angles.position(at)), true);
                        let (a, b) = inputs.pair(&mut rng, 15, bound.turn.cos, bound.turn.sin);
                        let places = if storage == DType::F16 { rng.below(24) as i32 } else { rng.below(260) as i32 };
                        let by = 2f64.powi(if rng.one_in(3) { 6 } else { -places });
                        let scaled = (by * a, by * b);
                        if storage.round(scaled.0) != scaled.0 || storage.round(scaled.1) != scaled.1 {
                            continue;
                        }
                        let (y, z) = bound.turn.apply(a, b);
                        let results = [(false, y, z), (true, z, y)].map(|(second, value, partner)| {
                            let allowed = bound.allowance(&types, second, (a, b), value, partner).total();
                            (value.abs() - allowed, value.abs() + allowed)
                        });
                        let all = bound.passed(&types, (a, b)).into_iter().chain(results);
                        let normal =
                            all.into_iter().all(|(low, high)| low * by.min(1.0) > least && high * by.max(1.0) < most);
                        let (plain, far) =
                            (arithmetic.turn(a, b, &factor), arithmetic.turn(scaled.0, scaled.1, &factor));
                        let same = (by * plain.0, by * plain.1) == far;
                        assert!(
                            same || !normal,
                            "{name} {storage} {knobs:?}: ({a:e}, {b:e}) by {by:e} at {at:?} pair {pair}"
                        );
                        held += u64::from(normal);
                        differed += u64::from(!same);
                    }
                }
            }
            println!("powers of two, {name} {storage}: {held} judged, {differed} differ");
            assert!(held > 1000 && differed > 0, "{name} {storage}: {held} {differed}");
        }
    }
}

/// Linear up to its roundings, and not where low bits are dropped.
#[test]
fn superposition_holds_in_every_way_to_rotate_and_sees_a_truncating_kernel() {
    let world = &*WORLD;
    for name in ROTATED {
        let own = example(name);
        for storage in STORAGES {
            let (types, steps, inputs) = (Types::new(&own, storage), world.steps(&own), Inputs::new(storage));
            let (mut worst, mut truncating) = (0.0f64, 0.0f64);
            let mut rng = Rng::new(41);
            for variant in 0..10 {
                let fused = [Fused::None, Fused::OfCos, Fused::OfSin][variant % 3];
                let tangent = [HalfTangent::OfTable, HalfTangent::OfFactors, HalfTangent::Function][variant / 3 % 3];
                let storing = if variant == 9 { Storing::TowardZero } else { Storing::Honest };
                let knobs = Knobs { fused, tangent, storing, through_f32: variant % 2 == 1, ..Knobs::default() };
                let exact = ExactFrequencies {
                    inv_freq: &world.inv_freq,
                    base: Some(world.base),
                    rotary_dim: world.rotary_dim,
                };
                let (angles, arithmetic) =
                    (Angles::new(&own, storage, &knobs, exact), Arithmetic::new(&own, storage, &knobs, 1.0));
                for _ in 0..if variant == 9 { 400 } else { 40 } {
                    let at = Dd::from_f64(rng.below(1 << 20) as f64);
                    for (pair, (f, steps)) in world.inv_freq.iter().zip(&steps).enumerate() {
                        let bound = PairBound::new(&own, &types, *steps, *f, at, 1.0, true);
                        let factor = arithmetic.factor(angles.angle(pair, angles.position(at)), true);
                        // No kind that may overflow.
                        let kind = [0, 1, 2, 3, 4, 12, 13, 14, 15][rng.below(9) as usize];
                        let (a, b) = inputs.pair(&mut rng, kind, bound.turn.cos, bound.turn.sin);
                        let turn = |a, b| <[f64; 2]>::from(arithmetic.turn(a, b, &factor));
                        let (y, p1, p2) = (turn(a, b), turn(a, 0.0), turn(0.0, b));
                        for second in [false, true] {
                            let i = usize::from(second);
                            let difference = (y[i] - (p1[i] + p2[i])).abs();
                            let ratio = difference / bound.superposition(&types, second, (a, b));
                            let most = if variant == 9 { &mut truncating } else { &mut worst };
                            *most = most.max(ratio);
                        }
                    }
                }
            }
            println!("superposition, {name} {storage}: {worst:.4}, truncating {truncating:.4}");
            assert!(worst <= 1.0 && worst > 0.2, "{name} {storage}: {worst}");
            // In f32 what is dropped is less than what the steps before may lose.
            let narrow_store = storage != DType::F32 && !name.ends_with("narrow");
            assert!(!narrow_store || truncating > 1.0, "truncation passed in {name} {storage}: {truncating}");
        }
    }
}

/// Cosines and sines that are handed over are true as they are, though they are rounded and of no angle any
/// more.
#[test]
fn cosines_and_sines_that_are_given_are_rotated_by_in_every_way() {
    for (text, scaling) in [
        ("fused/table,rotation=three-products", 1.9),
        ("eager/table,rotation=three-products", 1.0),
        ("fused/table,rotation=shears,scaling=outputs", 1.0),
        ("eager/table,rotation=shears,scaling=inputs,fma=always", 1.0),
    ] {
        let own = contract(text);
        for storage in STORAGES {
            let (types, inputs) = (Types::new(&own, storage), Inputs::new(storage));
            let mut rng = Rng::new(31);
            let (mut worst, mut judged) = (0.0f64, 0);
            for turn in 0..20_000 {
                let fused = [Fused::None, Fused::OfCos, Fused::OfSin][turn % 3];
                let arithmetic = Arithmetic::new(&own, storage, &Knobs { fused, ..Knobs::default() }, 1.0);
                let angle = 6.4 * rng.unit();
                let [cos, sin] = [angle.cos(), angle.sin()].map(|v| storage.round(scaling * v));
                let factor = Factor { cos: Dd::from_f64(cos), sin: Dd::from_f64(sin), tangent: None };
                let bound = PairBound::of_table(&types, cos, sin);
                let kind = rng.below(Inputs::KINDS);
                let (a, b) = inputs.pair(&mut rng, kind, cos, sin);
                let written = arithmetic.turn(a, b, &factor);
                for (second, observed) in [(false, written.0), (true, written.1)] {
                    match bound.judge(&types, second, (a, b), observed) {
                        Judgement::Pass { ratio } => (worst, judged) = (worst.max(ratio), judged + 1),
                        Judgement::RangeNotJudged => {}
                        other => {
                            panic!("{text} {storage}: {other:?} of ({a:e}, {b:e}) by {cos:e} {sin:e}: {observed:e}")
                        }
                    }
                }
            }
            assert!(judged > 30_000 && worst > 0.5, "{text} {storage}: {judged} {worst}");
        }
    }
    // With a scaling in them they are no factors of shears: nothing is said.
    let types = Types::new(&contract("fused/table,rotation=shears,scaling=outputs"), DType::F32);
    let scaled = PairBound::of_table(&types, 1.9 * 0.6, 1.9 * 0.8);
    assert_eq!(scaled.judge(&types, false, (1.0, 1.0), 17.0), Judgement::ContractTooWide);
}

/// What is not finite in a pair is seen in it, whichever way it is rotated, and near the ends of a type's
/// range an honest kernel writes no infinity and no NaN that is not granted.
#[test]
fn what_is_not_finite_is_judged_as_every_honest_kernel_writes_it() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for name in ROTATED {
        let own = example(name);
        let f = 1.0;
        for storage in STORAGES {
            let most = storage.max_finite();
            let (mut granted, mut seen) = (0, 0);
            for (fused, tangent) in [(Fused::None, HalfTangent::OfTable), (Fused::OfCos, HalfTangent::OfFactors)] {
                let knobs = Knobs { fused, tangent, ..Knobs::default() };
                let exact = ExactFrequencies { inv_freq: &[f], base: Some(1e4), rotary_dim: 2 };
                let angles = Angles::new(&own, storage, &knobs, exact);
                for scaling in [1.0, 1.9, 0.5] {
                    let (arithmetic, types) =
                        (Arithmetic::new(&own, storage, &knobs, scaling), Types::new(&own, storage));
                    for p in 0..400 {
                        let at = Dd::from_f64(f64::from(p));
                        let bound = PairBound::new(&own, &types, 0.0, f, at, scaling, true);
                        let factor = arithmetic.factor(angles.angle(0, angles.position(at)), true);
                        let half = storage.round(0.6 * most);
                        for (a, b) in [
                            (nan, 1.0),
                            (1.0, nan),
                            (inf, 1.0),
                            (1.0, -inf),
                            (inf, inf),
                            (inf, -inf),
                            (nan, inf),
                            (most, most),
                            (most, -most),
                            (half, -most),
                            (half, half),
                            (-half, half),
                            (most, 0.0),
                            (0.0, most),
                        ] {
                            let written = arithmetic.turn(a, b, &factor);
                            for (second, observed) in [(false, written.0), (true, written.1)] {
                                let judged = bound.judge(&types, second, (a, b), observed);
                                let told = format!("{name} {storage} {scaling} {p}: ({a}, {b}) -> {observed}");
                                assert_ne!(judged, Judgement::Fail, "{told}");
                                granted += u64::from(judged == Judgement::RangeNotJudged);
                                seen += u64::from(judged == Judgement::InputNotFinite);
                                if judged == Judgement::InputNotFinite && p > 0 {
                                    // Nothing else would have passed.
                                    let lost = bound.judge(&types, second, (a, b), 1.0);
                                    assert_eq!(lost, Judgement::Fail, "{told}");
                                }
                            }
                        }
                    }
                }
            }
            assert!(granted > 100 && seen > 10_000, "{name} {storage}: {granted} {seen}");
        }
    }
}
