//! A kernel that takes only some layouts, and some values of scheme parameters, is judged on those and on no
//! others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use ropecheck::backend::emulated::{Emulated, Emulation, Shared};
use ropecheck::backend::layout_limits::LayoutLimits;
use ropecheck::backend::manifest::Integers;
use ropecheck::backend::parameter_offer::{OfferedValues, ParameterOffer};
use ropecheck::backend::{Answer, Backend, BackendFactory, Manifest, StartError};
use ropecheck::case::call::{Call, ParameterValue, SegmentRef};
use ropecheck::case::{Alias, Dimension, Level, Strides};
use ropecheck::contract::contracts;
use ropecheck::numeric::{DType, Number};
use ropecheck::positions::SegmentKind;
use ropecheck::rotation::PlanCache;
use ropecheck::run::{Context, Event, ExitCode, Observer, Options, RunReport, Session};
use ropecheck::spec::Library;
use ropecheck::spec::model::Pairing;

/// What a port's position function takes: said here in other words than the suite's.
#[derive(Clone)]
struct Takes {
    layout: fn(&[SegmentRef]) -> bool,
    parameter: fn(&ParameterValue) -> bool,
}

/// What is wrong with a port: in calls of which it is true an output is off. Or it ignores a parameter.
#[derive(Clone, Copy)]
enum Bug {
    None,
    Where(fn(&[SegmentRef]) -> bool),
    Ignores(&'static str),
}

/// An honest kernel behind a port that refuses what it does not take.
#[derive(Clone)]
struct Port {
    emulation: Emulation,
    shared: Arc<Shared>,
    takes: Takes,
    bug: Bug,
}

struct PortBackend {
    inner: Emulated,
    manifest: Manifest,
    takes: Takes,
    bug: Bug,
    memory: Vec<u8>,
}

impl Backend for PortBackend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes, 0);
        Ok(&mut self.memory)
    }

    fn call(&mut self, call: &Call) -> Answer {
        let mut call = call.clone();
        let (Call::Positions { scheme, layouts, .. } | Call::Fused { scheme, layouts, .. }) = &mut call else {
            return Answer::Internal("no such level".into());
        };
        if let Some(layout) = layouts.iter().find(|layout| !layout.is_empty() && !(self.takes.layout)(layout)) {
            return Answer::Unsupported(format!("a layout that is not taken: {layout:?}").into());
        }
        if let Some(one) = scheme.parameters.iter().find(|one| !(self.takes.parameter)(one)) {
            return Answer::Unsupported(format!("a value that is not taken: {one:?}").into());
        }
        if let Bug::Ignores(name) = self.bug {
            scheme.parameters.retain(|one| one.name != name);
        }
        let wrong = matches!(self.bug, Bug::Where(holds) if layouts.iter().any(|layout| holds(layout)));
        let bytes = self.memory.len();
        self.inner.arena(bytes).expect("memory")[..bytes].copy_from_slice(&self.memory);
        let answer = self.inner.call(&call);
        self.memory.copy_from_slice(&self.inner.memory()[..bytes]);
        if wrong && answer == Answer::Ok {
            let (at, size) = match &call {
                Call::Positions { out, .. } => (out.at(0, 0, 0), out.dtype.size()),
                call => call.qk().map_or((0, 0), |qk| (qk.q_out.at(0, 0, 0, 0), 2 * qk.q_out.dtype.size())),
            };
            self.memory[at..at + size].iter_mut().for_each(|byte| *byte ^= 0x35);
        }
        answer
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

impl BackendFactory for Port {
    fn start(&self) -> Result<Box<dyn Backend>, StartError> {
        Ok(Box::new(PortBackend {
            inner: Emulated::new(self.emulation.clone(), Arc::clone(&self.shared)),
            manifest: self.emulation.manifest.clone(),
            takes: self.takes.clone(),
            bug: self.bug,
            memory: Vec::new(),
        }))
    }

    fn name(&self) -> &str {
        "a port"
    }
}

/// A port of few shapes, with what its manifest says of layouts and parameters.
fn port(layouts: LayoutLimits, parameters: &[(&str, OfferedValues)], takes: Takes, bug: Bug) -> Port {
    let contracts = contracts().expect("embedded contracts load");
    let mut emulation = Emulation::honest(&contracts, "fused", "pow-reciprocal").expect("a contract");
    let m = &mut emulation.manifest;
    m.levels.retain(|(level, _)| *level != Level::Rotate);
    m.dtypes = vec![DType::F32];
    m.levels.iter_mut().for_each(|(_, level)| level.contracts.retain(|(dtype, _)| *dtype == DType::F32));
    (m.pairings, m.head_dims) = (vec![Pairing::Half], Integers::List(vec![64]));
    (m.q_heads, m.k_heads) = (Integers::List(vec![1, 2]), Integers::List(vec![1]));
    (m.position_dtypes, m.partial_rotary, m.layouts) = (vec![DType::I64, DType::F64], false, layouts);
    // Few other options: this is about layouts and parameters.
    (m.max_tokens, m.max_position) = (512, 1 << 17);
    (m.alias, m.strides, m.directions) = (vec![Alias::Out], Strides::Packed, vec![1]);
    (m.attention_scaling, m.per_head) = (false, false);
    let offer =
        |(name, values): &(&str, OfferedValues)| ParameterOffer { name: (*name).into(), values: values.clone() };
    m.parameters = (!parameters.is_empty()).then(|| parameters.iter().map(offer).collect());
    let library = Arc::new(Library::embedded().expect("embedded specs load"));
    Port { emulation, shared: Arc::new(Shared::new(library)), takes, bug }
}

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &Event) {}
}

fn run(port: &Port, scheme: &str, seed: u64, checks: &[&str]) -> RunReport {
    let library = Library::embedded().expect("embedded specs load");
    let contracts = contracts().expect("embedded contracts load");
    let interrupted = AtomicBool::new(false);
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let options = Options {
        schemes: vec![scheme.into()],
        checks: checks.iter().map(|check| (*check).to_owned()).collect(),
        cases: 1,
        seed,
        threads: 2,
        first_failure_only: true,
        ..Options::default()
    };
    Session { factory: port, context: &context, options: &options }.run(&mut Silent)
}

fn code(report: &RunReport) -> Option<ExitCode> {
    report.finished.as_ref().map(|finished| finished.exit_code)
}

/// Every check that failed, with its case.
fn failures(report: &RunReport) -> Vec<String> {
    let all = report.results.iter().flat_map(|r| r.failures.iter().map(move |f| (r, f)));
    all.map(|(result, failure)| format!("{} {}: {:?}", result.level, failure.case, failure.failure.cause)).collect()
}

/// Classes of layouts that were not reached on level positions.
fn missed(report: &RunReport) -> Vec<String> {
    let of_layouts = [Dimension::Segments, Dimension::Neighbours, Dimension::Frames, Dimension::Seconds];
    let finished = report.finished.as_ref().expect("a run");
    let reach = finished.reach.iter().find(|reach| reach.level == Level::Positions).expect("the level");
    let missed = of_layouts.iter().filter_map(|dimension| reach.of(*dimension));
    missed.flat_map(|one| one.not_reached.iter().map(|class| format!("{} {class}", one.dimension.name()))).collect()
}

/// Every reason for which something was left out.
fn reasons(report: &RunReport) -> BTreeSet<String> {
    let gaps = report.results.iter().flat_map(|r| r.gaps.iter().map(|gap| gap.why.clone()));
    let cases = report.results.iter().flat_map(|r| r.bands.values()).flat_map(|band| band.reasons.iter().cloned());
    gaps.chain(cases).collect()
}

fn any_value(_: &ParameterValue) -> bool {
    true
}

fn is_visual(segment: &SegmentRef) -> bool {
    segment.kind != 0
}

/// Text first, text between images and videos, videos of one frame, eight segments at most.
fn frame_by_frame(bug: Bug) -> Port {
    let layout = |layout: &[SegmentRef]| {
        let beside = layout.windows(2).any(|pair| pair.iter().all(is_visual));
        !is_visual(&layout[0]) && !beside && layout.len() <= 8 && layout.iter().all(|s| s.kind != 2 || s.grid[0] == 1)
    };
    let limits = LayoutLimits {
        text_before: true,
        text_between: true,
        frames: Integers::List(vec![1]),
        segments: 8,
        ..LayoutLimits::default()
    };
    port(limits, &[], Takes { layout, parameter: any_value }, bug)
}

/// Three segments of text and images.
fn images(bug: Bug) -> Port {
    let layout = |layout: &[SegmentRef]| layout.len() <= 3 && layout.iter().all(|s| s.kind < 2);
    let limits =
        LayoutLimits { segments: 3, kinds: vec![SegmentKind::Text, SegmentKind::Image], ..LayoutLimits::default() };
    port(limits, &[], Takes { layout, parameter: any_value }, bug)
}

/// Videos alone, of an even number of frames.
fn videos(bug: Bug) -> Port {
    let layout = |layout: &[SegmentRef]| layout.iter().all(|s| s.kind == 2 && s.grid[0] % 2 == 0 && s.grid[0] <= 96);
    let limits = LayoutLimits {
        frames: Integers::Range { min: 2, max: 96, multiple: 2 },
        kinds: vec![SegmentKind::Video],
        ..LayoutLimits::default()
    };
    port(limits, &[], Takes { layout, parameter: any_value }, bug)
}

fn number(text: &str) -> Number {
    Number::parse(text).expect("a number")
}

fn any_layout(_: &[SegmentRef]) -> bool {
    true
}

/// Reads tokens_per_second from 1 to 30.
fn reads_rate(bug: Bug) -> Port {
    let parameter = |one: &ParameterValue| one.name != "tokens_per_second" || (1.0..=30.0).contains(&one.value);
    let values = OfferedValues::Range(number("1"), number("30"));
    let takes = Takes { layout: any_layout, parameter };
    port(LayoutLimits::default(), &[("tokens_per_second", values)], takes, bug)
}

/// Has two distances of frames, and neither is the scheme's default.
fn two_distances(bug: Bug) -> Port {
    let parameter = |one: &ParameterValue| one.name != "delta" || [1.0, 4.0].contains(&one.value);
    let values = OfferedValues::List(vec![number("1"), number("4")]);
    let takes = Takes { layout: any_layout, parameter };
    port(LayoutLimits::default(), &[("delta", values)], takes, bug)
}

fn passes(make: fn(Bug) -> Port, scheme: &str, seeds: u64, reason: &str) {
    for seed in 1..=seeds {
        let report = run(&make(Bug::None), scheme, seed, &[]);
        assert_eq!(failures(&report), Vec::<String>::new(), "{scheme} seed {seed}");
        assert_eq!(code(&report), Some(ExitCode::Conformant), "{scheme} seed {seed}: {:?}", report.finished);
        assert_eq!(missed(&report), Vec::<String>::new(), "{scheme} seed {seed}");
        let reasons = reasons(&report);
        assert!(reasons.iter().any(|why| why.contains(reason)), "{scheme} seed {seed}: {reasons:#?}");
    }
}

#[test]
fn a_port_that_takes_one_frame_after_text_passes() {
    passes(frame_by_frame, "qwen3-vl", 2, "the golden cases have one layout, and it is not offered");
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_port_of_few_segments_and_no_videos_passes() {
    passes(images, "m-rope", 1, "not among the manifest's layouts.kinds");
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_port_of_videos_alone_passes() {
    passes(videos, "rope-2d", 1, "not among the manifest's layouts.kinds");
}

#[test]
fn a_port_that_reads_a_parameter_passes_on_its_values() {
    passes(reads_rate, "qwen2.5-vl", 2, "");
}

#[test]
fn a_port_that_has_not_the_default_of_a_parameter_passes_on_what_it_has() {
    passes(two_distances, "videorope", 1, "which the manifest's parameters do not offer");
}

#[test]
fn a_port_that_is_wrong_inside_its_limits_fails() {
    let eight: fn(&[SegmentRef]) -> bool = |layout| layout.len() == 8;
    let image_last: fn(&[SegmentRef]) -> bool = |layout| layout.last().is_some_and(|s| s.kind == 1);
    let two_images: fn(&[SegmentRef]) -> bool = |layout| layout.windows(2).any(|pair| pair.iter().all(is_visual));
    let frames: fn(&[SegmentRef]) -> bool = |layout| layout.iter().any(|s| s.grid[0] == 96);
    for (make, scheme, bug) in [
        (frame_by_frame as fn(Bug) -> Port, "qwen3-vl", Bug::Where(eight)),
        (frame_by_frame, "qwen3-vl", Bug::Where(image_last)),
        (images, "m-rope", Bug::Where(two_images)),
        (videos, "rope-2d", Bug::Where(frames)),
        (reads_rate, "qwen2.5-vl", Bug::Ignores("tokens_per_second")),
        (two_distances, "videorope", Bug::Ignores("delta")),
    ] {
        for check in ["positions-exact", "accuracy"] {
            let report = run(&make(bug), scheme, 1, &[check]);
            assert_eq!(code(&report), Some(ExitCode::Nonconformant), "{scheme} {check}: {:?}", report.finished);
        }
    }
}
