//! `nan-stays-in-its-pair`: a NaN or an infinity is seen in its pair and nowhere else.

use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, During, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::laws::pairs::small_cases;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;

pub(in crate::check) struct NanStaysInItsPair;

impl Check for NanStaysInItsPair {
    fn id(&self) -> &'static str {
        "nan-stays-in-its-pair"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "An input that is NaN or infinite is seen in the two outputs of its pair, and in no other \
                        output.",
            formula: "a or b of a pair NaN: y and y' are; a or b infinite: y and y' are infinite or NaN (where the \
                      sine may be 0 only the channel's own input counts); for all other pairs, heads and tokens \
                      |y - m R(p) x| <= E",
            source: "padding and masked tokens hold NaN in practice; a rotation is 2x2 blocks; docs/numerics.md (range)",
            catches: "rotations done as full matrix products with zeros (0 * NaN), maxima or sums over a head, values \
                      that are read by neighbouring lanes, heads or tokens; NaN and infinities that are replaced by \
                      numbers, which hides what went wrong before",
            cannot_catch: "which of infinity and NaN an infinite input becomes, its sign, and the payload of a NaN",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        small_cases(g, self.id(), Data::NotFinite, |_, _| {})
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let (prepared, outputs) = harness.execute(case)?;
        if outputs.q.values().iter().chain(outputs.k.values()).all(|v| v.is_finite()) {
            return Err(Stop::not_judged("no pair of this case got a NaN or an infinity"));
        }
        let judge = Judge::new(harness, case, &prepared)?;
        judge.all(&outputs).during(Circumstance::BesideNonFinite)
    }
}
