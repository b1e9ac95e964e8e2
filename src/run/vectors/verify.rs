//! Outputs that came back, judged by the reference, the bounds and the checks that `check` uses.

use std::collections::BTreeMap;

use serde::Serialize;

use super::export::Exporter;
use super::index::{Index, VectorCase};
use super::recorded::Recorded;
use crate::backend::{Manifest, Vocabulary};
use crate::case::tensor_file::TensorFile;
use crate::case::{Case, Level};
use crate::check::{Failure, Group, Stop};
use crate::run::anchors::anchors;
use crate::run::context::Context;
use crate::run::controls::controls;
use crate::run::digest::{digest, same_spec};
use crate::run::exit_code::{ExitCode, RunError};
use crate::run::in_force::{ContractInForce, contracts_exist, contracts_in_force};
use crate::run::proved::{Unproved, unproved};
use crate::run::report::RunReport;
use crate::run::result::{CheckResult, FailureReport};
use crate::run::supplied::{Supplied, supplied};
use crate::run::unit::replay;

/// Version of this form of report.
const FORMAT: u32 = 1;
/// Most files that are named one by one.
const MOST_NAMED: usize = 20;

/// What came of outputs.
#[derive(Debug, Clone, Serialize)]
pub struct VectorsReport {
    /// Version of this form of report.
    pub format: u32,
    /// Version of ropecheck.
    pub ropecheck: String,
    /// SHA-256 over all schemes, in name order.
    pub specs: String,
    /// Name and version that the manifest states.
    pub kernel: String,
    /// Seed of the cases.
    pub seed: u64,
    /// Exported cases, and those that were asked about.
    pub cases: [usize; 2],
    /// What outputs are held to.
    pub contracts: Vec<ContractInForce>,
    /// What was given, so that nobody judges it.
    pub not_judged: Vec<Supplied>,
    /// What is wrong with the files: if anything is, nothing was judged.
    pub files: Vec<String>,
    /// Controls, anchors and results.
    #[serde(flatten)]
    pub report: RunReport,
    /// The verdict in words.
    pub verdict: String,
    /// Exit code.
    pub exit_code: ExitCode,
}

/// Judges the outputs of the cases of an index that are `asked` about. `read` gives the file with the outputs
/// of a case; `extra` says which files are there and belong to none.
///
/// # Errors
/// If the index or its manifest makes no sense, or a case of it has other inputs now than when it was
/// exported; if the run is interrupted.
pub fn verify(
    index: &Index,
    context: &Context,
    extra: &[String],
    asked: &dyn Fn(&VectorCase) -> bool,
    read: &dyn Fn(&VectorCase) -> Result<TensorFile, String>,
) -> Result<VectorsReport, RunError> {
    let names = Vocabulary { schemes: context.library, contracts: context.contracts };
    let spec = |why: &dyn std::fmt::Display| RunError::new(ExitCode::Spec, why);
    let manifest = Manifest::parse(&index.manifest.to_string(), names).map_err(|e| spec(&e))?;
    contracts_exist(&manifest, context.contracts)?;
    let exporter = Exporter { manifest: &manifest, context };
    let (mut files, mut judged) = (extra.to_vec(), Vec::new());
    for (number, entry) in index.cases.iter().enumerate().filter(|(_, entry)| asked(entry)) {
        let wrong = |why: &dyn std::fmt::Display| spec(&format!("cases[{number}]: {why}"));
        let case: Case = entry.case.parse().map_err(|e: crate::case::TokenError| wrong(&e))?;
        same_spec(context.library, &case).map_err(|error| wrong(&error))?;
        let again = exporter.case(number, &entry.id, &case).map_err(|why| wrong(&why))?.entry;
        if again != *entry {
            let why = format!(
                "this ropecheck (version {}) makes other files of the case than the one that exported it (version {}): export again",
                env!("CARGO_PKG_VERSION"),
                index.ropecheck
            );
            return Err(wrong(&why));
        }
        match read(entry).and_then(|file| fits(entry, file)) {
            Ok(file) => judged.push((entry, case, file)),
            Err(why) => files.push(why),
        }
    }
    let asked = index.cases.iter().filter(|entry| asked(entry)).count();
    let mut report = RunReport::default();
    if files.is_empty() {
        judge(judged, &manifest, context, &mut report)?;
    } else if files.len() > MOST_NAMED {
        let more = files.len() - MOST_NAMED;
        files.truncate(MOST_NAMED);
        files.push(format!("and {more} more files"));
    }
    let levels: Vec<Level> =
        Level::ALL.into_iter().filter(|level| index.cases.iter().any(|case| case.level == level.name())).collect();
    let mut report = VectorsReport {
        format: FORMAT,
        ropecheck: env!("CARGO_PKG_VERSION").into(),
        specs: digest(context.library),
        kernel: format!("{} {}", manifest.name, manifest.version),
        seed: index.seed,
        cases: [index.cases.len(), asked],
        contracts: contracts_in_force(&manifest, context.contracts, &levels),
        not_judged: supplied(&manifest, &levels),
        files,
        report,
        verdict: String::new(),
        exit_code: ExitCode::Internal,
    };
    (report.exit_code, report.verdict) = verdict(&report);
    Ok(report)
}

/// The file, if it has the tensors of the case and no others.
fn fits(entry: &VectorCase, file: TensorFile) -> Result<TensorFile, String> {
    for (name, expected) in &entry.outputs {
        let place = format!("{}: tensor {name:?}: expected {} {:?}", entry.file, expected.dtype, expected.shape);
        let found = file.tensors.get(name).ok_or_else(|| format!("{place}, found none"))?;
        if found.kind.name() != expected.dtype || found.shape != expected.shape {
            return Err(format!("{place}, found {} {:?}", found.kind.name(), found.shape));
        }
    }
    match file.tensors.keys().find(|name| !entry.outputs.contains_key(*name)) {
        Some(name) => {
            let names: Vec<&str> = entry.outputs.keys().map(String::as_str).collect();
            Err(format!("{}: expected tensors {} alone, found {name:?}", entry.file, names.join(", ")))
        }
        None => Ok(file),
    }
}

fn judge(
    cases: Vec<(&VectorCase, Case, TensorFile)>,
    manifest: &Manifest,
    context: &Context,
    report: &mut RunReport,
) -> Result<(), RunError> {
    let schemes: Vec<String> = cases.iter().map(|(_, case, _)| case.scheme.clone()).collect();
    report.anchors = anchors(context.library, &schemes);
    if let Some((_, case, _)) = cases.first() {
        report.controls = controls(context, &case.scheme, 1);
    }
    let mut results: BTreeMap<(String, &str, String, String), CheckResult> = BTreeMap::new();
    for (entry, case, outputs) in cases {
        if context.is_interrupted() {
            return Err(RunError::new(ExitCode::Interrupted, "interrupted: nothing was judged"));
        }
        let mut backend = Recorded::new(manifest, Some(outputs));
        let judged = replay(&case, &mut backend, context).map_err(|why| RunError::new(ExitCode::Spec, why))?;
        let group = Group { scheme: case.scheme.clone(), level: case.level, pairing: case.pairing, dtype: case.dtype };
        let empty = CheckResult::new(&group, &case.check);
        let key = (empty.scheme.clone(), empty.level.name(), empty.dtype.clone(), empty.pairing.clone());
        let result = results.entry(key).or_insert(empty);
        // ID is scheme/level/pairing/check/dtype/band/number.
        let band = entry.id.rsplit('/').nth(1).unwrap_or("-").to_owned();
        let judged = judged.map_err(owed_is_failed);
        result.count(&band, &judged);
        if let Err(Stop::Failed(failure)) = judged {
            result.failures.push(told(entry, *failure));
        }
    }
    report.results = results.into_values().collect();
    Ok(())
}

/// Nobody else will show what a check leaves to others.
fn owed_is_failed(stop: Stop) -> Stop {
    match stop {
        Stop::Owed(owed) => Stop::Failed(owed.failure),
        other => other,
    }
}

fn told(entry: &VectorCase, failure: Failure) -> FailureReport {
    FailureReport {
        id: entry.id.clone(),
        case: entry.case.clone(),
        shrunk_from: None,
        replay: format!("ropecheck vectors verify DIR OUT --case {}", entry.file),
        again: None,
        failure,
        expected: None,
        message: Vec::new(),
    }
}

/// The exit code, and what there is to say: never more than that these cases were tried.
fn verdict(report: &VectorsReport) -> (ExitCode, String) {
    let (inner, [_, asked]) = (&report.report, report.cases);
    let (ran, passed, failed) = inner.totals();
    let open = unproved(&inner.results);
    let spec = inner.results.iter().any(|result| !result.broken.is_empty());
    if !report.files.is_empty() {
        (ExitCode::NotStarted, "NOTHING WAS JUDGED: the files with outputs are not what was asked for".into())
    } else if spec || !inner.anchors.mismatches.is_empty() {
        (ExitCode::Spec, "SPEC INVALID: nothing about the kernel follows".into())
    } else if inner.controls.iter().any(|control| control.wrong.is_some()) {
        (ExitCode::ControlFailed, "CONTROL FAILED: no verdict of this run can be believed".into())
    } else if failed > 0 {
        (ExitCode::Nonconformant, format!("NONCONFORMANT: {failed} of {ran} exported cases fail"))
    } else if passed == 0 {
        (ExitCode::NothingRan, format!("NOTHING WAS JUDGED in {asked} exported cases"))
    } else if !open.is_empty() {
        (ExitCode::NothingRan, Unproved::words(&open))
    } else {
        (ExitCode::Conformant, held(report, passed))
    }
}

fn held(report: &VectorsReport, passed: u64) -> String {
    let results = &report.report.results;
    let each = |of: fn(&CheckResult) -> String| {
        let mut all: Vec<String> = results.iter().map(of).collect();
        all.sort_unstable();
        all.dedup();
        if all.len() > 4 { format!("{} and {} more", all[..3].join(", "), all.len() - 3) } else { all.join(", ") }
    };
    let largest = results.iter().flat_map(|r| r.bands.values()).filter_map(|band| band.largest_position).max();
    let mut text = format!(
        "CONFORMANT IN PART: only {passed} of {} exported cases (level {}; {}; {}; checks {})",
        report.cases[0],
        each(|r| r.level.name().to_owned()),
        each(|r| r.scheme.clone()),
        each(|r| r.dtype.clone()),
        each(|r| r.check.clone()),
    );
    if let Some(largest) = largest {
        text += &format!("; positions to {largest}");
    }
    for given in &report.not_judged {
        text += &format!("; given on level {}: {}", given.level, given.parts.join(", "));
        text += if given.angles { ", so no scheme was judged there" } else { "" };
    }
    text + "; memory, state, calls in place and every other check were not tried"
}
