//! `head-independence`: what other heads hold changes nothing for a head.

use super::head_counts::head_counts;
use super::probe::{Of, probe};
use crate::case::{Case, Level};
use crate::check::generator::Generator;
use crate::check::slices::layouts;
use crate::check::{Check, Docs, Harness, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct HeadIndependence;

impl Check for HeadIndependence {
    fn id(&self) -> &'static str {
        "head-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A head's output depends on that head alone: with every second head, of q and k counted together, NaN \
                        or huge, the others stay within their bounds; heads of equal input and table agree.",
            formula: "y(h) within E for any x(g), g != h; equal rows within E1 + E2, equal bits only if bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "heads that share scratch memory, strides of grouped heads, query heads written from a key head",
            cannot_catch: "a wrong table for a head, which is wrong for every content alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut rng = g.rng(self.id());
        let mut schedule = Schedule::default();
        for preset in head_counts(g) {
            for layout in layouts(&["text:1 image:1x2"]) {
                let case = g.case(self.id(), vec![layout], &preset, rng.next_u64());
                schedule.cases.push(Planned { band: "-".into(), case });
            }
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness, Of::Heads).unwrap_or_else(Verdict::from)
    }
}
