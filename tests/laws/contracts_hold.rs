//! What must be true of every contract, whatever it declares: an exact kernel keeps it, a stricter class lies within a wider
//! one, infinities are neither invented nor lost, and beyond an angle limit nothing is judged.

use std::sync::LazyLock;

use ropecheck::contract::Declaration;
use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, ContractTable, Frequency};
use ropecheck::contract::{Judgement, PairBound, Types};
use ropecheck::contract::{PairRow, RowBound, RowTally};
use ropecheck::numeric::{DType, Dd, Real, Rng};

const STORAGES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];

static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));

fn contract(text: &str) -> Contract {
    Declaration::parse(text).and_then(|d| d.resolve(&TABLE)).unwrap_or_else(|why| panic!("{text}: {why}"))
}

/// Every class on every way to frequencies, and every other thing that can be declared.
fn all_contracts() -> Vec<String> {
    let mut all = Vec::new();
    for class in &TABLE.classes {
        all.extend(TABLE.frequencies.iter().map(|way| format!("{}/{}", class.name, way.name)));
        for extra in [
            "angles=f64",
            "fma=always",
            "fma=never",
            "store=toward-zero",
            "flushes=true",
            "scaling=inputs",
            "scaling=outputs",
            "scaling_type=storage",
            "scaling=inputs,scaling_type=storage",
            "scaling=outputs,scaling_type=storage",
            "scaling=outputs,scaling_type=exact",
            "trig_ulps=0,trig_error=0",
            "rotation=three-products",
            "rotation=three-products,fma=always",
            "rotation=three-products,scaling=outputs",
            "rotation=shears,scaling=inputs",
            "rotation=shears,scaling=outputs",
            "rotation=shears,scaling=outputs,store=toward-zero",
        ] {
            all.push(format!("{}/table,{extra}", class.name));
        }
        for extra in ["table=f16", "table=bf16", "table=f32", "trig_error_per_position=1e-7"] {
            all.push(format!("{}/table,{extra}", class.name));
        }
        if class.name != "ideal" {
            for extra in [
                "angle_unit=turns",
                "angle_unit=half-turns,angles=f64",
                "angle_error=1e-7",
                "angle_roundings=2",
                "scaling=table",
                "scaling=table,scaling_type=storage",
                "scaling=table,table=f16",
            ] {
                all.push(format!("{}/table,{extra}", class.name));
            }
        }
    }
    all.extend(TABLE.examples.iter().map(|example| example.declared.to_string()));
    all
}

/// A pair at a position: its frequency, and what is asked of it.
struct Point {
    frequency: Frequency,
    position: f64,
    scaling: f64,
}

fn points(rng: &mut Rng, count: usize) -> Vec<Point> {
    let mut point = || {
        let (d, base) = [(128u32, 1e4f64), (96, 5e5), (80, 1e6)][rng.below(3) as usize];
        let i = rng.below(u64::from(d) / 2) as u32;
        let frequency = Frequency::power(base.powf(-2.0 * f64::from(i) / f64::from(d)), base, i, d);
        let position = match rng.below(6) {
            0 => 0.0,
            1 => rng.below(1 << 20) as f64,
            2 => -(rng.below(4096) as f64),
            3 => rng.below(9000) as f64 / 3.0,
            // Near a multiple of pi/2.
            4 => ((1 + rng.below(40)) as f64 * std::f64::consts::FRAC_PI_2 / frequency.inv_freq).round(),
            _ => rng.below(2048) as f64,
        };
        let scaling = [1.0, 1.0, 0.7, 1.138_629_436_111_989, 2.0][rng.below(5) as usize];
        Point { frequency, position, scaling }
    };
    (0..count).map(|_| point()).collect()
}

/// Inputs of a type: of one size, cancelling, far apart, tiny, huge.
fn inputs(rng: &mut Rng, storage: DType, point: &Point) -> (f64, f64) {
    let angle = point.position * point.frequency.inv_freq;
    let mut any = |exponent: i32| {
        let v = (1.0 + rng.unit()) * 2f64.powi(exponent);
        let v = storage.round(v).min(storage.max_finite());
        if rng.one_in(2) { v } else { -v }
    };
    let (least, most) = (storage.min_exponent(), storage.max_exponent());
    let (a, b) = (any(0), any(1));
    let (tiny, subnormal, huge) = (any(least + 2), any(least - 4), any(most));
    let clamp = |v: f64| v.clamp(-storage.max_finite(), storage.max_finite());
    match rng.below(8) {
        0 => (a, clamp(storage.round(a / angle.tan()))),
        1 => (clamp(storage.round(-b / angle.tan())), b),
        2 => (a, tiny),
        3 => (subnormal, subnormal),
        4 => (huge, -huge),
        5 => (huge, b),
        6 => (a, 0.0),
        _ => (a, b),
    }
}

fn real(v: f64) -> Real {
    Real::from_f64(v)
}

/// A real rounded once to a storage type: the f64 next to it says on which side of a tie it lies.
fn rounded(storage: DType, value: &Real) -> f64 {
    let near = value.to_f64();
    let rest = value.sub(&real(near)).map_or(0.0, |rest| rest.to_f64());
    let sided = if rest == 0.0 || near == 0.0 {
        near
    } else if rest > 0.0 {
        near.next_up()
    } else {
        near.next_down()
    };
    storage.round(sided)
}

/// What an exact kernel writes: m (a cos - b sin) and m (b cos + a sin), each rounded once.
fn exact(storage: DType, point: &Point, (a, b): (f64, f64)) -> (f64, f64) {
    let of = |x: &Real, y: &Real| x.mul(y).expect("a product");
    let angle = of(&real(point.position), &real(point.frequency.inv_freq));
    let (sin, cos) = angle.sin_cos().expect("an angle");
    let (a, b, m) = (real(a), real(b), real(point.scaling));
    let first = of(&m, &of(&a, &cos).sub(&of(&b, &sin)).expect("a difference"));
    let second = of(&m, &of(&b, &cos).add(&of(&a, &sin)).expect("a sum"));
    (rounded(storage, &first), rounded(storage, &second))
}

#[test]
fn an_exact_kernel_keeps_every_contract() {
    let mut rng = Rng::new(3001);
    let contracts: Vec<(String, Contract)> = all_contracts().into_iter().map(|t| (t.clone(), contract(&t))).collect();
    let mut judged = 0u64;
    for storage in STORAGES {
        for point in points(&mut rng, 400) {
            let inputs = inputs(&mut rng, storage, &point);
            let out = exact(storage, &point, inputs);
            for (name, contract) in &contracts {
                let types = Types::new(contract, storage);
                let steps = contract.steps(&point.frequency).expect("has a base");
                let position = Dd::from_f64(point.position);
                let (f, m) = (point.frequency.inv_freq, point.scaling);
                let pair = PairBound::new(contract, &types, steps, f, position, m, true);
                for (second, observed) in [(false, out.0), (true, out.1)] {
                    let told = || format!("{name} {storage}: {inputs:?} at {} * {f} -> {observed:e}", point.position);
                    match pair.judge(&types, second, inputs, observed) {
                        Judgement::Pass { .. } => judged += 1,
                        Judgement::BeyondAngleLimit => assert!(contract.class.angle_limit.is_some(), "{}", told()),
                        Judgement::RangeNotJudged => assert!(observed.is_infinite(), "{}", told()),
                        Judgement::ContractTooWide => {
                            let per_position = contract.class.trig_error_per_position;
                            assert!(per_position * point.position.abs() > 0.9, "{}", told());
                        }
                        other => panic!("{other:?}: {}", told()),
                    }
                }
            }
        }
    }
    assert!(judged > 100_000, "{judged}");
}

#[test]
fn classes_are_listed_strictest_first_and_each_contains_the_one_before() {
    let names: Vec<&str> = TABLE.classes.iter().map(|class| class.name.as_str()).collect();
    assert_eq!(names, ["ideal", "fused", "cached", "eager", "fast"]);
    let mut rng = Rng::new(3002);
    let mut wider = 0u64;
    for way in &TABLE.frequencies {
        for storage in STORAGES {
            for point in points(&mut rng, 300) {
                let inputs = inputs(&mut rng, storage, &point);
                let bound = |class: &str| {
                    let contract = TABLE.contract(class, &way.name).expect("exists");
                    let types = Types::new(&contract, storage);
                    let steps = contract.steps(&point.frequency).expect("has a base");
                    let (f, position) = (point.frequency.inv_freq, Dd::from_f64(point.position));
                    let pair = PairBound::new(&contract, &types, steps, f, position, point.scaling, true);
                    let (y, z) = pair.turn.apply(inputs.0, inputs.1);
                    let total = |second, y, z| pair.allowance(&types, second, inputs, y, z).total();
                    (!pair.beyond_limit).then(|| [total(false, y, z), total(true, z, y)])
                };
                for (inner, outer) in [("ideal", "fused"), ("fused", "cached"), ("cached", "eager"), ("fused", "fast")]
                {
                    // Beyond its limit the outer one claims nothing, which is wider than anything.
                    let (Some(inner_bound), Some(outer_bound)) = (bound(inner), bound(outer)) else { continue };
                    for (i, o) in inner_bound.into_iter().zip(outer_bound) {
                        assert!(i <= o, "{inner} {i:e} > {outer} {o:e}, {storage} {}: {inputs:?}", way.name);
                        wider += u64::from(i < o);
                    }
                }
            }
        }
    }
    assert!(wider > 10_000, "the classes differ: {wider}");
}

/// The bound of a pair of frequency 1 at position 1.
fn at_one(contract: &Contract, storage: DType, scaling: f64) -> (PairBound, Types) {
    let types = Types::new(contract, storage);
    (PairBound::new(contract, &types, 0.0, 1.0, Dd::from_f64(1.0), scaling, true), types)
}

#[test]
fn infinities_are_granted_where_honest_arithmetic_makes_them_and_nowhere_else() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for class in TABLE.classes.iter().map(|class| class.name.as_str()) {
        for storage in STORAGES {
            let most = storage.max_finite();
            let contract = contract(&format!("{class}/table"));
            let judge = |scaling: f64, second: bool, inputs: (f64, f64), observed: f64| {
                let (pair, types) = at_one(&contract, storage, scaling);
                pair.judge(&types, second, inputs, observed)
            };
            let what = format!("{class} {storage}");
            // Nothing overflows: every infinity and NaN is invented.
            for bad in [nan, inf, -inf] {
                assert_eq!(judge(1.0, false, (1.0, 1.0), bad), Judgement::Fail, "{what}");
                assert_eq!(judge(1.0, false, (most, most), bad), Judgement::Fail, "{what}: -0.30 max");
                assert_eq!(judge(1.0, false, (bad, 1.0), nan), Judgement::InputNotFinite, "{what}");
                assert_eq!(judge(1.0, false, (bad, 1.0), 0.0), Judgement::Fail, "{what}: the input is lost");
            }
            // 1.38 times the largest number: one sign of infinity, and never the largest number.
            assert_eq!(judge(1.0, false, (most, -most), inf), Judgement::RangeNotJudged, "{what}");
            assert_eq!(judge(1.0, false, (-most, most), -inf), Judgement::RangeNotJudged, "{what}");
            for wrong in [-inf, nan, most, -most, 0.0] {
                assert_eq!(judge(1.0, false, (most, -most), wrong), Judgement::Fail, "{what}: {wrong}");
            }
            // 3 max (0.54 - 0.84): fits, but each product may overflow where arithmetic is as narrow as the tensors.
            let products_overflow = match (class, storage) {
                ("ideal", _) => false,
                ("eager", _) => true,
                (_, narrow) => narrow != DType::F16,
            };
            let expected = if products_overflow { Judgement::RangeNotJudged } else { Judgement::Fail };
            for observed in [nan, inf, -inf] {
                assert_eq!(judge(3.0, false, (most, most), observed), expected, "{what}: {observed}");
            }
            // Only the cosine's product can overflow: infinity has its sign, and NaN has no cause.
            let found = [inf, -inf, nan].map(|observed| judge(3.0, false, (most, 1.0), observed));
            assert_eq!(found, [Judgement::RangeNotJudged, Judgement::Fail, Judgement::Fail], "{what}");
            // A finite answer is judged as ever, even where an infinity would be granted.
            assert_eq!(judge(3.0, false, (most, most), most), Judgement::Fail, "{what}");
        }
    }
}

#[test]
fn scaled_inputs_and_outputs_overflow_where_they_are_computed() {
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    let judge = |text: &str, position: f64, scaling: f64, inputs: (f64, f64), observed: f64| {
        let contract = contract(text);
        let types = Types::new(&contract, DType::F16);
        let pair = PairBound::new(&contract, &types, 0.0, 1.0, Dd::from_f64(position), scaling, true);
        pair.judge(&types, false, inputs, observed)
    };
    let (judged, free) = (Judgement::Fail, Judgement::RangeNotJudged);
    let most = DType::F16.max_finite();
    // At position 0, with the sine 0, 2 max - 0 is beyond, and infinity times 0 is NaN.
    let stored = "fused/table,scaling=inputs,scaling_type=storage";
    assert_eq!(judge(stored, 0.0, 2.0, (1.0, most), nan), free, "infinity times the sine 0");
    assert_eq!(judge("fused/table,scaling=inputs", 0.0, 2.0, (1.0, most), nan), judged, "f32 holds 2 max");
    assert_eq!(judge("fused/table", 0.0, 2.0, (1.0, most), nan), judged);
    // Half of 1.38 max is finite, but not on its way in f16.
    let stored = "fused/table,scaling=outputs,scaling_type=storage";
    assert_eq!(judge(stored, 1.0, 0.5, (most, -most), inf), free);
    assert_eq!(judge(stored, 1.0, 0.5, (most, -most), -inf), judged);
    assert_eq!(judge("fused/table,scaling=outputs", 1.0, 0.5, (most, -most), inf), judged);
    assert_eq!(judge("eager/table,scaling=outputs", 1.0, 0.5, (most, -most), inf), free);
    assert_eq!(judge("eager/table", 1.0, 0.5, (most, -most), inf), judged);
    // Dropping low bits makes the largest number of what is too large; rounding to nearest never does.
    assert_eq!(judge("fused/table,store=toward-zero", 1.0, 1.0, (most, -most), most), free);
    assert_eq!(judge("fused/table,store=toward-zero", 1.0, 1.0, (most, -most), -most), judged);
    assert_eq!(judge("fused/table,store=toward-zero", 1.0, 1.0, (1.0, 1.0), most), judged);
    assert_eq!(judge("fused/table", 1.0, 1.0, (most, -most), most), judged);
    // A scaling that the type of the scaling does not hold.
    assert_eq!(judge("fused/table,scaling_type=storage", 1.0, 1e5, (1e-3, 0.0), nan), free);
    assert_eq!(judge("fused/table", 1.0, 1e5, (1e-3, 0.0), nan), judged);
}

#[test]
fn beyond_the_angle_limit_nothing_is_judged() {
    let contract = contract("fast/table");
    let limit = contract.class.angle_limit.expect("fast has one");
    let types = Types::new(&contract, DType::F32);
    let frequency = 0.1;
    let pair = |position: f64| PairBound::new(&contract, &types, 1.0, frequency, Dd::from_f64(position), 1.0, true);
    // |angle| + g: 3.2 itself is 0.1 * 32 and a little more.
    assert!(!pair(31.0).beyond_limit && !pair(-31.0).beyond_limit);
    assert!(pair(32.0).beyond_limit && pair(33.0).beyond_limit && pair(-33.0).beyond_limit);
    assert!(frequency * 32.0 - limit < 1e-15);
    for observed in [0.0, 17.0, f64::NAN, f64::INFINITY] {
        assert_eq!(pair(33.0).judge(&types, false, (1.0, 1.0), observed), Judgement::BeyondAngleLimit);
        assert_eq!(pair(31.0).judge(&types, false, (1.0, 1.0), observed), Judgement::Fail);
    }
    // The fast judgement of rows counts them apart as well, also among pairs that it settles.
    let mut bound = RowBound::new(types);
    (0..16).for_each(|i| bound.push(pair(if i == 5 { 40.0 } else { f64::from(i) })));
    let inputs = [1.0; 16];
    let turned: Vec<(f64, f64)> = bound.pairs().iter().map(|pair| pair.turn.apply(1.0, 1.0)).collect();
    let (first, mut second): (Vec<f64>, Vec<f64>) = turned.into_iter().unzip();
    let mut tally = RowTally::default();
    // Right or wrong, it is not judged.
    for there in [second[5], 1e30] {
        second[5] = there;
        tally = RowTally { ratio: 1.0, ..RowTally::default() };
        let row = PairRow { a: &inputs, b: &inputs, first: &first, second: &second };
        assert!(bound.judge(row, 0, &mut tally).is_ok());
        assert_eq!((tally.judged, tally.beyond_angle_limit), (30, 2));
    }
    second[6] = 1e30;
    let row = PairRow { a: &inputs, b: &inputs, first: &first, second: &second };
    assert_eq!(bound.judge(row, 0, &mut tally).expect_err("wrong").pair, 6);
}
