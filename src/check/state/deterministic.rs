//! `deterministic`: the same call, on the same bytes at the same place, gives the same bytes.

use crate::case::{Case, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{BitsOf, Cause, Circumstance, During, Failure, Stop};
use crate::check::generator::Generator;
use crate::check::harness::{Harness, Outputs};
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler, layouts};
use crate::check::slices::{element_size, elements_that_differ, output_bytes};

pub(in crate::check) struct Deterministic;

/// Runs of the one call.
const RUNS: u64 = 3;

impl Check for Deterministic {
    fn id(&self) -> &'static str {
        "deterministic"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "The same call, with the same bytes in the same memory, gives the same bits three \
                        times, unless the manifest says bit_stable: false; each time they are within their \
                        bounds.",
            formula: "f(x) = f(x) = f(x), bit by bit",
            source: "vllm-project/vllm 48872: an in-place read after write that raced on some devices in \
                     0.8% of elements",
            catches: "races, reads of memory that nobody wrote, results that depend on the call before",
            cannot_catch: "a race that three runs do not lose; results that differ with the place in memory",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        let [small, wide] = [s.small(), s.wide()];
        let video = "text:2 video:2x3x2 text:2";
        for (heads, text) in [(small.clone(), video), (small, "text:40"), (wide, "text:1 video:1x3x1 text:1")] {
            let Some(heads) = heads else { continue };
            // In place a late read is overwritten by then: races show there first.
            s.add(layouts(&[text]), &heads, |case| {
                case.alias = g.manifest.alias.iter().copied().max().unwrap_or(case.alias);
            });
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let mut measure = Measure::default();
    let mut first: Option<Vec<u8>> = None;
    for run in 1..=RUNS {
        harness.call(&prepared, &q, &k)?;
        let bytes = output_bytes(harness, &prepared);
        let all = bytes.len() / element_size(case);
        if case.level == Level::Positions {
            // What they must be is for positions-exact to say.
            measure.elements += all as u64;
        } else {
            let (q_out, k_out) = prepared.read(harness.backend.memory());
            let outputs = Outputs { q: q.clone(), k: k.clone(), q_out, k_out };
            let judge = Judge::new(harness, case, &prepared)?;
            measure.add_part(judge.all(&outputs).during(Circumstance::Repeated { run })?);
        }
        let Some(first) = &first else {
            first = Some(bytes);
            continue;
        };
        let differ = elements_that_differ(first, &bytes, element_size(case));
        if differ == 0 {
            continue;
        }
        if harness.backend.manifest().bit_stable != Some(false) || case.level == Level::Positions {
            let cause = Cause::BitsDiffer { than: Box::new(BitsOf::FirstRun), elements: Some([differ, all]) };
            return Err(Failure::of_call(cause).during(Circumstance::Repeated { run }).into());
        }
        measure.note("identical calls differ in bits, which the manifest declares (bit_stable: false)".to_owned());
    }
    Ok(measure)
}
