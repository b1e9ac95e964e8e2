//! The calls of a run reach what a manifest offers: measured by a backend that writes down what it is called with, and by
//! kernels that are wrong in one region of it.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use ropecheck::backend::host::Host;
use ropecheck::backend::{Answer, Backend, BackendFactory, Manifest, StartError};
use ropecheck::case::Level;
use ropecheck::case::call::{Call, TensorView};
use ropecheck::contract::contracts;
use ropecheck::numeric::{DType, Rng};
use ropecheck::rotation::PlanCache;
use ropecheck::run::{Context, Event, ExitCode, Observer, Options, RunReport, Session};
use ropecheck::spec::Library;

/// What a call had: name and value.
type Had = BTreeSet<(&'static str, i64)>;

/// Read from the call alone, in other words than those of the suite.
fn had(call: &Call) -> Had {
    let (plan, qk) = match call {
        Call::Rotate { plan, qk, .. } | Call::Fused { plan, qk, .. } | Call::Apply { plan, qk, .. } => (plan, qk),
        Call::Positions { .. } => return Had::new(),
    };
    let number = |n: usize| i64::try_from(n).expect("small");
    let heads_before_tokens = |view: &TensorView| view.shape[1] > 1 && view.stride[1] < view.stride[2];
    let channel_stride = |view: &TensorView| view.stride[3] as i64;
    let mut all = Had::from([
        ("q_heads", number(qk.q_heads)),
        ("k_heads", number(qk.k_heads)),
        ("head_dim", number(plan.head_dim)),
        ("batch", number(qk.batch)),
        ("tokens", number(qk.tokens)),
        ("sequences", number(qk.sequences.map_or(0, |(_, count)| count))),
        ("back", i64::from(plan.direction < 0)),
        ("partial", i64::from(plan.rotary_dim < plan.head_dim)),
        ("offset", i64::from(plan.rotary_offset > 0)),
        ("in-place", i64::from(qk.q.offset == qk.q_out.offset)),
        ("q-heads-first", i64::from(heads_before_tokens(&qk.q))),
        ("q-channel-stride", channel_stride(&qk.q)),
        ("scaled", i64::from(plan.attention_scaling != 1.0)),
        ("per-head", i64::from(plan.axis_of_pair.head_stride > 0 && plan.inv_freq.head_stride > 0)),
    ]);
    if let Some(k) = &qk.k {
        all.insert(("k-heads-first", i64::from(heads_before_tokens(k))));
        all.insert(("k-channel-stride", channel_stride(k)));
    }
    all
}

/// The embedded kernel; it writes down what it is called with, and is wrong where all of `region` is there.
struct Watched {
    host: Host,
    memory: Vec<u8>,
    calls: Arc<Mutex<Vec<Had>>>,
    region: Had,
}

impl Backend for Watched {
    fn manifest(&self) -> &Manifest {
        self.host.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes, 0);
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let arena = self.host.arena(self.memory.len()).expect("memory");
        arena[..self.memory.len()].copy_from_slice(&self.memory);
        let answer = self.host.call(call);
        let bytes = self.memory.len();
        self.memory.copy_from_slice(&self.host.memory()[..bytes]);
        let had = had(call);
        if let (Some(qk), false) = (call.qk(), self.region.is_empty())
            && self.region.is_subset(&had)
        {
            // The last row of channels comes back as zeros.
            let [batch, tokens, heads, channels] = qk.q_out.shape;
            for d in 0..channels {
                let at = qk.q_out.at(batch - 1, tokens - 1, heads - 1, d);
                self.memory[at..at + qk.q_out.dtype.size()].fill(0);
            }
        }
        self.calls.lock().expect("no panic").push(had);
        answer
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

#[derive(Default)]
struct Factory {
    calls: Arc<Mutex<Vec<Had>>>,
    region: Had,
}

impl BackendFactory for Factory {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(Watched {
            host: Host::new(),
            memory: Vec::new(),
            calls: Arc::clone(&self.calls),
            region: self.region.clone(),
        }))
    }

    fn name(&self) -> &str {
        "watched"
    }
}

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}

fn run(factory: &Factory, seed: u64) -> RunReport {
    let library = Library::embedded().expect("embedded specs load");
    let contracts = contracts().expect("embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let options = Options {
        schemes: vec!["rope@default".into()],
        checks: vec!["accuracy".into()],
        levels: vec![Level::Rotate],
        dtypes: vec![DType::F32],
        cases: 1,
        seed,
        threads: 2,
        first_failure_only: true,
        ..Options::default()
    };
    Session { factory, context: &context, options: &options }.run(&mut Silent)
}

/// Sizes on both sides of every power of two, and small ones.
fn sizes(most: i64) -> Vec<i64> {
    let powers = (0..17).map(|power| 1i64 << power).flat_map(|power| [power - 1, power, power + 1]);
    powers.filter(|size| (1..=most).contains(size)).collect()
}

#[test]
fn calls_have_every_size_on_both_sides_of_powers_of_two_and_every_option_while_packed() {
    let factory = Factory::default();
    let report = run(&factory, 1);
    assert_eq!(report.finished.as_ref().map(|f| f.exit_code), Some(ExitCode::Conformant), "{:?}", report.finished);
    let calls = std::mem::take(&mut *factory.calls.lock().expect("no panic"));
    let there = |what: &[(&'static str, i64)]| calls.iter().any(|had| what.iter().all(|one| had.contains(one)));
    let mut missing = Vec::new();
    for (name, most) in
        [("q_heads", 1024), ("k_heads", 512), ("head_dim", 512), ("batch", 64), ("tokens", 65_537), ("sequences", 64)]
    {
        for size in sizes(most).into_iter().filter(|size| name != "head_dim" || size % 2 == 0) {
            if !there(&[(name, size)]) {
                missing.push(format!("{name} {size}"));
            }
        }
    }
    for option in ["back", "partial", "offset", "in-place", "q-heads-first", "k-heads-first", "scaled", "per-head"] {
        for sequences in [1, 2, 3, 8, 33, 64] {
            if !there(&[(option, 1), ("sequences", sequences)]) {
                missing.push(format!("{option} with {sequences} sequences"));
            }
        }
    }
    // Strides of q are not those of k.
    for (q, k) in [(0, 1), (1, 0)] {
        if !there(&[("q-heads-first", q), ("k-heads-first", k)]) {
            missing.push(format!("q-heads-first {q}, k-heads-first {k}"));
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn a_kernel_that_is_wrong_in_one_region_fails() {
    let mut rng = Rng::new(13);
    for seed in 1..=2 {
        let mut draw = |name: &'static str, sizes: Vec<i64>| (name, *rng.choose(&sizes).expect("sizes"));
        let one = draw("q_heads", sizes(128));
        let other = draw("batch", sizes(64));
        for region in [Had::from([one]), Had::from([other]), Had::from([one, ("back", 1)])] {
            let factory = Factory { region, ..Factory::default() };
            let report = run(&factory, seed);
            let code = report.finished.as_ref().map(|f| f.exit_code);
            assert_eq!(code, Some(ExitCode::Nonconformant), "seed {seed}: wrong at {:?}", factory.region);
        }
    }
}
