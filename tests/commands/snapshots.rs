//! Snapshots of a kernel: the same bits are the same whatever the number of threads, one ulp in one element is found, and
//! nothing is written unless it was asked for.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::{Run, compile, kernel, scratch, source, text};
use ropecheck::run::snapshot::{Snapshot, read};
use serde_json::Value;

const SELECTION: [&str; 8] =
    ["--scheme", "vrope@official", "--level", "fused", "--level", "positions", "--dtype", "bf16"];

/// Runs `ropecheck snapshot ...`, where no CI is.
fn snapshot(arguments: &[&str]) -> Run {
    with_ci(None, arguments)
}

fn with_ci(ci: Option<&str>, arguments: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_ropecheck"));
    command.arg("snapshot").args(arguments).env("RUST_BACKTRACE", "0").env_remove("CI");
    if let Some(ci) = ci {
        command.env("CI", ci);
    }
    let output = command.output().expect("ropecheck starts");
    Run {
        command: format!("ropecheck snapshot {}", arguments.join(" ")),
        code: output.status.code(),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A file that is not there yet.
fn fresh(name: &str) -> PathBuf {
    let file = scratch("files").join(name);
    let _ = fs::remove_file(&file);
    file
}

fn record(file: &Path, library: &Path, more: &[&str]) -> Run {
    snapshot(&[&["record", text(file), text(library)], &SELECTION[..], more].concat())
}

/// rope.c with an edit.
fn edited(name: &str, edits: &[(&str, &str)]) -> PathBuf {
    let mut good = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c");
    for (replace, with) in edits {
        assert_eq!(good.matches(replace).count(), 1, "{replace}");
        good = good.replace(replace, with);
    }
    let file = scratch(name).join("rope.c");
    fs::write(&file, good).expect("the edited kernel");
    compile(&file, name).expect("it compiles")
}

const SECOND: &str = "store(dtype, y + second * y_step, b * c[i] + a * s[i]);";
/// The element that changes: token, pair.
const AT: (usize, usize) = (2, 1);

/// The kernel with one ulp more in one element: bf16, first row, this token, first head, the second output of this pair, and
/// only where it has the value that it has in this case.
fn one_ulp_more(recorded: &Snapshot, id: &str) -> PathBuf {
    let index = recorded.about.cases.iter().position(|entry| entry.id == id).expect("the case");
    let (case, outputs) = &recorded.cases[index];
    let (token, pair) = AT;
    let heads = case.q_heads as usize;
    let width = case.rotary.map_or(case.head_dim, |(width, _)| width) as usize;
    assert!(case.rotary.is_none_or(|(_, offset)| offset == 0));
    let at = token * heads * case.head_dim as usize + width / 2 + pair;
    let bits = case.dtype.bits_at(&outputs["q"].bytes, at).expect("an element");
    let more = format!(
        "{SECOND}\n    if (dtype == ROPECHECK_BF16 && row == 0 && token == {token} && head == 0 && i == {pair}) {{\n      \
         uint16_t bits; memcpy(&bits, y + second * y_step, 2);\n      \
         if (bits == {bits}) {{ bits++; memcpy(y + second * y_step, &bits, 2); }}\n    }}"
    );
    edited("one-ulp", &[(SECOND, &more)])
}

#[test]
fn one_ulp_in_one_element_is_found_located_and_accepted_on_purpose() {
    let file = fresh("mine.snapshot");
    record(&file, kernel(), &["--threads", "1"]).expect(0, &["recorded ", " cases of rope.c 1 in "]);
    let before = fs::read(&file).expect("the snapshot");
    let other = fresh("threads.snapshot");
    record(&other, kernel(), &["--threads", "3"]).expect(0, &[]);
    assert!(before == fs::read(&other).expect("the snapshot"), "the number of threads shows");
    snapshot(&["verify", text(&file), text(kernel())]).expect(0, &["SAME bit for bit"]);

    let id = "vrope@official/fused/half/accuracy/bf16/0..255/0000";
    let changed = one_ulp_more(&read(&before).expect("a snapshot"), id);
    let verify = snapshot(&["verify", text(&file), text(&changed)]);
    let verify =
        verify.expect(1, &["CHANGED 1 elements in 1 of ", "ropecheck snapshot diff", "ropecheck snapshot accept"]);
    assert!(!verify.out.contains("pair 1"), "details are for diff: {verify}");

    let diff = snapshot(&["diff", text(&file), text(&changed), "--format", "json"]).expect(1, &[]);
    let report: Value = diff.json().expect("JSON");
    assert_eq!(
        (&report["format"], &report["verdict"], &report["exit_code"]),
        (&1.into(), &"changed".into(), &1.into())
    );
    let found = &report["comparison"];
    assert_eq!(found["changed"], serde_json::json!([id]));
    let [group] = &found["groups"].as_array().expect("groups")[..] else { panic!("{found}") };
    assert_eq!((&group[0]["dtype"], &group[0]["band"]), (&"bf16".into(), &"0..255".into()));
    assert_eq!((&group[1]["changed"], &group[1]["largest"]), (&1.into(), &1.into()));
    assert_eq!(group[1]["pairs"], serde_json::json!({"pair 1": {"changed": 1, "largest": 1}}));
    let [largest] = &found["largest"].as_array().expect("changes")[..] else { panic!("{found}") };
    assert_eq!((&largest["id"], &largest["distance"]), (&id.into(), &1.into()));
    let place = &largest["place"];
    let (token, head, pair) = (&place["token"], &place["head"], &place["pair"]);
    assert_eq!((token, head, pair), (&2.into(), &0.into(), &1.into()), "{place}");
    assert_ne!(largest["old"], largest["new"]);
    assert!(largest["direction"].is_string() && largest["within"].is_boolean(), "{largest}");
    let table = snapshot(&["diff", text(&file), text(&changed)]);
    table.expect(
        1,
        &["1 ulp token 2", "pair 1: 1 by up to 1 ulp", "     was    ", "     exact  ", "replay ropecheck replay "],
    );

    assert!(before == fs::read(&file).expect("the snapshot"), "verify and diff write nothing");
    let refused = with_ci(Some("true"), &["accept", text(&file), text(&changed)]);
    refused.expect(2, &["CI is set"]);
    assert!(before == fs::read(&file).expect("the snapshot"), "what is refused is not written");
    snapshot(&["accept", text(&file), text(&changed)]).expect(0, &["1 ulp token 2", "accepted: "]);
    snapshot(&["verify", text(&file), text(&changed)]).expect(0, &["SAME"]);
    snapshot(&["accept", text(&file), text(&changed)]).expect(0, &["nothing to accept"]);
    snapshot(&["verify", text(&file), text(kernel())]).expect(1, &["CHANGED 1 elements"]);
}

#[test]
fn a_kernel_whose_bits_differ_from_run_to_run_is_not_recorded() {
    // The outputs depend on the process.
    let unstable = edited(
        "unstable",
        &[
            (
                SECOND,
                "store(dtype, y + second * y_step, b * c[i] + a * s[i] + (token == 1 ? 0.001f * (getpid() % 1000) : 0));",
            ),
            ("#include <string.h>", "#include <string.h>\n#include <unistd.h>"),
        ],
    );
    let file = fresh("unstable.snapshot");
    record(&file, &unstable, &[]).expect(1, &["two runs of the same case gave different bits"]);
    assert!(!file.exists());
    record(&file, kernel(), &[]).expect(0, &[]);
    snapshot(&["verify", text(&file), text(&unstable)])
        .expect(1, &["unstable: two runs of this version give different bits"]);
    let declared = edited("declared", &[("\\\"bit_stable\\\":true", "\\\"bit_stable\\\":false")]);
    record(&fresh("declared.snapshot"), &declared, &[]).expect(4, &["bit_stable: false"]);
}

#[test]
fn what_is_no_longer_offered_or_new_is_said() {
    let file = fresh("offered.snapshot");
    record(&file, kernel(), &[]).expect(0, &[]);
    // Another version of the kernel, which has lost a pairing.
    let lost = edited(
        "lost",
        &[
            ("\\\"pairings\\\":[\\\"half\\\",\\\"adjacent\\\"]", "\\\"pairings\\\":[\\\"half\\\"]"),
            ("\\\"version\\\":\\\"1\\\"", "\\\"version\\\":\\\"2\\\""),
        ],
    );
    let run = snapshot(&["verify", text(&file), text(&lost)]);
    run.expect(
        1,
        &[
            "backend   rope.c 2",
            "manifest  changed since the recording: pairings, version",
            "gone: the manifest no longer offers pairing adjacent",
            "cases can no longer be asked for",
        ],
    );
    // Recorded of it, the other has more.
    let file = fresh("fewer.snapshot");
    record(&file, &lost, &[]).expect(0, &[]);
    snapshot(&["verify", text(&file), text(kernel())])
        .expect(0, &["SAME", "new: selected now, and not in the snapshot"]);
    // Recorded of a model, it is compared with that model alone.
    let file = fresh("model.snapshot");
    snapshot(&["record", text(&file), text(&lost), "--preset", "qwen2-vl-2b", "--dtype", "bf16"]).expect(0, &[]);
    let run = snapshot(&["verify", text(&file), text(&lost)]).expect(0, &["SAME"]);
    assert!(!run.out.contains("new: "), "{run}");
    let file = fresh("fewer.snapshot");
    record(&file, &lost, &[]).expect(0, &[]);
    // A spec of the same name with another formula, that comes to the same; a comment changes nothing.
    let rope = fs::read_to_string(source("spec/schemes/vrope.yaml")).expect("a spec");
    let spec = scratch("spec").join("vrope.yaml");
    fs::write(&spec, format!("# mine\n{rope}")).expect("a spec");
    let run = snapshot(&["verify", text(&file), text(&lost), "--spec", text(&spec)]).expect(0, &["SAME"]);
    assert!(!run.out.contains("specs     changed"), "{run}");
    assert!(rope.contains("advance: \""), "a formula");
    fs::write(&spec, rope.replacen("advance: \"", "advance: \"0 + ", 1)).expect("a spec");
    let run = snapshot(&["verify", text(&file), text(&lost), "--spec", text(&spec)]);
    run.expect(0, &["specs     changed since the recording", "vrope@official", "SAME"]);
    // A part of the cases.
    let run = snapshot(&["verify", text(&file), text(&lost), "--level", "positions"]);
    run.expect(0, &["SAME", "left out by the command line"]);
    snapshot(&["verify", text(&file), text(&lost), "--scheme", "rope"])
        .expect(4, &["no case of the snapshot is selected"]);
}

#[test]
fn mistakes_are_told() {
    let (file, library) = (fresh("mistakes.snapshot"), text(kernel()));
    let missing = snapshot(&["verify", text(&file), library]);
    missing.expect(3, &["mistakes.snapshot: No such file", "`ropecheck snapshot record` makes one"]);
    record(&file, kernel(), &["--level", "positions"]).expect(0, &[]);
    let whole = fs::read(&file).expect("the snapshot");
    record(&file, kernel(), &[]).expect(2, &["is there already", "accept", "--force"]);
    assert!(whole == fs::read(&file).expect("the snapshot"));
    record(&file, kernel(), &["--force"]).expect(0, &[]);
    // The library where the snapshot should be: it is read, and stays.
    let copy = scratch("files").join("copy.so");
    fs::copy(kernel(), &copy).expect("a copy");
    let swapped = snapshot(&["record", text(&copy), text(&file), "--force"]);
    swapped.expect(2, &["the order is: SNAPSHOT BACKEND", "it is not replaced"]);
    assert!(fs::read(&copy).expect("the copy") == fs::read(kernel()).expect("the kernel"));
    for (bytes, message) in [
        (&whole[..5], "expected a safetensors file"),
        (&whole[..100], "is it cut off"),
        (&whole[..whole.len() - 1], "is the file truncated?"),
        (&b"{\"not\": 1}"[..], "no snapshot of ropecheck"),
    ] {
        fs::write(&file, bytes).expect("a wrong file");
        snapshot(&["verify", text(&file), library])
            .expect(3, &["mistakes.snapshot: no snapshot of ropecheck", message]);
        snapshot(&["accept", text(&file), library]).expect(3, &[message]);
        assert!(bytes == fs::read(&file).expect("the file"), "a file that cannot be read is not replaced");
    }
    fs::write(&file, &whole).expect("the snapshot");
    snapshot(&["verify", text(&file), "./nothere.so"]).expect(6, &["nothere.so"]);
    snapshot(&["verify", text(&file)]).expect(4, &["the snapshot is another backend's, and no BACKEND was given"]);
    snapshot(&["record", text(&fresh("x")), library, "--scheme", "vrop"]).expect(2, &["did you mean"]);
    snapshot(&["record", text(&fresh("x")), library, "--scheme", "vrope", "--param", "x=1"]).expect(2, &["x"]);
    let nowhere = scratch("files").join("no-such-folder").join("x");
    snapshot(&["record", text(&nowhere), library, "--scheme", "vrope@official", "--level", "positions"])
        .expect(2, &["cannot be written"]);
}
