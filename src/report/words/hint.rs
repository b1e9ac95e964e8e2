//! Slips of an adapter or a manifest that look like bugs of a kernel: each is told with the manifest key that
//! it is about.

use super::place::memory;
use crate::case::{Alias, BesideDtype, Case, Consume, Level, Memory, MemoryPlace, Part, PositionOrder, TableWidth};
use crate::check::failure::{Cause, ElementError, Status, TrivialKernel, ValueState};
use crate::run::findings::Finding;
use crate::run::{RunReport, Started};

/// What a finding may be about, if not about the kernel.
pub(in crate::report) fn hint(finding: &Finding, started: &Started, report: &RunReport) -> Option<String> {
    let (result, example) = finding.example;
    let case: Case = example.case.parse().ok()?;
    let consumes = started.manifest.level(result.level).map_or(&[][..], |level| &level.consumes);
    match &example.failure.cause {
        Cause::Crashed { access: Some(access), .. } if is_cache(&access.at) => Some(format!(
            "it touched {}: a cache has a row for each position that the call has, and no more; the manifest keys \
             max_position and min_position say which positions come",
            memory(&access.at)
        )),
        Cause::Refused { status: Status::Unsupported, .. } => {
            let keys = keys(&case);
            (!keys.is_empty()).then(|| format!("the manifest offers this call: see its keys {}", keys.join(", ")))
        }
        Cause::MemoryWritten { part: Part::Input, .. } if case.alias == Alias::Out => Some(in_place()),
        Cause::NotWritten { .. } | Cause::Trivial { kernel: TrivialKernel::Echo } if input_changed(report) => {
            Some(in_place())
        }
        Cause::OutOfBound(element) if element.observed.state == ValueState::Poison && input_changed(report) => {
            Some(in_place())
        }
        Cause::OutOfBound(element) if of_nothing(element) => unlisted(case.level, consumes),
        Cause::NoFrequency { observed, .. } if observed.iter().any(|number| number.0.is_nan()) => {
            unlisted(case.level, consumes)
        }
        Cause::Trivial { kernel: TrivialKernel::Nan } => unlisted(case.level, consumes),
        _ => strided(finding).then(|| {
            "it fails with strides alone: a kernel that takes packed tensors only says \"strides\": \"packed\""
                .to_owned()
        }),
    }
}

fn in_place() -> String {
    "the input is overwritten: a kernel that works in place says \"alias\": [\"in\"]".to_owned()
}

/// Whether a NaN was written that no input held.
fn of_nothing(element: &ElementError) -> bool {
    element.observed.state == ValueState::Nan
}

/// Whether inputs were overwritten somewhere.
fn input_changed(report: &RunReport) -> bool {
    let mut failures = report.results.iter().flat_map(|result| &result.failures);
    failures.any(|failure| matches!(failure.failure.cause, Cause::MemoryWritten { part: Part::Input, .. }))
}

/// Whether a place is in a cache of cosines and sines, or beside it.
fn is_cache(at: &MemoryPlace) -> bool {
    matches!(
        at,
        MemoryPlace::Entry { buffer: "cache", .. }
            | MemoryPlace::Before { buffer: "cache", .. }
            | MemoryPlace::After { buffer: "cache", .. }
    )
}

/// What a level can take and the manifest does not list.
fn unlisted(level: Level, consumes: &[Consume]) -> Option<String> {
    let of_level = |what: &&Consume| match level {
        Level::Positions => **what == Consume::Layout,
        Level::Rotate => **what != Consume::Layout,
        Level::Fused => {
            matches!(what, Consume::Layout | Consume::Base | Consume::InvFreq | Consume::AxisOfPair | Consume::Sections)
        }
        Level::Apply => **what == Consume::CosSin,
    };
    let all = Consume::ALL.iter().filter(of_level).filter(|what| !consumes.contains(what));
    let names: Vec<&str> = all.map(|what| what.name()).collect();
    let names = names.join(", ");
    (!names.is_empty()).then(|| {
        format!("what the manifest key consumes does not list arrives as NaN or -1: does the kernel read {names}?")
    })
}

/// Whether all small cases have strides that leave gaps.
fn strided(finding: &Finding) -> bool {
    let is_strided = |text: &str| text.parse::<Case>().is_ok_and(|case| case.memory != Memory::Packed);
    finding.shrunk.len() > 1 && finding.shrunk.iter().all(|(_, failure)| is_strided(&failure.case))
}

/// Keys of the manifest that offer what a small case still asks for.
fn keys(case: &Case) -> Vec<&'static str> {
    let asked = [
        ("alias", case.alias != Alias::Out),
        ("directions", case.direction < 0),
        ("strides", case.memory != Memory::Packed),
        ("k_dtypes", case.k_dtype != BesideDtype::Storage),
        ("output_dtypes", case.output_dtype != BesideDtype::Storage),
        ("table_dtypes", case.table_dtype != BesideDtype::Storage),
        ("table_widths", case.table_width != TableWidth::Half),
        ("position_strides", case.position_order != PositionOrder::Rows),
        ("varlen", case.packed),
        ("batch_layouts", !case.packed && case.layouts.windows(2).any(|rows| rows[0] != rows[1])),
        ("token_ranges", case.window.is_some()),
        ("partial_rotary", case.rotary.is_some()),
        ("per_head", case.per_head),
        ("attention_scaling", case.scaling.is_some()),
        ("k_heads", case.k_heads == 0 && case.level != Level::Positions),
        ("pairings", case.level != Level::Positions),
        ("dtypes", case.level != Level::Positions),
        ("layouts", case.layouts.iter().any(|layout| layout.segments().len() > 1)),
    ];
    asked.into_iter().filter(|(_, asked)| *asked).map(|(key, _)| key).collect()
}
