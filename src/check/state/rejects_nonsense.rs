//! `rejects-nonsense`: a call that no kernel can make sense of is refused, and nothing is written.

use crate::backend::{Answer, Call};
use crate::case::call::{PlanView, QkView};
use crate::case::{Case, Consume, Level};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{Cause, Nonsense, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::measure::Measure;
use crate::check::schedule::{Schedule, Scheduler};
use crate::numeric::DType;
use crate::rotation::NO_AXIS;

pub(in crate::check) struct RejectsNonsense;

impl Check for RejectsNonsense {
    fn id(&self) -> &'static str {
        "rejects-nonsense"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "A call that makes no sense under any manifest is answered with BAD_ARGUMENT or \
                        UNSUPPORTED, and no memory is written: an odd rotary_dim, a rotary part wider than \
                        the head or ending after it, an axis that the call does not have, an integer type \
                        for q and k, tokens after the end of the layout.",
            formula: "status in {BAD_ARGUMENT, UNSUPPORTED} and memory after = memory before",
            source: "include/ropecheck.h; vllm-project/vllm 43676: a rotary width that nobody checked read \
                     outside the cache",
            catches: "adapters that check nothing, and then read and write outside their tensors",
            cannot_catch: "nonsense that is not in this list; what the manifest does not offer but another \
                           kernel might",
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
        s.each_layout(&["text:3"], |_| ());
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Spoils a call, and perhaps its arena. False if this call has no such thing.
type MakeNonsense = fn(&mut Call, &mut [u8]) -> bool;

const NONSENSE: [(Nonsense, MakeNonsense); 6] = [
    (Nonsense::OddRotaryDim, |call, _| {
        plan_of(call).is_some_and(|plan| {
            plan.rotary_dim -= 1;
            true
        })
    }),
    (Nonsense::WideRotaryDim, |call, _| {
        plan_of(call).is_some_and(|plan| {
            (plan.rotary_dim, plan.rotary_offset) = (plan.head_dim + 2, 0);
            true
        })
    }),
    (Nonsense::RotaryPastHead, |call, _| {
        plan_of(call).is_some_and(|plan| {
            plan.rotary_offset = plan.head_dim - plan.rotary_dim + 2;
            true
        })
    }),
    (Nonsense::MissingAxis, missing_axis),
    (Nonsense::IntegerTensors, |call, _| {
        qk_of(call).is_some_and(|qk| {
            for view in [Some(&mut qk.q), Some(&mut qk.q_out), qk.k.as_mut(), qk.k_out.as_mut()].into_iter().flatten() {
                view.dtype = DType::I32;
            }
            true
        })
    }),
    (Nonsense::TokensPastLayout, |call, _| match call {
        Call::Positions { token_start, .. } | Call::Fused { token_start, .. } => {
            *token_start += 1;
            true
        }
        _ => false,
    }),
];

fn plan_of(call: &mut Call) -> Option<&mut PlanView> {
    match call {
        Call::Rotate { plan, .. } | Call::Fused { plan, .. } | Call::Apply { plan, .. } => Some(plan),
        Call::Positions { .. } => None,
    }
}

fn qk_of(call: &mut Call) -> Option<&mut QkView> {
    match call {
        Call::Rotate { qk, .. } | Call::Fused { qk, .. } | Call::Apply { qk, .. } => Some(qk),
        Call::Positions { .. } => None,
    }
}

/// The last pair of every row of the table moves to the first axis that is not there.
fn missing_axis(call: &mut Call, arena: &mut [u8]) -> bool {
    let axes = match call {
        Call::Rotate { scheme, .. } | Call::Fused { scheme, .. } => scheme.axes.len(),
        _ => return false,
    };
    let rows = call.qk().map_or(1, |qk| qk.q_heads + qk.k_heads);
    let Some(plan) = plan_of(call) else { return false };
    let (pairs, stride) = (plan.rotary_dim / 2, plan.axis_of_pair.head_stride);
    let Some(axis) = u8::try_from(axes).ok().filter(|a| *a != NO_AXIS) else { return false };
    for row in 0..if stride == 0 { 1 } else { rows } {
        let Some(byte) = arena.get_mut(plan.axis_of_pair.offset + row * stride + pairs - 1) else { return false };
        *byte = axis;
    }
    true
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let prepared = harness.prepare(case)?;
    let (q, k) = Harness::inputs(case, &prepared);
    // A backend that refuses everything has not understood what is wrong here.
    harness.call(&prepared, &q, &k)?;
    let level = harness.backend.manifest().level(case.level);
    let reads_axes = level.is_some_and(|l| l.consumes(Consume::AxisOfPair));
    let mut measure = Measure::default();
    for (nonsense, spoil) in NONSENSE {
        if nonsense == Nonsense::MissingAxis && !reads_axes {
            continue;
        }
        let mut call = prepared.call.clone();
        let arena = harness.backend.arena(prepared.bytes)?;
        prepared.write(arena, &q, &k);
        if !spoil(&mut call, arena) {
            continue;
        }
        let before = arena.to_vec();
        match harness.backend.call(&call) {
            Answer::BadArgument(_) | Answer::Unsupported(_) => {}
            Answer::Ok => return Err(Stop::of_call(Cause::NonsenseAccepted { nonsense })),
            other => return Err(named(harness.failed(&prepared, &other), nonsense)),
        }
        let after = harness.backend.memory();
        let mut changed = (0..).zip(before.iter().zip(after)).filter(|(_, (a, b))| a != b).map(|(at, _)| at);
        if let Some(first) = changed.next() {
            return Err(Stop::of_call(Cause::NonsenseWrote { nonsense, bytes: 1 + changed.count(), first }));
        }
        measure.elements += 1;
    }
    Ok(measure)
}

/// The failure, with what made no sense in the call.
fn named(mut stop: Stop, what: Nonsense) -> Stop {
    if let Stop::Failed(failure) = &mut stop
        && let Cause::Crashed { nonsense, .. } | Cause::Hung { nonsense, .. } | Cause::BackendError { nonsense, .. } =
            &mut failure.cause
    {
        *nonsense = Some(what);
    }
    stop
}
