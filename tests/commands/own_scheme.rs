//! A scheme that is in no paper, from one file: positions, properties and checks as for a built-in one.

use crate::common::{check, kernel, ropecheck, scratch, text};
use serde_json::Value;

/// Frames are peeled like an onion: a cell is on the ring that it has in common with all cells as far from the border.
const ONION: &str = r#"
scheme: onion
title: "Rings of a frame, from the border inwards"
sources: [{ours: "a test"}]
parameters:
  gap: {default: 0, min: 0, integer: true, doc: "room between frames"}
axes: [time, ring]
positions:
  video:
    let:
      depth: "floor((min(H, W) + 1)/2)"
      start: "p + t*(depth + gap)"
    time: "start"
    ring: "start + min(h, w, H - 1 - h, W - 1 - w)"
    advance: "T*(depth + gap) - gap"
axis_map: {cycle: [ring, time]}
invariants:
  non-negative: holds
  continuous-boundary: {fails: "video:1x3x3"}
  continuous-entry: holds
  frames-contiguous: {fails: "video:2x3x3"}
  degenerates-to-1d: holds
  degenerates-only-without-gap: {like: degenerates-to-1d, with: {gap: 1}, fails: "video:2x1x1"}
  text-equals-1d: holds
  no-collision: {fails: "video:1x1x2"}
  unbiased: {fails: "video:1x3x3"}
  rings-fill-the-depth:
    statement: "The rings of a frame are numbered without a gap from its start."
    for: frame
    holds: "cells_min(axis.ring) == start && cells_max(axis.ring) == start + depth - 1"
"#;

fn file(name: &str, contents: &str) -> String {
    let path = scratch("specs").join(name);
    std::fs::write(&path, contents).unwrap();
    text(&path).to_owned()
}

#[test]
fn its_positions_are_those_worked_out_by_hand() {
    let spec = file("onion.yaml", ONION);
    let positions = |layout: &str, more: &[&str]| -> Value {
        let mut all = vec!["positions", "--spec", &spec, "--scheme", "onion", "--layout", layout, "--format", "json"];
        all.extend(more);
        ropecheck(&all).expect(0, &[]).json().unwrap()
    };
    // Text 0, 1; a 3x3 frame with one inner cell; the next frame 2 later; text after 2 + 2*2.
    let found = positions("text:2 video:2x3x3 text:1", &[]);
    assert_eq!(found["axes"], serde_json::json!(["time", "ring"]));
    let rows = serde_json::json!([
        [0, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 4, 6],
        [0, 1, 2, 2, 2, 2, 3, 2, 2, 2, 2, 4, 4, 4, 4, 5, 4, 4, 4, 4, 6],
    ]);
    assert_eq!(found["positions"], rows);
    assert_eq!(found["next"], 7);
    let wide = positions("video:2x1x1 text:1", &["--param", "gap=3"]);
    assert_eq!(wide["positions"], serde_json::json!([[0, 4, 5], [0, 4, 5]]));
}

#[test]
fn its_properties_are_derived() {
    let spec = file("onion-properties.yaml", ONION);
    let run = ropecheck(&["properties", "--spec", &spec, "onion"]).expect(0, &["onion"]);
    assert!(run.out.contains("video:"), "a cross needs its witness: {run}");
    ropecheck(&["explain", "onion"]).expect(2, &[]);
}

#[test]
fn a_kernel_is_judged_by_it() {
    let spec = file("onion-check.yaml", ONION);
    let arguments = ["--spec", &spec, "--scheme", "onion", "--depth", "quick", "--cases", "1", "--format", "json"];
    let report = check(kernel(), &arguments).expect(0, &[]).json().unwrap();
    let results = report["results"].as_array().unwrap();
    assert!(results.iter().all(|r| r["scheme"] == "onion@default" && r["level"] == "rotate"), "{report}");
    // The positions are the suite's here, so the statements are judged on the spec: all ten, its own among them.
    assert_eq!(report["spec_statements"]["confirmed"], 10, "{}", report["spec_statements"]);
    for dtype in ["f32", "f16", "bf16"] {
        assert!(results.iter().any(|r| r["check"] == "accuracy" && r["dtype"] == dtype), "{dtype}");
    }
}

#[test]
fn a_failure_of_it_is_replayed_by_the_line_that_is_printed() {
    let spec = file("my onion.yaml", ONION);
    // The embedded kernel is fused: it does not keep ideal.
    let arguments =
        ["--spec", &spec, "--scheme", "onion", "--check", "accuracy", "--level", "rotate", "--dtype", "f32"];
    let contract = ["--contract", "ideal/table", "--cases", "1", "--timeout", "30"];
    let run = ropecheck(&[&["check", "host"], &arguments[..], &contract].concat()).expect(1, &[]);
    let line = run.out.lines().find_map(|line| line.trim().strip_prefix("replay ropecheck ")).expect("a line");
    let shell = |line: &str| {
        let command = format!("{} {line}", env!("CARGO_BIN_EXE_ropecheck"));
        let out = std::process::Command::new("sh").args(["-c", &command]).output().expect("a shell");
        (out.status.code(), String::from_utf8_lossy(&out.stdout).into_owned())
    };
    let (code, out) = shell(line);
    assert!(code == Some(1) && out.starts_with("FAIL accuracy"), "{line}: {code:?} {out}");
    assert!(line.ends_with("--timeout 30 --contract ideal/table"), "{line}");
    // Spelling is no matter; what a formula says is, until the case asks for no scheme in particular.
    std::fs::write(&spec, format!("# a comment\n{ONION}")).unwrap();
    assert_eq!(shell(line), (code, out));
    std::fs::write(&spec, ONION.replace("cycle: [ring, time]", "cycle: [time, ring]")).unwrap();
    let (_, hash) = line.split_once(",spec=").expect("a hash");
    let out = ropecheck(&["replay", line.split('\'').nth(1).expect("a case"), "--spec", &spec]);
    out.expect(2, &["the case is of another onion@default", "spec=", "Run the check again"]);
    let (code, out) = shell(&line.replace(&format!(",spec={}", &hash[..8]), ""));
    assert!(code == Some(1) && out.starts_with("FAIL accuracy"), "{code:?} {out}");
}

#[test]
fn what_it_says_of_itself_must_be_true() {
    let lie = ONION.replace(r#"unbiased: {fails: "video:1x3x3"}"#, "unbiased: holds");
    assert_ne!(lie, ONION);
    let spec = file("onion-lie.yaml", &lie);
    check(kernel(), &["--spec", &spec, "--scheme", "onion", "--depth", "quick", "--cases", "1"])
        .expect(3, &["unbiased"]);
}
