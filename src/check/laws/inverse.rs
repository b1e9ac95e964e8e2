//! `inverse`: direction -1 is the transpose of direction 1.

use super::pairs::{second_call, small_cases};
use crate::case::{Case, Data, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{Circumstance, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::Schedule;

pub(in crate::check) struct Inverse;

/// Why nothing is judged where there is no way back.
const ONE_DIRECTION: &str = "the manifest offers one direction only";

impl Check for Inverse {
    fn id(&self) -> &'static str {
        "inverse"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "The other direction is the transpose: applied to what a call returned, it is the exact turn \
                        back of just these numbers, and so gives m^2 times the input.",
            formula: "|f_back(p, y1) - m R(p)^T y1| <= E(p, y1), y1 = f(p, x) as it came out; so f_back(p, f(p, x)) \
                      is m^2 x",
            source: "the backward pass of RoPE; derived, docs/numerics.md",
            catches: "a backward pass that turns forward, transposes only one of the two products, leaves out the \
                      attention factor or divides by it",
            cannot_catch: "anything where the manifest offers one direction only: then nothing is run, and that is \
                           said. Angles that are wrong by less than the bound, or alike in both directions where the \
                           bound is wide",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        if !both(&g.manifest.directions) {
            return Schedule::nothing(ONE_DIRECTION);
        }
        small_cases(g, self.id(), Data::Mixed, |_, _| {})
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        if !both(&harness.backend.manifest().directions) {
            return Err(Stop::not_judged(ONE_DIRECTION));
        }
        let back = Case { direction: -case.direction, ..case.clone() };
        second_call(harness, case, &back, 0, Circumstance::TurnedBack)
    }
}

fn both(directions: &[i64]) -> bool {
    directions.iter().any(|d| *d > 0) && directions.iter().any(|d| *d < 0)
}
