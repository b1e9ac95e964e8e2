//! Failures explained: their cases are run again on emulated kernels with known defects, and those that show what was seen
//! are named.

mod compare;
mod recorder;
mod search;
#[cfg(test)]
mod tests;
mod value;

pub use value::{Resemblance, ValueOrigin};

use schemars::JsonSchema;
use serde::Serialize;

use super::context::{Context, Options};
use super::findings::{Finding, findings, group};
use super::report::RunReport;
use super::result::{Again, CheckResult, FailureReport};
use crate::backend::BackendFactory;
use crate::check::failure::Cause;
use crate::fault::{Fault, Imitator, catalogue};

/// Most findings that are explained, as many as a report shows.
const FINDINGS: usize = 3;
/// Most failures of a finding that an explanation is held against.
const FAILURES: usize = 5;

/// A known defect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NamedFault {
    /// Its id, as `ropecheck explain` takes it.
    pub id: String,
    /// What goes wrong, in a sentence.
    pub says: String,
    /// Where to look in a kernel.
    pub look: String,
    /// Where it happened: repository and number.
    pub bugs: Vec<String>,
}

impl NamedFault {
    fn of(fault: &Fault) -> NamedFault {
        let Fault { id, doc, look, bugs, .. } = fault.clone();
        NamedFault { id, says: doc, look, bugs }
    }
}

/// Defects that show what was observed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Explanation {
    /// From 1; explanations that no case tells apart have the same one.
    pub rank: usize,
    /// One defect, or two at the same time.
    pub faults: Vec<NamedFault>,
    /// How many of these cases it reproduces; the first one is among them.
    pub reproduces: usize,
    /// Whether it does so bit by bit, and not only within the contract's bound.
    pub exact: bool,
}

/// What explains failures of one kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Diagnosis {
    /// Id of the failure that a report tells the finding by.
    pub finding: String,
    /// What kind of failure, as in its cause.
    pub kind: String,
    /// Ids of the failures whose cases were run again, the most telling first, and twice where it was run as it was
    /// seen at first, too.
    pub failures: Vec<String>,
    /// What reproduces the first of them and the right kernel does not, the best first; empty if nothing does.
    pub explanations: Vec<Explanation>,
    /// What the wrong values of the first of them are, where that has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub values: Option<Resemblance>,
}

/// Whether outputs can show what went wrong: a call that ended otherwise has none, and memory outside of outputs is none.
fn shows_in_outputs(cause: &Cause) -> bool {
    !matches!(
        cause,
        Cause::Crashed { .. }
            | Cause::Hung { .. }
            | Cause::Refused { .. }
            | Cause::BackendError { .. }
            | Cause::NonsenseAccepted { .. }
            | Cause::NonsenseWrote { .. }
            | Cause::EnvironmentChanged { .. }
            | Cause::MemoryWritten { .. }
            | Cause::EmptyCallWrote { .. }
            | Cause::DependsOnSurroundings { .. }
    )
}

/// A failure, and where it belongs.
type Found<'r> = (&'r CheckResult, &'r FailureReport);

/// Failures that one defect should explain, the most telling first: one of each check, in the group of the first.
fn evidence<'r>(finding: &Finding<'r>, report: &'r RunReport) -> Vec<Found<'r>> {
    let (result, example) = finding.example;
    let can_run = |failure: &FailureReport| match &failure.again {
        Some(Again::AfterOtherCalls { cases }) => !cases.is_empty(),
        _ => shows_in_outputs(&failure.failure.cause),
    };
    let of_group = report.results.iter().filter(|other| group(other) == group(result));
    let firsts = of_group.filter_map(|other| Some((other, other.failures.first()?)));
    // Those of the same kind tell most; others come from the same kernel.
    let same = |(_, failure): &Found| failure.failure.cause.name() == example.failure.cause.name();
    let (same, others): (Vec<Found>, Vec<Found>) =
        firsts.filter(|(_, failure)| failure.id != example.id).partition(same);
    let all = [(result, example)].into_iter().chain(same).chain(others);
    all.filter(|(_, failure)| can_run(failure)).take(FAILURES).collect()
}

/// Explains what failed in a report, with a backend of its own. Nothing is said of a report in which nothing failed.
pub(super) fn diagnose(
    factory: &dyn BackendFactory,
    context: &Context,
    options: &Options,
    report: &RunReport,
) -> Vec<Diagnosis> {
    let findings = findings(report);
    let told: Vec<&Finding> =
        findings.iter().filter(|one| shows_in_outputs(&one.example.1.failure.cause)).take(FINDINGS).collect();
    if told.is_empty() {
        return Vec::new();
    }
    let Ok(faults) = catalogue() else { return Vec::new() };
    let imitator = Imitator::new(context.library, context.contracts);
    let search = search::Search { factory, context, threads: options.threads, imitator: &imitator, faults: &faults };
    told.into_iter().filter_map(|finding| search.explain(finding.example.1, &evidence(finding, report))).collect()
}
