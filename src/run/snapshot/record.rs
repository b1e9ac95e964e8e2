//! Which cases a snapshot has, and running them.

use std::collections::BTreeMap;

use super::file::{About, Entry, FORMAT, MAX_CASES, Selection, Snapshot, StoredOutputs};
use crate::backend::manifest::Integers;
use crate::backend::{Backend, BackendFactory, Manifest, StartError};
use crate::case::call::{Call, PositionView, TensorView};
use crate::case::tensor_file::{ElementType, Stored};
use crate::case::{Case, Level, Tensor};
use crate::check::{CATALOGUE, Failure, Harness, Stop};
use crate::run::context::{Context, Options};
use crate::run::digest::{digest_of, token};
use crate::run::groups::{SelectionError, groups};
use crate::run::in_order::in_order;
use crate::run::result::CheckResult;

/// Most elements of a case that is recorded: snapshots are files that are kept beside a kernel.
pub const MOST_ELEMENTS: usize = 65_536;
/// A case with more than this gets as few heads as the manifest allows.
const MANY_ELEMENTS: usize = 4096;

/// The cases of a selection.
#[derive(Debug, Clone, Default)]
pub struct PlannedSnapshot {
    /// Ids and cases.
    pub cases: Vec<(String, Case)>,
    /// What is left out, and how many cases that are.
    pub left_out: BTreeMap<String, usize>,
}

/// The cases that a selection has for this manifest: those of check `accuracy`, and of `positions-exact` on
/// level positions, as far as they are small.
///
/// # Errors
/// [`SelectionError`]
pub fn plan(manifest: &Manifest, context: &Context, options: &Options) -> Result<PlannedSnapshot, SelectionError> {
    let mut planned = PlannedSnapshot::default();
    let options = Options { checks: vec!["accuracy".into(), "positions-exact".into()], ..options.clone() };
    let manifest = &options.narrowed(manifest)?;
    for (group, id) in groups(manifest, context.library, &options)? {
        let wanted = if group.level == Level::Positions { "positions-exact" } else { "accuracy" };
        let Some(check) = CATALOGUE.iter().find(|c| c.id() == id && id == wanted) else { continue };
        let Some(generator) = context.generator(&group, manifest, &options) else { continue };
        let axes = generator.scheme.axes.len();
        let result = CheckResult::new(&group, check.id());
        let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
        for crate::check::Planned { band, case } in check.schedule(&generator).cases {
            let number = numbers.entry(band.clone()).or_default();
            let id = result.case_id(&band, *number);
            *number += 1;
            let case = if elements(&case, axes) > MANY_ELEMENTS { fewer_heads(case, manifest) } else { case };
            if elements(&case, axes) > MOST_ELEMENTS {
                *planned.left_out.entry(format!("more than {MOST_ELEMENTS} elements")).or_default() += 1;
            } else if planned.cases.len() == MAX_CASES {
                *planned.left_out.entry(format!("more than {MAX_CASES} cases")).or_default() += 1;
            } else {
                planned.cases.push((id, case));
            }
        }
    }
    Ok(planned)
}

/// The case with as few heads as the manifest allows: heads repeat each other, and a file is kept of all.
fn fewer_heads(mut case: Case, manifest: &Manifest) -> Case {
    let least = |allowed: &Integers, floor| allowed.at_least(floor).and_then(|n| u32::try_from(n).ok());
    let Some(q_heads) = least(&manifest.q_heads, 1).filter(|_| case.level != Level::Positions) else { return case };
    // Key heads share out the query heads.
    let shares = |k: &u32| *k == 0 || q_heads.is_multiple_of(*k);
    let allowed = |k: &u32| manifest.k_heads.allows(i64::from(*k));
    let some = least(&manifest.k_heads, 1).unwrap_or(0);
    if let Some(k_heads) = [1, some, q_heads, 0].into_iter().find(|k| shares(k) && allowed(k)) {
        (case.q_heads, case.k_heads) = (q_heads.min(case.q_heads), k_heads.min(case.k_heads));
    }
    case
}

pub(in crate::run) fn elements(case: &Case, axes: usize) -> usize {
    let tokens = usize::try_from(case.tokens()).unwrap_or(usize::MAX).saturating_mul(case.batch());
    match case.level {
        Level::Positions => tokens.saturating_mul(axes),
        _ => tokens
            .saturating_mul((case.q_heads as usize).saturating_add(case.k_heads as usize))
            .saturating_mul(case.head_dim as usize),
    }
}

/// What became of a case.
#[derive(Debug, Clone, PartialEq)]
pub enum Recorded {
    /// The bits of its outputs.
    StoredOutputs(StoredOutputs),
    /// It cannot be asked for; why.
    NotAsked(String),
    /// The backend did not answer OK; what happened.
    Failed(Box<Failure>),
}

/// The bytes of a tensor as they lie in memory, packed.
pub(in crate::run) fn bits(memory: &[u8], view: &TensorView) -> Stored {
    let [batch, tokens, heads, channels] = view.shape;
    let size = view.dtype.size();
    let mut bytes = Vec::with_capacity(size * batch * tokens * heads * channels);
    for (b, t) in (0..batch).flat_map(|b| (0..tokens).map(move |t| (b, t))) {
        for (h, d) in (0..heads).flat_map(|h| (0..channels).map(move |d| (h, d))) {
            let at = view.at(b, t, h, d);
            bytes.extend_from_slice(&memory[at..at + size]);
        }
    }
    Stored { kind: ElementType::Number(view.dtype), shape: view.shape.to_vec(), bytes }
}

pub(in crate::run) fn position_bits(memory: &[u8], view: &PositionView, shape: [usize; 3]) -> Stored {
    let (size, [axes, batch, tokens]) = (view.dtype.size(), shape);
    let mut bytes = Vec::with_capacity(size * axes * batch * tokens);
    for (a, b) in (0..axes).flat_map(|a| (0..batch).map(move |b| (a, b))) {
        for t in 0..tokens {
            let at = view.at(a, b, t);
            bytes.extend_from_slice(&memory[at..at + size]);
        }
    }
    Stored { kind: ElementType::Number(view.dtype), shape: shape.to_vec(), bytes }
}

/// Runs one case.
pub fn outputs(case: &Case, backend: &mut dyn Backend, context: &Context) -> Recorded {
    let mut harness = context.harness(backend);
    let mut run = || {
        let prepared = harness.prepare(case)?;
        let axes = harness.scheme(case)?.axes.len();
        let (q, k) = match case.level {
            Level::Positions => (Tensor::default(), Tensor::default()),
            _ => Harness::inputs(case, &prepared),
        };
        harness.call(&prepared, &q, &k)?;
        let memory = harness.backend.memory();
        let mut all = StoredOutputs::new();
        if let Some(qk) = prepared.call.qk() {
            all.insert("q".into(), bits(memory, &qk.q_out));
            if let Some(k) = &qk.k_out {
                all.insert("k".into(), bits(memory, k));
            }
        }
        if let Call::Positions { out, next, token_count, .. } = &prepared.call {
            all.insert("positions".into(), position_bits(memory, out, [axes, case.batch(), *token_count]));
            all.insert("next".into(), position_bits(memory, next, [axes, case.batch(), 1]));
        }
        Ok(all)
    };
    match run() {
        Ok(all) => Recorded::StoredOutputs(all),
        Err(Stop::Failed(failure)) => Recorded::Failed(failure),
        Err(Stop::Owed(owed)) => Recorded::Failed(owed.failure),
        Err(Stop::NotRun(error)) => Recorded::NotAsked(format!("not run: {}", error.why)),
        Err(Stop::NotJudged(why) | Stop::Broken(why)) => Recorded::NotAsked(why),
    }
}

/// Runs cases, `threads` at a time; what became of them, in their order. Stops early if the run is
/// interrupted.
///
/// # Errors
/// If the backend cannot be started.
pub(super) fn run_all(
    cases: &[&Case],
    factory: &dyn BackendFactory,
    context: &Context,
    threads: usize,
    progress: &dyn Fn(usize),
) -> Result<Vec<Recorded>, StartError> {
    let (mut results, mut done) = (Vec::with_capacity(cases.len()), 0);
    in_order(
        threads,
        &(0..cases.len()).collect::<Vec<_>>(),
        || factory.start(),
        |backend, index| (!context.is_interrupted()).then(|| outputs(cases[index], &mut **backend, context)),
        |_| {
            done += 1;
            progress(done);
        },
        |_, result| results.push(result),
    )?;
    Ok(results)
}

/// Why nothing was recorded.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RecordError {
    /// The backend cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// Its answers cannot be kept.
    #[error("{0}")]
    Unfit(String),
    /// A case has no outputs to keep.
    #[error("{id} has no outputs to keep")]
    NoOutputs {
        /// Id of the case.
        id: String,
        /// What `replay` takes.
        case: String,
        /// What went wrong.
        why: Recorded,
    },
    /// Nothing is selected, or nothing of it can be asked for.
    #[error("{0}")]
    Nothing(String),
    /// A name does not exist.
    #[error("{0}")]
    Unknown(String),
    /// The user stopped it.
    #[error("interrupted: nothing was written")]
    Interrupted,
}

impl From<SelectionError> for RecordError {
    fn from(error: SelectionError) -> Self {
        match error {
            SelectionError::Unknown(why) => RecordError::Unknown(why),
            SelectionError::Empty(why) => RecordError::Nothing(why),
        }
    }
}

/// Runs a selection twice, each time on fresh backends, and keeps the outputs if the bits are the same. The
/// second part says what was left out.
///
/// # Errors
/// [`RecordError`]
pub fn record(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    progress: &dyn Fn(usize, usize),
) -> Result<(Snapshot, BTreeMap<String, usize>), RecordError> {
    let manifest = factory.start()?.manifest().clone();
    if manifest.bit_stable == Some(false) {
        let why = "its manifest says `bit_stable: false`: identical calls may differ in bits, so a snapshot would change by itself";
        return Err(RecordError::Nothing(why.into()));
    }
    let PlannedSnapshot { cases, mut left_out } = plan(&manifest, context, options)?;
    let all: Vec<&Case> = cases.iter().map(|(_, case)| case).collect();
    let twice = 2 * all.len();
    let first = run_all(&all, factory, context, options.threads, &|done| progress(done, twice))?;
    let second = run_all(&all, factory, context, options.threads, &|done| progress(all.len() + done, twice))?;
    if context.is_interrupted() {
        return Err(RecordError::Interrupted);
    }
    let mut about = About {
        format: FORMAT,
        ropecheck: env!("CARGO_PKG_VERSION").into(),
        backend: manifest.name.to_string(),
        version: manifest.version.to_string(),
        manifest: About::of_manifest(&manifest),
        specs: BTreeMap::new(),
        selection: Selection {
            schemes: options.schemes.clone(),
            dtypes: options.dtypes.iter().map(|d| d.name().to_owned()).collect(),
            levels: options.levels.iter().map(|l| l.name().to_owned()).collect(),
            cases: options.cases,
            seed: options.seed,
            parameters: options.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect(),
            heads: options.heads.as_ref().map(|heads| {
                [heads.q_heads, heads.k_heads, heads.head_dim, heads.rotary.map_or(0, |(width, _)| width)]
            }),
        },
        cases: Vec::new(),
    };
    let mut kept = Vec::new();
    for (((id, case), first), second) in cases.into_iter().zip(first).zip(second) {
        match (first, second) {
            (Recorded::StoredOutputs(first), Recorded::StoredOutputs(second)) if first == second => {
                about.specs.insert(case.scheme.clone(), digest_of(context.library, &case.scheme));
                about.cases.push(Entry { id, case: case.to_string() });
                kept.push((case, first));
            }
            (Recorded::StoredOutputs(_), Recorded::StoredOutputs(_)) => {
                return Err(RecordError::Unfit(format!(
                    "two runs of the same case gave different bits, so a snapshot would change by itself: {id}\n\
                     `ropecheck check --check deterministic` looks closer"
                )));
            }
            (Recorded::NotAsked(why), _) => *left_out.entry(why).or_default() += 1,
            (why @ Recorded::Failed(_), _) | (_, why @ (Recorded::Failed(_) | Recorded::NotAsked(_))) => {
                return Err(RecordError::NoOutputs { id, case: token(context.library, &case), why });
            }
        }
    }
    if kept.is_empty() {
        let why: Vec<String> = left_out.keys().cloned().collect();
        return Err(RecordError::Nothing(format!("nothing can be recorded: {}", why.join("; "))));
    }
    Ok((Snapshot { about, cases: kept }, left_out))
}
