//! `composition`: what a call returned, rotated again at other positions.

use super::pairs::{further, second_call, small_cases};
use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;

pub(in crate::check) struct Composition;

/// How far on the second call is.
const FURTHER: u32 = 29;

impl Check for Composition {
    fn id(&self) -> &'static str {
        "composition"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Rotating what a first call returned, at other positions, is the exact rotation of just these \
                        numbers, within the bound of one call.",
            formula: "|f(p2, y1) - m R(p2) y1| <= E(p2, y1), y1 = f(p1, x) as it came out; so f(p2, f(p1, x)) is m^2 \
                      R(p1 + p2) x",
            source: "RoFormer (arXiv:2104.09864) section 3.4: rotations form a group; derived, docs/numerics.md",
            catches: "tables or positions kept from an earlier call of the same shape; kernels that are right only for \
                      inputs of a certain kind; whatever accuracy catches at both positions",
            cannot_catch: "what the first call did wrong, since its output is taken as it is (accuracy judges that); \
                           errors below the bound. Two calls are no proof that nothing else is kept between calls",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        small_cases(g, self.id(), Data::Mixed, |_, _| {})
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        let (second, before) = further(case, FURTHER)?;
        second_call(harness, case, &second, before, Circumstance::SecondCall)
    }
}
