//! Each check of positions across calls, of independence, of packed sequences and of state passes the C kernel and fails a
//! kernel with a defect made for it, in every type.

use std::collections::BTreeMap;
use std::fs;

use crate::common::{Run, broken, check, compile, defects, in_pairs, kernel, replay, ropecheck, scratch, source};
use serde_json::Value;

const VROPE: &str = "vrope@official";
const MROPE: &str = "m-rope@default";
const ALL: &[&str] = &["f32", "f16", "bf16"];
/// A group of level positions has no type of tensors.
const NONE: &[&str] = &["-"];

struct Entry {
    defect: &'static str,
    check: &'static str,
    scheme: &'static str,
    level: &'static str,
    /// Types in which it must show.
    dtypes: &'static [&'static str],
    /// False where the defect counts calls, so that a fresh worker may not show it at once.
    replays: bool,
}

const fn entry(
    defect: &'static str,
    check: &'static str,
    scheme: &'static str,
    level: &'static str,
    dtypes: &'static [&'static str],
) -> Entry {
    Entry { defect, check, scheme, level, dtypes, replays: true }
}

const FOUND: &[Entry] = &[
    entry("prefix-cut-off", "start-shift", VROPE, "positions", NONE),
    entry("prefix-cut-off", "start-shift", MROPE, "fused", ALL),
    entry("chunk-from-segment-start", "chunked-prefill", VROPE, "positions", NONE),
    entry("chunk-from-segment-start", "chunked-prefill", MROPE, "fused", ALL),
    entry("decode-from-token-count", "decode-continuation", MROPE, "positions", NONE),
    entry("decode-from-token-count", "decode-continuation", VROPE, "fused", ALL),
    entry("grid-of-the-first", "several-segments", VROPE, "positions", NONE),
    entry("grid-of-the-first", "several-segments", MROPE, "fused", ALL),
    entry("packed-positions-run-on", "packed-sequences", MROPE, "fused", ALL),
    entry("token-before-leaks", "token-independence", MROPE, "rotate", ALL),
    entry("head-before-leaks", "head-independence", MROPE, "rotate", ALL),
    entry("row-before-leaks", "batch-independence", VROPE, "fused", ALL),
    entry("queries-leak-into-keys", "q-k-independence", MROPE, "rotate", ALL),
    entry("zeros-come-back-as-ones", "q-k-independence", VROPE, "rotate", ALL),
    entry("one-token-one-row", "decode-shape", MROPE, "rotate", ALL),
    // One ulp of f32 mostly vanishes in a narrow type.
    Entry { replays: false, ..entry("bits-drift", "deterministic", MROPE, "rotate", &["f32"]) },
    Entry { replays: false, ..entry("race-lost", "deterministic", VROPE, "fused", ALL) },
    entry("sticky-base", "no-sticky-state", MROPE, "fused", ALL),
    // In bf16 rounding to bf16 is a small error.
    entry("sticky-bf16", "no-sticky-state", VROPE, "rotate", &["f32", "f16"]),
    entry("sticky-direction", "no-sticky-state", MROPE, "rotate", ALL),
    Entry { replays: false, ..entry("sticky-row-length", "no-sticky-state", MROPE, "positions", NONE) },
    entry("accepts-odd-rotary-dim", "rejects-nonsense", MROPE, "rotate", ALL),
    entry("accepts-odd-rotary-dim", "rejects-nonsense", MROPE, "fused", ALL),
    entry("accepts-missing-axis", "rejects-nonsense", VROPE, "rotate", ALL),
    entry("writes-before-it-refuses", "rejects-nonsense", MROPE, "fused", ALL),
    entry("flushes-on-open", "fp-environment", MROPE, "rotate", ALL),
    entry("flushes-on-open", "fp-environment", MROPE, "positions", NONE),
    entry("rounds-down-for-good", "fp-environment", VROPE, "fused", ALL),
];

fn only(library: &std::path::Path, entry: &Entry, more: &[&str]) -> Run {
    let Entry { check: id, scheme, level, .. } = entry;
    let arguments = ["--check", id, "--scheme", scheme, "--level", level, "--cases", "1", "--format", "json"];
    check(library, &[&arguments[..], &["--no-diagnosis"], more].concat())
}

/// Failing cases per type, and the first one's case.
fn failing(report: &Value) -> (BTreeMap<String, usize>, Option<String>) {
    let (mut by_type, mut first) = (BTreeMap::new(), None);
    for result in report["results"].as_array().expect("a list of results") {
        let failures = result["failures"].as_array().expect("a list of failures");
        *by_type.entry(result["dtype"].as_str().expect("a type").to_owned()).or_default() += failures.len();
        let case = failures.first().and_then(|f| f["case"].as_str()).map(str::to_owned);
        first = first.or(case);
    }
    (by_type, first)
}

fn survives(entry: &Entry) -> Result<(), String> {
    let library = broken(entry.defect)?;
    let run = only(&library, entry, &[]);
    let (by_type, case) = failing(&run.json()?);
    if let Some(dtype) = entry.dtypes.iter().find(|d| by_type.get(**d).is_none_or(|n| *n == 0)) {
        return Err(format!("not found in {dtype}: {by_type:?}, exit {:?}", run.code));
    }
    if run.code != Some(1) {
        return Err(format!("exit {:?}, expected 1", run.code));
    }
    let case = case.ok_or("no case")?;
    for (which, kernel, code) in [("broken", library.as_path(), 1), ("unedited", kernel(), 0)] {
        if which == "broken" && !entry.replays {
            continue;
        }
        let again = replay(&case, kernel, &[]);
        if again.code != Some(code) {
            return Err(format!("the {which} kernel must leave {code} on the replay: {again}"));
        }
    }
    Ok(())
}

#[test]
fn each_check_finds_the_defect_made_for_it_in_every_type() {
    let results = in_pairs(FOUND, survives);
    let lines: Vec<String> = FOUND
        .iter()
        .zip(results)
        .filter_map(|(e, r)| r.err().map(|why| format!("{} ({}, {}): {why}", e.defect, e.check, e.level)))
        .collect();
    assert!(lines.is_empty(), "{}", lines.join("\n\n"));
}

#[test]
fn no_defect_of_these_groups_is_forgotten() {
    for (id, defect) in defects() {
        let here = FOUND.iter().any(|e| e.defect == id);
        assert_eq!(here, ["state", "environment", "nonsense"].contains(&defect.group.as_str()), "{id}");
    }
}

/// What shows an angle and a position: alone, some of these checks prove nothing.
const PROOF: [&str; 4] = ["--check", "controls", "--check", "positions-exact"];

/// Passed cases and what is noted of them, over all results but those of [`PROOF`].
fn passed(report: &Value) -> (u64, String) {
    let results = report["results"].as_array().expect("a list of results");
    let others = results.iter().filter(|r| !PROOF.contains(&r["check"].as_str().expect("a check")));
    let bands = others.flat_map(|r| r["bands"].as_object().expect("bands").values());
    bands.fold((0, String::new()), |(sum, notes), band| {
        (sum + band["passed"].as_u64().expect("a count"), notes + &band["notes"].to_string())
    })
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn the_unedited_kernel_passes_each_of_them() {
    let mut checks: Vec<&Entry> = Vec::new();
    for entry in FOUND {
        if !checks.iter().any(|e| (e.check, e.level) == (entry.check, entry.level)) {
            checks.push(entry);
        }
    }
    for entry in checks {
        let run = only(kernel(), entry, &PROOF).expect(0, &["CONFORMANT"]);
        let (cases, _) = passed(&run.json().unwrap());
        assert!(cases >= entry.dtypes.len() as u64, "{} on {}: {cases} cases", entry.check, entry.level);
    }
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn the_embedded_kernel_passes_each_of_them() {
    let mut arguments = vec!["check", "--scheme", MROPE, "--cases", "1", "--format", "json"];
    for entry in FOUND {
        arguments.extend(["--check", entry.check]);
    }
    let report = ropecheck(&arguments).expect(0, &["CONFORMANT"]).json().unwrap();
    // Ten checks on level rotate in two pairings and three types, and most of them on level apply.
    assert!(passed(&report).0 > 100, "{}", passed(&report).0);
}

/// The C kernel with a defect and a changed manifest.
fn with_manifest(id: &str, from: &str, to: &str) -> std::path::PathBuf {
    let good = fs::read_to_string(source("kernels/c/rope.c")).unwrap();
    let defect = &defects()[id];
    assert!(good.contains(&defect.replace) && good.contains(from), "{id}");
    let edited = scratch(&format!("{id}-manifest")).join("rope.c");
    fs::write(&edited, good.replace(&defect.replace, &defect.with).replace(from, to)).unwrap();
    compile(&edited, id).unwrap()
}

#[test]
fn bits_may_differ_where_the_manifest_says_so() {
    let select =
        ["--check", "deterministic", "--scheme", MROPE, "--level", "rotate", "--dtype", "f32", "--format", "json"];
    let claims = r#"\"bit_stable\":true"#;
    let declared = with_manifest("bits-drift", claims, r#"\"bit_stable\":false"#);
    let (cases, notes) = passed(&check(&declared, &select).expect(0, &[]).json().unwrap());
    assert!(cases > 0 && notes.contains("identical calls differ in bits"), "{cases} {notes}");
    // Silence is the claim that identical calls give identical bits.
    let silent = with_manifest("bits-drift", &format!(",{claims}"), "");
    check(&silent, &select).expect(1, &["differ from the first run"]);
}

#[test]
fn flushing_on_load_is_allowed_where_the_contract_declares_it() {
    let select =
        ["--check", "fp-environment", "--scheme", MROPE, "--level", "fused", "--cases", "1", "--format", "json"];
    let select = [&select[..6], &PROOF, &select[6..]].concat();
    let library = with_manifest("flushes-on-open", r#"\"class\":\"fused\""#, r#"\"class\":\"fast\""#);
    let (cases, notes) = passed(&check(&library, &select).expect(0, &[]).json().unwrap());
    assert!(cases > 0 && notes.contains("which the contract declares"), "{cases} {notes}");
    // People see it too: it is less than was asked for.
    check(&library, &select[..12]).expect(0, &["note: fp-environment: loading changes"]);
    // A rounding mode is no matter of contracts.
    let library = with_manifest("rounds-down-for-good", r#"\"class\":\"fused\""#, r#"\"class\":\"fast\""#);
    check(&library, &select).expect(1, &["the rounding mode"]);
}

#[test]
fn what_is_not_offered_is_said_and_not_passed() {
    let unedited = fs::read_to_string(source("kernels/c/rope.c")).unwrap();
    let edited = scratch("offers-less").join("rope.c");
    let less = [(r#"\"token_ranges\":true,"#, ""), (r#"\"varlen\":true,"#, "")];
    fs::write(&edited, less.iter().fold(unedited, |s, (from, to)| s.replace(from, to))).unwrap();
    let library = compile(&edited, "offers-less").unwrap();
    let ask = |id: &str| check(&library, &["--check", id, "--scheme", MROPE, "--level", "fused", "--cases", "1"]);
    ask("packed-sequences").expect(4, &["the manifest does not offer varlen"]);
    ask("chunked-prefill").expect(4, &["takes no token ranges"]);
    // Decoding can still be asked for, by longer and longer layouts.
    ask("decode-continuation").expect(0, &[]);
}

#[test]
fn a_packed_case_is_replayed_from_its_line() {
    let case = format!(
        "packed-sequences,scheme={VROPE},level=fused,dtype=bf16,pairing=half,layout=text:3//image:2x2+text:1//text:1,\
         packed=true,positions=i64,heads=4/2,head-dim=64,memory=padded,alias=in,data=uniform,seed=7"
    );
    replay(&case, kernel(), &[]).expect(0, &["holds"]);
    replay(&case.replace(",packed=true", ""), kernel(), &[]).expect(2, &["same number of tokens"]);
}
