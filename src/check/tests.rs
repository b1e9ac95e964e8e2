//! Each check passes the embedded kernel and fails a kernel with the defect it is there for. The defects are
//! made by changing the call before the embedded kernel sees it, so that they are exactly one thing each.

mod bent;
mod laws;
mod regions;
mod shapes;
mod special;

use std::sync::atomic::AtomicBool;

use super::{CATALOGUE, Check, Group, Stop};
use crate::backend::host::Host;
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::Level;
use crate::case::call::Call;
use crate::numeric::DType;
use crate::report::words;
use crate::rotation::PlanCache;
use crate::run::{Context, Options};
use crate::spec::Library;
use crate::spec::model::Pairing;

/// The embedded kernel behind a change of the call (before) and of the memory (after).
pub(super) struct Mutant {
    pub(super) host: Host,
    pub(super) before: fn(&mut Call, &mut [u8]),
    pub(super) after: fn(&Call, &mut [u8]),
    pub(super) memory: Vec<u8>,
}

impl Backend for Mutant {
    fn manifest(&self) -> &Manifest {
        self.host.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes, 0);
        Ok(&mut self.memory)
    }

    fn call(&mut self, call: &Call) -> Answer {
        let mut changed = call.clone();
        (self.before)(&mut changed, &mut self.memory);
        let arena = self.host.arena(self.memory.len()).expect("memory");
        arena.copy_from_slice(&self.memory);
        let outcome = self.host.call(&changed);
        let bytes = self.memory.len();
        self.memory.copy_from_slice(&self.host.memory()[..bytes]);
        (self.after)(call, &mut self.memory);
        outcome
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

/// How many cases of a check fail and pass, and the first failure's summary.
pub(super) fn outcome(id: &str, scheme: &str, dtype: DType, backend: &mut dyn Backend) -> (usize, usize, String) {
    let library = Library::embedded().expect("embedded specs load");
    let contracts = crate::contract::contracts().expect("embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let check: &dyn Check = *CATALOGUE.iter().find(|c| c.id() == id).expect("in the catalogue");
    let manifest = backend.manifest().clone();
    let scheme = library.get(scheme).expect("a scheme").id();
    let group = Group { scheme, level: Level::Rotate, pairing: Pairing::Half, dtype };
    let options = Options { cases: 1, seed: 11, ..Options::default() };
    let generator = context.generator(&group, &manifest, &options).expect("level rotate");
    let (mut failed, mut passed, mut first) = (0, 0, String::new());
    for planned in check.schedule(&generator).cases {
        match check.judge(&planned.case, &mut context.harness(backend)) {
            Ok(_) => passed += 1,
            Err(Stop::Failed(failure)) => {
                failed += 1;
                if first.is_empty() {
                    first = words::message(&failure).join(" ");
                }
            }
            Err(Stop::NotJudged(_) | Stop::Owed(_)) => {}
            Err(Stop::Broken(why)) => panic!("{id}: {why}"),
            Err(Stop::NotRun(error)) => panic!("{id}: {error}"),
        }
    }
    (failed, passed, first)
}

pub(super) fn nothing(_: &mut Call, _: &mut [u8]) {}
fn nothing_after(_: &Call, _: &mut [u8]) {}

fn plan_of(call: &mut Call) -> &mut crate::case::call::PlanView {
    match call {
        Call::Rotate { plan, .. } | Call::Fused { plan, .. } | Call::Apply { plan, .. } => plan,
        Call::Positions { .. } => panic!("no plan on level positions"),
    }
}

fn swap_axes(call: &mut Call, memory: &mut [u8]) {
    let plan = plan_of(call);
    for axis in &mut memory[plan.axis_of_pair.offset..][..plan.rotary_dim / 2] {
        *axis = match *axis {
            1 => 2,
            2 => 1,
            other => other,
        };
    }
}

fn other_base(call: &mut Call, memory: &mut [u8]) {
    let plan = plan_of(call);
    for pair in 0..plan.rotary_dim / 2 {
        let at = plan.inv_freq.offset + 8 * pair;
        let mut bytes = [0; 8];
        bytes.copy_from_slice(&memory[at..at + 8]);
        memory[at..at + 8].copy_from_slice(&f64::from_le_bytes(bytes).powf(0.9).to_le_bytes());
    }
}

fn other_pairing(call: &mut Call, _: &mut [u8]) {
    plan_of(call).pairing = Pairing::Adjacent;
}

fn other_way(call: &mut Call, _: &mut [u8]) {
    plan_of(call).direction *= -1;
}

/// A store that cuts off: one unit towards zero in the last place, wherever the last bit is set.
fn truncated(call: &Call, memory: &mut [u8]) {
    let Some(qk) = call.qk() else { return };
    let view = qk.q_out;
    let [batch, tokens, heads, channels] = view.shape;
    for b in 0..batch {
        for t in 0..tokens {
            for h in 0..heads {
                for d in 0..channels {
                    memory[view.at(b, t, h, d)] &= 0xfc;
                }
            }
        }
    }
}

/// Overwrites every element of q_out.
fn filled(call: &Call, memory: &mut [u8], pattern: [u8; 2]) {
    let Some(view) = call.qk().map(|qk| qk.q_out) else { return };
    let size = view.dtype.size();
    let [batch, tokens, heads, channels] = view.shape;
    for (b, t) in (0..batch).flat_map(|b| (0..tokens).map(move |t| (b, t))) {
        for (h, d) in (0..heads).flat_map(|h| (0..channels).map(move |d| (h, d))) {
            let at = view.at(b, t, h, d);
            memory[at..at + size].chunks_exact_mut(2).for_each(|half| half.copy_from_slice(&pattern));
        }
    }
}

fn zeros(call: &Call, memory: &mut [u8]) {
    filled(call, memory, [0, 0]);
}

fn poison(call: &Call, memory: &mut [u8]) {
    filled(call, memory, [0xff, 0xff]);
}

/// 0x7fff and 0x7fff7fff: NaN in every type, and not the poison.
fn nans(call: &Call, memory: &mut [u8]) {
    filled(call, memory, [0xff, 0x7f]);
}

/// Keys one position later than queries cannot be said in one call; an angle that grows with the position
/// can.
fn drifting(call: &mut Call, memory: &mut [u8]) {
    let Call::Rotate { positions, qk, scheme, .. } = call else { return };
    for axis in 0..scheme.axes.len() {
        for t in 0..qk.tokens {
            let at = positions.at(axis, 0, t);
            if positions.dtype == DType::I64 {
                let mut bytes = [0; 8];
                bytes.copy_from_slice(&memory[at..at + 8]);
                let p = i64::from_le_bytes(bytes);
                memory[at..at + 8].copy_from_slice(&(p + p / 16).to_le_bytes());
            }
        }
    }
}

/// Every token at the position after its own.
fn one_late(call: &mut Call, memory: &mut [u8]) {
    bent::each_position(call, memory, |axis, old| old[axis] + 1.0);
}

/// Every token but the first at the position before its own: no one frequency, and no one shift.
fn one_early_from_one(call: &mut Call, memory: &mut [u8]) {
    bent::each_position(call, memory, |axis, old| (old[axis] - 1.0).max(0.0));
}

#[test]
fn every_check_of_rotation_passes_the_embedded_kernel_and_fails_its_own_defect() {
    type Before = fn(&mut Call, &mut [u8]);
    type Spoil = fn(&Call, &mut [u8]);
    let cases: [(&str, Before, Spoil, &str); 14] = [
        ("controls", nothing, zeros, "zero"),
        ("controls", nothing, poison, "nothing was written"),
        ("controls", nothing, nans, "every element was written, and is NaN"),
        ("axis-map-probe", swap_axes, nothing_after, "turns with w, the scheme says h"),
        ("frequency-probe", other_base, nothing_after, "per position, the scheme says"),
        ("frequency-probe", one_late, nothing_after, "pair 0 turns at positions off by +1, as fast as the scheme says"),
        ("frequency-probe", one_early_from_one, nothing_after, "pair 0 turns at no one frequency, the scheme says 1.0"),
        ("frequency-probe", nothing, nans, "pair 0 is (NaN, NaN) after (1, 0) at position 0, the scheme says (1.0"),
        ("pairing-probe", other_pairing, nothing_after, "the kernel pairs adjacent, half was asked for"),
        ("pairing-probe", other_way, nothing_after, "opposite sign"),
        ("superposition", nothing, truncated, "differ"),
        ("accuracy", other_way, nothing_after, "allowed"),
        ("relative-position", drifting, nothing_after, "inner product changes"),
        ("text-equals-1d", other_base, nothing_after, "allowed"),
    ];
    for (id, before, after, says) in cases {
        for dtype in [DType::F32, DType::F16, DType::BF16] {
            let (failed, passed, why) = outcome(id, "m-rope", dtype, &mut Host::new());
            assert!(failed == 0 && passed > 0, "{id} {dtype:?} on the embedded kernel: {failed} failed: {why}");
            let mut mutant = Mutant { host: Host::new(), before, after, memory: Vec::new() };
            let (failed, _, why) = outcome(id, "m-rope", dtype, &mut mutant);
            assert!(failed > 0, "{id} {dtype:?} does not see its defect");
            assert!(why.contains(says), "{id} {dtype:?}: {why}");
        }
    }
}

#[test]
fn degenerates_to_1d_is_judged_where_a_scheme_states_it() {
    let (failed, passed, why) = outcome("degenerates-to-1d", "vrope", DType::F32, &mut Host::new());
    assert!(failed == 0 && passed > 0, "{why}");
    let mut mutant = Mutant { host: Host::new(), before: drifting, after: nothing_after, memory: Vec::new() };
    // Positions of this layout stay below 16 unless they drift from the start: another base shows instead.
    mutant.before = other_base;
    let (failed, ..) = outcome("degenerates-to-1d", "vrope", DType::F32, &mut mutant);
    assert!(failed > 0);
    let (_, passed, _) = outcome("degenerates-to-1d", "m-rope", DType::F32, &mut Host::new());
    assert_eq!(passed, 0, "m-rope states that it fails");
}
