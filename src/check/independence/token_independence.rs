//! `token-independence`: what other tokens hold changes nothing for a token.

use super::probe::probe;
use crate::case::{Case, Level, PositionSource};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{RowKind, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

pub(in crate::check) struct TokenIndependence;

impl Check for TokenIndependence {
    fn id(&self) -> &'static str {
        "token-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A token's output depends on that token alone: with every second token NaN or huge, \
                        the others stay within their bounds; tokens of equal input and position agree.",
            formula: "y(t) within E for any x(s), s != t; equal rows within E1 + E2, equal bits only if \
                      bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "reads of a neighbouring token, tails of vector loops that mix rows, reductions over \
                      tokens",
            cannot_catch: "a wrong position, which is wrong for every content alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let (Some(preset), Some(wide)) = (s.small(), s.wide()) else { return s.finish() };
        let layout = layouts(&["text:2 video:2x2x1 text:3"]);
        s.add(layout.clone(), &wide, |_| {});
        s.add(layout.clone(), &preset, |_| {});
        if g.group.level != Level::Fused {
            let position = s.rng.between(1, g.max_position().min(2047));
            let mut case = s.case(layout, &preset);
            case.place = PositionSource::Random { low: position, high: position };
            s.plan("equal", case);
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness, RowKind::Tokens)
    }
}
