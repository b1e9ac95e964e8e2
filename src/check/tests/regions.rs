//! A kernel of level positions that is wrong in one region of layouts, positions and calls alone is found by
//! `positions-exact`, whichever region it is.

use std::ops::Range;

use super::bent::{CONTEXT, LIBRARY, layout_of};
use crate::backend::host::Host;
use crate::backend::manifest::LevelManifest;
use crate::backend::{Answer, Backend, Manifest, StartError};
use crate::case::call::Call;
use crate::case::{Case, Consume, Level};
use crate::check::{CATALOGUE, Group, Stop};
use crate::numeric::{DType, Rng};
use crate::positions::{Evaluation, Layout};
use crate::run::Options;
use crate::spec::Parameters;

/// One condition on a token of a call.
#[derive(Debug, Clone)]
enum Condition {
    /// T, H or W of its grid.
    Size(usize, Range<u64>),
    Kind(&'static str),
    /// Kinds of its segment and of the one before.
    After(&'static str, &'static str),
    /// Length of its text, and whether that begins the row.
    Text(Range<u64>, bool),
    /// Denominator of its seconds from frame to frame.
    Seconds(Range<u64>),
    SegmentIndex(u64),
    Segments(u64),
    /// Its position on some axis.
    Position(Range<u64>),
    CallTokens(Range<u64>),
    CallStart(Range<u64>),
    Batch(u64),
    Type(DType),
}

/// A token as a kernel sees it.
struct Seen<'a> {
    layout: &'a Layout,
    segment: usize,
    positions: &'a [f64],
    /// Rows, first token, number of tokens.
    call: [u64; 3],
    dtype: DType,
}

impl Condition {
    fn holds(&self, seen: &Seen) -> bool {
        let segment = &seen.layout.segments()[seen.segment];
        match self {
            Condition::Size(axis, sizes) => segment.grid().is_some_and(|g| sizes.contains(&u64::from(g[*axis]))),
            Condition::Kind(kind) => segment.kind() == *kind,
            Condition::After(before, kind) => {
                segment.kind() == *kind
                    && seen.segment > 0
                    && seen.layout.segments()[seen.segment - 1].kind() == *before
            }
            Condition::Text(lengths, first) => {
                !segment.is_visual() && lengths.contains(&segment.tokens()) && (seen.segment == 0) == *first
            }
            Condition::Seconds(parts) => {
                let (num, den) = segment.seconds().as_ratio().expect("a fraction");
                num != den && parts.contains(&u64::try_from(den).expect("positive"))
            }
            Condition::SegmentIndex(index) => seen.segment as u64 == *index,
            Condition::Segments(count) => seen.layout.segments().len() as u64 == *count,
            Condition::Position(range) => seen.positions.iter().any(|p| *p >= 0.0 && range.contains(&(*p as u64))),
            Condition::CallTokens(range) => range.contains(&seen.call[2]),
            Condition::CallStart(range) => range.contains(&seen.call[1]),
            Condition::Batch(rows) => seen.call[0] == *rows,
            Condition::Type(dtype) => seen.dtype == *dtype,
        }
    }

    /// One condition that a manifest without limits offers.
    fn draw(rng: &mut Rng) -> Condition {
        const KINDS: [&str; 3] = ["text", "image", "video"];
        let mut kind = || KINDS[usize::try_from(rng.below(3)).expect("small")];
        let (before, now) = (kind(), kind());
        let octave = |rng: &mut Rng, low: i64, high: i64| {
            let power = 1u64 << rng.between(low, high);
            power..2 * power
        };
        match rng.below(10) {
            0 => Condition::After(before, now),
            1 => Condition::Text(octave(rng, 0, 11), rng.one_in(2)),
            2 => [Condition::Seconds(3..4), Condition::Seconds(24..31), Condition::Seconds(1..2)]
                [rng.below(3) as usize]
                .clone(),
            3 => Condition::SegmentIndex(rng.below(64)),
            4 => Condition::Segments(1 + rng.below(64)),
            5 | 6 => Condition::Position(octave(rng, 0, 30)),
            7 => Condition::CallTokens(octave(rng, 0, 13)),
            8 => Condition::CallStart(octave(rng, 0, 30)),
            _ => Condition::Batch([2, 3, 4, 5, 8][rng.below(5) as usize]),
        }
    }
}

/// Where a kernel is wrong: every condition holds.
type Region = Vec<Condition>;

fn draw(rng: &mut Rng) -> Region {
    let size = |axis: usize, low: u64, high: u64| Condition::Size(axis, low..high);
    match rng.below(4) {
        // Two sizes, each in an octave, or each a small number.
        0 => {
            let axis = rng.below(3) as usize;
            let a = rng.below(13);
            let b = rng.below(13.min(16 - a));
            vec![size(axis, 1 << a, 2 << a), size((axis + 1) % 3, 1 << b, 2 << b)]
        }
        1 => {
            let axis = rng.below(3) as usize;
            let [a, b] = [1 + rng.below(9), 1 + rng.below(9)];
            vec![size(axis, a, a + 1), size((axis + 1) % 3, b, b + 1)]
        }
        // A power of two or a neighbour of it, in an image or a video.
        2 => {
            let edge = (1u64 << rng.between(2, 12)) + 1 - rng.below(3);
            let axis = rng.below(3) as usize;
            vec![size(axis, edge, edge + 1), Condition::Kind(if axis > 0 && rng.one_in(3) { "image" } else { "video" })]
        }
        _ => {
            let types = [DType::I32, DType::I64, DType::F64];
            let one = Condition::draw(rng);
            if rng.one_in(2) { vec![one, Condition::Type(types[rng.below(3) as usize])] } else { vec![one] }
        }
    }
}

/// Right everywhere, and one too large on every axis in the region.
struct OneRegion {
    manifest: Manifest,
    region: Region,
    memory: Vec<u8>,
}

impl OneRegion {
    fn new(region: Region) -> OneRegion {
        let mut manifest = Host::new().manifest().clone();
        let level = LevelManifest { consumes: vec![Consume::Layout], schemes: vec!["*".into()], contracts: Vec::new() };
        manifest.levels = vec![(Level::Positions, level)];
        OneRegion { manifest, region, memory: Vec::new() }
    }
}

/// Every token that a call asks for: axis by axis where it is, and what a kernel sees of it.
fn each_token(
    scheme: &str,
    layouts: &[Layout],
    [start, count]: [u64; 2],
    dtype: DType,
    mut visit: impl FnMut(usize, usize, &Seen),
) -> Vec<Vec<f64>> {
    let scheme = LIBRARY.get(scheme).expect("a scheme");
    let parameters = Parameters::resolve(scheme, &[]).expect("defaults");
    let mut all_next = Vec::new();
    for (row, layout) in layouts.iter().enumerate() {
        let window = start..start + count;
        let found = Evaluation::new(scheme, &parameters, layout).window(window).run().expect("positions");
        let columns: Vec<Vec<f64>> = found.columns().iter().map(|column| column.to_f64()).collect();
        for token in 0..usize::try_from(count).expect("small") {
            let positions: Vec<f64> = columns.iter().map(|column| column[token]).collect();
            let (segment, _) = layout.locate(start + token as u64).expect("a token of the layout");
            let call = [layouts.len() as u64, start, count];
            visit(row, token, &Seen { layout, segment, positions: &positions, call, dtype });
        }
        let next = |axis| found.next().on(axis).expect("an axis").to_f64();
        all_next.push((0..scheme.axes.len()).map(next).collect());
    }
    all_next
}

impl Backend for OneRegion {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes, 0);
        Ok(&mut self.memory)
    }

    fn call(&mut self, call: &Call) -> Answer {
        let Call::Positions { scheme, layouts, token_start, token_count, out, next } = call else {
            panic!("only level positions is offered")
        };
        let layouts: Vec<Layout> = layouts.iter().map(|segments| layout_of(segments)).collect();
        let id = format!("{}@{}", scheme.scheme, scheme.profile);
        let (memory, region, size) = (&mut self.memory, &self.region, out.dtype.size());
        let range = [*token_start as u64, *token_count as u64];
        let all_next = each_token(&id, &layouts, range, out.dtype, |row, token, seen| {
            let wrong = f64::from(u8::from(region.iter().all(|condition| condition.holds(seen))));
            for (axis, position) in seen.positions.iter().enumerate() {
                out.dtype.encode_slice(&[position + wrong], &mut memory[out.at(axis, row, token)..][..size]);
            }
        });
        for (row, values) in all_next.iter().enumerate() {
            for (axis, value) in values.iter().enumerate() {
                next.dtype.encode_slice(&[*value], &mut memory[next.at(axis, row, 0)..][..size]);
            }
        }
        Answer::Ok
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}

/// The cases that a user gets who asks for nothing else.
fn default_cases(scheme: &str, seed: u64) -> Vec<Case> {
    let backend = OneRegion::new(Vec::new());
    let group = Group {
        scheme: LIBRARY.get(scheme).expect("a scheme").id(),
        level: Level::Positions,
        pairing: LIBRARY.get(scheme).expect("a scheme").pairing,
        dtype: DType::F32,
    };
    let options = Options { cases: 2, seed, ..Options::default() };
    let generator = CONTEXT.generator(&group, &backend.manifest, &options).expect("the level");
    let check = CATALOGUE.iter().find(|check| check.id() == "positions-exact").expect("in the catalogue");
    check.schedule(&generator).cases.into_iter().map(|planned| planned.case).collect()
}

#[test]
fn whichever_region_is_wrong_is_found() {
    const REGIONS: usize = 300;
    let check = CATALOGUE.iter().find(|check| check.id() == "positions-exact").expect("in the catalogue");
    for (scheme, seed) in [("m-rope", 1), ("qwen2.5-vl", 2)] {
        let mut rng = Rng::new(0x7265_6769_6f6e ^ seed);
        let regions: Vec<Region> = (0..REGIONS).map(|_| draw(&mut rng)).collect();
        let mut first: Vec<Option<usize>> = vec![None; REGIONS];
        let cases = default_cases(scheme, seed);
        for (number, case) in cases.iter().enumerate() {
            let line = case.to_string();
            assert_eq!(line.parse::<Case>().as_ref(), Ok(case), "a case comes back from its line: {line}");
            let mut missing: Vec<usize> = (0..REGIONS).filter(|at| first[*at].is_none()).collect();
            let (start, count) = case.window.unwrap_or((0, case.tokens()));
            each_token(&case.scheme, &case.layouts, [start, count], case.position_dtype, |_, _, seen| {
                missing.retain(|at| {
                    let inside = regions[*at].iter().all(|condition| condition.holds(seen));
                    if inside {
                        first[*at] = Some(number);
                    }
                    !inside
                });
            });
        }
        let unseen: Vec<&Region> = (0..REGIONS).filter(|at| first[*at].is_none()).map(|at| &regions[at]).collect();
        assert!(unseen.is_empty(), "{scheme}: {} of {REGIONS} regions have no case: {unseen:#?}", unseen.len());
        for (region, number) in regions.into_iter().zip(first) {
            let case = &cases[number.expect("has a case")];
            let verdict = check.judge(case, &mut CONTEXT.harness(&mut OneRegion::new(region.clone())));
            assert!(matches!(verdict, Err(Stop::Failed(_))), "{region:?} is not found in {case}: {verdict:?}");
        }
        // And the right kernel is right in the same cases.
        for case in cases.iter().step_by(7) {
            let verdict = check.judge(case, &mut CONTEXT.harness(&mut OneRegion::new(vec![Condition::Batch(0)])));
            assert!(verdict.is_ok(), "{case}: {verdict:?}");
        }
    }
}

/// What a small manifest does not offer is not asked for.
#[test]
fn the_sweep_stays_inside_a_small_manifest() {
    let mut backend = OneRegion::new(vec![Condition::Batch(0)]);
    let manifest = &mut backend.manifest;
    (manifest.max_position, manifest.max_tokens) = (700, 90);
    (manifest.token_ranges, manifest.batch_layouts) = (false, false);
    manifest.position_dtypes = vec![DType::I32];
    let scheme = LIBRARY.get("vrope").expect("a scheme");
    let group = Group { scheme: scheme.id(), level: Level::Positions, pairing: scheme.pairing, dtype: DType::F32 };
    let options = Options { cases: 2, seed: 3, ..Options::default() };
    let manifest = backend.manifest.clone();
    let generator = CONTEXT.generator(&group, &manifest, &options).expect("the level");
    let check = CATALOGUE.iter().find(|check| check.id() == "positions-exact").expect("in the catalogue");
    let swept = ["grids", "neighbours", "texts", "seconds"];
    let mut cases = check.schedule(&generator).cases;
    cases.retain(|planned| swept.contains(&planned.band.as_str()));
    assert!(swept.iter().all(|band| cases.iter().any(|planned| planned.band == *band)));
    for planned in cases {
        let case = planned.case;
        assert!(case.layouts.len() == 1 && case.window.is_none() && case.tokens() <= 90, "{case}");
        let verdict = check.judge(&case, &mut CONTEXT.harness(&mut backend));
        assert!(verdict.is_ok(), "{case}: {verdict:?}");
    }
}
