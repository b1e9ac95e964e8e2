//! Frequencies, reference, rounding and bound agree with rotated pairs that an independent program computed
//! (`golden/accuracy_points.txt`, written by `scripts/golden_accuracy.py`).

use std::collections::BTreeMap;

use ropecheck::contract::Frequency;
use ropecheck::contract::contracts;
use ropecheck::contract::{Judgement, PairBound, Types};
use ropecheck::numeric::{DType, Number};
use ropecheck::rotation::{AccuracyPoint, ROUNDED_TO};
use ropecheck::rotation::{HeadShape, RotationPlan};
use ropecheck::run::anchors;
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;

const COUNT: usize = 3_000;

fn points() -> Vec<AccuracyPoint> {
    AccuracyPoint::all().map(|point| point.unwrap_or_else(|why| panic!("{why}"))).collect()
}

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

#[test]
fn the_points_cover_what_they_are_for() {
    let points = points();
    assert_eq!(points.len(), COUNT);
    let count = |what: &str, least: usize, is: &dyn Fn(&AccuracyPoint) -> bool| {
        let found = points.iter().filter(|point| is(point)).count();
        assert!(found >= least, "only {found} points with {what}");
    };
    let within = |low: f64, high: f64| move |p: &AccuracyPoint| low <= p.position.hi && p.position.hi <= high;
    count("positions to 255", 300, &within(0.0, 255.0));
    count("positions to 2047", 200, &within(256.0, 2047.0));
    count("positions to 32k", 200, &within(2048.0, 32767.0));
    count("positions to 131k", 200, &within(32768.0, 131_071.0));
    count("positions to 1M", 200, &within(131_072.0, 1_048_575.0));
    count("positions to 2^31", 200, &within(1_048_576.0, 2f64.powi(31)));
    count("positions around 2^24", 200, &|p| (p.position.hi.abs() - 2f64.powi(24)).abs() <= 1.0);
    count("negative positions", 300, &|p| p.position.hi < 0.0);
    count("fractional positions", 300, &|p| p.position.hi.fract() != 0.0);
    count("positions that no f64 holds", 50, &|p| p.position.lo != 0.0);
    count("angles next to multiples of pi/2", 200, &|p| {
        let angle = p.position.times_f64(p.inv_freq);
        let (sin, cos) = libm::sincos(angle.hi);
        angle.hi.abs() > 1.0 && sin.abs().min(cos.abs()) < 1e-8
    });
    count("scaling", 500, &|p| p.scaling != 1.0);
    count("direction -1", 500, &|p| !p.forward);
    for dtype in ROUNDED_TO {
        count("a type", 800, &|p| p.dtype == dtype);
        count("subnormal inputs", 50, &|p| {
            p.dtype == dtype && [p.inputs.0, p.inputs.1].iter().any(|v| *v != 0.0 && v.abs() < dtype.min_normal())
        });
        count("cancellation", 50, &|p| {
            let size = p.scaling * p.inputs.0.abs().max(p.inputs.1.abs());
            let smaller = p.outputs[0].nearest.abs().min(p.outputs[1].nearest.abs());
            p.dtype == dtype && smaller < 0.01 * size && p.inputs.0 != 0.0 && p.inputs.1 != 0.0
        });
        count("outputs beyond the range", 20, &|p| {
            p.outputs.iter().any(|y| p.dtype == dtype && dtype.round(y.nearest).is_infinite())
        });
        count("huge beside tiny", 50, &|p| {
            let (a, b) = (p.inputs.0.abs(), p.inputs.1.abs());
            p.dtype == dtype && a.min(b) > 0.0 && a.max(b) / a.min(b) > 2f64.powi(20)
        });
    }
    for base in [10_000, 500_000, 1_000_000, 5_000_000, 10_000_000] {
        count("a base", 400, &|p| p.base == base);
    }
    for d in [16, 32, 48, 64, 80, 96, 120, 128, 192, 256] {
        count("a width", 200, &|p| p.head_dim == d);
    }
}

#[test]
fn frequencies_of_the_plan_are_the_golden_bits() {
    let library = library();
    let scheme = library.get("rope").expect("a scheme");
    let mut plans: BTreeMap<(i64, u32), RotationPlan> = BTreeMap::new();
    for point in points() {
        let plan = plans.entry((point.base, point.head_dim)).or_insert_with(|| {
            let base = [("base".to_owned(), Number::from_i64(point.base))];
            let parameters = Parameters::resolve(scheme, &base).unwrap_or_else(|why| panic!("{why}"));
            RotationPlan::new(scheme, &parameters, HeadShape::of_dim(point.head_dim))
                .unwrap_or_else(|why| panic!("{why}"))
        });
        let found = plan.inv_freq[point.pair];
        assert_eq!(found.to_bits(), point.inv_freq.to_bits(), "line {}: {found:e}, {:e}", point.line, point.inv_freq);
    }
    assert_eq!(plans.len(), 50, "five bases, ten widths");
}

#[test]
fn the_reference_lies_within_its_documented_error() {
    let mut worst = 0.0f64;
    for point in points() {
        point.check().unwrap_or_else(|why| panic!("{why}"));
        for ((ours, error), exact) in point.reference().into_iter().zip(point.outputs) {
            let (distance, _) = exact.distance(ours);
            // Nothing is granted where the factors are exact, as at position 0.
            worst = if error > 0.0 { worst.max(distance / error) } else { worst };
        }
    }
    // Real errors, so that the values are not those of the code under test; and a bound that is of their size.
    assert!(worst > 0.05, "{worst}");
    println!("largest error / documented error of the reference: {worst:.3}");
}

#[test]
fn a_reference_that_is_wrong_in_its_last_bits_is_seen() {
    // The f64 product position * inv_freq, which loses the rest, and one ulp of f32 in y.
    let (mut rounded_angles, mut rounded_outputs) = (0, 0);
    for point in points() {
        let mut wrong = point.clone();
        wrong.position = ropecheck::numeric::Dd::from_f64(point.position.hi * point.inv_freq);
        wrong.inv_freq = 1.0;
        rounded_angles += usize::from(wrong.check().is_err());
        let mut wrong = point.clone();
        wrong.outputs[1].nearest *= 1.0 + 2f64.powi(-24);
        let why = wrong.check().err();
        assert!(why.iter().all(|why| why.contains(": y' is ") || why.contains(": y' in ")), "{why:?}");
        rounded_outputs += usize::from(why.is_some());
    }
    assert!(rounded_angles > COUNT / 2, "{rounded_angles}");
    assert!(rounded_outputs > COUNT * 9 / 10, "{rounded_outputs}");
}

/// Bits of the exact number in `dtype`: the nearest f64 rounds right unless it is a tie, which the rest then decides.
fn encode(dtype: DType, nearest: f64, rest: f64) -> u64 {
    let neighbours = [nearest.next_down(), nearest.next_up()];
    let [low, high] = neighbours.map(|v| dtype.round(v));
    let tie = low != high && nearest == 0.5 * (low + high);
    match () {
        () if tie && rest > 0.0 => dtype.encode(neighbours[1]),
        () if tie && rest < 0.0 => dtype.encode(neighbours[0]),
        () => dtype.encode(nearest),
    }
}

#[test]
fn storage_types_round_the_exact_outputs_as_the_program_did() {
    let (mut subnormal, mut infinite) = (0, 0);
    for point in points() {
        for (dtype, bits) in ROUNDED_TO.into_iter().zip(point.bits) {
            for (exact, right) in point.outputs.into_iter().zip(bits) {
                let found = encode(dtype, exact.nearest, exact.rest);
                assert_eq!(found, right, "line {}: {:e} in {dtype}", point.line, exact.nearest);
                let value = dtype.decode(right);
                subnormal += usize::from(value != 0.0 && value.abs() < dtype.min_normal());
                infinite += usize::from(value.is_infinite());
            }
        }
    }
    assert!(subnormal > 300 && infinite > 300, "{subnormal} subnormal, {infinite} infinite");
}

/// A kernel that is exact up to one rounding may claim any contract.
#[test]
fn the_correctly_rounded_output_passes_in_every_class() {
    let table = contracts().unwrap_or_else(|errors| panic!("{errors}"));
    assert_eq!(table.classes.len(), 5);
    let points = points();
    for class in &table.classes {
        let (mut judged, mut worst) = (0, 0.0f64);
        for way in &table.frequencies {
            let contract = table.contract(&class.name, &way.name).expect("names of the table");
            for point in &points {
                let frequency = Frequency::power(point.inv_freq, point.base as f64, point.pair as u32, point.head_dim);
                let steps = contract.steps(&frequency).expect("a base");
                let angle = (point.position.hi * point.inv_freq).abs();
                let beyond = class.angle_limit.is_some_and(|limit| angle > limit);
                for (storage, bits) in ROUNDED_TO.into_iter().zip(point.bits) {
                    if !(storage.holds(point.inputs.0) && storage.holds(point.inputs.1)) {
                        continue;
                    }
                    let types = Types::new(&contract, storage);
                    let bound = PairBound::new(
                        &contract,
                        &types,
                        steps,
                        point.inv_freq,
                        point.position,
                        point.scaling,
                        point.forward,
                    );
                    for (second, bits) in [(false, bits[0]), (true, bits[1])] {
                        let observed = storage.decode(bits);
                        match bound.judge(&types, second, point.inputs, observed) {
                            Judgement::Pass { ratio } => {
                                judged += 1;
                                worst = worst.max(ratio);
                            }
                            Judgement::RangeNotJudged if observed.is_infinite() => {}
                            Judgement::BeyondAngleLimit if beyond => {}
                            other => {
                                let what = format!("{} {} {storage} line {}", class.name, way.name, point.line);
                                panic!("{what}: {observed:e} is {other:?}")
                            }
                        }
                    }
                }
            }
        }
        // Classes without a limit judge all.
        assert!(judged > if class.angle_limit.is_none() { 6 } else { 1 } * COUNT, "{}: {judged} judged", class.name);
        println!("{}: {judged} judged, largest error / bound {worst:.4}", class.name);
        if class.name == "ideal" {
            // One rounding is all that this class has, so the bound must be full.
            assert!(worst > 0.99, "{worst}");
        }
    }
}

#[test]
fn every_run_counts_the_points_among_its_anchors() {
    let anchors = anchors(&library(), &[]);
    assert_eq!(anchors.mismatches.first(), None);
    assert_eq!(anchors.points, 10_000 + COUNT);
    assert!(anchors.golden > 50_000, "{}", anchors.golden);
}
