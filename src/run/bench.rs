//! How fast calls are, by level, storage type and number of tokens, next to a copy of as many bytes on the same device.
//! Says nothing of whether results are right.

use serde::Serialize;

use crate::backend::timing::median;
use crate::backend::{Answer, Backend, Manifest, Timing};
use crate::case::{Alias, Case, Consume, Level, Prepared, prepare_within};
use crate::check::offers::{offered_or_text, parameters_refused};
use crate::check::{Generator, Group, HeadPreset};
use crate::numeric::{DType, Rng};
use crate::positions::{Layout, Segment};
use crate::rotation::PlanCache;
use crate::spec::Library;
use crate::spec::model::{Pairing, Scheme};
use crate::spec::presets::ModelPreset;

/// Most bytes that q and k, read and written, may take in any type.
const MOST_BYTES: usize = 64 << 30;
/// Rows and columns of a frame of the bench's video: a frame of 448 x 448 pixels in patches of 28, as Qwen2-VL merges them.
const FRAME: u32 = 16;
/// Text before and after it.
const TEXT: u64 = 128;

/// What is timed.
#[derive(Debug, Clone)]
pub struct BenchOptions {
    /// Heads, width and parameters.
    pub model: ModelPreset,
    /// Scheme, with or without profile. `None`: the model's where the backend offers it, else the first that it offers on every
    /// level that is timed, else the first that it offers.
    pub scheme: Option<String>,
    /// Empty: all that the backend has, apart from positions.
    pub levels: Vec<Level>,
    /// Empty: all that the backend has.
    pub dtypes: Vec<DType>,
    /// Tokens of each row. Empty: 1,024 to 131,072 on a device, to 16,384 in host memory.
    pub tokens: Vec<u64>,
    /// Most samples of each time.
    pub samples: u32,
    /// Seconds after which no further sample is taken.
    pub seconds: f64,
}

/// Times of one sampled thing.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Seconds {
    /// The middle one.
    pub median: f64,
    /// The shortest.
    pub least: f64,
    /// The longest.
    pub most: f64,
    /// How many.
    pub samples: usize,
}

impl Seconds {
    fn of(samples: &[f64]) -> Option<Seconds> {
        let least = samples.iter().copied().reduce(f64::min)?;
        let most = samples.iter().copied().reduce(f64::max)?;
        Some(Seconds { median: median(samples), least, most, samples: samples.len() })
    }
}

/// One shape.
#[derive(Debug, Clone, Serialize)]
pub struct BenchRow {
    /// Level.
    pub level: Level,
    /// Scheme and profile.
    pub scheme: String,
    /// Storage type.
    pub dtype: String,
    /// Which channels form a pair.
    pub pairing: String,
    /// Tokens, in a batch of one.
    pub tokens: u64,
    /// Query heads.
    pub q_heads: u32,
    /// Key heads.
    pub k_heads: u32,
    /// Channels of a head.
    pub head_dim: u32,
    /// Whether outputs replace inputs.
    pub in_place: bool,
    /// Bytes that have to move: q and k in and out, and the positions, cosines and sines that the backend consumes.
    pub bytes: u64,
    /// One call.
    pub call: Seconds,
    /// Effective bandwidth in bytes per second: `bytes` by the median.
    pub bandwidth: f64,
    /// A copy of q and k; none where the device has no way to be asked.
    pub copy: Option<Seconds>,
    /// Bandwidth of the copy in bytes per second: every byte is read and written.
    pub copy_bandwidth: Option<f64>,
    /// `bandwidth` by `copy_bandwidth`.
    pub of_copy: Option<f64>,
}

/// What was measured.
#[derive(Debug, Clone, Serialize)]
pub struct BenchReport {
    /// Version of this format.
    pub format: u32,
    /// Version of ropecheck.
    pub ropecheck: String,
    /// The backend's name and version.
    pub backend: String,
    /// The device, as the backend names it; `null`: host memory.
    pub device: Option<String>,
    /// `device` or `host`: whose clock.
    pub clock: String,
    /// Cores of the host.
    pub cores: usize,
    /// What was timed.
    pub rows: Vec<BenchRow>,
    /// What was not, and why.
    pub skipped: Vec<String>,
}

/// Why nothing can be timed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BenchError {
    /// A name that does not exist, a number that makes no sense.
    #[error("{0}")]
    Unknown(String),
    /// Nothing is left of the selection.
    #[error("{0}")]
    Empty(String),
}

/// Times the selection. `progress` is told what comes next.
///
/// # Errors
/// [`BenchError`]
pub fn bench(
    backend: &mut dyn Backend,
    library: &Library,
    options: &BenchOptions,
    progress: &dyn Fn(&str),
) -> Result<BenchReport, BenchError> {
    let manifest = backend.manifest().clone();
    let device = backend.device().map(str::to_owned);
    let mut report = BenchReport {
        format: 1,
        ropecheck: env!("CARGO_PKG_VERSION").into(),
        backend: format!("{} {}", manifest.name, manifest.version),
        clock: "host".into(),
        cores: std::thread::available_parallelism().map_or(1, usize::from),
        rows: Vec::new(),
        skipped: Vec::new(),
        device,
    };
    let selected = |l: Level| l != Level::Positions && (options.levels.is_empty() || options.levels.contains(&l));
    let levels: Vec<Level> = manifest.levels.iter().map(|(l, _)| *l).filter(|l| selected(*l)).collect();
    let chosen = |d: &DType| options.dtypes.is_empty() || options.dtypes.contains(d);
    let dtypes: Vec<DType> = manifest.dtypes.iter().copied().filter(chosen).collect();
    if levels.is_empty() || dtypes.is_empty() {
        return Err(BenchError::Empty(
            "nothing is selected: the backend has no such level with tensors, or dtype".into(),
        ));
    }
    let tokens = match (&options.tokens[..], &report.device) {
        ([], Some(_)) => vec![1 << 10, 1 << 12, 1 << 14, 1 << 15, 1 << 16, 1 << 17],
        ([], None) => vec![1 << 10, 1 << 12, 1 << 14],
        (given, _) => given.to_vec(),
    };
    let plans = PlanCache::new();
    for level in &levels {
        let (scheme, model) = harness(&manifest, *level, &levels, library, options)?;
        for dtype in &dtypes {
            for count in &tokens {
                progress(&format!("{level} {dtype} {count} tokens"));
                let what = format!("{level} {} {dtype} {count} tokens", scheme.id());
                let shape = TimedShape { level: *level, scheme, model, dtype: *dtype, tokens: *count };
                match shape.time(backend, &manifest, library, &plans, options) {
                    Ok((row, device_clock)) => {
                        if device_clock {
                            report.clock = "device".into();
                        }
                        report.rows.push(row);
                    }
                    Err(why) => report.skipped.push(format!("{what}: {why}")),
                }
            }
        }
    }
    Ok(report)
}

/// The scheme that a level is timed on, and the model whose heads it gets.
fn harness<'a>(
    manifest: &Manifest,
    level: Level,
    levels: &[Level],
    library: &'a Library,
    options: &'a BenchOptions,
) -> Result<(&'a Scheme, &'a ModelPreset), BenchError> {
    let unknown = |e: &dyn std::fmt::Display| BenchError::Unknown(e.to_string());
    let offers = |level: Level, scheme: &Scheme| manifest.level(level).is_some_and(|m| m.offers(scheme));
    let model = &options.model;
    if let Some(name) = &options.scheme {
        let scheme = library.get(name).map_err(|e| unknown(&e))?;
        if !offers(level, scheme) {
            return Err(BenchError::Empty(format!("the backend does not offer {name} on level {level}")));
        }
        return Ok((scheme, model));
    }
    let own = library.get(&model.scheme).ok().map(|s| &**s).filter(|s| offers(level, s));
    // One scheme for all levels lets them be compared.
    let everywhere = || library.schemes().map(|s| &**s).find(|s| levels.iter().all(|l| offers(*l, s)));
    let here = || library.schemes().chain(library.all()).map(|s| &**s).find(|s| offers(level, s));
    let none = || BenchError::Empty(format!("the backend offers no known scheme on level {level}"));
    Ok((own.or_else(everywhere).or_else(here).ok_or_else(none)?, model))
}

/// Text, a video of whole frames, and text: `tokens` in all.
fn layout(tokens: u64) -> Option<Layout> {
    let frame = u64::from(FRAME * FRAME);
    let narrow = |n: u64| u32::try_from(n).ok();
    let frames = tokens.saturating_sub(2 * TEXT) / frame;
    if frames == 0 {
        return Layout::new(vec![Segment::Text(narrow(tokens)?)]).ok();
    }
    let rest = narrow(tokens - TEXT - frames * frame)?;
    Layout::new(vec![Segment::Text(narrow(TEXT)?), Segment::video(narrow(frames)?, FRAME, FRAME), Segment::Text(rest)])
        .ok()
}

struct TimedShape<'a> {
    level: Level,
    scheme: &'a Scheme,
    model: &'a ModelPreset,
    dtype: DType,
    tokens: u64,
}

impl TimedShape<'_> {
    /// One row, and whether the device's clock was used.
    fn time(
        &self,
        backend: &mut dyn Backend,
        manifest: &Manifest,
        library: &Library,
        plans: &PlanCache,
        options: &BenchOptions,
    ) -> Result<(BenchRow, bool), String> {
        let level = manifest.level(self.level).ok_or("the backend has no such level")?;
        let pairing = *manifest
            .pairings
            .iter()
            .find(|p| **p == self.scheme.pairing)
            .or(manifest.pairings.first())
            .unwrap_or(&Pairing::Half);
        let group = Group { scheme: self.scheme.id(), level: self.level, pairing, dtype: self.dtype };
        let known =
            |(name, _): &&(String, crate::numeric::Number)| self.scheme.parameters.iter().any(|p| p.name == *name);
        let offered = |(name, value): &(String, crate::numeric::Number)| {
            parameters_refused(manifest, self.scheme, plans, &[(name.clone(), value.clone())], None).is_none()
        };
        let parameters: Vec<_> =
            self.model.parameters.iter().filter(known).filter(|given| offered(given)).cloned().collect();
        let generator = Generator {
            group,
            scheme: self.scheme,
            library,
            plans,
            manifest,
            level,
            cases: 1,
            depth: Default::default(),
            seed: 1,
            parameters: &parameters,
            cover: &[],
            whole: std::sync::OnceLock::new(),
        };
        let case = self.case(&generator, manifest)?;
        let alignment = usize::try_from(manifest.alignment).unwrap_or(1);
        let mut prepared = prepare_within(&case, self.scheme, plans, (&level.consumes, alignment), MOST_BYTES)
            .map_err(|e| e.to_string())?;
        let timing = self.timing(&mut prepared, options).ok_or("the level has no tensors")?;
        let mut rng = Rng::new(1);
        let values: Vec<f64> = (0..1 << 12).map(|_| 4.0 * rng.unit() - 2.0).collect();
        let arena = backend.arena(prepared.bytes).map_err(|e| e.to_string())?;
        prepared.write_repeated(arena, &values);
        let timed = backend.time(&prepared.call, &timing).map_err(|outcome| match outcome {
            Answer::Ok => "nothing was measured".into(),
            outcome => outcome.to_string(),
        })?;
        let call = Seconds::of(&timed.calls).ok_or("nothing was measured")?;
        let copy = Seconds::of(&timed.copies);
        let bytes = self.bytes(&prepared, &case, level.consumes.as_slice());
        let bandwidth = bytes as f64 / call.median;
        let copy_bandwidth = copy.map(|c| 2.0 * timing.from.len() as f64 / c.median);
        let row = BenchRow {
            level: self.level,
            scheme: self.scheme.id(),
            dtype: self.dtype.name().into(),
            pairing: crate::case::pairing_name(case.pairing).into(),
            tokens: self.tokens,
            q_heads: case.q_heads,
            k_heads: case.k_heads,
            head_dim: case.head_dim,
            in_place: case.alias == Alias::In,
            bytes,
            call,
            bandwidth,
            copy,
            copy_bandwidth,
            of_copy: copy_bandwidth.map(|c| bandwidth / c),
        };
        Ok((row, timed.device_clock))
    }

    /// The model's heads as near as the manifest allows.
    fn case(&self, generator: &Generator, manifest: &Manifest) -> Result<Case, String> {
        if i64::try_from(self.tokens).is_ok_and(|n| n > manifest.max_tokens) {
            return Err(format!("the manifest's max_tokens is {}", manifest.max_tokens));
        }
        let near = |allowed: &crate::backend::manifest::Integers, wanted: usize| {
            let wanted = i64::try_from(wanted).unwrap_or(i64::MAX);
            let up = allowed.at_least(wanted).or_else(|| (1..=wanted).rev().find(|n| allowed.allows(*n)));
            up.and_then(|n| u32::try_from(n).ok()).ok_or("no such number of heads or channels is offered")
        };
        let heads = HeadPreset {
            q_heads: near(&manifest.q_heads, self.model.q_heads)?,
            k_heads: near(&manifest.k_heads, self.model.k_heads)?,
            head_dim: near(&manifest.head_dims, self.model.head_dim)?,
            rotary: None,
            parameters: Vec::new(),
        };
        let layout = layout(self.tokens).ok_or("no layout has so many tokens")?;
        let layout = offered_or_text(manifest, self.level, layout)?;
        Ok(generator.case("bench", vec![layout], &heads, 1))
    }

    /// What the copy copies: q and k onto the outputs, or, in place, onto room of its own.
    fn timing(&self, prepared: &mut Prepared, options: &BenchOptions) -> Option<Timing> {
        let of = |name: &str| prepared.buffers.iter().find(|b| b.name == name);
        let (q, last) = (of("q")?, of("k").or(of("q"))?);
        let from = q.offset..last.end();
        let to = match of("q_out") {
            Some(out) => out.offset,
            None => {
                let to = prepared.bytes.next_multiple_of(256);
                prepared.bytes = to + from.len();
                to
            }
        };
        Some(Timing { samples: options.samples, seconds: options.seconds, from, to })
    }

    fn bytes(&self, prepared: &Prepared, case: &Case, consumes: &[Consume]) -> u64 {
        let heads = u64::from(case.q_heads) + u64::from(case.k_heads);
        let tensors = 2 * case.tokens() * heads * u64::from(case.head_dim) * self.dtype.size() as u64;
        let read = |what: Consume, names: &[&str]| {
            let sum = prepared.buffers.iter().filter(|b| names.contains(&b.name)).map(|b| b.bytes as u64).sum();
            if consumes.contains(&what) || self.level == Level::Apply { sum } else { 0u64 }
        };
        tensors + read(Consume::Positions, &["positions"]) + read(Consume::CosSin, &["cos", "sin"])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::host::Host;

    #[test]
    fn a_layout_has_exactly_the_tokens_that_were_asked_for() {
        for tokens in [1, 255, 256, 511, 512, 1000, 1024, 131_072] {
            assert_eq!(layout(tokens).map(|l| l.tokens()), Some(tokens));
        }
        assert!(layout(1024).is_some_and(|l| !l.is_text_only()));
    }

    /// Bytes by hand: 2 x 300 tokens x (28 + 4) heads x 128 channels x 2 bytes, and what positions or tables take.
    #[test]
    fn rows_say_what_was_timed() {
        let library = Library::embedded().expect("the library is valid");
        let options = BenchOptions {
            model: Library::embedded().unwrap().model("qwen2-vl-7b").unwrap().clone(),
            scheme: None,
            levels: Vec::new(),
            dtypes: vec![DType::BF16],
            tokens: vec![300],
            samples: 3,
            seconds: 0.01,
        };
        let report = bench(&mut Host::new(), &library, &options, &|_| {}).expect("the host can be timed");
        assert!(report.skipped.is_empty(), "{:?}", report.skipped);
        let tensors = 2 * 300 * 32 * 128 * 2;
        let rows: Vec<_> = report.rows.iter().map(|r| (r.level, r.q_heads, r.k_heads, r.head_dim, r.bytes)).collect();
        // Three axes of i64 in rows padded by 3; cosines and sines of 64 pairs, in f32 at least.
        assert_eq!(rows[0], (Level::Rotate, 28, 4, 128, tensors + 3 * 303 * 8));
        assert!(rows[1].4 > tensors + 300 * 64 * 4 && rows[1].0 == Level::Apply, "{rows:?}");
        for row in &report.rows {
            assert!(row.call.least > 0.0 && row.call.least <= row.call.median && row.call.median <= row.call.most);
            let by_hand = row.bytes as f64 / row.call.median;
            approx::assert_relative_eq!(row.bandwidth, by_hand, max_relative = 1e-12);
            assert!(row.copy_bandwidth.is_some_and(|c| c > 0.0));
        }
    }

    #[test]
    fn what_cannot_be_timed_is_said() {
        let library = Library::embedded().expect("the library is valid");
        let options = BenchOptions {
            model: Library::embedded().unwrap().model("qwen2-vl-7b").unwrap().clone(),
            scheme: Some("m-rop".into()),
            levels: vec![Level::Rotate],
            dtypes: Vec::new(),
            tokens: vec![1 << 40],
            samples: 3,
            seconds: 0.01,
        };
        let error = bench(&mut Host::new(), &library, &options, &|_| {}).expect_err("no such scheme");
        assert!(error.to_string().contains("m-rope"), "{error}");
        let options = BenchOptions { scheme: None, ..options };
        let report = bench(&mut Host::new(), &library, &options, &|_| {}).expect("a report");
        assert!(report.rows.is_empty() && report.skipped.len() == 3, "{:?}", report.skipped);
    }
}
