//! One check on one group: its cases are run and judged, and the first failure is made small.

use std::collections::BTreeMap;

use super::context::{Context, Options};
use super::corpus;
use super::digest::token;
use super::item::Item;
use super::result::{Again, CheckResult, FailureReport, OwedFailure, Stopped};
use super::shrink::shrink;
use crate::backend::{Backend, Manifest, StartErrorKind};
use crate::case::Case;
use crate::check::cost::{Room, spent};
use crate::check::cover::{Covers, Met};
use crate::check::failure::Cause;
use crate::check::{Failure, Generator, Group, Measure, Planned, Stop};

/// Runs that shrinking may take; fewer where each one costs a worker.
const SHRINKING: usize = 160;
const SHRINKING_CRASHES: usize = 24;

/// Runs one check on one group, until `stop` says why it must end. `None` where there is nothing to report.
pub(super) fn unit(
    group: &Group,
    id: &str,
    backend: &mut dyn Backend,
    context: &Context,
    options: &Options,
    covers: &Covers,
    stop: &dyn Fn() -> Option<Stopped>,
) -> Option<CheckResult> {
    let stopped = stop();
    if matches!(stopped, Some(Stopped::OutOfTime | Stopped::EnoughFailed)) {
        // Not even its schedule is worth the time.
        return Some(CheckResult { stopped, ..CheckResult::new(group, id) });
    }
    let manifest = options.narrowed(backend.manifest()).ok()?;
    let covered = covers.level(group.level);
    let generator =
        Generator { cover: covered.map_or(&[], |(_, rows)| rows), ..context.generator(group, &manifest, options)? };
    let item = Item::find(id, group.level, generator.scheme)?;
    let mut schedule = spent(Room::Schedule, || item.schedule(&generator));
    let mut result = CheckResult::new(group, item.id());
    result.gaps.append(&mut schedule.gaps);
    let named = result.clone();
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    if let Some(corpus) = &options.corpus {
        let known = corpus.planned((group, item.id()), &manifest, context.library, &options.parameters);
        schedule.cases.splice(..0, known);
    }
    // What fails again comes after what fails newly, which is made small and told.
    let mut again: Vec<FailureReport> = Vec::new();
    for (at, Planned { band, case }) in schedule.cases.iter().enumerate() {
        result.stopped = stop();
        if result.stopped.is_some() {
            break;
        }
        let number = numbers.entry(band.clone()).or_default();
        let id = result.case_id(band, *number);
        *number += 1;
        let mut harness = context.harness(backend);
        harness.records = covered.is_some();
        harness.worst = result.bands.get(band).map_or(0.0, |band| band.worst);
        let judged = item.judge(case, &mut harness);
        result.stopped = match &judged {
            // Whatever went wrong while the run was being ended says nothing about the backend.
            Err(_) if context.is_interrupted() => Some(Stopped::Interrupted),
            Err(Stop::NotRun(error)) if error.kind == StartErrorKind::Changed => Some(Stopped::Changed),
            Err(Stop::NotRun(error)) if error.kind == StartErrorKind::Interrupted => Some(Stopped::Interrupted),
            _ => None,
        };
        if result.stopped.is_some() {
            break;
        }
        if let (Some((classes, _)), Ok(Measure { calls, .. })) = (covered, &judged) {
            let met = result.met.get_or_insert_with(|| Met::none(classes.all().len()));
            calls.iter().for_each(|call| classes.meet(met, call));
        }
        result.count(band, &judged);
        let expects =
            |cause: &Cause| options.expectations.as_ref()?.expects(manifest.name.as_str(), named.names(), cause);
        let report = |(small, failure, again): (Case, Box<Failure>, Option<Again>)| {
            let expected = expects(&failure.cause);
            let token = |case: &Case| token(context.library, case);
            let shrunk_from = (small != *case).then(|| token(case));
            let case = token(&small);
            let replay = options.command.replay(&case);
            FailureReport { id, case, shrunk_from, replay, again, expected, failure: *failure, message: Vec::new() }
        };
        let failure = match judged {
            Err(Stop::Failed(failure)) => failure,
            Err(Stop::Owed(owed)) if result.owed.is_none() => {
                let failure = report((case.clone(), owed.failure, None));
                result.owed = Some(Box::new(OwedFailure { band: band.clone(), failure }));
                continue;
            }
            _ => continue,
        };
        let hung = failure.hung();
        // One failure is tried again and made small: the first that nobody expects.
        let first = expects(&failure.cause).is_none() && result.unexpected().next().is_none();
        let known = band == corpus::BAND;
        let found = if first && !known && !hung && !options.first_failure_only {
            let mut retrial = Retrial { item: &item, backend, context, manifest: &manifest };
            retrial.tried(case, failure, &schedule.cases[..at])
        } else {
            (case.clone(), failure, None)
        };
        if context.is_interrupted() {
            // What was tried again was cut short; the failure itself came before.
            result.stopped = Some(Stopped::Interrupted);
        }
        if known {
            again.push(report(found))
        } else {
            result.failures.push(report(found))
        }
        if hung {
            result.stopped = Some(Stopped::Hung);
            break;
        }
        if options.first_failure_only {
            break;
        }
    }
    result.failures.append(&mut again);
    result.has_content().then_some(result)
}

/// A failing case, tried again.
struct Retrial<'r, 'a> {
    item: &'r Item<'a>,
    backend: &'r mut dyn Backend,
    context: &'r Context<'r>,
    manifest: &'r Manifest,
}

impl Retrial<'_, '_> {
    fn judge(&mut self, case: &Case) -> Option<Box<Failure>> {
        match self.item.judge(case, &mut self.context.harness(self.backend)) {
            Err(Stop::Failed(failure)) => Some(failure),
            _ => None,
        }
    }

    /// The smallest case found that fails in a fresh process, its failure, and what came of the case there.
    /// `before`: the cases that were judged before it.
    fn tried(&mut self, case: &Case, failure: Box<Failure>, before: &[Planned]) -> (Case, Box<Failure>, Option<Again>) {
        if !self.backend.renew() {
            let (small, failure) = self.shrunk(case, failure);
            return (small, failure, None);
        }
        let failure = match self.item.judge(case, &mut self.context.harness(self.backend)) {
            Err(Stop::Failed(again)) => again,
            // Not tried: nothing is known.
            Err(Stop::NotRun(_)) => return (case.clone(), failure, None),
            _ => {
                let cases = self
                    .needed(case, before)
                    .iter()
                    .map(|planned| token(self.context.library, &planned.case))
                    .collect();
                return (case.clone(), failure, Some(Again::AfterOtherCalls { cases }));
            }
        };
        let (small, small_failure) = self.shrunk(case, failure.clone());
        if small != *case {
            // The many calls of shrinking may have been what made it fail.
            self.backend.renew();
            if self.judge(&small).is_none() {
                return (case.clone(), failure, Some(Again::Fails));
            }
        }
        (small, small_failure, Some(Again::Fails))
    }

    fn shrunk(&mut self, case: &Case, failure: Box<Failure>) -> (Case, Box<Failure>) {
        let budget = if failure.lost_backend() { SHRINKING_CRASHES } else { SHRINKING };
        let (item, backend, context) = (self.item, &mut *self.backend, self.context);
        shrink(case, failure, budget, self.manifest, context, |c| item.judge(c, &mut context.harness(backend)))
    }

    /// The last cases before this one after which it fails in a fresh process, as few of them as were tried.
    fn needed<'p>(&mut self, case: &Case, before: &'p [Planned]) -> &'p [Planned] {
        for count in [1, 4, 16].into_iter().filter(|count| *count <= before.len()) {
            let last = &before[before.len() - count..];
            self.backend.renew();
            for planned in last {
                let _ = self.judge(&planned.case);
            }
            if self.judge(case).is_some() {
                return last;
            }
        }
        &[]
    }
}

/// Judges one case: what `replay` does.
///
/// # Errors
/// If the check or the backend has no such level.
pub fn replay(case: &Case, backend: &mut dyn Backend, context: &Context) -> Result<Result<Measure, Stop>, String> {
    let scheme = context.library.get(&case.scheme).map_err(|e| e.to_string())?;
    let item = Item::find(&case.check, case.level, scheme)
        .ok_or_else(|| format!("there is no check {:?} on level {}", case.check, case.level))?;
    if backend.manifest().level(case.level).is_none() {
        return Err(format!("the backend has no level {}", case.level));
    }
    Ok(item.judge(case, &mut context.harness(backend)))
}
