//! `empty`: no tokens, no rows.

use super::common::schedule;
use crate::backend::Answer;
use crate::case::call::{Call, QkView};
use crate::case::{Alias, Case, FLOAT_POISON, Level, Memory, Prepared};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, EmptyOf, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};

pub(in crate::check) struct Empty;

impl Check for Empty {
    fn id(&self) -> &'static str {
        "empty"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A call without tokens, or without batch rows, does nothing: it returns OK, or says \
                        that it does not take such calls, and writes nowhere.",
            formula: "tokens = 0 or batch = 0: status OK, UNSUPPORTED or BAD_ARGUMENT; every byte as it was",
            source: "EricLBuehler/mistral.rs rotary.cu: num_tokens of 0 gives an invalid grid, silently",
            catches: "divisions by a count, loops that run once too often, launches of empty grids",
            cannot_catch: "reads; an error that only the next call would see",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn is_about_schemes(&self) -> bool {
        false
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = schedule(Scheduler::new(g, self.id()), &[Memory::Packed], &[Alias::Out, Alias::In]);
        schedule.cases.truncate(2);
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let full = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &full);
    // To a backend that answers no call at all an empty one proves nothing.
    harness.call(&full, &q, &k)?;
    for without in [EmptyOf::Tokens, EmptyOf::Rows] {
        let mut prepared = full.clone();
        prepared.poison = FLOAT_POISON;
        // The buffers stay as large as they were, and are written as before: only the call changes.
        let before = prepared.image(&q, &k);
        let call = emptied(&prepared, without);
        let outcome = {
            let arena = harness.backend.arena(prepared.bytes)?;
            arena.copy_from_slice(&before);
            harness.backend.guard(&[]);
            harness.backend.call(&call)
        };
        match &outcome {
            Answer::Ok | Answer::Unsupported(_) | Answer::BadArgument(_) => {}
            _ => return Err(harness.failed(&prepared, &outcome)),
        }
        prepared.call = call;
        if let Some(change) = prepared.changes(before, harness.backend.memory()).first() {
            // The emptied call has no elements to name.
            return Err(Stop::of_call(Cause::EmptyCallWrote { without, at: full.place_of(change.at) }));
        }
    }
    Ok(Measure::of(2))
}

fn emptied(prepared: &Prepared, without: EmptyOf) -> Call {
    let mut call = prepared.call.clone();
    let shrink = |qk: &mut QkView| {
        let dimension = match without {
            EmptyOf::Tokens => {
                qk.tokens = 0;
                1
            }
            EmptyOf::Rows => {
                qk.batch = 0;
                0
            }
        };
        let views = [Some(&mut qk.q), qk.k.as_mut(), Some(&mut qk.q_out), qk.k_out.as_mut()];
        views.into_iter().flatten().for_each(|view| view.shape[dimension] = 0);
    };
    match &mut call {
        Call::Positions { layouts, token_start, token_count, .. } => {
            (*token_start, *token_count) = (0, 0);
            empty_layouts(layouts, without);
        }
        Call::Fused { qk, layouts, token_start, .. } => {
            *token_start = 0;
            shrink(qk);
            empty_layouts(layouts, without);
        }
        Call::Rotate { qk, .. } | Call::Apply { qk, .. } => shrink(qk),
    }
    call
}

fn empty_layouts<T>(layouts: &mut Vec<Vec<T>>, without: EmptyOf) {
    match without {
        EmptyOf::Tokens => layouts.iter_mut().for_each(Vec::clear),
        EmptyOf::Rows => layouts.clear(),
    }
}
