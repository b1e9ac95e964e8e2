//! One check on one group: its cases are run and judged, and the first failure is made small.

use std::collections::BTreeMap;

use super::context::{Context, Options};
use super::item::Item;
use super::result::{CheckResult, FailureReport, Stopped};
use super::shrink::shrink;
use crate::backend::Backend;
use crate::case::Case;
use crate::check::cover::{Covers, Met};
use crate::check::{Generator, Group, Measure, Planned, Stop};

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
    if stop() == Some(Stopped::OutOfTime) {
        // Not even its schedule is worth the time.
        return Some(CheckResult { stopped: Some(Stopped::OutOfTime), ..CheckResult::new(group, id) });
    }
    let manifest = backend.manifest().clone();
    let covered = covers.level(group.level);
    let generator =
        Generator { cover: covered.map_or(&[], |(_, rows)| rows), ..context.generator(group, &manifest, options)? };
    let item = Item::find(id, group.level, generator.scheme)?;
    let mut schedule = item.schedule(&generator);
    let mut result = CheckResult::new(group, item.id());
    result.gaps.append(&mut schedule.gaps);
    let mut numbers: BTreeMap<String, usize> = BTreeMap::new();
    for Planned { band, case } in &schedule.cases {
        result.stopped = stop();
        if result.stopped.is_some() {
            break;
        }
        let number = numbers.entry(band.clone()).or_default();
        let id = result.case_id(band, *number);
        *number += 1;
        let mut harness = context.harness(backend);
        harness.records = covered.is_some();
        let judged = item.judge(case, &mut harness);
        if let (Some((classes, _)), Ok(Measure { calls, .. })) = (covered, &judged) {
            let met = result.met.get_or_insert_with(|| Met::none(classes.all().len()));
            calls.iter().for_each(|call| classes.meet(met, call));
        }
        result.count(band, &judged);
        let Err(Stop::Failed(failure)) = judged else { continue };
        let hung = failure.hung();
        let (small, failure) = if result.failures.is_empty() && !hung && !options.first_failure_only {
            let budget = if failure.lost_backend() { SHRINKING_CRASHES } else { SHRINKING };
            shrink(case, failure, budget, &manifest, context, |c| item.judge(c, &mut context.harness(backend)))
        } else {
            (case.clone(), failure)
        };
        let shrunk_from = (small != *case).then(|| case.to_string());
        let case = small.to_string();
        let replay = options.command.replay(&case);
        result.failures.push(FailureReport { id, case, shrunk_from, replay, failure: *failure, message: Vec::new() });
        if hung {
            result.stopped = Some(Stopped::Hung);
            break;
        }
        if options.first_failure_only {
            break;
        }
    }
    result.has_content().then_some(result)
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
