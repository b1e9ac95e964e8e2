//! `no-sticky-state`: a call is right whatever was called before it.

use crate::backend::Manifest;
use crate::case::{Case, Level, Memory, PositionSource, Strides};
use crate::check::generator::Generator;
use crate::check::judge::Judge;
use crate::check::positions::positions_exact;
use crate::check::slices::{
    add, claims_bits, element_size, elements_that_differ, layouts, output_bytes, presets, while_doing,
};
use crate::check::{Check, Docs, Failure, Halt, Harness, Measure, Planned, Schedule, Verdict};
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
            statement: "Between two equal calls comes another one, with another type, shape, layout, base, position, direction, \
                        pairing or memory layout; the second answer is as right as the first.",
            formula: "A, B, A, B', A, ...: every A within its bounds, and every B of A's type too",
            source: "huggingface/transformers 36009 (offsets of an earlier request); vLLM's and sglang's cos/sin cache stays in \
                     bf16 after one bf16 call",
            catches: "tables, offsets, scalings and types that are kept from an earlier call",
            cannot_catch: "state that needs more than one call between, or a shape that the manifest does not offer",
        }
    }

    fn levels(&self) -> &'static [Level] {
        &Level::ALL
    }

    fn schedule(&self, g: &Generator) -> Schedule {
        let mut schedule = Schedule::default();
        let mut rng = g.rng(self.id());
        let presets = presets(g);
        for (layout, preset) in layouts(&["text:2 image:2x2 text:2"]).into_iter().zip(&presets) {
            let case = g.case(self.id(), vec![layout], preset, rng.next_u64());
            schedule.cases.push(Planned { band: "-".into(), case });
        }
        schedule
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Verdict {
        probe(case, harness).unwrap_or_else(Verdict::from)
    }
}

/// Another call of the same backend, and in what it differs.
struct Between {
    what: &'static str,
    case: Case,
}

/// Calls that differ from `case` in one thing each, inside the manifest.
fn between(case: &Case, scheme: &Scheme, manifest: &Manifest) -> Vec<Between> {
    let mut all = Vec::new();
    let mut add = |what, change: &dyn Fn(&mut Case)| {
        let mut other = case.clone();
        // Other contents too: a kept result is then not the right one.
        other.seed ^= 0x5a5a;
        change(&mut other);
        all.push(Between { what, case: other });
    };
    let tensors = case.level != Level::Positions;
    for dtype in manifest.dtypes.iter().copied().filter(|d| tensors && *d != case.dtype) {
        add("another dtype", &|c| c.dtype = dtype);
    }
    // Of another length, and with a larger grid.
    if case.window.is_none()
        && let Ok(layout) = Layout::parse("image:1x3 text:1 video:2x2x3 text:1")
    {
        add("another layout", &|c| c.layouts = vec![layout.clone(); c.layouts.len()]);
    }
    // Schemes of fractional positions have no integer type.
    let types = |d: &&DType| d.is_float() == case.position_dtype.is_float() && **d != case.position_dtype;
    if let Some(dtype) = manifest.position_dtypes.iter().find(types) {
        add("another position dtype", &|c| c.position_dtype = *dtype);
    }
    if tensors {
        heads(case, manifest, &mut add);
    }
    if scheme.parameters.iter().any(|p| p.name == "base")
        && let Some(base) = other_base(case, manifest)
    {
        add("another base", &|c| {
            c.parameters.retain(|(name, _)| name != "base");
            c.parameters.push(("base".to_owned(), base.clone()));
        });
    }
    if matches!(case.level, Level::Rotate | Level::Apply) && manifest.max_position > 2000 {
        add("other positions", &|c| c.place = PositionSource::Layout { shift: 1000 });
    }
    if manifest.directions.contains(&i64::from(-case.direction)) && tensors {
        add("the other direction", &|c| c.direction = -c.direction);
    }
    let pairing = if case.pairing == Pairing::Half { Pairing::Adjacent } else { Pairing::Half };
    if manifest.pairings.contains(&pairing) && tensors {
        add("the other pairing", &|c| c.pairing = pairing);
    }
    if manifest.strides != Strides::Packed && case.memory == Memory::Packed && tensors {
        add("another memory layout", &|c| c.memory = Memory::HeadsFirst);
    }
    all
}

/// Takes what differs and a change of the case.
type AddCall<'a> = dyn FnMut(&'static str, &dyn Fn(&mut Case)) + 'a;

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
        add("other heads", &|c| (c.q_heads, c.k_heads, c.head_dim, c.rotary) = (q, k, dim, None));
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

/// Runs and judges one call.
fn right(case: &Case, harness: &mut Harness) -> Result<(Verdict, Vec<u8>), Halt> {
    if case.level == Level::Positions {
        let verdict = positions_exact::probe(case, harness)?;
        let prepared = harness.prepare(case)?;
        return Ok((verdict, output_bytes(harness, &prepared)));
    }
    let (prepared, outputs) = harness.execute(case)?;
    let verdict = Judge::new(harness, case, &prepared)?.all(&outputs);
    Ok((verdict, output_bytes(harness, &prepared)))
}

fn probe(case: &Case, harness: &mut Harness) -> Result<Verdict, Halt> {
    let scheme = harness.scheme(case)?;
    let manifest = harness.backend.manifest().clone();
    let mut measure = Measure::default();
    let (verdict, fresh) = right(case, harness)?;
    add(&mut measure, while_doing(verdict, || "before any other call".to_owned()))?;
    let mut called = 0;
    for Between { what, case: other } in between(case, scheme, &manifest) {
        if !offered(&other, harness, &manifest) {
            continue;
        }
        match right(&other, harness).map_or_else(Verdict::from, |(verdict, _)| verdict) {
            Verdict::Fail(failure) if failure.lost_backend => return Ok(Verdict::Fail(failure)),
            // Another type is judged in a group of its own; whether it is right says nothing about state.
            Verdict::Fail(_) if other.dtype != case.dtype => {}
            Verdict::Fail(failure) => {
                return Ok(while_doing(Verdict::Fail(failure), || format!("a call with {what} after the first")));
            }
            Verdict::Pass(_) => called += 1,
            // Outside what the scheme or these types can say: nothing was called.
            Verdict::NotJudged(_) | Verdict::Broken(_) => continue,
        }
        let (verdict, again) = right(case, harness)?;
        add(&mut measure, while_doing(verdict, || format!("after a call with {what}")))?;
        let differ = elements_that_differ(&fresh, &again, element_size(case));
        if differ > 0 && claims_bits(harness) {
            let mut failure = Failure::new(format!("after a call with {what}, {differ} elements have other bits"));
            failure.details.push("the values are within their bounds; the manifest claims bit_stable".to_owned());
            return Ok(Verdict::Fail(failure));
        }
    }
    if called == 0 {
        return Err(Halt::not_judged("the manifest offers no other call"));
    }
    Ok(Verdict::Pass(measure))
}
