//! `no-sticky-state`: a call is right whatever was called before it.

use crate::backend::Manifest;
use crate::case::{Case, Level, Memory, PositionSource, Strides};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{BitsOf, CallDifference, Cause, Circumstance, During, Failure, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::positions::positions_exact;
use crate::check::schedule::{Schedule, Scheduler};
use crate::check::slices::{claims_bits, element_size, elements_that_differ, output_bytes};
use crate::numeric::{DType, Number};
use crate::positions::Layout;
use crate::spec::model::{Pairing, Scheme};

pub(in crate::check) struct NoStickyState;

impl Check for NoStickyState {
    fn id(&self) -> &'static str {
        "no-sticky-state"
    }

    fn docs(&self) -> Docs {
        Docs {
            statement: "Between two equal calls comes another one, with another type, shape, layout, base, \
                        position, direction, pairing or memory layout; the second answer is as right as the \
                        first.",
            formula: "A, B, A, B', A, ...: every A within its bounds, and every B of A's type too",
            source: "huggingface/transformers 36009 (offsets of an earlier request); vLLM's and sglang's \
                     cos/sin cache stays in bf16 after one bf16 call",
            catches: "tables, offsets, scalings and types that are kept from an earlier call",
            cannot_catch: "state that needs more than one call between, or a shape that the manifest does \
                           not offer",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut s = Scheduler::new(g, self.id());
        s.each_layout(&["text:2 image:2x2 text:2"], |_| ());
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Calls that differ from `case` in one thing each, inside the manifest.
fn between(case: &Case, scheme: &Scheme, manifest: &Manifest) -> Vec<(CallDifference, Case)> {
    let mut all = Vec::new();
    let mut add = |difference, change: &dyn Fn(&mut Case)| {
        let mut other = case.clone();
        // Other contents too: a kept result is then not the right one.
        other.seed ^= 0x5a5a;
        change(&mut other);
        all.push((difference, other));
    };
    let tensors = case.level != Level::Positions;
    for dtype in manifest.dtypes.iter().copied().filter(|d| tensors && *d != case.dtype) {
        add(CallDifference::Dtype, &|c| c.dtype = dtype);
    }
    // Of another length, and with a larger grid.
    if case.window.is_none()
        && let Ok(layout) = Layout::parse("image:1x3 text:1 video:2x2x3 text:1")
    {
        add(CallDifference::Layout, &|c| c.layouts = vec![layout.clone(); c.layouts.len()]);
    }
    // Schemes of fractional positions have no integer type.
    let types = |d: &&DType| d.is_float() == case.position_dtype.is_float() && **d != case.position_dtype;
    if let Some(dtype) = manifest.position_dtypes.iter().find(types) {
        add(CallDifference::PositionDtype, &|c| c.position_dtype = *dtype);
    }
    if tensors {
        heads(case, manifest, &mut add);
    }
    if scheme.parameters.iter().any(|p| p.name == "base")
        && let Some(base) = other_base(case, manifest)
    {
        add(CallDifference::Base, &|c| {
            c.parameters.retain(|(name, _)| name != "base");
            c.parameters.push(("base".to_owned(), base.clone()));
        });
    }
    if matches!(case.level, Level::Rotate | Level::Apply) && manifest.max_position > 2000 {
        add(CallDifference::Positions, &|c| c.place = PositionSource::Layout { shift: 1000 });
    }
    if manifest.directions.contains(&i64::from(-case.direction)) && tensors {
        add(CallDifference::Direction, &|c| c.direction = -c.direction);
    }
    let pairing = if case.pairing == Pairing::Half { Pairing::Adjacent } else { Pairing::Half };
    if manifest.pairings.contains(&pairing) && tensors {
        add(CallDifference::Pairing, &|c| c.pairing = pairing);
    }
    if manifest.strides != Strides::Packed && case.memory == Memory::Packed && tensors {
        add(CallDifference::MemoryLayout, &|c| c.memory = Memory::HeadsFirst);
    }
    all
}

/// Takes what differs and a change of the case.
type AddCall<'a> = dyn FnMut(CallDifference, &dyn Fn(&mut Case)) + 'a;

/// Other heads: those that most checks use as well, so that their rotation plans are there already.
fn heads(case: &Case, manifest: &Manifest, add: &mut AddCall) {
    let other = [(3, 1, 32), (5, 5, 48), (4, 2, 64), (2, 1, case.head_dim), (1, 1, case.head_dim)];
    let offered = other.into_iter().find(|(q, k, dim): &(u32, u32, u32)| {
        (*q, *k, *dim) != (case.q_heads, case.k_heads, case.head_dim)
            && manifest.q_heads.allows(i64::from(*q))
            && manifest.k_heads.allows(i64::from(*k))
            && manifest.head_dims.allows(i64::from(*dim))
    });
    if let Some((q, k, dim)) = offered {
        add(CallDifference::Heads, &|c| (c.q_heads, c.k_heads, c.head_dim, c.rotary) = (q, k, dim, None));
    }
}

/// A base that the case does not have and the manifest allows.
fn other_base(case: &Case, manifest: &Manifest) -> Option<Number> {
    let now = case.parameters.iter().find(|(name, _)| name == "base").map(|(_, value)| value.clone());
    let now = now.unwrap_or_else(|| Number::from_i64(10_000));
    let offered: Vec<Number> = if manifest.bases.is_empty() {
        [500_000, 10_000].map(Number::from_i64).to_vec()
    } else {
        manifest.bases.iter().filter_map(|b| Number::parse(b).ok()).collect()
    };
    offered.into_iter().find(|b| *b != now)
}

/// Whether the plan of a call is one that the manifest takes; false as well where there is none.
fn offered(case: &Case, harness: &Harness, manifest: &Manifest) -> bool {
    let Ok(prepared) = harness.prepare(case) else { return false };
    if i64::try_from(case.tokens()).is_ok_and(|n| n > manifest.max_tokens) {
        return false;
    }
    let Some(truth) = &prepared.truth else { return true };
    let partial = truth.rotary_dim < case.head_dim as usize || truth.rotary_offset > 0;
    (manifest.partial_rotary || !partial)
        && (manifest.attention_scaling || truth.plan.attention_scaling == 1.0)
        && (manifest.per_head || truth.plan.map_heads <= 1)
}

/// Runs and judges one call: what it measured, and the bytes of its outputs.
fn right(case: &Case, harness: &mut Harness) -> Result<(Measure, Vec<u8>), Stop> {
    if case.level == Level::Positions {
        let measure = positions_exact::probe(case, harness)?;
        let prepared = harness.prepare(case)?;
        return Ok((measure, output_bytes(harness, &prepared)));
    }
    let (prepared, outputs) = harness.execute(case)?;
    let measure = Judge::new(harness, case, &prepared)?.all(&outputs)?;
    Ok((measure, output_bytes(harness, &prepared)))
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
    let scheme = harness.scheme(case)?;
    let manifest = harness.backend.manifest().clone();
    let mut measure = Measure::default();
    let (part, fresh) = right(case, harness).during(Circumstance::BeforeOtherCalls)?;
    measure.add_part(part);
    let mut called = 0;
    for (difference, other) in between(case, scheme, &manifest) {
        if !offered(&other, harness, &manifest) {
            continue;
        }
        match right(&other, harness) {
            Ok(_) => called += 1,
            // Another type is judged in a group of its own; whether it is right says nothing about state.
            Err(Stop::Failed(failure)) if other.dtype != case.dtype && !failure.lost_backend() => {}
            Err(Stop::Failed(failure)) => {
                return Err(failure.during(Circumstance::CallBetween { difference }).into());
            }
            // Outside what the scheme or these types can say: nothing was called.
            Err(Stop::NotJudged(_) | Stop::Broken(_)) => continue,
        }
        let after = Circumstance::AfterCall { difference };
        let (part, again) = right(case, harness).during(after)?;
        measure.add_part(part);
        let size = element_size(case);
        let differ = elements_that_differ(&fresh, &again, size);
        if differ > 0 && claims_bits(harness) {
            let elements = Some([differ, again.len() / size]);
            let cause = Cause::BitsDiffer { than: Box::new(BitsOf::FirstCall), elements };
            return Err(Failure::of_call(cause).during(after).into());
        }
    }
    if called == 0 {
        return Err(Stop::not_judged("the manifest offers no other call"));
    }
    Ok(measure)
}
