//! Libraries and programs with bad habits: a true verdict, a documented exit code, an end, and nothing left
//! behind.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use std::time::Duration;

use crate::common::{Run, compile, scratch, source, text};
use serde_json::Value;

const SHORT: [&str; 12] = [
    "--scheme",
    "m-rope@default",
    "--dtype",
    "f32",
    "--cases",
    "1",
    "--depth",
    "quick",
    "--timeout",
    "1",
    "--start-timeout",
    "2",
];

fn library() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| compile(&source("tests/kernels/hostile.c"), "hostile").expect("it compiles"))
}

/// Runs `check` with a habit. Whatever carries the mark of the run afterwards was left behind.
fn run(habit: &str, backend: &[&str], options: &[&str]) -> Run {
    let count = loads(habit);
    let _ = fs::remove_file(&count);
    let mark = format!("{habit}-{}-{:?}", std::process::id(), std::thread::current().id());
    let output = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .arg("check")
        .args(backend)
        .args(options)
        .env("HABIT", habit)
        .env("COUNT", &count)
        .env("ROPECHECK_TEST_MARK", &mark)
        .output()
        .expect("ropecheck starts");
    let run = Run {
        command: format!("HABIT={habit} ropecheck check {} {}", backend.join(" "), options.join(" ")),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    run.no_panic();
    let left = left_behind(&mark);
    assert!(left.is_empty(), "processes {left:?} were left behind by {run}");
    run
}

/// A byte for each time that the library was loaded with a habit.
fn loads(habit: &str) -> PathBuf {
    scratch("loads").join(habit)
}

fn left_behind(mark: &str) -> Vec<String> {
    let processes = fs::read_dir("/proc").expect("/proc").flatten();
    let marked = processes.filter(|process| {
        let environment = fs::read(process.path().join("environ")).unwrap_or_default();
        let mark = format!("ROPECHECK_TEST_MARK={mark}\0");
        environment.windows(mark.len()).any(|part| part == mark.as_bytes())
    });
    marked.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

fn of_library(habit: &str, more: &[&str]) -> Run {
    run(habit, &[text(library())], &[&SHORT[..], more].concat())
}

/// Counts of every check and band of some levels.
fn table(report: &Value, levels: &[&str]) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    for result in report["results"].as_array().expect("results") {
        if levels.contains(&result["level"].as_str().unwrap_or_default()) {
            for (band, counts) in result["bands"].as_object().expect("bands") {
                let name =
                    ["scheme", "level", "pairing", "dtype", "check"].map(|key| result[key].to_string()).join(" ");
                let counts = ["cases", "passed", "failed", "not_judged"].map(|key| counts[key].to_string()).join(" ");
                all.insert(format!("{name} {band}"), counts);
            }
        }
    }
    all
}

#[test]
fn a_manifest_that_changes_ends_the_run() {
    of_library("manifest-changes", &["--level", "rotate"])
        .expect(6, &["its manifest changes: started again, it says something else of itself than at first"]);
}

#[test]
fn a_crash_and_a_start_that_hangs_have_an_end() {
    let levels = ["--level", "rotate", "--level", "positions"];
    let run = of_library("crash-then-slow-start", &[&levels[..], &["--format", "json"]].concat());
    let run = run.expect(1, &["SIGSEGV", "could not be started again"]);
    let report = run.json().expect("a report");
    let not_run = |r: &Value| {
        let bands: Vec<u64> =
            r["bands"].as_object().into_iter().flat_map(|b| b.values()).filter_map(|b| b["not_run"].as_u64()).collect();
        bands.iter().sum::<u64>()
    };
    assert!(report["results"].as_array().expect("results").iter().map(not_run).sum::<u64>() > 100);
    // One that says what it is, one for each of two threads, and from the fourth on starts that fail: four, and one more where
    // both threads wait for theirs. Not one for each of hundreds of cases.
    let started = fs::read(loads("crash-then-slow-start")).expect("it was loaded").len();
    assert!(started <= 3 + 5, "{started} starts");
}

#[test]
fn answers_that_nobody_asked_for_fail_their_case_and_shift_no_other() {
    for habit in ["answers-flood", "answer-twice"] {
        of_library(habit, &["--level", "rotate", "--check", "accuracy"]).expect(6, &["broke the protocol"]);
        let run = of_library(habit, &["--level", "rotate", "--level", "positions"]).expect(1, &["broke the protocol"]);
        assert!(run.out.contains("NONCONFORMANT"), "{run}");
    }
}

/// One wrong output in one process, which the check that saw it leaves to others: it is a failure all the
/// same.
#[test]
fn what_was_seen_once_is_a_failure() {
    let seen = (0..8).any(|seed| {
        let seed = seed.to_string();
        let run =
            of_library("wrong-once", &["--level", "rotate", "--threads", "1", "--seed", &seed, "--format", "json"]);
        let report = run.json().expect("a report");
        let failed: u64 = table(&report, &["rotate"])
            .values()
            .map(|counts| counts.split(' ').nth(2).and_then(|n| n.parse::<u64>().ok()).unwrap_or_default())
            .sum();
        assert_eq!(run.code, Some(i32::from(failed > 0)), "{run}");
        if failed > 0 {
            assert!(run.out.contains("after-other-calls"), "it does not come back in a fresh process: {run}");
        }
        failed > 0
    });
    assert!(seen, "no seed has a judged call in the place of the wrong one");
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn what_a_call_leaves_behind_is_ended_and_spoils_no_case() {
    let right = of_library("none", &["--format", "json"]).expect(0, &[]).json().expect("a report");
    let forked = of_library("fork-stays", &["--format", "json"]).expect(0, &[]).json().expect("a report");
    let levels = ["positions", "rotate", "fused"];
    assert_eq!(table(&right, &levels), table(&forked, &levels));
}

/// Runs with cases that crash or fork, at any number of threads: all other results are those of a run
/// without them. At least so many cases crash.
fn nothing_is_lost(options: &[&str], threads: &[&str], least: u64) {
    let report = |habit, more: &[&str], code| {
        let options = [options, &["--format", "json"], more].concat();
        run(habit, &[text(library())], &options).expect(code, &[]).json().expect("a report")
    };
    let right = report("none", &[], 0);
    let all: Vec<Value> = threads.iter().map(|threads| report("mixed", &["--threads", threads], 1)).collect();
    for other in &all[1..] {
        assert_eq!(all[0], *other, "the report depends on the threads");
    }
    let levels = ["positions"];
    assert_eq!(table(&right, &levels), table(&all[0], &levels));
    let (right, mixed) = (table(&right, &["rotate"]), table(&all[0], &["rotate"]));
    let number = |counts: &str, at: usize| counts.split(' ').nth(at).and_then(|n| n.parse::<u64>().ok()).unwrap_or(0);
    let mut failed = 0;
    for (place, counts) in &right {
        let found = mixed.get(place).unwrap_or_else(|| panic!("{place} is lost"));
        assert_eq!(number(counts, 0), number(found, 0), "{place}: cases are lost");
        assert_eq!(number(counts, 1), number(found, 1) + number(found, 2), "{place}: a case neither crashed nor held");
        failed += number(found, 2);
    }
    assert!(failed >= least, "{failed} cases crashed");
}

const CALLED: [&str; 8] =
    ["--level", "rotate", "--level", "positions", "--check", "accuracy", "--check", "positions-exact"];

#[test]
fn crashes_and_forks_lose_nothing() {
    let options = [&SHORT[..], &CALLED, &["--check", "guards", "--check", "strides"]].concat();
    nothing_is_lost(&options, &["1", "3"], 20);
}

#[test]
#[ignore = "long: scripts/hostile_lane.sh"]
fn a_thousand_crashes_lose_nothing() {
    nothing_is_lost(&[&CALLED[..], &["--scheme", "m-rope", "--scheme", "vrope"]].concat(), &["1", "2", "5"], 1000);
}

#[test]
fn the_end_of_a_library_is_looked_at() {
    of_library("close-crashes", &["--level", "rotate"]).expect(0, &["when it was asked to end: signal 11 (SIGSEGV)"]);
    of_library("destructor-hangs", &["--level", "rotate"]).expect(0, &["when it was asked to end: no end within 1s"]);
}

#[test]
fn the_x87_control_word_is_looked_at() {
    if cfg!(target_arch = "x86_64") {
        of_library("x87-precision", &["--check", "fp-environment"]).expect(1, &["the precision of x87"]);
    }
}

#[test]
fn text_of_a_library_does_nothing() {
    let folder = scratch("text");
    for (habit, code) in [("acting-name", 0), ("prints-and-dies", 1)] {
        let forms = ["json", "junit", "ndjson", "sarif", "markdown", "badge", "html"];
        let file = |form: &str| folder.join(format!("{habit}.{form}"));
        let reports = forms.map(|form| format!("{form}={}", text(&file(form))));
        let more: Vec<&str> = reports.iter().flat_map(|report| ["--report", report]).collect();
        let run = of_library(habit, &[&["--level", "rotate"], &more[..]].concat()).expect(code, &[]);
        let written = forms.map(|form| (form, fs::read_to_string(file(form)).expect("a report")));
        for (form, said) in
            written.iter().map(|(form, said)| (*form, said)).chain([("table", &run.out), ("", &run.err)])
        {
            for acts in ["\u{1b}", "\u{202e}", "\u{fffe}", "\u{7}", "\nCONFORMANT on all"] {
                assert!(!said.contains(acts), "{acts:?} comes through in {form}: {said}");
            }
            let verdicts = said.lines().filter(|line| line.starts_with("CONFORMANT")).count();
            let shown = match form {
                "table" => 1,
                // Once as its first line, and once in the table.
                "markdown" => 2,
                _ => 0,
            };
            assert_eq!(verdicts, if code == 0 { shown } else { 0 }, "{form}: {said}");
        }
    }
}

/// Rebuilt and renamed in mid run, the library that was judged is the one that was there when the run began.
#[test]
fn a_rebuild_in_mid_run_changes_nothing() {
    let folder = scratch("rebuild");
    let path = folder.join("librope.so");
    fs::copy(library(), &path).expect("copied");
    let options = ["--scheme", "m-rope", "--scheme", "vrope", "--cases", "1", "--depth", "quick", "--format", "json"];
    let judge = std::thread::scope(|scope| {
        let judge = scope.spawn(|| run("none", &[text(&path)], &options));
        std::thread::sleep(Duration::from_millis(400));
        // In place, as `cp` does, and by another file of that name, as linkers do.
        fs::write(&path, b"no library").expect("written");
        fs::rename(&path, folder.join("old.so")).expect("renamed");
        judge.join().expect("it ends")
    });
    let report = judge.expect(0, &[]).json().expect("a report");
    let right = run("none", &[text(library())], &options).expect(0, &[]).json().expect("a report");
    assert_eq!(report["verdict"], right["verdict"]);
    assert_eq!(report["library_sha256"], right["library_sha256"]);
}

/// A program, in Perl, with a habit.
fn program(habit: &str, more: &[&str]) -> Run {
    let script = format!("perl {}", text(&source("tests/kernels/hostile.pl")));
    run(habit, &["--exec", &script], &[&SHORT[..], &["--level", "rotate", "--check", "axis-map-probe"], more].concat())
}

#[test]
fn programs_with_bad_habits_get_true_verdicts() {
    program("none", &[]).expect(0, &["CONFORMANT"]);
    for (habit, code, says) in [
        ("no-hello", 6, "it did not load and open within 2s"),
        ("garbage-hello", 6, "is no reply"),
        ("answers-before-asked", 6, "broke the protocol"),
        ("other-protocol", 6, "it speaks protocol [2]"),
        ("garbage", 6, "is no reply"),
        ("half-line", 6, "hung"),
        ("wrong-number", 6, "to something else than the last request"),
        ("closes-output", 6, "it closed its standard input or output"),
        ("exits", 6, "exit status 0"),
        ("dies", 6, "SIGKILL"),
        ("daemon", 6, "exit status 0"),
        ("million-lines", 0, "CONFORMANT"),
        ("long-line", 6, "a line of more than"),
    ] {
        let run = program(habit, &[]);
        assert_eq!(run.code, Some(code), "{habit}: {run}");
        assert!(run.out.contains(says) || run.err.contains(says), "{habit}: {says:?} is missing from {run}");
    }
}

#[test]
fn the_example_in_perl_is_judged() {
    let script = format!("perl {}", text(&source("examples/perl/rope.pl")));
    run("none", &["--exec", &script], &["--scheme", "m-rope@default", "--depth", "quick"])
        .expect(0, &["CONFORMANT", "within q_heads 1-4"]);
    crate::common::ropecheck(&["check", "--exec", ""]).expect(2, &["expected a command"]);
    crate::common::ropecheck(&["check", "--exec", "/nonexistent/program"])
        .expect(6, &["the program /nonexistent/program could not be started"]);
    crate::common::ropecheck(&["check", text(library()), "--exec", "cat"]).expect(2, &["only one backend"]);
}
