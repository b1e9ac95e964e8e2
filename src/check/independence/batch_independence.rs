//! `batch-independence`: what other rows of a batch hold changes nothing for a row.

use super::probe::{Of, probe};
use crate::case::{Case, Level};
use crate::check::accuracy::uneven_rows;
use crate::check::generator::Generator;
use crate::check::slices::layouts;
use crate::check::{Check, Docs, Gap, Harness, Planned, Schedule, TENSOR_LEVELS, Verdict};

pub(in crate::check) struct BatchIndependence;

impl Check for BatchIndependence {
    fn id(&self) -> &'static str {
        "batch-independence"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A batch row's output depends on that row alone: with every second row NaN or huge, the others stay \
                        within their bounds; rows of equal input and layout agree.",
            formula: "y(b) within E for any x(a), a != b; equal rows within E1 + E2, equal bits only if bit_stable is true",
            source: "derived: rotation acts on each row alone",
            catches: "a batch stride that is ignored for inputs or positions, rows that share scratch memory",
            cannot_catch: "kernels whose bits depend on the batch size, unless the manifest claims bit_stable",
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
        for layout in layouts(&["text:1 image:2x1 text:2"]) {
            let case = g.case(self.id(), vec![layout; 3], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        if g.manifest.batch_layouts {
            let case = g.case(self.id(), uneven_rows(), preset, rng.next_u64());
            schedule.cases.push(Planned { band: "uneven".into(), case });
        } else {
            let why = "the manifest allows no batch of different layouts";
            schedule.gaps.push(Gap { band: "uneven".into(), why: why.into() });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness, Of::Rows).unwrap_or_else(Verdict::from)
    }
}
