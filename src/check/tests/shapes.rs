//! A kernel that is wrong on groups of heads, on wide heads or on partly rotated ones alone is found by the check that is there
//! for its defect, in every group.

use std::sync::atomic::{AtomicBool, Ordering};

use super::bent::{Bent, CONTEXT, each_row, judged, plan_of};
use super::laws::TYPES;
use crate::backend::Backend as _;
use crate::case::Level;
use crate::case::call::Call;
use crate::check::{CATALOGUE, Group};
use crate::numeric::DType;
use crate::rotation::NO_AXIS;
use crate::run::Options;
use crate::spec::model::Pairing;

/// Where a kernel is wrong.
type Region = (&'static str, fn(&mut Call) -> bool);

const GROUPED: Region = ("groups of heads", |call| call.qk().is_some_and(|qk| (2..qk.q_heads).contains(&qk.k_heads)));
const WIDE: Region = ("128 channels and more", |call| plan_of(call).head_dim >= 128);
const PARTIAL: Region = ("partly rotated heads", |call| plan_of(call).rotary_dim < plan_of(call).head_dim);

/// What a defect does there: before the embedded kernel, or after it.
#[derive(Clone, Copy)]
enum Defect {
    Before(fn(&mut Call, &mut [u8])),
    After(fn(&mut Call, &mut [u8])),
}
use Defect::{After, Before};

fn bent(region: Region, defect: Defect) -> Bent {
    match defect {
        Before(spoil) => Bent::before(move |call, memory| {
            if region.1(call) {
                spoil(call, memory);
            }
        }),
        After(spoil) => Bent::after(move |call, memory| {
            if region.1(call) {
                spoil(call, memory);
            }
        }),
    }
}

fn zero(memory: &mut [u8], at: usize, dtype: DType) {
    memory[at..at + dtype.size()].fill(0);
}

/// The first number of a row of `q_out` becomes NaN where the row before it, of this dimension, was.
fn leak(call: &Call, memory: &mut [u8], dimension: usize) {
    let Some(qk) = call.qk() else { return };
    if qk.q_out.shape[dimension] < 2 {
        return;
    }
    let (size, mut before) = (qk.q.dtype.size(), [0.0]);
    qk.q.dtype.decode_slice(&memory[qk.q.at(0, 0, 0, 0)..][..size], &mut before);
    if before[0].is_nan() {
        let mut at = [0; 3];
        at[dimension] = 1;
        let at = qk.q_out.at(at[0], at[1], at[2], 0);
        qk.q.dtype.encode_slice(&before, &mut memory[at..][..size]);
    }
}

/// Every second call, of all.
static ODD: AtomicBool = AtomicBool::new(false);

const DEFECTS: [(&str, &[Region], Defect); 18] = [
    (
        "guards",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(k) = call.qk().and_then(|qk| qk.k_out) else { return };
            let [batch, tokens, heads, channels] = k.shape;
            memory[k.at(batch - 1, tokens - 1, heads - 1, channels - 1) + k.dtype.size()] ^= 1;
        }),
    ),
    (
        "inputs-untouched",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(qk) = call.qk().filter(|qk| qk.q != qk.q_out) else { return };
            memory[qk.q.at(0, 1, 0, 3)] ^= 1;
        }),
    ),
    (
        "fully-written",
        &[GROUPED, WIDE, PARTIAL],
        After(|call, memory| {
            let Some(q) = call.qk().map(|qk| qk.q_out) else { return };
            let (at, poison) = (q.at(0, 1, 0, 3), memory[q.offset - 1]);
            memory[at..at + q.dtype.size()].fill(poison);
        }),
    ),
    (
        "in-place",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(qk) = call.qk().filter(|qk| qk.q == qk.q_out) else { return };
            zero(memory, qk.q.at(0, 1, 0, 0), qk.q.dtype);
        }),
    ),
    (
        "strides",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(q) = call.qk().map(|qk| qk.q_out) else { return };
            if q.stride[2] > q.shape[3].cast_signed() {
                memory[q.at(0, 0, 0, 0) + q.stride[2].unsigned_abs() * q.dtype.size() - 1] ^= 1;
            }
        }),
    ),
    (
        "passthrough",
        &[GROUPED, WIDE, PARTIAL],
        After(|call, memory| {
            let offset = plan_of(call).rotary_offset;
            let Some(q) = call.qk().map(|qk| qk.q_out) else { return };
            let outside = if offset > 0 { 0 } else { q.shape[3] - 1 };
            (0..q.shape[1]).for_each(|token| zero(memory, q.at(0, token, 0, outside), q.dtype));
        }),
    ),
    (
        "many-rows",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(qk) = call.qk() else { return };
            if qk.tokens * qk.q_heads * qk.q.shape[3] / 2 > 1 << 16 {
                zero(memory, qk.q_out.at(0, qk.tokens - 1, 0, 0), qk.q.dtype);
            }
        }),
    ),
    (
        "empty",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(qk) = call.qk().filter(|qk| qk.batch == 0) else { return };
            memory[qk.q_out.offset] ^= 1;
        }),
    ),
    (
        "position-beyond-limit",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Call::Rotate { positions, qk, .. } = call else { return };
            // Little endian: a position above 2^31 has a 1 there.
            if memory[positions.at(0, 0, 0) + 3] & 0x80 != 0 {
                zero(memory, qk.q_out.at(0, 0, 0, qk.q.shape[3] - 1), qk.q.dtype);
            }
        }),
    ),
    (
        "axis-map-probe",
        &[PARTIAL],
        Before(|call, memory| {
            let plan = plan_of(call);
            memory[plan.axis_of_pair.offset..][..plan.rotary_dim / 2].fill(NO_AXIS);
        }),
    ),
    (
        "frequency-probe",
        &[PARTIAL],
        Before(|call, memory| {
            let at = plan_of(call).inv_freq.offset;
            memory[at..at + 8].copy_from_slice(&0.9f64.to_le_bytes());
        }),
    ),
    ("pairing-probe", &[PARTIAL], Before(|call, _| plan_of(call).pairing = Pairing::Adjacent)),
    (
        "superposition",
        &[PARTIAL],
        After(|call, memory| {
            let Some(q) = call.qk().map(|qk| qk.q_out) else { return };
            each_row(&q, memory, |_, row| row.iter_mut().for_each(|v| *v = (*v * 16.0).trunc() / 16.0));
        }),
    ),
    ("token-independence", &[GROUPED, WIDE], After(|call, memory| leak(call, memory, 1))),
    ("head-independence", &[GROUPED, WIDE], After(|call, memory| leak(call, memory, 2))),
    ("batch-independence", &[GROUPED, WIDE], After(|call, memory| leak(call, memory, 0))),
    (
        "q-k-independence",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some((q, k)) = call.qk().and_then(|qk| Some((qk.q, qk.k_out?))) else { return };
            let [from, to] = [q.at(0, 0, 0, 0), k.at(0, 0, 0, 0)];
            memory.copy_within(from..from + q.dtype.size(), to);
        }),
    ),
    (
        "deterministic",
        &[GROUPED, WIDE],
        After(|call, memory| {
            let Some(q) = call.qk().map(|qk| qk.q_out) else { return };
            memory[q.at(0, 1, 0, 0)] ^= u8::from(ODD.fetch_not(Ordering::Relaxed));
        }),
    ),
];

#[test]
fn a_kernel_that_is_wrong_on_some_heads_alone_is_found() {
    for (id, regions, defect) in DEFECTS {
        for scheme in ["m-rope", "rope"] {
            for dtype in TYPES {
                // One group is all that such a manifest makes: what is seen is seen in it.
                let alone = |bent: Bent| {
                    bent.declaring(|m| {
                        (m.dtypes, m.pairings) = (vec![dtype], vec![Pairing::Half]);
                        m.levels.iter_mut().for_each(|(_, level)| level.schemes = vec![scheme.to_owned()]);
                    })
                };
                let honest = judged(id, scheme, Level::Rotate, dtype, &mut alone(Bent::straight()));
                assert!(honest.failed == 0 && honest.passed > 0, "{id} {scheme} {dtype}: {}", honest.why);
                for region in regions {
                    let found = judged(id, scheme, Level::Rotate, dtype, &mut alone(bent(*region, defect)));
                    assert!(found.failed > 0, "{id} {scheme} {dtype} does not see what is wrong on {}", region.0);
                }
            }
        }
    }
}

/// Checks whose defects this process cannot have: memory with holes, packed calls, and state that takes a far call to see.
#[test]
fn groups_of_wide_heads_are_planned_for_small_manifests() {
    let manifest = Bent::straight()
        .declaring(|m| {
            (m.dtypes, m.pairings) = (vec![DType::F32], vec![Pairing::Half]);
            m.levels.iter_mut().for_each(|(_, level)| level.schemes = vec!["m-rope".to_owned()]);
        })
        .manifest()
        .clone();
    for (id, seed) in
        ["far-strides", "packed-sequences", "no-sticky-state"].into_iter().flat_map(|id| [(id, 1), (id, 2)])
    {
        let group = Group {
            scheme: CONTEXT.library.get("m-rope").expect("a scheme").id(),
            level: Level::Rotate,
            pairing: Pairing::Half,
            dtype: DType::F32,
        };
        let options = Options { cases: 1, seed, ..Options::default() };
        let generator = CONTEXT.generator(&group, &manifest, &options).expect("the level");
        let check = CATALOGUE.iter().find(|check| check.id() == id).expect("in the catalogue");
        let cases = check.schedule(&generator).cases;
        let wide = cases.iter().find(|p| p.case.head_dim >= 128 && (2..p.case.q_heads).contains(&p.case.k_heads));
        assert!(wide.is_some(), "{id} {seed}");
    }
}
