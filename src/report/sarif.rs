//! SARIF 2.1.0, for code scanning: a result per finding, at the line that the backend's manifest declares (`source`), else at
//! the backend itself. It has a result of level `error` whenever the exit code is not 0.

use std::fmt::Write as _;

use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{finding, words};
use crate::check::CATALOGUE;
use crate::run::findings::{Finding, findings};
use crate::run::{ExitCode, ExpectationProblem, Expected, Finished, RunReport};

/// The rule that a run breaks which has no verdict, or one that no finding tells.
const VERDICT: &str = "verdict";
/// The rule that an expectation breaks which is not as stated.
const EXPECTATION: &str = "expectation";

/// The report as SARIF. `backend` is the path of what was judged, if it has one.
#[must_use]
pub fn sarif(report: &RunReport, backend: Option<&str>) -> String {
    let finished = report.finished.as_deref();
    let code = finished.map_or(ExitCode::Internal, |finished| finished.exit_code);
    let found = findings(report);
    let mut results: Vec<Value> = found.iter().map(|one| result(one, report, backend)).collect();
    results.extend(finished.iter().flat_map(|f| &f.expectations).flat_map(|one| unmet(one, report)));
    if let Some(finished) = finished.filter(|_| code != ExitCode::Conformant && results.is_empty()) {
        results.push(verdict(finished, report, backend));
    }
    let rules = rules(&results);
    for result in &mut results {
        result["ruleIndex"] = json!(rules.iter().position(|rule| rule["id"] == result["ruleId"]));
    }
    let mut invocation = json!({
        "exitCode": code as u8,
        // The tool did what it is for; whether the backend conforms is what the results are about.
        "executionSuccessful": matches!(code, ExitCode::Conformant | ExitCode::Nonconformant),
    });
    if let Some(error) = finished.and_then(|finished| finished.error.as_ref()) {
        invocation["toolExecutionNotifications"] = json!([{"level": "error", "message": {"text": error}}]);
    }
    let log = json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": {"driver": {
                "name": "ropecheck", "version": env!("CARGO_PKG_VERSION"),
                "semanticVersion": env!("CARGO_PKG_VERSION"), "rules": rules,
            }},
            "columnKind": "unicodeCodePoints",
            "invocations": [invocation],
            "results": results,
            "properties": {
                "verdict": finished.map(|finished| &finished.verdict),
                "seed": report.started.as_ref().map(|started| started.seed),
                "specs": report.started.as_ref().map(|started| &started.specs),
            },
        }],
    });
    format!("{log:#}\n")
}

/// What rules say: the catalogue of checks, and ids that are in results alone, such as a scheme's own invariants.
fn rules(results: &[Value]) -> Vec<Value> {
    let mut rules: Vec<Value> = CATALOGUE
        .iter()
        .map(|check| {
            let docs = check.docs();
            let help =
                format!("Catches: {}.\nCannot catch: {}.\nSource: {}.", docs.catches, docs.cannot_catch, docs.source);
            json!({
                "id": check.id(), "name": check.id(),
                "shortDescription": {"text": docs.statement},
                "fullDescription": {"text": format!("{} {}", docs.statement, docs.formula)},
                "help": {"text": help},
                "defaultConfiguration": {"level": "error"},
            })
        })
        .collect();
    for result in results {
        if rules.iter().all(|rule| rule["id"] != result["ruleId"]) {
            let says = match result["ruleId"].as_str() {
                Some(EXPECTATION) => "What is known to fail fails, as it is stated.",
                Some(VERDICT) => "A run comes to a verdict, and that is that the backend conforms.",
                _ => "An invariant that the scheme states holds of the backend's positions.",
            };
            rules.push(json!({
                "id": result["ruleId"], "name": result["ruleId"], "shortDescription": {"text": says},
                "help": {"text": says}, "defaultConfiguration": {"level": "error"},
            }));
        }
    }
    rules
}

fn result(finding: &Finding, report: &RunReport, backend: Option<&str>) -> Value {
    let (result, failure) = finding.example;
    let mut text = words::message(&failure.failure).join("\n");
    for (word, line) in finding::about(finding, report) {
        let _ = write!(text, "\n{word}: {line}");
    }
    let groups = finding.groups.len();
    let more = if groups == 1 { "" } else { "s" };
    let _ = write!(text, "\nIn {groups} group{more}. Run it again: {}", failure.replay);
    let groups: Vec<String> = finding
        .groups
        .iter()
        .map(|(scheme, level, pairing, dtype)| format!("{scheme}/{level}/{pairing}/{dtype}"))
        .collect();
    let cause = failure.failure.cause.name();
    json!({
        "ruleId": result.check, "level": "error",
        "message": {"text": text},
        "locations": locations(report, backend),
        "partialFingerprints": {"ropecheckFinding/v1": fingerprint(&[&result.check, cause], report)},
        "properties": {
            "cause": cause, "groups": groups, "checks": finding.checks, "follow": finding.follow,
            "case": failure.case, "replay": failure.replay,
        },
    })
}

/// What is not as an expectation says, each at its line of the configuration.
fn unmet(one: &Expected, report: &RunReport) -> Vec<Value> {
    let result = |problem: &ExpectationProblem| {
        let (text, line) = (problem.words(), problem.line());
        json!({
            "ruleId": EXPECTATION, "level": "error", "message": {"text": text},
            "locations": [physical(&one.file, line)],
            "partialFingerprints": {"ropecheckFinding/v1": fingerprint(&[EXPECTATION, &one.file, &line.to_string()], report)},
        })
    };
    one.problems.iter().map(result).collect()
}

/// A run without findings whose exit code is not 0.
fn verdict(finished: &Finished, report: &RunReport, backend: Option<&str>) -> Value {
    let mut text = finished.verdict.clone();
    if let Some(error) = &finished.error {
        let _ = write!(text, "\n{error}");
    }
    let code = (finished.exit_code as u8).to_string();
    json!({
        "ruleId": VERDICT, "level": "error", "message": {"text": text},
        "locations": locations(report, backend),
        "partialFingerprints": {"ropecheckFinding/v1": fingerprint(&[VERDICT, &code], report)},
    })
}

/// The same for the same kind of failure of the same backend, whatever the seed, its version or its numbers.
fn fingerprint(parts: &[&str], report: &RunReport) -> String {
    let name = report.started.as_ref().map_or("", |started| started.manifest.name.as_str());
    let mut hash = Sha256::new();
    for part in parts.iter().chain(&[name]) {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.finalize().iter().fold(String::new(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn physical(file: &str, line: usize) -> Value {
    json!({"physicalLocation": {"artifactLocation": {"uri": uri(file)}, "region": {"startLine": line}}})
}

fn locations(report: &RunReport, backend: Option<&str>) -> Vec<Value> {
    let declared = report.started.iter().flat_map(|started| &started.manifest.source);
    let declared: Vec<Value> = declared.map(|place| physical(&place.file, place.line.unwrap_or(1) as usize)).collect();
    match backend {
        _ if !declared.is_empty() => declared,
        Some(file) => vec![physical(file, 1)],
        None => {
            let name = report.started.as_ref().map_or("the embedded kernel", |started| &started.backend);
            vec![json!({"logicalLocations": [{"name": name, "kind": "module"}]})]
        }
    }
}

/// A path as a reference of RFC 3986; one from the root as a URL.
fn uri(path: &str) -> String {
    let mut out = if path.starts_with('/') { "file://".to_owned() } else { String::new() };
    for byte in path.strip_prefix("./").unwrap_or(path).bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => out.push(byte.into()),
            _ => _ = write!(out, "%{byte:02X}"),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::uri;

    #[test]
    fn paths_are_references() {
        assert_eq!(uri("./librope.so"), "librope.so");
        assert_eq!(uri("/a b/é.so"), "file:///a%20b/%C3%A9.so");
        assert_eq!(uri("a:b?.cu"), "a%3Ab%3F.cu");
    }
}
