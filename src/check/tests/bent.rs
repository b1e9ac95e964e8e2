//! The embedded kernel with level fused as well, and with one thing bent: the call before it, or the memory
//! after it.

use std::sync::LazyLock;
use std::sync::atomic::AtomicBool;

use crate::backend::host::Host;
use crate::backend::manifest::LevelManifest;
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::call::{Call, PlanView, PositionView, SegmentRef, TensorView};
use crate::case::{Consume, Level};
use crate::check::{CATALOGUE, Group, Measure, Planned, Stop};
use crate::contract::ContractTable;
use crate::numeric::DType;
use crate::positions::{Layout, Segment, positions};
use crate::report::words;
use crate::rotation::PlanCache;
use crate::run::{Context, Options};
use crate::spec::Library;
use crate::spec::Parameters;
use crate::spec::model::Pairing;

/// Changes a call, or the memory behind it.
pub(super) type Bend = Box<dyn FnMut(&mut Call, &mut [u8]) + Send>;

/// Bytes at the end of the memory, for the positions that level fused makes.
const ROOM: usize = 1 << 16;

pub(super) struct Bent {
    host: Host,
    manifest: Manifest,
    memory: Vec<u8>,
    before: Bend,
    after: Bend,
}

impl Bent {
    pub(super) fn straight() -> Bent {
        let host = Host::new();
        let mut manifest = host.manifest().clone();
        let rotate = manifest.level(Level::Rotate).expect("level rotate").clone();
        let consumes = vec![Consume::Layout, Consume::AxisOfPair, Consume::InvFreq];
        manifest.levels.push((Level::Fused, LevelManifest { consumes, ..rotate }));
        manifest.position_dtypes = vec![DType::I64, DType::F64, DType::I32];
        Bent { host, manifest, memory: Vec::new(), before: Box::new(|_, _| {}), after: Box::new(|_, _| {}) }
    }

    pub(super) fn before(bend: impl FnMut(&mut Call, &mut [u8]) + Send + 'static) -> Bent {
        Bent { before: Box::new(bend), ..Bent::straight() }
    }

    pub(super) fn after(bend: impl FnMut(&mut Call, &mut [u8]) + Send + 'static) -> Bent {
        Bent { after: Box::new(bend), ..Bent::straight() }
    }

    /// With a changed manifest.
    pub(super) fn declaring(mut self, change: impl Fn(&mut Manifest)) -> Bent {
        change(&mut self.manifest);
        self
    }

    /// A fused call as one of level rotate, its positions at the end of the memory.
    fn with_positions(&mut self, call: &Call) -> Call {
        let Call::Fused { scheme: called, plan, qk, layouts, token_start } = call.clone() else { return call.clone() };
        assert_eq!(token_start, 0, "these checks ask for whole sequences");
        let scheme = LIBRARY.get(&format!("{}@{}", called.scheme, called.profile)).expect("a scheme");
        let parameters = Parameters::resolve(scheme, &[]).expect("defaults");
        let stride = [layouts.len() * qk.tokens, qk.tokens, 1];
        let view = PositionView { dtype: DType::F64, offset: self.memory.len() - ROOM, stride };
        for (b, segments) in layouts.iter().enumerate() {
            let layout = layout_of(segments);
            let found = positions(scheme, &parameters, &layout).expect("positions");
            for axis in 0..scheme.axes.len() {
                for t in 0..qk.tokens {
                    let value = found.get(axis, t as u64).expect("a position").to_f64();
                    let at = view.at(axis, b, t);
                    self.memory[at..at + 8].copy_from_slice(&value.to_le_bytes());
                }
            }
        }
        Call::Rotate { scheme: called, plan, qk, positions: view, cos_sin: None, cache: None }
    }
}

/// The layout that a call hands over.
pub(super) fn layout_of(segments: &[SegmentRef]) -> Layout {
    let segment = |s: &SegmentRef| {
        let [t, h, w] = s.grid.map(|n| u32::try_from(n).expect("small"));
        match s.kind {
            0 => Segment::Text(u32::try_from(s.tokens).expect("small")),
            1 => Segment::Image { h, w },
            _ => {
                let [num, den] = s.seconds.map(i128::from);
                let seconds = crate::numeric::Number::ratio(num, den).expect("a fraction");
                Segment::Video { t, h, w, seconds }
            }
        }
    };
    Layout::new(segments.iter().map(segment).collect()).expect("a layout")
}

impl Backend for Bent {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes + ROOM, 0);
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let mut changed = self.with_positions(call);
        (self.before)(&mut changed, &mut self.memory);
        let bytes = self.memory.len();
        self.host.arena(bytes).expect("memory").copy_from_slice(&self.memory);
        let outcome = self.host.call(&changed);
        self.memory.copy_from_slice(&self.host.memory()[..bytes]);
        (self.after)(&mut changed, &mut self.memory);
        outcome
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

pub(super) static LIBRARY: LazyLock<Library> = LazyLock::new(|| Library::embedded().expect("embedded specs load"));
static CONTRACTS: LazyLock<ContractTable> =
    LazyLock::new(|| crate::contract::contracts().expect("embedded contracts load"));
static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Shared by all tests: plans take milliseconds each.
pub(super) static CONTEXT: LazyLock<Context> = LazyLock::new(|| Context {
    library: &LIBRARY,
    contracts: &CONTRACTS,
    plans: PlanCache::new(),
    interrupted: &INTERRUPTED,
});

/// One case, from its line.
pub(super) fn verdict(line: &str, backend: &mut dyn Backend) -> Result<Measure, Stop> {
    let case: crate::case::Case = line.parse().expect("a case");
    let check = CATALOGUE.iter().find(|c| c.id() == case.check).expect("in the catalogue");
    check.judge(&case, &mut CONTEXT.harness(backend))
}

/// What became of the cases of a check.
#[derive(Debug, Default)]
pub(super) struct BentFound {
    pub(super) passed: usize,
    pub(super) failed: usize,
    pub(super) not_judged: Vec<String>,
    pub(super) elements: u64,
    pub(super) range_not_judged: u64,
    pub(super) gaps: usize,
    /// First failure.
    pub(super) why: String,
}

pub(super) fn judged(id: &str, scheme: &str, level: Level, dtype: DType, backend: &mut dyn Backend) -> BentFound {
    let context = &*CONTEXT;
    let check = *CATALOGUE.iter().find(|c| c.id() == id).expect("in the catalogue");
    assert!(check.levels().contains(&level), "{id} has no level {level}");
    let manifest = backend.manifest().clone();
    let scheme = context.library.get(scheme).expect("a scheme").id();
    let group = Group { scheme, level, pairing: Pairing::Half, dtype };
    let options = Options { cases: 1, seed: 5, ..Options::default() };
    let generator = context.generator(&group, &manifest, &options).expect("the level");
    let schedule = check.schedule(&generator);
    let mut found = BentFound { gaps: schedule.gaps.len(), ..BentFound::default() };
    for Planned { case, .. } in schedule.cases {
        let again = case.to_string().parse().expect("a case comes back from its line");
        assert_eq!(case, again);
        match check.judge(&again, &mut context.harness(backend)) {
            Ok(measure) => {
                found.passed += 1;
                found.elements += measure.elements;
                found.range_not_judged += measure.range_not_judged;
                assert!(measure.elements > 0, "{id}: passed and judged nothing: {case}");
                assert!(measure.worst <= 1.0);
            }
            Err(Stop::Failed(failure)) => {
                found.failed += 1;
                if found.why.is_empty() {
                    found.why = format!("{} in {case}", words::message(&failure).join(" "));
                }
            }
            Err(Stop::NotJudged(why)) => found.not_judged.push(why),
            Err(Stop::Owed(owed)) => found.not_judged.push(owed.why.into()),
            Err(Stop::Broken(why)) => panic!("{id}: {why}"),
            Err(Stop::NotRun(error)) => panic!("{id}: {error}"),
        }
    }
    found
}

/// The plan of a call with tensors.
pub(super) fn plan_of(call: &mut Call) -> &mut PlanView {
    match call {
        Call::Rotate { plan, .. } | Call::Fused { plan, .. } | Call::Apply { plan, .. } => plan,
        Call::Positions { .. } => panic!("no plan on level positions"),
    }
}

/// Changes every position: axis, its positions on all axes of this token, by value.
pub(super) fn each_position(call: &Call, memory: &mut [u8], change: impl Fn(usize, &[f64]) -> f64) {
    let Call::Rotate { positions, qk, scheme, .. } = call else { return };
    for (b, t) in (0..qk.batch).flat_map(|b| (0..qk.tokens).map(move |t| (b, t))) {
        let at = |axis| positions.at(axis, b, t);
        let mut old = vec![0.0; scheme.axes.len()];
        for (axis, value) in old.iter_mut().enumerate() {
            positions.dtype.decode_slice(&memory[at(axis)..][..positions.dtype.size()], std::slice::from_mut(value));
        }
        for axis in 0..old.len() {
            positions.dtype.encode_slice(&[change(axis, &old)], &mut memory[at(axis)..][..positions.dtype.size()]);
        }
    }
}

/// Changes every row of channels of a tensor.
pub(super) fn each_row(view: &TensorView, memory: &mut [u8], mut change: impl FnMut(usize, &mut [f64])) {
    let [batch, tokens, heads, channels] = view.shape;
    let size = view.dtype.size();
    for (b, t, h) in (0..batch).flat_map(|b| (0..tokens).flat_map(move |t| (0..heads).map(move |h| (b, t, h)))) {
        let mut row = vec![0.0; channels];
        for (d, value) in row.iter_mut().enumerate() {
            view.dtype.decode_slice(&memory[view.at(b, t, h, d)..][..size], std::slice::from_mut(value));
        }
        change(t, &mut row);
        for (d, value) in row.iter().enumerate() {
            view.dtype.encode_slice(&[*value], &mut memory[view.at(b, t, h, d)..][..size]);
        }
    }
}

/// Changes every number of `q_out`.
pub(super) fn each_output(call: &Call, memory: &mut [u8], change: impl Fn(f64) -> f64) {
    let Some(qk) = call.qk() else { return };
    each_row(&qk.q_out, memory, |_, row| row.iter_mut().for_each(|v| *v = change(*v)));
}
