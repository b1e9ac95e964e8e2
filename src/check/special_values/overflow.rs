//! `overflow`: inputs near the end of the range give what they must, infinity only where it may be.

use crate::case::{Case, Data, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, During, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::laws::pairs::{change_pairs, small_cases};
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;
use crate::numeric::{DType, Rng};

pub(in crate::check) struct Overflow;

impl Check for Overflow {
    fn id(&self) -> &'static str {
        "overflow"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Inputs near the largest number give outputs within the bound where these exist, and infinity \
                        only where an honest kernel may overflow.",
            formula: "|y| + E below the range's end: |y' - y| <= E, finite; y beyond it by more than E: infinite",
            source: "derived, docs/numerics.md (range)",
            catches: "infinities that no rounding explains (sums or squares formed on the way, f16 inside a kernel for \
                      bf16 or f32), values held at the largest number instead of overflowing",
            cannot_catch: "anything about elements that may honestly overflow: they are counted as range not judged",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        small_cases(g, self.id(), Data::Uniform, |_, _| {})
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Pairs near the end of the range: below a third of it (no turn leaves the range), up to it, and one number
/// at its very end.
fn large(judge: &Judge, tensor: &mut Tensor, dtype: DType, mut rng: Rng) {
    let most = dtype.max_finite();
    change_pairs(judge, tensor, |row, a, b| {
        let (first, second) = match rng.below(3) {
            0 => (1.0 / 3.0, 1.0 / 3.0),
            1 => (1.0, 1.0),
            _ => (1.0, 0.0),
        };
        let mut number = |scale: f64| {
            let size = dtype.round(most * scale * (0.5 + 0.5 * rng.unit())).min(most);
            if rng.one_in(2) { -size } else { size }
        };
        (row[a], row[b]) = (number(first), number(second));
    });
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (mut q, mut k) = Harness::inputs(case, &prepared);
    let rng = Rng::new(case.seed);
    large(&judge, &mut q, case.dtype, rng.fork(3));
    large(&judge, &mut k, case.dtype, rng.fork(4));
    let outputs = harness.run(&prepared, q, k)?;
    let measure = judge.all(&outputs).during(Circumstance::NearLargest)?;
    if measure.elements == 0 {
        let why = "every element may honestly overflow, or has an angle beyond the contract's limit";
        return Err(Stop::not_judged(why));
    }
    Ok(measure)
}
