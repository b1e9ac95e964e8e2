//! `token-independence`: what other tokens hold changes nothing for a token.

use super::probe::{Of, probe};
use crate::case::{Case, Level, PositionSource};
use crate::check::generator::Generator;
use crate::check::slices::layouts;
use crate::check::{Check, Docs, Harness, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct TokenIndependence;

impl Check for TokenIndependence {
    fn id(&self) -> &'static str {
        "token-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A token's output depends on that token alone: with every second token NaN or huge, the others \
                        stay within their bounds; tokens of equal input and position agree.",
            formula: "y(t) within E for any x(s), s != t; equal rows within E1 + E2, equal bits only if bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "reads of a neighbouring token, tails of vector loops that mix rows, reductions over tokens",
            cannot_catch: "a wrong position, which is wrong for every content alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        let heads = g.heads();
        let Some(preset) = heads.first() else { return schedule };
        for layout in layouts(&["text:2 video:2x2x1 text:3"]) {
            let mut case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case: case.clone() });
            if g.group.level != Level::Fused {
                let position = rng.between(1, g.max_position().min(2047));
                case.place = PositionSource::Random { low: position, high: position };
                schedule.cases.push(Planned { band: "equal".into(), case });
            }
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness, Of::Tokens).unwrap_or_else(Verdict::from)
    }
}
