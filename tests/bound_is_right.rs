//! No honest kernel is rejected, and kernels with real bugs are.

#[path = "bound_is_right/inputs.rs"]
mod inputs;
#[path = "bound_is_right/kernel.rs"]
mod kernel;

use std::sync::LazyLock;

use inputs::{inputs, position};
use kernel::{Fault, Kernel, WAYS, Way};
use ropecheck::numeric::{DType, Dd, Number, Rng};
use ropecheck::plan::bound::{Judgement, PairBound, Types, superposition_allowance};
use ropecheck::plan::contract::{Contract, ContractTable, Fma, Frequency, Kept, Scaling, Store};
use ropecheck::plan::contract_file::contracts;
use ropecheck::plan::judge::{Miss, Row, RowBound, Tally};

const STORAGES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
const CLASSES: [&str; 3] = ["fused", "cached", "eager"];

/// As spec/contracts.yaml has it.
fn contract(class: &str, way: Way) -> Contract {
    static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));
    let (_, name) = WAYS.into_iter().find(|(other, _)| *other == way).expect("all ways have names");
    TABLE.contract(class, name).unwrap_or_else(|| panic!("no contract {class}, {name}"))
}

fn kernel(class: &str, way: Way, storage: DType, base: f64, d: u32) -> Kernel {
    Kernel {
        way,
        narrow_table: class != "fused",
        narrow_arithmetic: class == "eager",
        through_f32: true,
        fma: false,
        flush: false,
        storage,
        base,
        d,
        scaling: 1.0,
        place: Scaling::Factors,
        narrow_scaling: false,
        wide_angles: false,
        truncates: false,
        library_ulps: 1.0,
        trig_ulps: 2.0,
        fault: Fault::None,
    }
}

/// The plan's frequencies, which are the truth: nearest f64 of base^(-2i/d).
fn frequencies(base: f64, d: u32) -> Vec<Frequency> {
    let base_number = Number::from_f64(base).expect("a number");
    (0..d / 2)
        .map(|i| {
            let exponent = Number::ratio(-2 * i128::from(i), i128::from(d)).expect("an exponent");
            Frequency::power(base_number.pow(&exponent).expect("a power").to_f64(), base, i, d)
        })
        .collect()
}

/// Runs a kernel on random rows and judges them. The fast judgement must say what the slow one says.
fn run(
    kernel: &Kernel,
    contract: &Contract,
    frequencies: &[Frequency],
    rows: u64,
    rng: &mut Rng,
    tally: &mut Tally,
) -> Result<(), (f64, Box<Miss>)> {
    let inv_freq: Vec<f64> = frequencies.iter().map(|f| f.inv_freq).collect();
    let steps: Vec<f64> = frequencies.iter().map(|f| contract.steps(f).expect("a base")).collect();
    let axes = vec![0; inv_freq.len()];
    let mut bound = RowBound::new(Types::new(contract, kernel.storage));
    for label in 0..rows {
        let position = position(rng, &inv_freq);
        let factors = kernel.factors(rng, &inv_freq, position);
        bound.fill(contract, &steps, &inv_freq, &axes, &[Dd::from_f64(position)], kernel.scaling, true);
        let (mut a, mut b, mut first, mut second) = (vec![], vec![], vec![], vec![]);
        for (pair, factor) in bound.pairs().iter().zip(factors) {
            let (x, y) = inputs(rng, kernel.storage, pair.turn.cos, pair.turn.sin);
            let out = kernel.turn(x, y, factor);
            a.push(x);
            b.push(y);
            first.push(out.0);
            second.push(out.1);
        }
        let row = Row { a: &a, b: &b, first: &first, second: &second };
        let before = tally.clone();
        let result = bound.judge(row, label, tally);
        let mut slowly = before;
        for (pair, p) in bound.pairs().iter().enumerate() {
            for (is_second, observed) in [(false, first[pair]), (true, second[pair])] {
                if let Judgement::Pass { ratio } = p.judge(bound.types(), is_second, (a[pair], b[pair]), observed) {
                    slowly.judged += 1;
                    slowly.ratio = slowly.ratio.max(ratio);
                }
            }
        }
        match result {
            Ok(()) => assert_eq!((slowly.ratio, slowly.judged), (tally.ratio, tally.judged), "both judgements agree"),
            Err(miss) => return Err((position, miss)),
        }
    }
    Ok(())
}

#[test]
fn no_honest_element_is_rejected() {
    let mut rng = Rng::new(2024);
    let mut total = 0;
    let mut worst: Vec<(String, f64)> = Vec::new();
    for class in CLASSES {
        for storage in STORAGES {
            let mut of_class = 0.0f64;
            for (way, name) in WAYS {
                for variant in 0..6 {
                    let (base, d) = [(10_000.0, 128), (1e6, 64), (500_000.0, 96), (10_000.0, 80)][variant % 4];
                    let mut kernel = kernel(class, way, storage, base, d);
                    kernel.fma = variant % 2 == 1;
                    kernel.through_f32 = variant < 3;
                    kernel.scaling = [1.0, 1.0, 1.0, 0.7, 1.138_629_436_111_989, 2.0][variant];
                    let mut contract = contract(class, way);
                    if kernel.scaling != 1.0 {
                        // Little but the scaling is left then, so that a bound without it would be seen to be too small.
                        (kernel.trig_ulps, contract.class.trig_ulps) = (0.5, 0.5);
                    }
                    if variant == 2 {
                        kernel.flush = true;
                        contract.class.flushes = true;
                    }
                    let mut tally = Tally::default();
                    let result = run(&kernel, &contract, &frequencies(base, d), 60, &mut rng, &mut tally);
                    if let Err((position, miss)) = result {
                        panic!("honest {class} {storage} {name}, variant {variant}, position {position}: {miss:?}");
                    }
                    assert_eq!(tally.range_not_judged + tally.input_not_finite, 0);
                    total += tally.judged;
                    of_class = of_class.max(tally.ratio);
                }
            }
            worst.push((format!("{class} {storage}"), of_class));
        }
    }
    for (name, ratio) in &worst {
        println!("{name}: largest error / bound {ratio:.4}");
        // A bound that no honest kernel comes near would be too wide: a tie of the last rounding alone reaches the half.
        assert!(*ratio > 0.5, "{name}");
    }
    println!("{total} elements");
    assert!(total >= 1_000_000);
}

/// What a contract may declare besides class and way: each is run by a kernel that does it.
#[test]
fn no_honest_element_of_a_declared_variant_is_rejected() {
    let mut rng = Rng::new(2028);
    for class in CLASSES {
        for storage in STORAGES {
            let base = (kernel(class, Way::Table, storage, 10_000.0, 128), contract(class, Way::Table));
            let mut variants: Vec<(String, Kernel, Contract)> = Vec::new();
            let mut add = |name: &str, change: &dyn Fn(&mut Kernel, &mut Contract)| {
                let (mut kernel, mut contract) = base.clone();
                change(&mut kernel, &mut contract);
                variants.push((format!("{class} {storage} {name}"), kernel, contract));
            };
            for place in [Scaling::Factors, Scaling::Inputs, Scaling::Outputs] {
                for narrow in [false, true] {
                    for scaling in [0.7, 1.138_629_436_111_989, 2.0] {
                        for ulps in [0.5, 2.0] {
                            add(&format!("{place:?}, storage {narrow}, by {scaling}"), &|k, c| {
                                (k.place, k.narrow_scaling, k.scaling, k.trig_ulps) = (place, narrow, scaling, ulps);
                                (c.class.scaling, c.class.trig_ulps) = (place, ulps);
                                c.class.scaled = narrow.then_some(Kept::Storage);
                                (k.fma, k.through_f32) = (ulps == 2.0, scaling == 0.7);
                            });
                        }
                    }
                }
            }
            add("toward zero", &|k, c| (k.truncates, c.class.store) = (true, Store::TowardZero));
            add("toward zero, inputs", &|k, c| {
                (k.truncates, c.class.store) = (true, Store::TowardZero);
                (k.place, k.narrow_scaling, k.scaling) = (Scaling::Inputs, true, 1.3);
                (c.class.scaling, c.class.scaled) = (Scaling::Inputs, Some(Kept::Storage));
            });
            add("always fused", &|k, c| (k.fma, c.class.fma) = (true, Fma::Always));
            add("never fused", &|k, c| (k.fma, c.class.fma) = (false, Fma::Never));
            for way in [Way::Table, Way::Pow] {
                add(&format!("f64 angles, {way:?}"), &|k, c| {
                    (k.way, k.wide_angles, c.class.angles) = (way, true, Kept::F64);
                    c.frequencies = contract(class, way).frequencies;
                    // An ulp away from the nearest number.
                    c.frequencies.library_ulps = 1.5;
                });
            }
            for (name, kernel, contract) in variants {
                let mut tally = Tally::default();
                let all = frequencies(10_000.0, 128);
                if let Err((position, miss)) = run(&kernel, &contract, &all, 30, &mut rng, &mut tally) {
                    panic!("honest {name}, position {position}: {miss:?}");
                }
                assert!(tally.ratio > 0.3, "{name}: {}", tally.ratio);
            }
        }
    }
}

/// A store that drops low bits needs its own declaration in every narrow type, and f64 angles are seen to be f64.
#[test]
fn a_kernel_that_is_worse_than_declared_is_rejected() {
    let mut rng = Rng::new(2029);
    let all = frequencies(10_000.0, 128);
    for storage in [DType::F16, DType::BF16] {
        let mut truncating = kernel("fused", Way::Table, storage, 10_000.0, 128);
        truncating.truncates = true;
        let result = run(&truncating, &contract("fused", Way::Table), &all, 10, &mut rng, &mut Tally::default());
        assert!(result.is_err(), "{storage}");
    }
    let mut wide = contract("fused", Way::Table);
    wide.class.angles = Kept::F64;
    let narrow = kernel("fused", Way::Table, DType::F32, 10_000.0, 128);
    assert!(run(&narrow, &wide, &all, 10, &mut rng, &mut Tally::default()).is_err());
    // Where f32 angles prove nothing any more, f64 angles do: all of the first 32 pairs at 2^31 - 1.
    let far = Dd::from_f64(f64::from(i32::MAX));
    for (i, f) in all.iter().take(32).enumerate() {
        let blind = |c: &Contract| c.angle_error(c.steps(f).expect("a table"), f.inv_freq, far);
        assert!(blind(&wide) < 1e-6, "{i}");
        assert!(blind(&contract("fused", Way::Table)) >= 1.0, "{i}");
    }
    // Scaling in the storage type is seen where it is not declared.
    let mut scaled = kernel("fused", Way::Table, DType::BF16, 10_000.0, 128);
    (scaled.place, scaled.narrow_scaling, scaled.scaling) = (Scaling::Inputs, true, 1.3);
    let mut declared = contract("fused", Way::Table);
    declared.class.scaling = Scaling::Inputs;
    assert!(run(&scaled, &declared, &all, 10, &mut rng, &mut Tally::default()).is_err());
}

/// Whole outputs hardly ever show all errors at their worst at once; the factors do. The angle is exact here.
#[test]
fn factors_stay_within_their_part_of_the_bound_and_come_near_it() {
    let mut rng = Rng::new(2027);
    // Nearly half an ulp of f32 away from an f32.
    let rounds_badly = 1.0 + 3.49 / f64::from(1 << 23);
    for class in ["fused", "cached"] {
        for storage in STORAGES {
            for (scaling, trig_ulps) in [(1.0, 2.0), (1.0, 0.5), (rounds_badly, 0.5), (2.0, 2.0)] {
                let mut kernel = kernel(class, Way::Table, storage, 10_000.0, 2);
                (kernel.scaling, kernel.trig_ulps) = (scaling, trig_ulps);
                let mut contract = contract(class, Way::Table);
                contract.class.trig_ulps = trig_ulps;
                let types = Types::new(&contract, storage);
                let mut worst = 0.0f64;
                for _ in 0..100_000 {
                    let position = rng.below(1 << 20) as f64;
                    let (cos, sin) = kernel.factors(&mut rng, &[1.0], position)[0];
                    let pair = PairBound::new(&contract, &types, 0.0, 1.0, Dd::from_f64(position), scaling, true);
                    for (i, (got, exact)) in [(cos, pair.turn.cos), (sin, pair.turn.sin)].into_iter().enumerate() {
                        let allowed = pair.trig[i] + pair.table[i] + pair.reference[i];
                        let ratio = (f64::from(got) - exact).abs() / allowed;
                        assert!(ratio <= 1.0, "{class} {storage} scaling {scaling} at {position}: {ratio}");
                        assert!(f64::from(got).abs() <= pair.most[i]);
                        worst = worst.max(ratio);
                    }
                }
                // Each part missing would show: the smallest of three is a quarter.
                assert!(worst > 0.8, "{class} {storage} scaling {scaling}: {worst}");
                println!("factors, {class} {storage}, scaling {scaling}: largest error / bound {worst:.4}");
            }
        }
    }
}

#[test]
fn kernels_with_bugs_are_rejected() {
    let mut rng = Rng::new(2025);
    let cases = [
        (Fault::Bf16Angles, "fused", DType::BF16),
        (Fault::Bf16Angles, "eager", DType::BF16),
        (Fault::Bf16Frequencies, "fused", DType::BF16),
        (Fault::Bf16Frequencies, "eager", DType::F16),
        (Fault::LastPairUnturned, "fused", DType::F32),
        (Fault::LastPairUnturned, "eager", DType::BF16),
        (Fault::OtherBase, "fused", DType::F32),
        (Fault::OtherBase, "eager", DType::BF16),
        (Fault::F16Positions, "fused", DType::BF16),
        (Fault::F16Positions, "cached", DType::F16),
        (Fault::TruncatingStore, "fused", DType::BF16),
        (Fault::TruncatingStore, "cached", DType::BF16),
        (Fault::Trig(5.0), "fused", DType::F32),
        (Fault::SwappedSign, "eager", DType::BF16),
    ];
    for (fault, class, storage) in cases {
        for way in [Way::Table, Way::PowReciprocal] {
            let mut kernel = kernel(class, way, storage, 1e6, 128);
            let contract = contract(class, way);
            let all = frequencies(1e6, 128);
            let mut honest = Tally::default();
            let start = rng.clone();
            assert!(run(&kernel, &contract, &all, 40, &mut rng, &mut honest).is_ok());
            kernel.fault = fault;
            let result = run(&kernel, &contract, &all, 40, &mut start.clone(), &mut Tally::default());
            assert!(result.is_err(), "{fault:?} in {class} {storage} ({way:?}) passed");
        }
    }
}

#[test]
fn nan_and_infinity_pass_only_where_a_kernel_may_overflow() {
    let contract = contract("fused", Way::Table);
    let all = frequencies(10_000.0, 8);
    let inv_freq: Vec<f64> = all.iter().map(|f| f.inv_freq).collect();
    let steps: Vec<f64> = all.iter().map(|f| contract.steps(f).expect("a base")).collect();
    let judge = |storage: DType, inputs: (f64, f64), observed: f64| {
        let mut bound = RowBound::new(Types::new(&contract, storage));
        bound.fill(&contract, &steps, &inv_freq, &[0; 4], &[Dd::from_f64(1.0)], 1.0, true);
        bound.pairs()[0].judge(bound.types(), false, inputs, observed)
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for storage in STORAGES {
        for bad in [nan, inf, -inf] {
            assert_eq!(judge(storage, (1.0, 1.0), bad), Judgement::Fail);
            assert_eq!(judge(storage, (bad, 1.0), 0.0), Judgement::InputNotFinite);
        }
        // cos 1 + sin 1 = 1.38: beyond the largest number.
        let most = storage.max_finite();
        assert_eq!(judge(storage, (most, -most), inf), Judgement::RangeNotJudged, "{storage}");
        assert_eq!(judge(storage, (most, -most), -inf), Judgement::Fail);
        assert_eq!(judge(storage, (most, -most), nan), Judgement::Fail, "no product overflows: {storage}");
        assert_eq!(judge(storage, (most, -most), most), Judgement::Fail, "saturating is not rounding");
        assert_eq!(judge(storage, (most, most), inf), Judgement::Fail);
    }
    // With a scaling of 3 both products overflow f32, and their difference does not.
    let mut bound = RowBound::new(Types::new(&contract, DType::F32));
    bound.fill(&contract, &steps, &inv_freq, &[0; 4], &[Dd::from_f64(1.0)], 3.0, true);
    let most = DType::F32.max_finite();
    for observed in [nan, inf, -inf] {
        let judged = bound.pairs()[0].judge(bound.types(), false, (most, most), observed);
        assert_eq!(judged, Judgement::RangeNotJudged);
    }
    // A row with a NaN fails also where the fast way looks first.
    let mut bound = RowBound::new(Types::new(&contract, DType::F32));
    (0..8).for_each(|_| bound.push(judge_one(&contract)));
    let (zero, mut first) = ([0.0; 8], [0.0; 8]);
    let mut tally = Tally { ratio: 1.0, ..Tally::default() };
    assert!(bound.judge(Row { a: &zero, b: &zero, first: &first, second: &zero }, 0, &mut tally).is_ok());
    assert_eq!(tally.judged, 16);
    first[5] = nan;
    let miss =
        bound.judge(Row { a: &zero, b: &zero, first: &first, second: &zero }, 0, &mut tally).expect_err("NaN is not 0");
    assert_eq!((miss.pair, miss.second, miss.observed.is_nan()), (5, false, true));
}

fn judge_one(contract: &Contract) -> PairBound {
    let types = Types::new(contract, DType::F32);
    PairBound::new(contract, &types, 0.0, 1.0, Dd::from_f64(2.0), 1.0, true)
}

#[test]
fn superposition_holds_for_every_honest_kernel_and_sees_a_truncating_one() {
    let mut rng = Rng::new(2026);
    for class in CLASSES {
        for storage in STORAGES {
            let mut worst = 0.0f64;
            for variant in 0..16 {
                let mut kernel = kernel(class, Way::Table, storage, 10_000.0, 64);
                (kernel.fma, kernel.through_f32) = (variant % 2 == 1, variant % 8 < 4);
                let mut contract = contract(class, Way::Table);
                if variant >= 8 {
                    contract.class.fma = if kernel.fma { Fma::Always } else { Fma::Never };
                }
                let types = Types::new(&contract, storage);
                let inv_freq: Vec<f64> = frequencies(10_000.0, 64).iter().map(|f| f.inv_freq).collect();
                for _ in 0..40 {
                    let position = position(&mut rng, &inv_freq);
                    for factor in kernel.factors(&mut rng, &inv_freq, position) {
                        let (a, b) = inputs(&mut rng, storage, f64::from(factor.0), f64::from(factor.1));
                        let (y, p1, p2) =
                            (kernel.turn(a, b, factor), kernel.turn(a, 0.0, factor), kernel.turn(0.0, b, factor));
                        for (y, p1, p2) in [(y.0, p1.0, p2.0), (y.1, p1.1, p2.1)] {
                            let ratio = (y - (p1 + p2)).abs() / superposition_allowance(&types, y, p1, p2);
                            assert!(ratio <= 1.0, "{class} {storage} fma {}: {a:e} {b:e} -> {y:e}", kernel.fma);
                            worst = worst.max(ratio);
                        }
                    }
                }
            }
            println!("superposition, {class} {storage}: largest difference / bound {worst:.4}");
        }
    }
    // f32 arithmetic that truncates, which no worst-case bound with a sine of two ulps can see.
    let types = Types::new(&contract("fused", Way::Table), DType::F32);
    let truncated = |v: f64| {
        let v32 = v as f32;
        let toward_zero = if f64::from(v32.abs()) > v.abs() { v32.abs().next_down() } else { v32.abs() };
        f64::from(toward_zero.copysign(v32))
    };
    let seen = (0..10_000).any(|_| {
        let (cos, sin) = (f64::from(rng.unit() as f32), f64::from(rng.unit() as f32));
        let (a, b) = (f64::from(rng.unit() as f32), f64::from(rng.unit() as f32));
        let (p1, p2) = (truncated(b * cos), truncated(a * sin));
        let y = truncated(p1 + p2);
        (y - (p1 + p2)).abs() > superposition_allowance(&types, y, p1, p2)
    });
    assert!(seen, "truncation passed");
}
