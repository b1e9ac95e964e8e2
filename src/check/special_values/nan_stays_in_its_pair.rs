//! `nan-stays-in-its-pair`: a NaN or an infinity reaches the other half of its pair and nothing else.

use crate::case::{Case, Data, Level, Tensor};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, During, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::laws::pairs::{change_pairs, small_cases};
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;
use crate::numeric::Rng;

pub(in crate::check) struct NanStaysInItsPair;

impl Check for NanStaysInItsPair {
    fn id(&self) -> &'static str {
        "nan-stays-in-its-pair"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "An input that is NaN or infinite frees the two outputs of its pair; every other output is \
                        what it is without it.",
            formula: "a or b of a pair not finite: y, y' free; for all other pairs, heads and tokens |y - m R(p) x| \
                      <= E",
            source: "padding and masked tokens hold NaN in practice; a rotation is 2x2 blocks",
            catches: "rotations done as full matrix products with zeros (0 * NaN), maxima or sums over a head, values \
                      that are read by neighbouring lanes, heads or tokens",
            cannot_catch: "what happens inside the pair itself: nothing is asked of it, not even that NaN stays NaN",
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

/// One pair in eight gets a NaN or an infinity, on one of its channels or on both.
fn spoil(judge: &Judge, tensor: &mut Tensor, mut rng: Rng) {
    change_pairs(judge, tensor, |row, a, b| {
        let value = match rng.below(24) {
            0 => f64::NAN,
            1 => f64::INFINITY,
            2 => f64::NEG_INFINITY,
            _ => return,
        };
        match rng.below(3) {
            0 => row[a] = value,
            1 => row[b] = value,
            _ => (row[a], row[b]) = (value, value),
        }
    });
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let judge = Judge::new(harness, case, &prepared)?;
    let (mut q, mut k) = Harness::inputs(case, &prepared);
    let rng = Rng::new(case.seed);
    spoil(&judge, &mut q, rng.fork(3));
    spoil(&judge, &mut k, rng.fork(4));
    if q.values().iter().chain(k.values()).all(|v| v.is_finite()) {
        return Err(Stop::not_judged("no pair of this case got a NaN or an infinity"));
    }
    let outputs = harness.run(&prepared, q, k)?;
    judge.all(&outputs).during(Circumstance::BesideNonFinite)
}
