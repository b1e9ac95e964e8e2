//! `deterministic`: the same call, on the same bytes at the same place, gives the same bytes.

use crate::case::{Case, Level};
use crate::check::generator::{Generator, text};
use crate::check::judge::Judge;
use crate::check::slices::{add, element_size, elements_that_differ, layouts, output_bytes, presets, while_doing};
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Outputs, Planned, Schedule, Verdict};

pub(in crate::check) struct Deterministic;

/// Runs of the one call.
const RUNS: usize = 3;

impl Check for Deterministic {
    fn id(&self) -> &'static str {
        "deterministic"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "The same call, with the same bytes in the same memory, gives the same bits three times, unless the \
                        manifest says bit_stable: false; each time they are within their bounds.",
            formula: "f(x) = f(x) = f(x), bit by bit",
            source: "vllm-project/vllm 48872: an in-place read after write that raced on some devices in 0.8% of elements",
            catches: "races, reads of memory that nobody wrote, results that depend on the call before",
            cannot_catch: "a race that three runs do not lose; results that differ with the place in memory",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        let presets = presets(g);
        let Some(preset) = presets.first() else { return schedule };
        for layout in layouts(&["text:2 video:2x3x2 text:2"]).into_iter().chain([text(40)]) {
            let mut case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            // In place a late read is overwritten by then: races show there first.
            case.alias = g.manifest.alias.iter().copied().max().unwrap_or(case.alias);
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    let mut measure = Measure::default();
    let mut first: Option<Vec<u8>> = None;
    for run in 1..=RUNS {
        harness.call(&prepared, &q, &k)?;
        let bytes = output_bytes(harness, &prepared);
        if case.level == Level::Positions {
            // What they must be is for positions-exact to say.
            measure.elements += (bytes.len() / element_size(case)) as u64;
        } else {
            let (q_out, k_out) = prepared.read(harness.backend.memory());
            let outputs = Outputs { q: q.clone(), k: k.clone(), q_out, k_out };
            let judge = Judge::new(harness, case, &prepared)?;
            add(&mut measure, while_doing(judge.all(&outputs), || format!("run {run} of the same call")))?;
        }
        let Some(first) = &first else {
            first = Some(bytes);
            continue;
        };
        let differ = elements_that_differ(first, &bytes, element_size(case));
        if differ == 0 {
            continue;
        }
        let all = bytes.len() / element_size(case);
        let summary = format!("run {run} of the same call differs from the first in {differ} of {all} elements");
        if harness.backend.manifest().bit_stable == Some(false) && case.level != Level::Positions {
            let note = "identical calls differ in bits, which the manifest declares (bit_stable: false)".to_owned();
            if !measure.notes.contains(&note) {
                measure.notes.push(note);
            }
            continue;
        }
        let mut failure = Failure::new(summary);
        failure.details.push("same bytes, same places; a race, or memory that was never written".to_owned());
        if case.level != Level::Positions {
            failure.details.push("all values are within their bounds; bit_stable: false would declare this".to_owned());
        }
        return Ok(Verdict::Fail(failure));
    }
    Ok(Verdict::Pass(measure))
}
