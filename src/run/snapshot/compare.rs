//! A snapshot held against what a backend does now: bit by bit, and in ulps where the bits differ.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::file::{About, Snapshot, StoredOutputs};
use super::record::{RecordError, Recorded, plan, run_all};
use super::values::{Distance, distance, shown};
use crate::backend::{Backend, BackendFactory};
use crate::case::tensor_file::{ElementType, Stored};
use crate::case::{Case, Level, Tensor, pairing_name};
use crate::check::failure::{AxisAt, Place};
use crate::check::judge::{Element, Judge, Known};
use crate::check::{Failure, Harness};
use crate::contract::Judgement;
use crate::numeric::DType;
use crate::run::context::{Context, Options};
use crate::run::digest::{digest_of, token};
use crate::run::offered::offered;

/// Most changed elements of a case that are held against the reference.
const MOST_JUDGED: usize = 4096;
/// Most changes that are shown one by one.
const MOST_SHOWN: usize = 6;

/// Where a change goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// Nearer to the reference.
    Towards,
    /// Further from it.
    Away,
    /// As far as before.
    Neither,
}

/// What cases have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct GroupKey {
    /// Scheme and profile.
    pub scheme: String,
    /// Level.
    pub level: Level,
    /// Storage type; that of the positions on level positions.
    pub dtype: String,
    /// Pairing; `-` on level positions.
    pub pairing: String,
    /// Position band.
    pub band: String,
}

/// What changed in one pair, or on one axis.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct PairTally {
    /// Elements that changed.
    pub changed: u64,
    /// By how much at most.
    pub largest: Option<Distance>,
}

/// What changed in a group.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Differences {
    /// Cases compared.
    pub cases: u64,
    /// Elements compared.
    pub elements: u64,
    /// Elements whose bits changed.
    pub changed: u64,
    /// By how much at most.
    pub largest: Option<Distance>,
    /// Of those that were held against the reference: nearer to it than before.
    pub towards: u64,
    /// Further from it.
    pub away: u64,
    /// No longer what the contract allows.
    pub outside: u64,
    /// Changed, and not held against the reference, because there are too many.
    pub not_judged: u64,
    /// By pair (`pair 3`), axis (`axis t`), or `not rotated`.
    pub pairs: BTreeMap<String, PairTally>,
}

/// One element that changed.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OutputChange {
    /// Id of the case.
    pub id: String,
    /// The case, as `replay` takes it.
    pub case: String,
    /// Where it is.
    pub place: Place,
    /// By how much.
    pub distance: Distance,
    /// Value and bits in the snapshot.
    pub old: String,
    /// Value and bits now.
    pub new: String,
    /// What the reference says; absent where it says nothing.
    pub reference: Option<String>,
    /// Where the change goes.
    pub direction: Option<Direction>,
    /// Whether the new value is what the contract allows.
    pub within: Option<bool>,
}

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Comparison {
    /// Cases compared.
    pub compared: u64,
    /// Elements compared.
    pub elements: u64,
    /// Ids of the cases in which bits changed.
    pub changed: Vec<String>,
    /// Of these, those that now differ from run to run.
    pub unstable: Vec<String>,
    /// By group; only those in which something changed.
    pub groups: Vec<(GroupKey, Differences)>,
    /// The largest changes, largest first, at most one of each case.
    pub largest: Vec<OutputChange>,
    /// Cases of the snapshot that can no longer be asked for, and why.
    pub gone: Vec<(String, String)>,
    /// Cases that the backend no longer answers, and what happened.
    pub failed: Vec<(String, Box<Failure>)>,
    /// Cases that the selection has now and the snapshot has not.
    pub new: Vec<String>,
    /// Cases of the snapshot that the command line left out.
    pub left_out: u64,
    /// Keys of the manifest that changed.
    pub manifest: Vec<String>,
    /// Schemes whose spec changed.
    pub specs: Vec<String>,
}

impl Comparison {
    /// Whether everything that was asked for is as it was.
    #[must_use]
    pub fn same(&self) -> bool {
        self.changed.is_empty() && self.gone.is_empty() && self.failed.is_empty()
    }
}

/// Runs the cases of a snapshot on a backend, and compares. `narrowed` says which of them; `options` is the selection that
/// the snapshot was recorded with.
///
/// # Errors
/// [`RecordError`]
pub fn compare(
    snapshot: &Snapshot,
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    narrowed: &dyn Fn(&Case) -> bool,
    progress: &dyn Fn(usize, usize),
) -> Result<Comparison, RecordError> {
    let mut backend = factory.start()?;
    let manifest = backend.manifest().clone();
    let mut found = Comparison {
        manifest: changed_keys(&snapshot.about.manifest, &About::of_manifest(&manifest)),
        ..Comparison::default()
    };
    let specs = snapshot.about.specs.iter();
    found.specs = specs.filter(|(id, sum)| digest_of(context.library, id) != **sum).map(|(id, _)| id.clone()).collect();
    let kept: BTreeSet<String> = snapshot.about.cases.iter().map(|entry| entry.case.clone()).collect();
    // A selection that has nothing left has nothing new either: every case is then said to be gone.
    if let Ok(now) = plan(&manifest, context, options) {
        let new = now.cases.into_iter().filter(|(_, case)| narrowed(case) && !kept.contains(&case.to_string()));
        found.new = new.map(|(id, _)| id).collect();
    }
    let mut asked: Vec<(&str, &Case, &StoredOutputs)> = Vec::new();
    for (entry, (case, outputs)) in snapshot.about.cases.iter().zip(&snapshot.cases) {
        if !narrowed(case) {
            found.left_out += 1;
            continue;
        }
        match offered(&manifest, context.library, case) {
            Ok(()) => asked.push((&entry.id, case, outputs)),
            Err(why) => found.gone.push((entry.id.clone(), why)),
        }
    }
    let cases: Vec<&Case> = asked.iter().map(|(_, case, _)| *case).collect();
    let results = run_all(&cases, factory, context, options.threads, &|done| progress(done, cases.len()))?;
    if context.is_interrupted() {
        return Err(RecordError::Interrupted);
    }
    let mut groups: BTreeMap<GroupKey, Differences> = BTreeMap::new();
    for ((id, case, old), result) in asked.into_iter().zip(results) {
        let new = match result {
            Recorded::StoredOutputs(new) => new,
            Recorded::NotAsked(why) => {
                found.gone.push((id.to_owned(), why));
                continue;
            }
            Recorded::Failed(why) => {
                found.failed.push((id.to_owned(), why));
                continue;
            }
        };
        let tally = groups.entry(key(id, case)).or_default();
        let elements: usize = new.values().map(|stored| stored.bytes.len() / stored.kind.size()).sum();
        (tally.cases, tally.elements) = (tally.cases + 1, tally.elements + elements as u64);
        (found.compared, found.elements) = (found.compared + 1, found.elements + elements as u64);
        if *old == new {
            continue;
        }
        found.changed.push(id.to_owned());
        if super::record::outputs(case, &mut *backend, context) != Recorded::StoredOutputs(new.clone()) {
            found.unstable.push(id.to_owned());
        }
        if old.iter().zip(&new).any(|(a, b)| (a.1.kind, &a.1.shape) != (b.1.kind, &b.1.shape)) || old.len() != new.len()
        {
            tally.changed += elements as u64;
            tally.largest = Some(Distance::Shape);
            continue;
        }
        let mut one = CaseChanges { id, case, old, new: &new, tally, largest: None };
        one.find(context, &mut *backend);
        found.largest.extend(one.largest);
    }
    found.largest.sort_by_key(|change| std::cmp::Reverse(change.distance));
    found.largest.truncate(MOST_SHOWN);
    found.groups = groups.into_iter().filter(|(_, tally)| tally.changed > 0).collect();
    if found.compared == 0 && found.failed.is_empty() && found.gone.is_empty() {
        return Err(RecordError::Nothing("no case of the snapshot is selected".into()));
    }
    Ok(found)
}

fn changed_keys(old: &serde_json::Value, new: &serde_json::Value) -> Vec<String> {
    let keys = |value: &serde_json::Value| value.as_object().map(|o| o.keys().cloned().collect::<BTreeSet<_>>());
    let all: BTreeSet<String> = keys(old).into_iter().chain(keys(new)).flatten().collect();
    all.into_iter().filter(|key| old.get(key) != new.get(key)).collect()
}

fn key(id: &str, case: &Case) -> GroupKey {
    let tensors = case.level != Level::Positions;
    GroupKey {
        scheme: case.scheme.clone(),
        level: case.level,
        dtype: if tensors { case.dtype.name() } else { case.position_dtype.name() }.to_owned(),
        pairing: if tensors { pairing_name(case.pairing) } else { "-" }.to_owned(),
        band: id.rsplit('/').nth(1).unwrap_or("-").to_owned(),
    }
}

/// The changes of one case.
struct CaseChanges<'a> {
    id: &'a str,
    case: &'a Case,
    old: &'a StoredOutputs,
    new: &'a StoredOutputs,
    tally: &'a mut Differences,
    largest: Option<OutputChange>,
}

/// What is known of an element beside its bits.
struct DifferencePlace {
    place: Place,
    part: String,
    known: Option<(Known, f64)>,
}

impl CaseChanges<'_> {
    fn find(&mut self, context: &Context, backend: &mut dyn Backend) {
        let harness = context.harness(backend);
        let judged = self.judged(&harness);
        let prepared = harness.prepare(self.case).ok();
        let judge = match (&judged, &prepared) {
            (Some(_), Some(prepared)) => Judge::new(&harness, self.case, prepared).ok(),
            _ => None,
        };
        let mut left = MOST_JUDGED;
        for (name, old) in self.old {
            let Some(new) = self.new.get(name) else { continue };
            let ElementType::Number(dtype) = new.kind else { continue };
            let count = new.bytes.len() / dtype.size();
            for index in 0..count {
                let (Some(was), Some(is)) = (dtype.bits_at(&old.bytes, index), dtype.bits_at(&new.bytes, index)) else {
                    continue;
                };
                if was == is {
                    continue;
                }
                let more = left > 0;
                left = left.saturating_sub(1);
                let about = match (&judge, &judged) {
                    (Some(judge), Some(outputs)) => self.tensor_element(judge, outputs, name, new, index, more),
                    _ => self.position_element(context, name, new, index),
                };
                self.count(context, dtype, (was, is), about);
            }
        }
    }

    /// Inputs and new outputs as values.
    fn judged(&self, harness: &Harness) -> Option<crate::check::Outputs> {
        if self.case.level == Level::Positions {
            return None;
        }
        let prepared = harness.prepare(self.case).ok()?;
        let (q, k) = Harness::inputs(self.case, &prepared);
        let values = |name: &str, own: DType| -> Tensor {
            let Some(stored) = self.new.get(name) else { return Tensor::default() };
            let Ok(shape) = <[usize; 4]>::try_from(stored.shape.as_slice()) else { return Tensor::default() };
            let mut tensor = Tensor::zeros(shape);
            self.case.output_type(own).decode_slice(&stored.bytes, tensor.values_mut());
            tensor
        };
        let (q_out, k_out) = (values("q", self.case.dtype), values("k", self.case.k_type()));
        Some(crate::check::Outputs { q, k, q_out, k_out })
    }

    fn tensor_element(
        &self,
        judge: &Judge,
        outputs: &crate::check::Outputs,
        name: &str,
        new: &Stored,
        index: usize,
        held: bool,
    ) -> DifferencePlace {
        let [_, tokens, heads, channels] = <[usize; 4]>::try_from(new.shape.as_slice()).unwrap_or([1; 4]);
        let (rest, channel) = (index / channels.max(1), index % channels.max(1));
        let (rest, head) = (rest / heads.max(1), rest % heads.max(1));
        let (row, token) = (rest / tokens.max(1), rest % tokens.max(1));
        let head = if name == "k" { head + judge.q_heads() } else { head };
        let part = judge.pair_of_channel(channel).map_or("not rotated".to_owned(), |pair| format!("pair {pair}"));
        let element = Element { row, token, head, channel };
        let observed = judge.output_row(outputs, row, token, head)[channel];
        let known = held.then(|| (judge.known(outputs, element, observed), observed));
        DifferencePlace { place: judge.place(element), part, known }
    }

    fn position_element(&self, context: &Context, name: &str, new: &Stored, index: usize) -> DifferencePlace {
        let [_, rows, tokens] = <[usize; 3]>::try_from(new.shape.as_slice()).unwrap_or([1; 3]);
        let (rest, token) = (index / tokens.max(1), index % tokens.max(1));
        let (axis, row) = (rest / rows.max(1), rest % rows.max(1));
        let axes = context.library.get(&self.case.scheme).map(|s| s.axes.clone()).unwrap_or_default();
        let name_of_axis = axes.get(axis).cloned().unwrap_or_else(|| axis.to_string());
        let part = format!("axis {name_of_axis}");
        let start = self.case.window.map_or(0, |(start, _)| start);
        let token = (name != "next").then_some(start + token as u64);
        let axis = Some(AxisAt::named(&name_of_axis));
        DifferencePlace { place: Place { row: Some(row), token, axis, ..Place::default() }, part, known: None }
    }

    fn count(&mut self, context: &Context, dtype: DType, (was, is): (u64, u64), about: DifferencePlace) {
        let distance = distance(dtype, was, is);
        let (mut direction, mut within, mut reference) = (None, None, None);
        if let Some((known, now)) = about.known {
            let far = |value: f64| (value - known.expected).abs();
            let (before, after) = (far(dtype.decode(was)), far(now));
            let towards = if after < before {
                Direction::Towards
            } else if after > before || after.is_nan() {
                Direction::Away
            } else {
                Direction::Neither
            };
            direction = Some(towards);
            self.tally.towards += u64::from(towards == Direction::Towards);
            self.tally.away += u64::from(towards == Direction::Away);
            within = match known.judgement {
                Judgement::Pass { .. } => Some(true),
                Judgement::Fail => Some(false),
                _ => None,
            };
            self.tally.outside += u64::from(within == Some(false));
            reference = Some(format!("{:.17e}", known.expected));
        } else {
            self.tally.not_judged += 1;
        }
        self.tally.changed += 1;
        self.tally.largest = self.tally.largest.max(Some(distance));
        let pair = self.tally.pairs.entry(about.part).or_default();
        pair.changed += 1;
        pair.largest = pair.largest.max(Some(distance));
        if self.largest.as_ref().is_none_or(|largest| largest.distance < distance) {
            self.largest = Some(OutputChange {
                id: self.id.to_owned(),
                case: token(context.library, self.case),
                place: about.place,
                distance,
                old: shown(dtype, was),
                new: shown(dtype, is),
                reference,
                direction,
                within,
            });
        }
    }
}
