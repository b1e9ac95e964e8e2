//! The search for defects that show what was observed.

use super::compare::Difference;
use super::recorder::{Calls, Recorder};
use super::value::resemblance;
use crate::backend::{Backend, BackendFactory};
use crate::case::{Case, Level};
use crate::check::judge::Judge;
use crate::check::{Harness, Outputs, Stop};
use crate::fault::{Fault, Imitated, Imitator};
use crate::run::context::Context;
use crate::run::explanation::{Diagnosis, Explanation, NamedFault, Resemblance};
use crate::run::in_order::in_parallel;
use crate::run::item::Item;
use crate::run::result::{Again, CheckResult, FailureReport};

/// Most defects that are tried in pairs: those that each show most of what is wrong.
const IN_PAIRS: usize = 8;
/// Most explanations that are told, unless more are the best.
const TOLD: usize = 4;

/// A failure, and where it belongs.
pub(super) type Found<'r> = (&'r CheckResult, &'r FailureReport);

/// What explanations are made with.
pub(super) struct Search<'a> {
    pub(super) factory: &'a dyn BackendFactory,
    pub(super) context: &'a Context<'a>,
    pub(super) threads: usize,
    pub(super) imitator: &'a Imitator<'a>,
    pub(super) faults: &'a [Fault],
}

/// A case that is judged on a backend.
struct Step {
    case: Case,
    /// Id of the failure that it shows; none if it only comes before one.
    failure: Option<String>,
}

/// A failing case, and what was seen in it.
struct Seen {
    /// Its step.
    step: usize,
    id: String,
    calls: Calls,
    /// How far one of its elements may be off.
    allowed: f64,
    /// What the right kernel answers, and in what that differs.
    right: Calls,
    of_right: Difference,
}

/// What an imitation shows of each failing case; shorter if it does not show the first.
struct Shown {
    differences: Vec<Option<Difference>>,
    calls: Vec<Option<Calls>>,
}

/// A candidate that shows the first failing case.
struct Candidate<'a> {
    faults: Vec<&'a Fault>,
    reproduces: usize,
    bits: usize,
    exact: bool,
    calls: Vec<Option<Calls>>,
}

impl Search<'_> {
    /// What explains these failures of one group, of which a report shows `told`, and the cases that `held` there. None if
    /// none of the failing cases can be run again, or if the right kernel answers as this one did.
    pub(super) fn explain(&self, told: &FailureReport, found: &[Found], held: &[Case]) -> Option<Diagnosis> {
        let (result, _) = found.first()?;
        let steps = steps(found);
        let mut backend = self.factory.start().ok()?;
        let observed = self.judged(&steps, &mut *backend, true);
        let manifest = backend.manifest().clone();
        let case = &steps.iter().find(|step| step.failure.is_some())?.case;
        let contract = self.context.harness(&mut *backend).contract(case).ok();
        // Nobody is told how it ends: the run is judged already.
        let _ = backend.end();
        let like = Imitated {
            manifest: &manifest,
            level: case.level,
            scheme: &result.scheme,
            contract: contract.as_ref().filter(|_| case.level != Level::Positions).map(|c| (case.dtype, c)),
        };
        let imitated = |step: &Step| Step { case: above(&step.case), failure: step.failure.clone() };
        let imitated: Vec<Step> = steps.iter().map(imitated).collect();
        let mut right = self.imitator.imitation(&like, &[]).ok()?.start().ok()?;
        let of_right = self.judged(&imitated, &mut *right, false);
        let mut seen: Vec<Seen> = Vec::new();
        for (step, (calls, right_calls)) in observed.into_iter().zip(of_right).enumerate() {
            let (Some(id), Some(calls), Some(right_calls)) = (imitated[step].failure.clone(), calls, right_calls)
            else {
                continue;
            };
            let allowed = self.allowed(&imitated[step].case, &mut *right);
            if let Some(of_right) = Difference::of(&calls, &right_calls, allowed).filter(|d| !d.is_none()) {
                seen.push(Seen { step, id, calls, allowed, right: right_calls, of_right });
            }
        }
        let first = seen.first()?;
        let values = resemblance(&first.calls, &first.right, &first.of_right, first.allowed);
        let holds =
            |case: &Case, backend: &mut dyn Backend| self.judge(case, backend).is_none_or(|(failed, _)| !failed);
        let held: Vec<Case> = held.iter().map(above).filter(|case| holds(case, &mut *right)).collect();
        let mut explanations = self.candidates(&like, &imitated, &seen);
        explanations.retain(|candidate| {
            let factory = self.imitator.imitation(&like, &candidate.faults).ok();
            let backend = factory.and_then(|factory| factory.start().ok());
            backend.is_some_and(|mut backend| held.iter().all(|case| holds(case, &mut *backend)))
        });
        let failures = seen.iter().map(|seen| seen.id.clone()).collect();
        Some(diagnosis(told, failures, values, explanations))
    }

    /// What a backend answers in each of the steps; nothing where a case of a failure does not fail, if it
    /// must.
    fn judged(&self, steps: &[Step], backend: &mut dyn Backend, must_fail: bool) -> Vec<Option<Calls>> {
        let mut all = Vec::with_capacity(steps.len());
        for step in steps {
            all.push(
                self.judge(&step.case, backend).filter(|(failed, _)| *failed || !must_fail).map(|(_, calls)| calls),
            );
        }
        all
    }

    /// Whether a case fails on a backend, and what it answers.
    fn judge(&self, case: &Case, backend: &mut dyn Backend) -> Option<(bool, Calls)> {
        let scheme = self.context.library.get(&case.scheme).ok()?;
        let item = Item::find(&case.check, case.level, scheme)?;
        let mut recorder = Recorder::new(backend);
        let judged = item.judge(case, &mut self.context.harness(&mut recorder));
        Some((matches!(judged, Err(Stop::Failed(_) | Stop::Owed(_))), recorder.calls()?))
    }

    /// The largest error that the contract allows in a case. Positions are exact.
    fn allowed(&self, case: &Case, backend: &mut dyn Backend) -> f64 {
        let harness = self.context.harness(backend);
        let Ok(prepared) = harness.prepare_anywhere(case) else { return 0.0 };
        let (q, k) = Harness::inputs(case, &prepared);
        let inputs = Outputs { q, k, ..Outputs::default() };
        Judge::new(&harness, case, &prepared).map_or(0.0, |judge| judge.largest_allowance(&inputs))
    }

    /// What a kernel with these defects shows. It is left as soon as it does not show the first failing case.
    fn shown(&self, like: &Imitated, faults: &[&Fault], steps: &[Step], seen: &[Seen]) -> Option<Shown> {
        if self.context.is_interrupted() {
            return None;
        }
        let mut backend = self.imitator.imitation(like, faults).ok()?.start().ok()?;
        let mut shown = Shown { differences: Vec::new(), calls: Vec::new() };
        for (at, step) in steps.iter().enumerate() {
            let calls = self.judge(&step.case, &mut *backend).map(|(_, calls)| calls);
            let Some(seen) = seen.iter().find(|seen| seen.step == at) else { continue };
            let difference = calls.as_ref().and_then(|calls| Difference::of(&seen.calls, calls, seen.allowed));
            let reproduced = difference.as_ref().is_some_and(|d| d.reproduces(&seen.of_right));
            shown.differences.push(difference);
            shown.calls.push(calls);
            if shown.calls.len() == 1 && !reproduced {
                break;
            }
        }
        Some(shown)
    }

    /// Defects that show the first failing case, or two of them together, the best first.
    fn candidates(&self, like: &Imitated, steps: &[Step], seen: &[Seen]) -> Vec<Candidate<'_>> {
        let tried: Vec<&Fault> = self.faults.iter().filter(|fault| fault.equal.is_none()).collect();
        let silent = |_: usize, _: usize| {};
        let of_first = &seen[0].of_right;
        let shown = in_parallel(self.threads, tried.len(), &silent, |at| self.shown(like, &[tried[at]], steps, seen));
        let mut parts: Vec<(usize, &Fault)> = Vec::new();
        let mut found: Vec<Candidate> = Vec::new();
        for (fault, shown) in tried.into_iter().zip(shown) {
            let Some(shown) = shown else { continue };
            let part = shown.differences.first().and_then(|d| d.as_ref()).map_or(0, |d| d.part(of_first));
            match candidate(vec![fault], shown, seen) {
                Some(candidate) => found.push(candidate),
                None if part > 0 => parts.push((part, fault)),
                None => {}
            }
        }
        if found.is_empty() && parts.len() > 1 {
            parts.sort_by_key(|(part, _)| std::cmp::Reverse(*part));
            parts.truncate(IN_PAIRS);
            let pairs: Vec<[&Fault; 2]> = parts
                .iter()
                .enumerate()
                .flat_map(|(at, (_, one))| parts[..at].iter().map(|(_, other)| [*other, *one]))
                .collect();
            let shown = in_parallel(self.threads, pairs.len(), &silent, |at| self.shown(like, &pairs[at], steps, seen));
            let both = pairs.into_iter().zip(shown);
            found.extend(both.filter_map(|(pair, shown)| candidate(pair.to_vec(), shown?, seen)));
        }
        // Sorting keeps the order of the catalogue where nothing tells two apart.
        found.sort_by_key(|candidate| (std::cmp::Reverse(candidate.reproduces), candidate.bits));
        found
    }
}

fn candidate<'a>(faults: Vec<&'a Fault>, shown: Shown, seen: &[Seen]) -> Option<Candidate<'a>> {
    let of_case = |(shown, seen): (&Option<Difference>, &Seen)| {
        shown.as_ref().is_some_and(|difference| difference.reproduces(&seen.of_right))
    };
    let reproduced: Vec<bool> = shown.differences.iter().zip(seen).map(of_case).collect();
    if !reproduced.first().is_some_and(|first| *first) {
        return None;
    }
    let bits = shown.differences.iter().flatten().map(|difference| difference.bits).sum();
    let reproduces = reproduced.iter().filter(|reproduced| **reproduced).count();
    // What shows but a few of the cases shows them by chance: other defects do it as well.
    if 2 * reproduces <= reproduced.len() {
        return None;
    }
    Some(Candidate { faults, reproduces, bits, exact: bits == 0, calls: shown.calls })
}

/// The cases of failures in order, each after those that it needs.
fn steps(found: &[Found]) -> Vec<Step> {
    let mut all: Vec<Step> = Vec::new();
    for (_, failure) in found {
        let before = match &failure.again {
            Some(Again::AfterOtherCalls { cases }) => &cases[..],
            _ => &[],
        };
        let parsed = |text: &String| text.parse::<Case>().ok();
        let Some(case) = parsed(&failure.case) else { continue };
        all.extend(before.iter().filter_map(parsed).map(|case| Step { case, failure: None }));
        all.push(Step { case, failure: Some(failure.id.clone()) });
        if all.len() == 1 {
            // The smallest case tells fewer defects apart than the one that it was made from.
            let from = failure.shrunk_from.as_ref().and_then(parsed);
            all.extend(from.map(|case| Step { case, failure: Some(failure.id.clone()) }));
        }
    }
    all
}

/// The case as a kernel that makes its own cosines and sines gets it.
fn above(case: &Case) -> Case {
    let level = if case.level == Level::Apply { Level::Rotate } else { case.level };
    Case { level, ..case.clone() }
}

fn diagnosis(
    told: &FailureReport,
    failures: Vec<String>,
    values: Option<Resemblance>,
    candidates: Vec<Candidate>,
) -> Diagnosis {
    let mut explanations: Vec<Explanation> = Vec::new();
    let mut rank = 0;
    for (at, candidate) in candidates.iter().enumerate() {
        let equal = at > 0 && candidates[at - 1].calls == candidate.calls;
        rank = if equal { rank } else { rank + 1 };
        if rank > 1 && at >= TOLD {
            break;
        }
        explanations.push(Explanation {
            rank,
            faults: candidate.faults.iter().map(|fault| NamedFault::of(fault)).collect(),
            reproduces: candidate.reproduces,
            exact: candidate.exact,
        });
    }
    // Two cases of one failure count as two.
    let (finding, kind) = (told.id.clone(), told.failure.cause.name().to_owned());
    Diagnosis { finding, kind, failures, explanations, values }
}
