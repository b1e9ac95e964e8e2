//! The C kernel passes, and each of its defects is found, made small, and replayed.

use crate::common::{Failure, broken, check, defects, failures, in_pairs, kernel, replay, source, text};
use serde_json::Value;

const VROPE: &str = "vrope@official";
const MROPE: &str = "m-rope@default";
/// A shrunk case is one that a person can work through by hand.
const FEW_TOKENS: u64 = 12;

#[derive(Clone, Copy)]
struct Entry {
    id: &'static str,
    scheme: &'static str,
    level: &'static str,
    /// False where the defect needs the call before it, so that one case alone cannot show it.
    replays: bool,
}

const fn entry(id: &'static str, scheme: &'static str, level: &'static str) -> Entry {
    Entry { id, scheme, level, replays: true }
}

/// Where each defect shows, as narrow as can be.
const FOUND: &[Entry] = &[
    entry("frame-step-w-plus-h", VROPE, "fused"),
    entry("frame-step-w-plus-h", VROPE, "positions"),
    entry("advance-w-plus-h", VROPE, "fused"),
    entry("advance-w-plus-h", VROPE, "positions"),
    entry("text-resumes-one-late", MROPE, "fused"),
    entry("text-resumes-one-late", VROPE, "positions"),
    entry("text-resumes-one-early", VROPE, "fused"),
    entry("h-w-swapped", MROPE, "fused"),
    entry("h-w-swapped", MROPE, "positions"),
    entry("v-mirrored", VROPE, "fused"),
    entry("v-mirrored", VROPE, "positions"),
    entry("cells-column-major", MROPE, "fused"),
    entry("cells-column-major", VROPE, "positions"),
    entry("segment-restarts-at-zero", MROPE, "fused"),
    entry("segment-restarts-at-zero", VROPE, "positions"),
    entry("advance-by-frames", MROPE, "positions"),
    entry("image-as-text", MROPE, "positions"),
    entry("token-start-ignored", MROPE, "positions"),
    entry("token-start-ignored-fused", MROPE, "fused"),
    entry("first-layout-for-all-rows", VROPE, "fused"),
    entry("next-is-last", VROPE, "positions"),
    entry("axis-order-paper-v2", VROPE, "fused"),
    entry("blocks-for-cycle", VROPE, "fused"),
    entry("cycle-for-blocks", MROPE, "fused"),
    entry("sections-off-by-one", MROPE, "fused"),
    entry("base-10000", VROPE, "fused"),
    entry("base-10000", MROPE, "fused"),
    entry("frequency-over-head-dim", MROPE, "fused"),
    entry("frequency-index-from-one", VROPE, "fused"),
    entry("per-head-tables-ignored", PER_HEAD, "rotate"),
    entry("reads-undeclared-base", MROPE, "rotate"),
    entry("adjacent-for-half", MROPE, "rotate"),
    entry("half-for-adjacent", VROPE, "rotate"),
    entry("wrong-sign", VROPE, "rotate"),
    entry("direction-ignored", MROPE, "rotate"),
    entry("last-pair-skipped", VROPE, "rotate"),
    entry("bf16-angles", MROPE, "rotate"),
    entry("f16-positions", VROPE, "rotate"),
    entry("bf16-tables", MROPE, "rotate"),
    entry("scaling-ignored", SCALED, "rotate"),
    entry("scaling-on-cosine-only", SCALED, "rotate"),
    Entry { replays: false, ..entry("sticky-scaling", SCALED, "rotate") },
    entry("in-place-hazard", MROPE, "rotate"),
    entry("passthrough-not-copied", VROPE, "rotate"),
    entry("passthrough-zeroed", MROPE, "rotate"),
    entry("channel-stride-ignored", VROPE, "rotate"),
    entry("k-written-to-input", MROPE, "rotate"),
    entry("k-heads-collapse", VROPE, "rotate"),
    entry("last-token-skipped", MROPE, "rotate"),
    entry("zero-output", VROPE, "rotate"),
    entry("zero-output", MROPE, "fused"),
    entry("identity", MROPE, "rotate"),
    entry("identity", VROPE, "fused"),
    entry("nan-output", VROPE, "rotate"),
    entry("echo", MROPE, "rotate"),
    entry("echo", VROPE, "fused"),
    entry("positions-echo", MROPE, "positions"),
];

/// Of tests/kernels/scaled.yaml: no built-in scheme scales attention.
const SCALED: &str = "scaled";
/// A scheme whose heads have maps of their own.
const PER_HEAD: &str = "per-head";

/// Groups that tests/commands/bad_backends.rs and tests/commands/state_and_independence.rs run.
const ELSEWHERE: [&str; 7] = ["refusal", "crash", "hang", "not-started", "nonsense", "state", "environment"];

/// Why the defect was not found, if it was not.
fn survives(entry: &Entry) -> Result<(), String> {
    let library = broken(entry.id)?;
    let (scaled, per_head) = (source("tests/kernels/scaled.yaml"), source("tests/kernels/per-head.yaml"));
    let spec = ["--spec", text(&scaled), "--spec", text(&per_head)];
    let mut arguments = vec!["--scheme", entry.scheme, "--level", entry.level];
    arguments.extend(["--depth", "quick", "--cases", "1", "--dtype", "f32", "--no-diagnosis", "--format", "json"]);
    arguments.extend(spec);
    let run = check(&library, &arguments);
    if run.err.contains("panicked") {
        return Err(format!("a panic in {run}"));
    }
    let report = run.json()?;
    let mut found = failures(&report);
    if run.code != Some(1) || found.is_empty() {
        return Err(format!("exit {:?} with {} failures, expected 1: {}", run.code, found.len(), report["verdict"]));
    }
    // Silent ones first: `controls` must name them, whatever else fails.
    if defects()[entry.id].group == "silent" && entry.level != "positions" {
        let Some(control) = found.iter().find(|f| f.check == "controls") else {
            return Err("check controls did not fail".into());
        };
        replays(entry, control, &library, &spec)?;
    }
    found.sort_by_key(|f| f.tokens);
    if found[0].tokens > FEW_TOKENS {
        return Err(format!("the smallest case has {} tokens: {}", found[0].tokens, found[0].case));
    }
    if entry.replays { replays(entry, &found[0], &library, &spec) } else { Ok(()) }
}

/// A failure says how to see it again: it fails on the same library, and does not on the unedited kernel.
fn replays(entry: &Entry, failure: &Failure, library: &std::path::Path, spec: &[&str]) -> Result<(), String> {
    for (which, kernel, code) in [(entry.id, library, 1), ("unedited", kernel(), 0)] {
        let again = replay(&failure.case, kernel, spec);
        if again.code != Some(code) {
            return Err(format!(
                "the {} kernel must leave {code} on the replay of {} ({}): {again}",
                which, failure.id, failure.summary
            ));
        }
    }
    Ok(())
}

/// Every eighth of them, where CI has no time for all.
#[test]
fn some_defects_are_found_made_small_and_replayed() {
    found_made_small_and_replayed(&FOUND.iter().copied().step_by(8).collect::<Vec<_>>());
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn every_defect_is_found_made_small_and_replayed() {
    found_made_small_and_replayed(FOUND);
}

#[track_caller]
fn found_made_small_and_replayed(entries: &[Entry]) {
    let results = in_pairs(entries, survives);
    let lines: Vec<String> = entries
        .iter()
        .zip(results)
        .filter_map(|(e, r)| r.err().map(|why| format!("{} ({}, {}): {why}", e.id, e.scheme, e.level)))
        .collect();
    assert!(
        lines.is_empty(),
        "{} of {} are not as they must be:\n\n{}",
        lines.len(),
        entries.len(),
        lines.join("\n\n")
    );
}

#[test]
fn no_defect_is_forgotten() {
    for (id, defect) in defects() {
        let here = FOUND.iter().any(|e| e.id == id);
        let elsewhere = ELSEWHERE.contains(&defect.group.as_str());
        assert!(here != elsewhere, "{id} ({}) must be in the table, or in a group that is not for it", defect.group);
    }
}

fn results<'a>(report: &'a Value, level: &'a str) -> impl Iterator<Item = &'a Value> {
    report["results"].as_array().expect("a list of results").iter().filter(move |r| r["level"] == level)
}

fn passed(result: &Value) -> u64 {
    let bands = result["bands"].as_object().expect("bands by name");
    bands.values().map(|b| b["passed"].as_u64().expect("a count")).sum()
}

#[test]
fn the_kernel_passes_on_every_level_and_dtype() {
    let arguments = ["--scheme", "m-rope", "--scheme", "vrope", "--depth", "quick", "--cases", "1", "--format", "json"];
    let run = check(kernel(), &arguments).expect(0, &["CONFORMANT"]);
    let report = run.json().unwrap();
    assert!(failures(&report).is_empty());
    assert!(report["controls"].as_array().unwrap().iter().all(|c| c["wrong"].is_null()), "{}", report["controls"]);
    let judged = |level: &str, scheme: &str, dtype: &str| -> u64 {
        results(&report, level).filter(|r| r["scheme"] == scheme && r["dtype"] == dtype).map(passed).sum()
    };
    for scheme in [MROPE, VROPE] {
        assert!(judged("positions", scheme, "-") > 0, "positions of {scheme}");
        for level in ["rotate", "fused"] {
            for dtype in ["f32", "f16", "bf16"] {
                assert!(judged(level, scheme, dtype) > 0, "{scheme} on {level} in {dtype}");
            }
        }
    }
}

/// The case of real size has 20 + 16*8*8 + 12 tokens and the widest heads of a model of the scheme, Qwen2-VL 7B and VRoPE
/// on Vicuna 7B, with their base. Seen on a kernel that fails it, because only failures print their case.
#[test]
fn the_video_of_real_size_has_the_heads_of_a_model() {
    let library = broken("zero-output").unwrap();
    for (scheme, heads, base, elements) in [
        (MROPE, ",heads=28/4,", ",param.base=1000000,", 4_325_376),
        (VROPE, ",heads=32/32,", ",param.base=10000,", 8_650_752),
    ] {
        let arguments =
            ["--scheme", scheme, "--level", "fused", "--check", "accuracy", "--cases", "1", "--format", "json"];
        let report = check(&library, &arguments).expect(1, &[]).json().unwrap();
        let real: Vec<Failure> = failures(&report).into_iter().filter(|f| f.id.contains("/16x8x8/")).collect();
        assert_eq!(real.len(), 1, "once a scheme");
        for failure in &real {
            for part in ["layout=text:20+video:16x8x8+text:12,", heads, ",head-dim=128,", base] {
                assert!(failure.case.contains(part), "{part} in {}", failure.case);
            }
        }
        replay(&real[0].case, &library, &[]).expect(1, &["FAIL accuracy"]);
        replay(&real[0].case, kernel(), &[]).expect(0, &[&format!("holds: {elements} elements")]);
    }
}
