//! The worked examples of `spec/contracts.yaml`: a kernel that does such arithmetic keeps its contract, and does not keep the one
//! that it would have to declare without the keys of the example.

use std::sync::LazyLock;

use ropecheck::backend::emulated::{Angles, Arithmetic, ExactFrequencies, Fused, HalfTangent, Knobs, LibraryErrors};
use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, ContractTable, Declaration, Frequency};
use ropecheck::contract::{Judgement, PairBound, Rotation, Types};
use ropecheck::numeric::{DType, Dd, Rng};

use crate::inputs::{Inputs, position};
use crate::world::{World, worlds};

const STORAGES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
/// Of attention: just below 2, so that a cosine just above 1/2 stays in its binade.
const SCALING: f64 = 1.9;

static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
static WORLD: LazyLock<World> = LazyLock::new(|| worlds(&[1e4], &[64]).pop().expect("a base and a width"));

fn contract(text: &str) -> Contract {
    Declaration::parse(text).and_then(|d| d.resolve(&TABLE)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

fn example(name: &str) -> Contract {
    let example = TABLE.examples.iter().find(|example| example.name == name).unwrap_or_else(|| panic!("{name}"));
    example.declared.resolve(&TABLE).expect("the file was read")
}

/// How many elements of a kernel that keeps `kept` pass, and how many fail, under `declared`.
fn judged(kept: &Contract, declared: &Contract, storage: DType, scaling: f64, seed: u64) -> (u64, u64) {
    let world = &*WORLD;
    let library = [LibraryErrors::Up, LibraryErrors::Down, LibraryErrors::Alternating][(seed % 3) as usize];
    let turn = |shift: u64| ((seed + shift) % 3) as usize;
    let fused = [Fused::None, Fused::OfCos, Fused::OfSin][turn(0)];
    let tangent = [HalfTangent::OfTable, HalfTangent::OfFactors, HalfTangent::Function][turn(seed / 3)];
    // Kernels that rotate by four products have no variants here.
    let knobs = match kept.class.rotation {
        Rotation::FourProducts => Knobs { library, seed, ..Knobs::default() },
        _ => Knobs { library, seed, fused, tangent, ..Knobs::default() },
    };
    let exact = ExactFrequencies { inv_freq: &world.inv_freq, base: Some(world.base), rotary_dim: world.rotary_dim };
    let angles = Angles::new(kept, storage, &knobs, exact);
    let arithmetic = Arithmetic::new(kept, storage, &knobs, scaling);
    let (types, steps, inputs) = (Types::new(declared, storage), world.steps(declared), Inputs::new(storage));
    let mut rng = Rng::new(seed);
    let (mut passed, mut failed) = (0, 0);
    for _ in 0..150 {
        // No further out than where f32 angles and a million turns say something.
        let at = Dd::from_f64(position(&mut rng, &world.inv_freq).to_f64() % f64::from(1 << 20));
        for (pair, (f, steps)) in world.inv_freq.iter().zip(&steps).enumerate() {
            let bound = PairBound::new(declared, &types, *steps, *f, at, scaling, true);
            let factor = arithmetic.factor(angles.angle(pair, angles.position(at)), true);
            for kind in [0, 1, 5, 6, 12, 13, 15] {
                let (a, b) = inputs.pair(&mut rng, kind, bound.turn.cos, bound.turn.sin);
                let written = arithmetic.turn(a, b, &factor);
                for (second, observed) in [(false, written.0), (true, written.1)] {
                    match bound.judge(&types, second, (a, b), observed) {
                        Judgement::Pass { .. } => passed += 1,
                        Judgement::Fail => failed += 1,
                        _ => {}
                    }
                }
            }
        }
    }
    (passed, failed)
}

/// Seeds from 1 on: 3, or as many as `ROPECHECK_SEEDS` says.
fn seeds() -> u64 {
    let asked = std::env::var("ROPECHECK_SEEDS").ok();
    asked.map_or(3, |text| text.parse().unwrap_or_else(|why| panic!("ROPECHECK_SEEDS={text}: {why}")))
}

#[test]
fn an_honest_kernel_keeps_its_own_contract_and_not_the_one_before() {
    const NARROW: &[DType] = &[DType::F16, DType::BF16];
    // What such a kernel would declare without the new keys, and the types in which it is rejected under that. A table in
    // f16 is more than one in bf16, and in f32 a table of f32 is scaled as its entries are.
    let before: &[(&str, &str, &[DType])] = &[
        ("turns", "fused/table", &STORAGES),
        ("half-turns", "cached/pow", &STORAGES),
        ("turns-last", "fused/table", &STORAGES),
        ("scaled-table", "cached/table", NARROW),
        ("scaled-eager", "eager/exp", NARROW),
        ("bf16-table", "fused/table", &STORAGES),
        ("f16-table", "eager/table", &[DType::F32]),
        // This one had to declare more than it did.
        ("f32-table", "eager/pow", &[]),
        ("reduced", "fused/table,angles=f64", &STORAGES),
        ("reduced-turns", "fused/table,angles=f64", &STORAGES),
        ("turned", "fused/table", &STORAGES),
        ("three-products", "fused/table", &STORAGES),
        ("three-products-narrow", "eager/table", &STORAGES),
        ("three-products-fused", "cached/pow", &STORAGES),
        ("shears", "fused/table,scaling=outputs", &STORAGES),
        ("shears-narrow", "eager/table,scaling=inputs", &STORAGES),
        ("shears-fused", "cached/pow,scaling=outputs", &STORAGES),
    ];
    let names: Vec<&str> = TABLE.examples.iter().map(|example| example.name.as_str()).collect();
    assert_eq!(names, before.iter().map(|(name, ..)| *name).collect::<Vec<_>>());
    for (name, old, rejected) in before {
        let (own, old) = (example(name), contract(old));
        for storage in STORAGES {
            let scaling = if name.starts_with("scaled") { SCALING } else { 1.0 };
            let mut failures = 0;
            for seed in 1..=seeds() {
                let (passed, failed) = judged(&own, &own, storage, scaling, seed);
                assert_eq!(failed, 0, "{name} {storage}, seed {seed}");
                assert!(passed > 20_000, "{name} {storage}, seed {seed}: {passed}");
                failures += judged(&own, &old, storage, scaling, seed).1;
            }
            println!("{name} {storage}: {failures} elements are rejected under what it had to declare");
            if rejected.contains(&storage) {
                assert!(failures > 0, "{name} {storage} passes under what it had to declare before");
            }
        }
    }
    // In the order of contracts, the eager kernel with a table in f32 claims more than one with a narrow table.
    assert!(example("f32-table").is_within(&contract("eager/pow"), DType::BF16));
}

/// The keys say just what they say: a kernel that is worse by one part is rejected.
#[test]
fn a_kernel_that_is_worse_than_its_new_keys_say_is_rejected() {
    for (kept, declared, storage, scaling) in [
        ("fused/table,angle_unit=turns,angle_roundings=2", "fused/table,angle_unit=turns", DType::F32, 1.0),
        ("fused/table,angle_unit=turns", "fused/table,angle_unit=turns,angles=f64", DType::F32, 1.0),
        ("cached/table,table=bf16", "cached/table,table=f16", DType::F32, 1.0),
        ("cached/table,table=f16", "cached/table,table=f32", DType::F32, 1.0),
        ("cached/table,scaling=table,scaling_type=storage", "cached/table,scaling=table", DType::BF16, SCALING),
        ("fused/table,angles=f64,angle_error=1.2e-7", "fused/table,angles=f64,angle_error=1e-9", DType::F32, 1.0),
        ("eager/table,rotation=three-products", "cached/table,rotation=three-products", DType::BF16, 1.0),
        (
            "fused/table,rotation=three-products,fma=never",
            "fused/table,rotation=three-products,fma=always",
            DType::F32,
            1.0,
        ),
        ("eager/table,rotation=shears,scaling=inputs", "cached/table,rotation=shears,scaling=inputs", DType::F16, 1.0),
        (
            "fused/table,rotation=shears,scaling=inputs,table=bf16",
            "fused/table,rotation=shears,scaling=inputs",
            DType::F32,
            1.0,
        ),
        ("fused/table,trig_error_per_position=3.1e-7", "fused/table,trig_error_per_position=1e-8", DType::F16, 1.0),
    ] {
        let (kept, declared) = (contract(kept), contract(declared));
        let failures: u64 = (1..=3).map(|seed| judged(&kept, &declared, storage, scaling, seed).1).sum();
        assert!(failures > 0, "{kept:?} passes as {declared:?}");
    }
}

/// By hand, for f = 1 and f = 1/4, which f32 holds and 1 / 2 pi of which it does not.
#[test]
fn an_angle_in_turns_is_never_exact() {
    let unit = 0.5f64.powi(24) * (1.0 + 1.0 / 128.0);
    let g = |text: &str, f: f64, p: f64| {
        let contract = contract(text);
        let steps = contract.steps(&Frequency::plain(f)).expect("a table");
        contract.angle_error(steps, f, Dd::from_f64(p))
    };
    for f in [1.0, 0.25] {
        assert_eq!(g("fused/table", f, 64.0), 0.0);
        for (text, units) in [
            ("fused/table,angle_unit=turns", 2.0),
            ("fused/table,angle_unit=half-turns", 2.0),
            ("fused/table,angle_unit=turns,angle_roundings=2", 4.0),
            ("fused/table,angle_unit=turns,roundings=3", 4.0),
        ] {
            let found = g(text, f, 64.0) / (64.0 * f * unit);
            assert!((found - units).abs() < 1e-9, "{text}: {found}");
            assert_eq!(g(text, f, 0.0), 0.0, "position 0 is exact in every unit");
        }
        // One rounding of the frequency, one of the product, in units of f64.
        let wide = g("fused/table,angle_unit=turns,angles=f64", f, 64.0);
        assert!((wide / (64.0 * f * unit) * 2f64.powi(29) - 2.0).abs() < 1e-9);
        let reduced = g("fused/table,angles=f64,angle_error=1.2e-7", f, 64.0);
        assert_eq!(reduced, 1.2e-7);
    }
    // Computed ways pay for the constant and for the product with it.
    let steps = |text: &str| contract(text).steps(&Frequency::power(1.0, 1e4, 0, 64));
    assert_eq!((steps("fused/pow"), steps("fused/pow,angle_unit=turns")), (Some(0.0), Some(2.0)));
    // Underflow is counted in turns: 2 pi times as much in radians.
    let least = g("fused/table,angle_unit=turns", 1e-43, 1e-3) / g("fused/table", 1e-43, 1e-3);
    assert!((least - std::f64::consts::TAU).abs() < 1e-6, "{least}");
}
