//! The C kernel passes every check of memory, however it is compiled, and each defect of memory is found by its check.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Failure, check, compile, failures, in_pairs, kernel, replay, scratch, source, text};
use serde_json::Value;

const CHECKS: [&str; 10] = [
    "in-place",
    "inputs-untouched",
    "fully-written",
    "guards",
    "strides",
    "passthrough",
    "many-rows",
    "far-strides",
    "empty",
    "position-beyond-limit",
];
const QUICK: [&str; 8] = ["--scheme", "m-rope@default", "--dtype", "f32", "--depth", "quick", "--cases", "1"];

/// One entry of memory.json.
struct Defect {
    id: String,
    check: String,
    says: String,
    level: String,
    replace: String,
    with: String,
}

fn defects() -> Vec<Defect> {
    let text = fs::read_to_string(source("tests/kernels/memory.json")).expect("memory.json can be read");
    let file: Value = serde_json::from_str(&text).expect("memory.json is JSON");
    let field = |k: &Value, name: &str| k[name].as_str().unwrap_or_else(|| panic!("{name} of {k}")).to_owned();
    let read = |k: &Value| Defect {
        id: field(k, "id"),
        check: field(k, "check"),
        says: field(k, "says"),
        level: k["level"].as_str().unwrap_or("rotate").to_owned(),
        replace: field(k, "replace"),
        with: field(k, "with"),
    };
    file["kernels"].as_array().expect("a list").iter().map(read).collect()
}

/// rope.c with some edits.
fn edited(id: &str, edits: &[(&str, &str)]) -> Result<PathBuf, String> {
    let mut code = fs::read_to_string(source("kernels/c/rope.c")).map_err(|e| e.to_string())?;
    for (replace, with) in edits {
        match code.matches(replace).count() {
            1 => code = code.replace(replace, with),
            n => return Err(format!("{replace:?} occurs {n} times in rope.c")),
        }
    }
    let file = scratch(id).join("rope.c");
    fs::write(&file, code).map_err(|e| e.to_string())?;
    compile(&file, id)
}

fn failures_of(library: &Path, id: &str, more: &[&str]) -> Result<Vec<Failure>, String> {
    let run = check(library, &[&QUICK[..], &["--check", id, "--no-diagnosis", "--format", "json"], more].concat());
    if run.err.contains("panicked") {
        return Err(format!("a panic in {run}"));
    }
    if run.code == Some(0) {
        return Ok(Vec::new());
    }
    Ok(failures(&run.json()?))
}

/// Why the defect was not found as it must be, if it was not.
fn survives(defect: &Defect) -> Result<(), String> {
    let library = edited(&defect.id, &[(&defect.replace, &defect.with)])?;
    let found = failures_of(&library, &defect.check, &["--level", &defect.level])?;
    let says = |f: &&Failure| f.check == defect.check && f.summary.contains(&defect.says);
    let Some(failure) = found.iter().find(says) else {
        let all: Vec<_> = found.iter().map(|f| f.summary.as_str()).collect();
        return Err(format!("no failure of {} says {:?}: {all:?}", defect.check, defect.says));
    };
    for (which, library, code) in [("broken", library.as_path(), 1), ("unedited", kernel(), 0)] {
        let again = replay(&failure.case, library, &[]);
        if again.code != Some(code) {
            return Err(format!("the {which} kernel must leave {code} on the replay: {again}"));
        }
    }
    Ok(())
}

#[test]
fn every_defect_of_memory_is_found_by_its_check_and_replayed() {
    let defects = defects();
    let lines: Vec<String> = defects
        .iter()
        .zip(in_pairs(&defects, survives))
        .filter_map(|(d, r)| r.err().map(|why| format!("{}: {why}", d.id)))
        .collect();
    assert!(lines.is_empty(), "{} of {}:\n{}", lines.len(), defects.len(), lines.join("\n"));
}

/// Passed and judged elements of each check, over all levels.
fn passes(library: &Path, arguments: &[&str]) {
    let mut all = arguments.to_vec();
    // Memory alone proves nothing of positions.
    CHECKS.iter().chain(&["positions-exact"]).for_each(|c| all.extend(["--check", c]));
    all.extend(["--depth", "quick", "--cases", "1", "--format", "json"]);
    let report = check(library, &all).expect(0, &[]).json().unwrap();
    for id in CHECKS {
        let results = report["results"].as_array().unwrap().iter().filter(|r| r["check"] == id);
        let bands = results.flat_map(|r| r["bands"].as_object().unwrap().values().cloned().collect::<Vec<_>>());
        let (mut passed, mut elements) = (0, 0);
        for band in bands {
            assert_eq!(band["not_judged"], 0, "{id}: {band}");
            passed += band["passed"].as_u64().unwrap();
            elements += band["elements"].as_u64().unwrap();
        }
        assert!(passed > 0 && elements > 0, "{id} judged nothing");
    }
}

#[test]
fn the_kernel_passes_every_check_of_memory_on_all_its_levels() {
    passes(kernel(), &["--scheme", "m-rope@default", "--dtype", "f32"]);
    passes(kernel(), &["--scheme", "vrope@official", "--dtype", "bf16"]);
}

/// Vector loops, and arithmetic that assumes that there is no NaN, must not look like defects of memory.
#[test]
fn optimised_builds_pass_every_check_of_memory() {
    for flags in [&["-O3", "-march=native"][..], &["-O3", "-march=native", "-ffast-math"]] {
        let library = scratch("optimised").join(format!("librope{}.so", flags.len()));
        let built = Command::new("cc")
            .args(flags)
            .args(["-shared", "-fPIC", "-Iinclude", "-o", text(&library), "kernels/c/rope.c", "-lm"])
            .current_dir(source(""))
            .status();
        assert!(built.expect("cc starts").success());
        passes(&library, &["--scheme", "m-rope@default", "--level", "rotate"]);
    }
}

const ROTATE: &[&str] = &["--level", "rotate"];
const DIRECTIONS: &str = r#""\"directions\":[1,-1],"#;
const ALIGNED: &str = r#""\"alignment\":4096,\"directions\":[1,-1],"#;

/// Where alignment leaves slack between a buffer and its guard page, writes to it are seen by its bytes and reads of it by
/// what they do to the result.
#[test]
fn slack_that_alignment_leaves_is_watched() {
    let store = "    store(dtype, y + second * y_step, b * c[i] + a * s[i]);";
    let writes = format!("{store}\n    if (i == R - 1 && head == 2) store(dtype, y + plan->head_dim * y_step, 1.0f);");
    let reads =
        "    store(dtype, y + second * y_step, b * c[i] + a * s[i] + 0.0f * load(dtype, x + 4 * plan->head_dim));";
    let aligned = (DIRECTIONS, ALIGNED);
    let good = edited("aligned", &[aligned]).unwrap();
    assert!(failures_of(&good, "guards", ROTATE).unwrap().is_empty());
    let found = failures_of(&edited("slack-write", &[aligned, (store, &writes)]).unwrap(), "guards", ROTATE).unwrap();
    assert!(
        found.iter().any(|f| f
            .summary
            .contains("memory outside of every buffer was written: 1 element after the end of q_out")),
        "{found:?}"
    );
    let found = failures_of(&edited("slack-read", &[aligned, (store, reads)]).unwrap(), "guards", ROTATE).unwrap();
    // The kernel's manifest calls its bits stable, so that they are compared first.
    let depends = "depend on what lies outside of the buffers";
    assert!(found.iter().any(|f| f.summary.contains(depends)), "{found:?}");
}

#[test]
fn an_alignment_that_is_no_power_of_two_is_refused() {
    let odd = ALIGNED.replace("4096", "48");
    let library = edited("alignment-48", &[(DIRECTIONS, &odd)]).unwrap();
    check(&library, &[]).expect(6, &["alignment: expected a power of two up to 4096, found 48"]);
}

/// A kernel that says how far it counts is not asked for more, and the report says so.
#[test]
fn a_limit_on_offsets_is_honoured() {
    let limited = DIRECTIONS.replace("directions", "max_offset\\\":2147483647,\\\"directions");
    let library = edited("max-offset", &[(DIRECTIONS, &limited)]).unwrap();
    let run = check(
        &library,
        &[&QUICK[..], ROTATE, &["--check", "far-strides", "--check", "controls", "--format", "json"]].concat(),
    );
    let report = run.expect(0, &[]).json().unwrap();
    let gaps = report["results"].to_string();
    assert!(gaps.contains("the manifest's max_offset is 2147483647"), "{gaps}");
}
