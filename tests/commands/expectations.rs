//! Known failures in ropecheck.yaml: each rule with its message, in the exit code, the verdict and every report.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use crate::common::{Run, broken, compile, kernel, scratch, source, text};
use serde_json::Value;

/// What every run here is narrowed to: a check that sees angles, and what the test is about.
const SMALL: &str =
    "scheme: [m-rope@default, vrope@official]\ndtype: [f32, bf16]\nlevel: rotate\ndepth: quick\ncases: 1\n";

/// A folder with a configuration of a library, and a line each.
fn folder(name: &str, library: &Path, lines: &[&str]) -> PathBuf {
    let folder = scratch(name);
    let config = format!("backend: {}\n{SMALL}{}\n", text(library), lines.join("\n"));
    fs::write(folder.join("ropecheck.yaml"), config).expect("written");
    folder
}

fn run_in(folder: &Path, arguments: &[&str], epoch: Option<&str>) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropecheck"));
    command.arg("check").args(arguments).current_dir(folder).env_remove("SOURCE_DATE_EPOCH");
    epoch.into_iter().for_each(|epoch| _ = command.env("SOURCE_DATE_EPOCH", epoch));
    let output = command.output().expect("ropecheck starts");
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = format!("ropecheck check {} in {}", arguments.join(" "), folder.display());
    Run { command, code: output.status.code(), out: lossy(&output.stdout), err: lossy(&output.stderr) }
}

/// The line of a text that is in the file once.
fn line_of(folder: &Path, part: &str) -> usize {
    let text = fs::read_to_string(folder.join("ropecheck.yaml")).expect("read");
    assert_eq!(text.matches(part).count(), 1, "{part} in {text}");
    text.lines().position(|line| line.contains(part)).expect("is there") + 1
}

/// A run of `check` that ends like this, with the configuration's `lines`, and the problem of a line.
#[track_caller]
fn problem(name: &str, library: &Path, lines: &[&str], at: &str, says: &str) {
    let folder = folder(name, library, lines);
    let says = format!("ropecheck.yaml:{}: {says}", line_of(&folder, at));
    let reports = ["--report", "sarif=r.sarif", "--report", "markdown=r.md", "--report", "junit=r.xml"];
    let run = run_in(&folder, &reports, None).expect(1, &[&says]);
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the report is there");
    let sarif: Value = serde_json::from_str(&read("r.sarif")).expect("JSON");
    let result = &sarif["runs"][0]["results"].as_array().expect("results").last().expect("a result").clone();
    let region = &result["locations"][0]["physicalLocation"];
    assert_eq!(result["ruleId"], "expectation");
    assert_eq!(
        (&region["artifactLocation"]["uri"], &region["region"]["startLine"]),
        (&"ropecheck.yaml".into(), &line_of(&folder, at).into())
    );
    assert!(read("r.md").contains("**Expectation not met:** ropecheck.yaml:"), "{}", read("r.md"));
    assert!(read("r.xml").contains("name=\"expectation_not_met\""), "{}", read("r.xml"));
    let verdict = run.out.lines().last().expect("a verdict");
    assert!(verdict.contains(&says) && !verdict.starts_with("CONFORMANT"), "{verdict}");
}

/// rope.c that does something else for calls without tokens.
fn on_empty(what: &str, name: &str) -> PathBuf {
    let good = fs::read_to_string(source("kernels/c/rope.c")).expect("read");
    let line = "if (qk->batch == 0 || qk->tokens == 0) return ROPECHECK_OK;\n  if (position_size";
    assert_eq!(good.matches(line).count(), 1);
    let edited = scratch(name).join("rope.c");
    let new = format!("if (qk->batch == 0 || qk->tokens == 0) {what}\n  if (position_size");
    fs::write(&edited, good.replace(line, &new)).expect("written");
    compile(&edited, name).expect("it compiles")
}

/// Accepts an odd rotary_dim: `rejects-nonsense` fails, by `nonsense-accepted`, and nothing else.
fn odd() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| broken("accepts-odd-rotary-dim").expect("it compiles"))
}

/// Dies in calls without tokens.
fn dies() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| on_empty("__builtin_trap();", "dies"))
}

const CHECKS: &str = "check: [accuracy, rejects-nonsense, empty]";

#[test]
fn failures_that_are_expected_are_no_nonconformance_and_never_a_bare_conformance() {
    let known =
        "expectations: [{check: rejects-nonsense, reason: odd widths are rounded down, link: https://example.com/7}]";
    let folder = folder("met", odd(), &[CHECKS, known]);
    let forms = ["json=r.json", "junit=r.xml", "ndjson=r.ndjson", "badge=r.badge", "sarif=r.sarif", "markdown=r.md"];
    let reports: Vec<&str> = forms.iter().flat_map(|form| ["--report", form]).collect();
    let says = "CONFORMANT EXCEPT 4 EXPECTED FAILURES (ropecheck.yaml) IN PART: only ";
    let run = run_in(&folder, &reports, None)
        .expect(0, &[says, "KNOWN rejects-nonsense: odd widths are rounded down (4 checks"]);
    assert!(run.out.contains("config    ropecheck.yaml: backend, scheme, dtype"), "{run}");
    assert!(!run.out.contains("FAIL "), "{run}");
    let read = |name: &str| fs::read_to_string(folder.join(name)).expect("the report is there");
    let json: Value = serde_json::from_str(&read("r.json")).expect("JSON");
    assert!(json["verdict"].as_str().expect("a verdict").starts_with(says), "{}", json["verdict"]);
    assert_eq!(json["config"]["file"], "ropecheck.yaml");
    let expectation = &json["expectations"][0];
    assert_eq!((&expectation["line"], &expectation["failing"]), (&8.into(), &4.into()), "{expectation}");
    let failures: Vec<&Value> = json["results"]
        .as_array()
        .expect("results")
        .iter()
        .flat_map(|r| r["failures"].as_array().expect("failures"))
        .collect();
    assert!(failures.len() >= 4 && failures.iter().all(|f| f["expected"]["line"] == 8), "{failures:?}");
    // Nothing is made small of what is known.
    assert!(failures.iter().all(|f| f["shrunk_from"].is_null() && f["again"].is_null()), "{failures:?}");
    let junit = read("r.xml");
    assert_eq!(
        junit
            .matches("expected failure: odd widths are rounded down (ropecheck.yaml:8, https://example.com/7)")
            .count(),
        4,
        "{junit}"
    );
    assert!(junit.contains("failures=\"0\" errors=\"0\""), "{junit}");
    let badge = read("r.badge");
    assert!(badge.contains("conformant except 4 expected failures: rotate; f32, bf16"), "{badge}");
    assert!(
        read("r.md").contains("Expected failures:\n\n- rejects-nonsense: odd widths are rounded down"),
        "{}",
        read("r.md")
    );
    assert!(read("r.sarif").contains("\"results\": []"), "{}", read("r.sarif"));
    let events = read("r.ndjson");
    let failed = events.lines().filter(|line| line.contains("\"event\":\"failure\""));
    assert!(
        failed.clone().count() >= 4 && failed.clone().all(|line| line.contains("\"expected\":{\"line\":8")),
        "{events}"
    );
}

#[test]
fn a_failure_that_nobody_expects_is_found_and_told_beside_those_that_are() {
    let known = "expectations: [{check: rejects-nonsense, dtype: f32, reason: known}]";
    let run = run_in(&folder("beside", odd(), &[CHECKS, known]), &["--format", "json"], None)
        .expect(1, &["\"NONCONFORMANT\""]);
    let json = run.json().expect("JSON");
    let of = |dtype: &str| {
        let all = json["results"].as_array().expect("results").iter().filter(|r| r["dtype"] == dtype);
        all.flat_map(|r| r["failures"].as_array().expect("failures")).cloned().collect::<Vec<Value>>()
    };
    assert!(of("f32").iter().all(|f| f["expected"]["reason"] == "known") && !of("f32").is_empty());
    assert!(of("bf16").iter().all(|f| f["expected"].is_null()) && !of("bf16").is_empty());
    // The first of those is made small, or at least tried again.
    assert!(!of("bf16")[0]["again"].is_null(), "{}", of("bf16")[0]);
}

#[test]
fn an_unexpected_pass_fails_with_the_line_of_the_pattern() {
    let lines = ["check: [accuracy, empty]", "expectations:", "  - check: empty", "    reason: known"];
    problem("pass", kernel(), &lines, "check: empty", "unexpected pass: empty held wherever it was judged (4 groups)");
    // Of several patterns each must fail somewhere.
    let lines =
        [CHECKS, "expectations:", "  - check:", "      - rejects-nonsense", "      - empt*", "    reason: known"];
    problem("pass-of-two", odd(), &lines, "empt*", "unexpected pass: empty held wherever it was judged (4 groups)");
    let lines = [
        CHECKS,
        "expectations:",
        "  - check: rejects-nonsense",
        "    reason: known",
        "    scheme: [vrope, m-rope]",
        "    dtype: f32",
    ];
    run_in(&folder("profiles", odd(), &lines), &["--dtype", "f32"], None).expect(0, &["EXCEPT 2 EXPECTED FAILURES"]);
}

#[test]
fn another_cause_than_stated_fails() {
    let lines = [CHECKS, "expectations:", "  - check: rejects-nonsense", "    cause: crashed", "    reason: known"];
    let says = "another cause than stated: rejects-nonsense fails by nonsense-accepted";
    problem("cause", odd(), &lines, "check: rejects-nonsense", says);
    let lines = [
        CHECKS,
        "expectations:",
        "  - check: rejects-nonsense",
        "    cause: [crashed, nonsense-accepted]",
        "    reason: known",
    ];
    run_in(&folder("causes", odd(), &lines), &[], None).expect(0, &["EXCEPT 4 EXPECTED FAILURES"]);
}

#[test]
fn a_pattern_that_matches_nothing_fails_and_one_out_of_scope_does_not() {
    let lines = [CHECKS, "expectations:", "  - check: rejects-nonsens", "    reason: known"];
    let says =
        "stale: the pattern \"rejects-nonsens\" matches nothing of this backend; did you mean \"rejects-nonsense\"?";
    problem("stale", kernel(), &lines, "- check: rejects-nonsens", says);
    let both = [CHECKS, "expectations:", "  - {level: positions, dtype: bf16, check: accuracy, reason: known}"];
    problem("stale-together", kernel(), &both, "level: positions", "stale: no check of this backend matches all of it");
    // Another check, scheme or type than the run was narrowed to.
    let out =
        "expectations: [{check: guards, reason: known}, {scheme: rope, reason: known}, {dtype: f16, reason: known}]";
    let scope = folder("scope", kernel(), &[CHECKS, out]);
    run_in(&scope, &[], None).expect(0, &["CONFORMANT IN PART: only "]);
    // Another backend.
    let other = "expectations: [{backend: other*, check: rejects-nonsense, reason: known}]";
    run_in(&folder("other", odd(), &[CHECKS, other]), &[], None).expect(1, &["NONCONFORMANT"]);
    let own = "expectations: [{backend: rope.?, check: rejects-nonsense, reason: known}]";
    run_in(&folder("own", odd(), &[CHECKS, own]), &[], None).expect(0, &["EXCEPT 4 EXPECTED"]);
}

#[test]
fn a_date_that_has_passed_fails_the_day_after() {
    let known = "expectations: [{check: rejects-nonsense, reason: known, until: 2027-02-28}]";
    let folder = folder("date", odd(), &["check: [accuracy, rejects-nonsense]", known]);
    // 2027-02-28T23:59:59Z, and a second later.
    run_in(&folder, &[], Some("1803859199")).expect(0, &["EXCEPT 4 EXPECTED FAILURES", "until 2027-02-28"]);
    let says = "EXPECTATION NOT MET: ropecheck.yaml:8: the date has passed: it was expected until 2027-02-28";
    run_in(&folder, &[], Some("1803859200")).expect(1, &[says]);
    run_in(&folder, &[], Some("tomorrow")).expect(2, &["SOURCE_DATE_EPOCH: expected seconds since 1970"]);
}

#[test]
fn crashes_and_hangs_can_be_expected() {
    let known = "expectations: [{check: empty, cause: crashed, reason: known}]";
    run_in(&folder("crash", dies(), &[CHECKS, known]), &[], None).expect(0, &["EXCEPT 4 EXPECTED FAILURES"]);
    // More hangs than a run bears that nobody expects.
    let hangs = on_empty("for (volatile int i = 0;;) i = 0;", "hangs");
    let lines = [CHECKS, "timeout: 0.2", "threads: 4", "expectations: [{check: empty, cause: hung, reason: known}]"];
    let folder = folder("hang", &hangs, &lines);
    let run = run_in(&folder, &["--dtype", "f32", "--dtype", "bf16", "--dtype", "f16"], None);
    let run = run.expect(0, &["EXCEPT 6 EXPECTED FAILURES"]);
    assert!(!run.out.contains("hung too often"), "{run}");
}

#[test]
fn what_is_not_judged_is_no_pass_and_proves_nothing() {
    // All that looks at angles is left out.
    let known = "expectations: [{check: rejects-nonsense, reason: known}]";
    let only = "check: [rejects-nonsense, empty]";
    run_in(&folder("unproved", odd(), &[only, known]), &[], None)
        .expect(4, &["NOTHING PROVED of m-rope@default rotate f32"]);
    // A run whose time is over calls nothing stale or passed.
    let lines = ["check: [accuracy, empty]", "time: 1ms", "expectations: [{check: empty, reason: known}]"];
    let run = run_in(&folder("time", kernel(), &lines), &[], None).expect(4, &["NOTHING WAS JUDGED: stopped by"]);
    assert!(!run.out.contains("unexpected pass") && !run.out.contains("stale:"), "{run}");
    // Nor does a check that judges nothing here: this kernel has no device.
    let requirement = ["check: [accuracy, rejects-nonsense]", "require: {levels: rotate, dtypes: [f32, bf16]}", known];
    run_in(&folder("required", odd(), &requirement), &[], None).expect(0, &["EXCEPT 4 EXPECTED FAILURES"]);
}
