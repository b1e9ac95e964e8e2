//! `linearity`: inputs times a power of two give outputs times that power of two, bit for bit.

use super::pairs::small_cases;
use crate::case::{Case, Data, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{BitsOf, Cause, Circumstance, Failure, Law, Scalar, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;
use crate::contract::{PairBound, Types};
use crate::numeric::{DType, Rng};

pub(in crate::check) struct Linearity;

impl Check for Linearity {
    fn id(&self) -> &'static str {
        "linearity"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Inputs times plus or minus a power of two give exactly the outputs times that, wherever \
                        nothing comes near the ends of a type's range.",
            formula: "f(p, s x) = s f(p, x) for s = 2^k and -2^k, element by element, every bit (signs of zero aside)",
            source: "rounding to nearest commutes with powers of two; derived, docs/numerics.md",
            catches: "values clipped, kept in fixed point or taken through a type of smaller range (f16 inside a bf16 \
                      kernel), something added to the output, dependence on the size or sign of the input",
            cannot_catch: "wrong angles, tables and pairings: any linear map is linear, and so is one that truncates. \
                           Elements whose products or results may leave the normal range are not judged, nor are \
                           backends that answer the same call with other bits, or say so (bit_stable: false)",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        small_cases(g, self.id(), Data::Uniform, |_, _| {})
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Two factors, one that enlarges and one that shrinks, one of them negative: far for types that have the
/// room.
fn factors(case: &Case) -> [f64; 2] {
    let mut rng = Rng::new(case.seed).fork(3);
    let far = if case.dtype == DType::F16 { (2, 10) } else { (18, 60) };
    let near = if case.dtype == DType::F16 { (1, 6) } else { (10, 40) };
    let mut power = |(low, high): (i64, i64)| 2f64.powi(i32::try_from(rng.between(low, high)).unwrap_or(1));
    let (up, down) = (power(far), 1.0 / power(near));
    if rng.one_in(2) { [-up, down] } else { [up, -down] }
}

fn times(tensor: &Tensor, factor: f64) -> Tensor {
    let mut scaled = tensor.clone();
    scaled.values_mut().iter_mut().for_each(|v| *v *= factor);
    scaled
}

/// Magnitudes that stay normal in a type, with a binade to spare at either end.
struct ResidueRange {
    least: f64,
    most: f64,
}

impl ResidueRange {
    fn of(dtype: DType) -> ResidueRange {
        ResidueRange { least: 2.0 * dtype.min_normal(), most: 0.5 * dtype.max_finite() }
    }

    /// Whether all of low..=high lies inside, times `factor` too.
    fn holds(&self, low: f64, high: f64, factor: f64) -> bool {
        low.min(low * factor) >= self.least && high.max(high * factor) <= self.most
    }
}

/// Whether every value that an honest kernel can meet on the way to both outputs of a pair stays normal, as
/// it is and times `factor`. Kernels that apply `m` at the end meet the values without it.
fn stays_normal(
    types: &Types,
    m: f64,
    bound: &PairBound,
    inputs: (f64, f64),
    totals: [(f64, f64); 2],
    factor: f64,
) -> bool {
    let (m, factor) = (m.abs(), factor.abs());
    let scales = [m.min(1.0 / m).min(1.0), m.max(1.0 / m).max(1.0)];
    let (storage, output) = (ResidueRange::of(types.storage), ResidueRange::of(types.output));
    let arithmetic = types.arithmetic.map(ResidueRange::of);
    let arithmetic_holds =
        |low, high| arithmetic.as_ref().is_none_or(|range: &ResidueRange| range.holds(low, high, factor));
    // Inputs are numbers of the storage type, times the factor too; times m they are what a kernel may
    // compute first.
    let input = |x: f64| {
        let (low, high) = (x * scales[0], x * scales[1]);
        x == 0.0 || (storage.holds(low, high, factor) && arithmetic_holds(low, high))
    };
    let product = |x: f64, i: usize| {
        let exact = [bound.turn.cos, bound.turn.sin][i].abs();
        let error = m * bound.shift + bound.trig[i] + bound.table[i] + bound.reference[i];
        let (low, high) = ((exact - error) * scales[0], bound.most[i] * scales[1]);
        x == 0.0 || arithmetic_holds(x * low, x * high)
    };
    let result = |(value, error): (f64, f64)| {
        let (low, high) = ((value.abs() - error) * scales[0], (value.abs() + error) * scales[1]);
        storage.holds(low, high, factor) && output.holds(low, high, factor) && arithmetic_holds(low, high)
    };
    let passed = bound.passed(types, inputs);
    let passed = passed.into_iter().all(|(low, high)| arithmetic_holds(low * scales[0], high * scales[1]));
    let (a, b) = (inputs.0.abs(), inputs.1.abs());
    let products = product(a, 0) && product(b, 1) && product(b, 0) && product(a, 1);
    input(a) && input(b) && products && passed && totals.into_iter().all(result)
}

fn same(one: &Outputs, other: &Outputs) -> bool {
    let bits = |t: &Tensor| t.values().iter().map(|v| v.to_bits()).collect::<Vec<_>>();
    bits(&one.q_out) == bits(&other.q_out) && bits(&one.k_out) == bits(&other.k_out)
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    if harness.backend.manifest().bit_stable == Some(false) {
        return Err(Stop::not_judged("the manifest says that bits may differ (bit_stable: false)"));
    }
    let (q, k) = Harness::inputs(case, &prepared);
    let plain = harness.run(&prepared, q.clone(), k.clone())?;
    let again = harness.run(&prepared, q.clone(), k.clone())?;
    if !same(&plain, &again) {
        let differ = Failure::of_call(Cause::BitsDiffer { than: Box::new(BitsOf::FirstRun), elements: None });
        let differ = Stop::from(differ.during(Circumstance::Repeated { run: 2 }));
        return Err(differ.owed("the same call gives other bits when it is repeated"));
    }
    let m = judge.truth().plan.attention_scaling;
    let mut measure = Measure::default();
    for factor in factors(case) {
        let scaled = harness.run(&prepared, times(&q, factor), times(&k, factor))?;
        judge.every_pair(|at, bound| {
            let inputs = judge.inputs_of(&plain, at);
            let sides = judge.sides(&plain, at, bound);
            let totals = sides.map(|s| (s.expected, s.allowance.total()));
            if bound.beyond_limit
                || inputs == (0.0, 0.0)
                || !stays_normal(judge.types(at.head), m, bound, inputs, totals, factor)
            {
                return Ok(());
            }
            let (first, second) = judge.output_pair(&scaled, at.row, at.token, at.head, at.pair);
            for (side, found) in sides.into_iter().zip([first, second]) {
                let expected = side.observed * factor;
                if found != expected {
                    let (plain, input) = (Scalar(side.observed), [inputs.0, inputs.1].map(Scalar));
                    let law = Law::PowerOfTwo { factor: Scalar(factor), plain, input };
                    // Every rounding commutes with a power of two here, so the bits must be the same.
                    let cause = Cause::law(law, expected, found, 0.0);
                    return Err(Failure::at(judge.place_of(at, side.channel), cause));
                }
                measure.add(0.0);
            }
            Ok(())
        })?;
    }
    if measure.elements == 0 {
        return Err(Stop::not_judged("every element may leave the normal range of its type"));
    }
    Ok(measure)
}
