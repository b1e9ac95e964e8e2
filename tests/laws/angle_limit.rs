//! A kernel that writes anything beyond the angle limit of its contract passes no check for it and fails
//! none; the same kernel under a contract without a limit fails. Nothing that the limit leaves is let
//! through.

use std::sync::atomic::AtomicBool;

use ropecheck::backend::host::Host;
use ropecheck::backend::{Answer, Backend, Call, Manifest, StartError};
use ropecheck::case::{Level, channels_of_pair};
use ropecheck::check::{CATALOGUE, Group, Stop};
use ropecheck::numeric::DType;
use ropecheck::report::words;
use ropecheck::rotation::PlanCache;
use ropecheck::run::{Context, Options};
use ropecheck::spec::Library;
use ropecheck::spec::model::Pairing;

/// The embedded kernel, and what is written over its output where |angle| > `from`.
struct Beyond {
    host: Host,
    memory: Vec<u8>,
    from: f64,
    garbage: f64,
}

impl Beyond {
    fn overwrite(&mut self, call: &Call) {
        let Call::Rotate { plan, qk, positions, .. } = call else { return };
        let pairs = plan.rotary_dim / 2;
        let f64_at = |memory: &[u8], at: usize| f64::from_le_bytes(memory[at..at + 8].try_into().expect("8 bytes"));
        for view in [Some(qk.q_out), qk.k_out].into_iter().flatten() {
            let [batch, tokens, heads, _] = view.shape;
            for (b, t) in (0..batch).flat_map(|b| (0..tokens).map(move |t| (b, t))) {
                for pair in 0..pairs {
                    let axis = usize::from(self.memory[plan.axis_of_pair.offset + pair]);
                    let frequency = f64_at(&self.memory, plan.inv_freq.offset + 8 * pair);
                    let at = positions.at(axis, b, t);
                    let position = positions.dtype.decode_at(&self.memory[at..], 0);
                    if (position * frequency).abs() <= self.from {
                        continue;
                    }
                    let (first, second) = channels_of_pair(plan.pairing, plan.rotary_dim, plan.rotary_offset, pair);
                    for (h, d) in (0..heads).flat_map(|h| [(h, first), (h, second)]) {
                        let bits = view.dtype.encode(self.garbage);
                        let at = view.at(b, t, h, d);
                        view.dtype.put_bits(&mut self.memory[at..], 0, bits);
                    }
                }
            }
        }
    }
}

impl Backend for Beyond {
    fn manifest(&self) -> &Manifest {
        self.host.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(self.memory.len().max(bytes), 0);
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let bytes = self.memory.len();
        self.host.arena(bytes).expect("memory").copy_from_slice(&self.memory);
        let outcome = self.host.call(call);
        self.memory.copy_from_slice(&self.host.memory()[..bytes]);
        self.overwrite(call);
        outcome
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

/// (passed, failed, not judged, elements beyond the limit) of all cases of a check.
fn outcome(id: &str, contract: &str, from: f64, garbage: f64) -> (usize, usize, usize, u64) {
    let library = Library::embedded().expect("embedded specs load");
    let mut contracts = ropecheck::contract::contracts().expect("embedded contracts load");
    contracts.declare(contract).expect("a contract");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let mut backend = Beyond { host: Host::new(), memory: Vec::new(), from, garbage };
    let manifest = backend.manifest().clone();
    let scheme = library.get("m-rope").expect("a scheme").id();
    let group = Group { scheme, level: Level::Rotate, pairing: Pairing::Half, dtype: DType::F32 };
    let options = Options { cases: 1, seed: 5, ..Options::default() };
    let generator = context.generator(&group, &manifest, &options).expect("level rotate");
    let check = *CATALOGUE.iter().find(|c| c.id() == id).expect("in the catalogue");
    let mut all = (0, 0, 0, 0);
    for planned in check.schedule(&generator).cases {
        match check.judge(&planned.case, &mut context.harness(&mut backend)) {
            Ok(measure) => {
                all.0 += usize::from(measure.elements > 0);
                all.2 += usize::from(measure.elements == 0);
                all.3 += measure.beyond_angle_limit;
                assert!(
                    measure.beyond_angle_limit == 0
                        || measure
                            .notes
                            .iter()
                            .any(|note| note.starts_with("angles beyond") && note.contains("class fast")),
                    "{id}: {:?}",
                    measure.notes
                );
            }
            Err(Stop::Failed(failure)) => {
                all.1 += 1;
                println!("{id}: {}", words::summary(&failure));
            }
            Err(Stop::NotJudged(_) | Stop::Owed(_)) => all.2 += 1,
            Err(Stop::NotRun(error)) => panic!("{id}: {error}"),
            Err(Stop::Broken(why)) => panic!("{id}: {why}"),
        }
    }
    all
}

const PROBES: [&str; 5] = ["accuracy", "axis-map-probe", "frequency-probe", "pairing-probe", "relative-position"];

#[test]
fn what_lies_beyond_the_limit_neither_passes_nor_fails() {
    for id in PROBES {
        let (passed, failed, _, beyond) = outcome(id, "fast/table", 3.3, f64::NAN);
        assert!(failed == 0 && passed > 0 && beyond > 0, "{id}: {passed} {failed} {beyond}");
        // Without the limit the same kernel is wrong.
        let (_, failed, ..) = outcome(id, "fused/table", 3.3, f64::NAN);
        assert!(failed > 0, "{id}");
        // What is wrong within the limit is found.
        let (_, failed, ..) = outcome(id, "fast/table", 2.0, 0.125);
        assert!(failed > 0, "{id}");
    }
}

#[test]
fn a_limit_of_nothing_leaves_nothing_to_pass() {
    // Position 0 alone has the angle 0, and it shows no frequency.
    let (passed, failed, not_judged, beyond) = outcome("frequency-probe", "fast/table,angle_limit=0", 0.0, f64::NAN);
    assert!(passed == 0 && failed == 0 && not_judged > 0 && beyond > 0);
    // The angle does not matter to superposition, so it is judged all the same.
    let (passed, failed, ..) = outcome("superposition", "fast/table,angle_limit=0", 1e30, 0.0);
    assert!(passed > 0 && failed == 0);
}
