//! `batch-independence`: what other rows of a batch hold changes nothing for a row.

use super::probe::probe;
use crate::case::{Case, Level};
use crate::check::accuracy::uneven_rows;
use crate::check::definition::{Check, Docs, TENSOR_LEVELS};
use crate::check::failure::{RowKind, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};

pub(in crate::check) struct BatchIndependence;

impl Check for BatchIndependence {
    fn id(&self) -> &'static str {
        "batch-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A batch row's output depends on that row alone: with every second row NaN or huge, \
                        the others stay within their bounds; rows of equal input and layout agree.",
            formula: "y(b) within E for any x(a), a != b; equal rows within E1 + E2, equal bits only if \
                      bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "a batch stride that is ignored for inputs or positions, rows that share scratch memory",
            cannot_catch: "kernels whose bits depend on the batch size, unless the manifest claims \
                           bit_stable",
        }
    }

    fn levels(&self) -> &'static [Level] {
        TENSOR_LEVELS
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let (Some(preset), Some(uneven)) = (s.turn(0), s.turn(1)) else { return s.finish() };
        s.add(layouts(&["text:1 image:2x1 text:2"; 3]), &preset, |_| {});
        if g.manifest.batch_layouts {
            let case = s.case(uneven_rows(), &uneven);
            s.plan("uneven", case);
        } else {
            s.gap("uneven", "the manifest allows no batch of different layouts");
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness, RowKind::BatchRows)
    }
}
