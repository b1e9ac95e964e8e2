//! `subnormals`: numbers below the normal range are numbers.

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

pub(in crate::check) struct Subnormals;

impl Check for Subnormals {
    fn id(&self) -> &'static str {
        "subnormals"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Inputs and outputs below the smallest normal number stay within the bound, which allows zero \
                        for them only if the contract flushes.",
            formula: "|y - m R(p) x| <= E for |x| around the smallest normal number and below it",
            source: "derived, docs/numerics.md; libraries built with -ffast-math flush",
            catches: "flushing to zero, on the way in or out, that the contract does not declare; conversions to and \
                      from f16 and bf16 that mistreat subnormals",
            cannot_catch: "much under a contract that flushes: there zero is right for all of these numbers",
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

/// Pairs of subnormal numbers, of small normal ones whose products are subnormal, and of both.
fn small(judge: &Judge, tensor: &mut Tensor, dtype: DType, mut rng: Rng) {
    let normal = dtype.min_normal();
    // Twice the largest error is the distance of neighbours.
    let least = 2.0 * dtype.half_ulp(0.0);
    let count = normal / least;
    change_pairs(judge, tensor, |row, a, b| {
        let mut number = |kind: u64| {
            let size = match kind {
                0 => (rng.unit() * count).floor() * least,
                1 => dtype.round(normal * (1.0 + 7.0 * rng.unit())),
                2 => least,
                3 => normal - least,
                _ => 0.0,
            };
            if rng.one_in(2) { -size } else { size }
        };
        let kinds = number_kinds(row[a]);
        (row[a], row[b]) = (number(kinds.0), number(kinds.1));
    });
}

/// Which kinds of numbers a pair gets, from the random number in -2..2 that it held.
fn number_kinds(random: f64) -> (u64, u64) {
    const KINDS: [(u64, u64); 8] = [(0, 0), (0, 1), (1, 4), (1, 1), (2, 4), (4, 3), (4, 1), (1, 0)];
    let index = ((random + 2.0) * 2.0).clamp(0.0, 7.0) as usize;
    KINDS.get(index).copied().unwrap_or((0, 0))
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (mut q, mut k) = Harness::inputs(case, &prepared);
    let rng = Rng::new(case.seed);
    small(&judge, &mut q, case.dtype, rng.fork(3));
    small(&judge, &mut k, case.dtype, rng.fork(4));
    let outputs = harness.run(&prepared, q, k)?;
    let mut measure = judge.all(&outputs).during(Circumstance::Subnormals { flushes: judge.types(0).flushes })?;
    if judge.types(0).flushes {
        measure.note("the contract flushes, so zero is allowed for every number of this check".into());
    }
    Ok(measure)
}
