//! No honest kernel is rejected, and kernels with real bugs are.

use std::sync::LazyLock;

use ropecheck::backend::emulated::{
    Angles, Arithmetic, ExactFrequencies, Factor, Fused, Knobs, LibraryErrors, Storing,
};
use ropecheck::contract::contracts;
use ropecheck::contract::{Contract, ContractTable, Precision, Scaling, Store};
use ropecheck::contract::{Judgement, PairBound, Types, superposition_allowance};
use ropecheck::contract::{Miss, PairRow, RowBound, RowTally};
use ropecheck::numeric::{DType, Dd, Rng};
use ropecheck::rotation::reference::Turn;

use crate::inputs::{Inputs, position};
use crate::world::{World, worlds};

const STORAGES: [DType; 3] = [DType::F32, DType::F16, DType::BF16];
const ERRORS: [LibraryErrors; 4] =
    [LibraryErrors::Up, LibraryErrors::Down, LibraryErrors::Alternating, LibraryErrors::Random];

/// As spec/contracts.yaml has it.
static TABLE: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|errors| panic!("{errors}")));

fn contract(class: &str, way: &str) -> Contract {
    TABLE.contract(class, way).unwrap_or_else(|| panic!("no contract {class}, {way}"))
}

fn world(base: f64, d: u32) -> World {
    worlds(&[base], &[d]).pop().expect("a base and a width")
}

/// An emulated kernel for one world.
struct Kernel<'a> {
    world: &'a World,
    storage: DType,
    output: DType,
    angles: Angles,
    arithmetic: Arithmetic,
    scaling: f64,
    last_pair_unrotated: bool,
}

impl<'a> Kernel<'a> {
    /// `kept` is the arithmetic that the kernel keeps.
    fn new(kept: &Contract, storage: DType, world: &'a World, scaling: f64, knobs: &Knobs) -> Self {
        Self::between(kept, [storage; 2], world, scaling, knobs)
    }

    /// The same with outputs of another type than inputs.
    fn between(kept: &Contract, types: [DType; 2], world: &'a World, scaling: f64, knobs: &Knobs) -> Self {
        let [storage, output] = types;
        let exact =
            ExactFrequencies { inv_freq: &world.inv_freq, base: Some(world.base), rotary_dim: world.rotary_dim };
        Kernel {
            world,
            storage,
            output,
            angles: Angles::new(kept, storage, knobs, exact),
            arithmetic: Arithmetic::of(kept, Types::between(kept, storage, output), knobs, scaling),
            scaling,
            last_pair_unrotated: knobs.last_pair_unrotated,
        }
    }

    fn factors(&self, position: Dd, forward: bool) -> Vec<Factor> {
        let pairs = self.world.inv_freq.len();
        let one = |pair: usize| {
            let angle = self.angles.angle(pair, self.angles.position(position));
            let angle = if self.last_pair_unrotated && pair + 1 == pairs { Dd::ZERO.into() } else { angle };
            self.arithmetic.factor(angle, forward)
        };
        (0..pairs).map(one).collect()
    }
}

/// Runs a kernel on random rows and judges them. The fast judgement must say what the slow one says.
fn run(
    kernel: &Kernel,
    contract: &Contract,
    rows: u64,
    forward: bool,
    rng: &mut Rng,
    tally: &mut RowTally,
) -> Result<(), (Dd, Box<Miss>)> {
    let World { inv_freq, .. } = kernel.world;
    let steps = kernel.world.steps(contract);
    let axes = vec![0; inv_freq.len()];
    let inputs = Inputs::new(kernel.storage);
    let mut bound = RowBound::new(Types::between(contract, kernel.storage, kernel.output));
    for label in 0..rows {
        let position = position(rng, inv_freq);
        let factors = kernel.factors(position, forward);
        bound.fill(contract, &steps, inv_freq, &axes, &[position], kernel.scaling, true);
        let (mut a, mut b, mut first, mut second) = (vec![], vec![], vec![], vec![]);
        for (pair, factor) in bound.pairs().iter().zip(factors) {
            let kind = rng.below(Inputs::KINDS);
            let (x, y) = inputs.pair(rng, kind, pair.turn.cos, pair.turn.sin);
            let out = kernel.arithmetic.turn(x, y, &factor);
            a.push(x);
            b.push(y);
            first.push(out.0);
            second.push(out.1);
        }
        let row = PairRow { a: &a, b: &b, first: &first, second: &second };
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

/// tests/laws/adversarial.rs goes through every class, way and type; this holds what it does not: that the two judgements agree, and that
/// scaling alone is paid for.
#[test]
fn both_judgements_of_honest_elements_agree() {
    let mut rng = Rng::new(2024);
    let mut total = 0;
    for class in &TABLE.classes {
        for storage in STORAGES {
            let mut of_output = 0.0f64;
            let mut of_class = 0.0f64;
            for (way, rule) in TABLE.frequencies.iter().enumerate() {
                let variant = (way + storage.size()) % 6;
                let world = world([10_000.0, 1e6, 500_000.0][variant % 3], [32, 24][variant % 2]);
                let mut contract = Contract::new(class.clone(), rule.clone());
                let knobs = Knobs {
                    fused: [Fused::None, Fused::OfCos, Fused::OfSin][variant % 3],
                    through_f32: variant < 3,
                    flush: variant == 2,
                    library: ERRORS[variant % 4],
                    seed: rng.next_u64(),
                    ..Knobs::default()
                };
                contract.class.flushes |= knobs.flush;
                let scaling = [1.0, 1.0, 1.0, 0.7, 1.138_629_436_111_989, 2.0][variant];
                if scaling != 1.0 && contract.class.trig_ulps > 0.5 {
                    // Little but the scaling is left then, so that a bound without it would be seen to be too small.
                    contract.class.trig_ulps = 0.5;
                }
                let kernel = Kernel::new(&contract, storage, &world, scaling, &knobs);
                let mut tally = RowTally::default();
                if let Err((position, miss)) = run(&kernel, &contract, 200, true, &mut rng, &mut tally) {
                    panic!("honest {} {storage} {}, {knobs:?}, position {position:?}: {miss:?}", class.name, rule.name);
                }
                assert_eq!(tally.input_not_finite, 0);
                total += tally.judged;
                of_class = of_class.max(tally.ratio);
                for output in DType::STORAGE.into_iter().filter(|output| *output != storage) {
                    let kernel = Kernel::between(&contract, [storage, output], &world, scaling, &knobs);
                    let mut tally = RowTally::default();
                    if let Err((position, miss)) = run(&kernel, &contract, 40, true, &mut rng, &mut tally) {
                        let what = (&class.name, storage, output, &rule.name);
                        panic!("honest {what:?}, {knobs:?}, position {position:?}: {miss:?}");
                    }
                    of_output = of_output.max(tally.ratio);
                }
            }
            println!("{} {storage}: largest error / bound {of_class:.4}", class.name);
            // A bound that no honest kernel comes near would be too wide: a tie of the last rounding alone reaches the half.
            assert!(of_class > 0.5 && of_output > 0.5, "{}: {of_class} and {of_output}", class.name);
        }
    }
    println!("{total} elements");
    assert!(total >= 400_000);
}

/// A store that drops low bits needs its own declaration in every narrow type, and f64 angles are seen to be f64.
#[test]
fn a_kernel_that_is_worse_than_declared_is_rejected() {
    let mut rng = Rng::new(2029);
    let world = world(10_000.0, 128);
    let declared = contract("fused", "table");
    let mut rejected = |kept: &Contract, declared: &Contract, storage, scaling| {
        let kernel = Kernel::new(kept, storage, &world, scaling, &Knobs::default());
        assert!(run(&kernel, kept, 40, true, &mut rng, &mut RowTally::default()).is_ok());
        run(&kernel, declared, 40, true, &mut rng, &mut RowTally::default()).is_err()
    };
    let mut truncating = declared.clone();
    truncating.class.store = Store::TowardZero;
    for storage in [DType::F16, DType::BF16] {
        assert!(rejected(&truncating, &declared, storage, 1.0), "{storage}");
    }
    let mut wide = declared.clone();
    wide.class.angles = Precision::F64;
    assert!(rejected(&declared, &wide, DType::F32, 1.0));
    // Where f32 angles prove nothing any more, f64 angles do: all of the first 32 pairs at 2^31 - 1.
    let far = Dd::from_f64(f64::from(i32::MAX));
    for (i, f) in world.frequencies.iter().take(32).enumerate() {
        let blind = |c: &Contract| c.angle_error(c.steps(f).expect("a table"), f.inv_freq, far);
        assert!(blind(&wide) < 1e-6, "{i}");
        assert!(blind(&declared) >= 1.0, "{i}");
    }
    // Scaling in the storage type is seen where it is not declared.
    let mut scaled = declared.clone();
    (scaled.class.scaling, scaled.class.scaled) = (Scaling::Inputs, Some(Precision::Storage));
    let mut inputs = declared.clone();
    inputs.class.scaling = Scaling::Inputs;
    assert!(rejected(&scaled, &inputs, DType::BF16, 1.3));
}

/// Whole outputs hardly ever show all errors at their worst at once; the factors do. The angle is exact here.
#[test]
fn factors_stay_within_their_part_of_the_bound_and_come_near_it() {
    let mut rng = Rng::new(2027);
    // Nearly half an ulp of f32 away from an f32.
    let rounds_badly = 1.0 + 3.49 / f64::from(1 << 23);
    // Of width 2 only pair 0 is there, which turns by 1.
    let world = world(10_000.0, 2);
    for class in ["fused", "cached"] {
        for storage in STORAGES {
            for (scaling, trig_ulps) in [(1.0, 2.0), (1.0, 0.5), (rounds_badly, 0.5), (2.0, 2.0)] {
                let mut contract = contract(class, "table");
                contract.class.trig_ulps = trig_ulps;
                let kernels = ERRORS.map(|library| {
                    Kernel::new(&contract, storage, &world, scaling, &Knobs { library, ..Knobs::default() })
                });
                let types = Types::new(&contract, storage);
                let mut worst = 0.0f64;
                for turn in 0..100_000 {
                    let position = Dd::from_f64(rng.below(1 << 20) as f64);
                    let factor = kernels[turn % 4].factors(position, true)[0];
                    let pair = PairBound::new(&contract, &types, 0.0, 1.0, position, scaling, true);
                    for (i, (got, exact)) in
                        [(factor.cos, pair.turn.cos), (factor.sin, pair.turn.sin)].into_iter().enumerate()
                    {
                        let allowed = pair.trig[i] + pair.table[i] + pair.reference[i];
                        let ratio = (got.hi - exact).abs() / allowed;
                        assert!(ratio <= 1.0, "{class} {storage} scaling {scaling} at {position:?}: {ratio}");
                        assert!(got.hi.abs() <= pair.most[i]);
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
    let none = Knobs::default;
    let angles = Knobs { angle_type: Some(DType::BF16), ..none() };
    let frequencies = Knobs { frequency_type: Some(DType::BF16), ..none() };
    let last = Knobs { last_pair_unrotated: true, ..none() };
    let base = Knobs { base: Some(10_000.0), ..none() };
    let positions = Knobs { position_type: Some(DType::F16), ..none() };
    let truncated = Knobs { storing: Storing::TowardZero, ..none() };
    let cases = [
        (&angles, "fused", DType::BF16),
        (&angles, "eager", DType::BF16),
        (&frequencies, "fused", DType::BF16),
        (&frequencies, "eager", DType::F16),
        (&last, "fused", DType::F32),
        (&last, "eager", DType::BF16),
        (&base, "fused", DType::F32),
        (&base, "eager", DType::BF16),
        (&positions, "fused", DType::BF16),
        (&positions, "cached", DType::F16),
        (&truncated, "fused", DType::BF16),
        (&truncated, "cached", DType::BF16),
    ];
    let world = world(1e6, 128);
    let mut judged = |kept: &Contract, contract: &Contract, storage, knobs: &Knobs, forward| {
        let kernel = Kernel::new(kept, storage, &world, 1.0, knobs);
        run(&kernel, contract, 60, forward, &mut rng, &mut RowTally::default()).is_ok()
    };
    for (knobs, class, storage) in cases {
        for way in ["table", "pow-reciprocal"] {
            let contract = contract(class, way);
            assert!(judged(&contract, &contract, storage, &none(), true));
            assert!(
                !judged(&contract, &contract, storage, knobs, true),
                "{knobs:?} in {class} {storage} ({way}) passed"
            );
        }
    }
    // Sines that err by 5 ulps where 2 are declared, and a swapped sign.
    let contract = contract("fused", "table");
    let mut sloppy = contract.clone();
    sloppy.class.trig_ulps = 5.0;
    let up = Knobs { library: LibraryErrors::Up, ..none() };
    assert!(judged(&contract, &contract, DType::F32, &up, true));
    assert!(!judged(&sloppy, &contract, DType::F32, &up, true));
    assert!(!judged(&contract, &contract, DType::BF16, &none(), false));
}

#[test]
fn nan_and_infinity_pass_only_where_a_kernel_may_overflow() {
    let contract = contract("fused", "table");
    let World { inv_freq, .. } = world(10_000.0, 8);
    let steps = world(10_000.0, 8).steps(&contract);
    let judge = |storage: DType, inputs: (f64, f64), observed: f64| {
        let mut bound = RowBound::new(Types::new(&contract, storage));
        bound.fill(&contract, &steps, &inv_freq, &[0; 4], &[Dd::from_f64(1.0)], 1.0, true);
        bound.pairs()[0].judge(bound.types(), false, inputs, observed)
    };
    let (nan, inf) = (f64::NAN, f64::INFINITY);
    for storage in STORAGES {
        for bad in [nan, inf, -inf] {
            assert_eq!(judge(storage, (1.0, 1.0), bad), Judgement::Fail);
            assert_eq!(judge(storage, (bad, 1.0), nan), Judgement::InputNotFinite);
            assert_eq!(judge(storage, (bad, 1.0), 0.0), Judgement::Fail, "the input is lost");
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
    let mut tally = RowTally { ratio: 1.0, ..RowTally::default() };
    assert!(bound.judge(PairRow { a: &zero, b: &zero, first: &first, second: &zero }, 0, &mut tally).is_ok());
    assert_eq!(tally.judged, 16);
    first[5] = nan;
    let miss = bound
        .judge(PairRow { a: &zero, b: &zero, first: &first, second: &zero }, 0, &mut tally)
        .expect_err("NaN is not 0");
    assert_eq!((miss.pair, miss.second, miss.observed.is_nan()), (5, false, true));
}

fn judge_one(contract: &Contract) -> PairBound {
    let types = Types::new(contract, DType::F32);
    PairBound::new(contract, &types, 0.0, 1.0, Dd::from_f64(2.0), 1.0, true)
}

#[test]
fn superposition_holds_for_every_honest_kernel_and_sees_a_truncating_one() {
    let mut rng = Rng::new(2026);
    let world = world(10_000.0, 64);
    for class in ["fused", "cached", "eager"] {
        for storage in STORAGES {
            let (mut worst, mut truncating) = (0.0f64, 0.0f64);
            let contract = contract(class, "table");
            let types = Types::new(&contract, storage);
            let inputs = Inputs::new(storage);
            for variant in 0..9 {
                let mut knobs = Knobs {
                    fused: [Fused::None, Fused::OfCos, Fused::OfSin][variant % 3],
                    through_f32: variant % 2 == 1,
                    library: ERRORS[variant % 4],
                    ..Knobs::default()
                };
                if variant == 8 {
                    knobs = Knobs { storing: Storing::TowardZero, ..Knobs::default() };
                }
                let kernel = Kernel::new(&contract, storage, &world, 1.0, &knobs);
                for _ in 0..40 {
                    let position = position(&mut rng, &world.inv_freq);
                    for factor in kernel.factors(position, true) {
                        // No kind that may overflow.
                        let kind = [0, 1, 2, 3, 4, 7, 12, 13, 14, 15][rng.below(10) as usize];
                        let (a, b) = inputs.pair(&mut rng, kind, factor.cos.hi, factor.sin.hi);
                        let turn = |a, b| kernel.arithmetic.turn(a, b, &factor);
                        let (y, p1, p2) = (turn(a, b), turn(a, 0.0), turn(0.0, b));
                        for (y, p1, p2) in [(y.0, p1.0, p2.0), (y.1, p1.1, p2.1)] {
                            let ratio = (y - (p1 + p2)).abs() / superposition_allowance(&types, y, p1, p2);
                            if variant == 8 {
                                truncating = truncating.max(ratio);
                                continue;
                            }
                            assert!(ratio <= 1.0, "{class} {storage} {knobs:?}: {a:e} {b:e} -> {y:e}");
                            worst = worst.max(ratio);
                        }
                    }
                }
            }
            println!(
                "superposition, {class} {storage}: largest difference / bound {worst:.4}, truncating {truncating:.4}"
            );
            assert!(truncating > 1.0, "truncation passed in {class} {storage}");
        }
    }
}

/// Where either output of a pair, or either factor, has no finite bound, nothing is said of either output.
#[test]
fn nothing_is_judged_by_a_bound_that_is_not_finite() {
    let types = Types::new(&contract("fused", "table"), DType::F32);
    let turn = Turn { cos: 0.5, sin: 0.25 };
    let plain = PairBound { turn, ..judge_one(&contract("fused", "table")) };
    assert_eq!(plain.judge(&types, false, (1.0, 1.0), f64::NAN), Judgement::Fail);
    for most in [[f64::INFINITY, 1.0], [1.0, f64::INFINITY]] {
        let blind = PairBound { most, ..plain };
        assert_eq!(blind.judge(&types, false, (1.0, 1.0), f64::NAN), Judgement::RangeNotJudged);
        assert_eq!(blind.judge(&types, true, (1.0, 1.0), 7.0), Judgement::RangeNotJudged);
    }
    // The first output is finite and the second is not, and the reverse.
    let wide = PairBound { turn: Turn { cos: 1e308, sin: 1e-308 }, ..plain };
    for (second, inputs) in [(false, (1.0, 1e3)), (true, (1.0, 1e3)), (false, (1e3, 1.0)), (true, (1e3, 1.0))] {
        assert_eq!(wide.judge(&types, second, inputs, f64::NAN), Judgement::RangeNotJudged, "{second} {inputs:?}");
    }
}
