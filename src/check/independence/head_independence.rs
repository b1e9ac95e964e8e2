//! `head-independence`: what other heads hold changes nothing for a head.

use super::head_counts::head_counts;
use super::probe::probe;
use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{RowKind, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

pub(in crate::check) struct HeadIndependence;

impl Check for HeadIndependence {
    fn id(&self) -> &'static str {
        "head-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A head's output depends on that head alone: with every second head, of q and k \
                        counted together, NaN or huge, the others stay within their bounds; heads of equal \
                        input and table agree.",
            formula: "y(h) within E for any x(g), g != h; equal rows within E1 + E2, equal bits only if \
                      bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "heads that share scratch memory, strides of grouped heads, query heads written from a \
                      key head",
            cannot_catch: "a wrong table for a head, which is wrong for every content alike",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        for preset in head_counts(&mut s) {
            s.add(layouts(&["text:1 image:1x2"]), &preset, |_| {});
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness, RowKind::Heads)
    }
}
