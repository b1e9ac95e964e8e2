//! `no-sticky-state`: a call is right whatever was called before it.

use crate::backend::Manifest;
use crate::case::{Case, Consume, Level, Memory, PositionSource, Strides};
use crate::check::definition::{Check, Docs};
use crate::check::failure::{BitsOf, CallDifference, Cause, Circumstance, During, Failure, Stop};
use crate::check::generator::Generator;
use crate::check::harness::Harness;
use crate::check::judge::Judge;
use crate::check::measure::Measure;
use crate::check::offers::layout_limits;
use crate::check::positions::positions_exact;
use crate::check::schedule::{Schedule, Scheduler, layouts};
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
        // And the other way round: first a call far from the start, then those near it.
        let preset = if s.one_group_in(8) { s.wide() } else { s.small() };
        if let Some(preset) = preset
            && s.generator.max_position() / s.generator.text_step() > 2 * FAR_FIRST
        {
            let layouts = layouts(&["text:2 image:2x2 text:2"]);
            let mut case = s.case(layouts, &preset);
            if far(&mut case, FAR_FIRST, g.manifest) {
                s.plan("far", case);
            }
        }
        s.finish()
    }

    fn judge(&self, case: &Case, harness: &mut Harness) -> Result<Measure, Stop> {
        probe(case, harness)
    }
}

/// Where the calls far from the start are: beyond sizes at which tables grow or kernels change.
const FAR: [i64; 4] = [300, 2100, 9000, 1_100_000];
/// Where the first call is that is followed by calls near the start.
const FAR_FIRST: i64 = 9000;

/// Moves a call that far from the start: its positions where they are handed over; else a text is put in
/// front, of which only the end is asked for. False where the manifest offers no such call.
fn far(case: &mut Case, by: i64, manifest: &Manifest) -> bool {
    // Longer than that is no layout for a backend that has to be asked for all of it.
    const WHOLE: i64 = 2500;
    match case.level {
        Level::Rotate | Level::Apply => {
            // A cache has a row for every position.
            let cached = manifest.level(case.level).is_some_and(|level| level.consumes(Consume::CosSinCache));
            case.place = PositionSource::Layout { shift: by };
            by < manifest.max_position && !(cached && by > FAR_FIRST)
        }
        Level::Positions | Level::Fused => {
            let Ok(layout) = Layout::parse(&format!("text:{by} image:2x3 text:2")) else { return false };
            let Some(layout) = manifest.layouts.adapted(&layout).filter(|l| l.tokens() > by.unsigned_abs() + 6) else {
                return false;
            };
            case.window = manifest.token_ranges.then(|| (by.unsigned_abs() - 3, 9));
            case.layouts = vec![layout; case.layouts.len()];
            by < manifest.max_position && (manifest.token_ranges || by <= WHOLE.min(manifest.max_tokens - 8))
        }
    }
}

/// Calls that differ from `case` in one thing each, inside the manifest; some in where they are as well.
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
    let there = |by: i64| {
        let mut moved = case.clone();
        far(&mut moved, by, manifest).then_some(moved)
    };
    let moved = |c: &mut Case, to: &Case| {
        (c.layouts, c.window, c.place) = (to.layouts.clone(), to.window, to.place);
    };
    for dtype in manifest.dtypes.iter().copied().filter(|d| tensors && *d != case.dtype) {
        add(CallDifference::Dtype, &|c| c.dtype = dtype);
        if let Some(to) = there(FAR_FIRST + 300) {
            add(CallDifference::Dtype, &|c| {
                c.dtype = dtype;
                moved(c, &to);
            });
        }
    }
    // Of another length, and with a larger grid.
    let others = ["image:1x3 text:1 video:2x2x3 text:1", "text:1 video:9x6x7 image:12x5 text:30"];
    for layout in layouts(&others[..if tensors { 1 } else { 2 }]) {
        let Some(layout) = (match layout_limits(manifest, case.level) {
            Some(limits) => limits.adapted(&layout),
            None => Some(layout),
        }) else {
            continue;
        };
        add(CallDifference::Layout, &|c| {
            (c.layouts, c.window) = (vec![layout.clone(); c.layouts.len()], None);
            c.place = PositionSource::Layout { shift: 0 };
        });
    }
    let difference = if case.level == Level::Positions || case.level == Level::Fused {
        CallDifference::Layout
    } else {
        CallDifference::Positions
    };
    for to in FAR.into_iter().filter_map(there) {
        add(difference, &|c| moved(c, &to));
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
        if harness.prepare(&other).is_err() {
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
            Err(stop @ (Stop::Owed(_) | Stop::NotRun(_))) => return Err(stop),
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
