//! A library that lends device memory: ropecheck owns the buffers there, sees what is written around them,
//! and believes the sync. The "device" here is plain memory behind the six functions;
//! tests/commands/kernels_cuda_shim.rs has CUDA's.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use crate::common::{check, compile, failures, replay, ropecheck, scratch, source, text};

const QUICK: [&str; 10] =
    ["--scheme", "m-rope@default", "--depth", "quick", "--cases", "1", "--level", "rotate", "--threads", "1"];

/// tests/kernels/device.c with one defect, or none.
fn library(defect: &str) -> PathBuf {
    let library = scratch(defect).join("librope.so");
    let define = format!("-DDEFECT_{defect}");
    let output = Command::new("cc")
        .args(["-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c", &define, "-o", text(&library)])
        .args(["tests/kernels/device.c", "-lm"])
        .current_dir(source(""))
        .output()
        .expect("cc starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    library
}

/// Runs a check, in one storage type.
fn one(defect: &str, id: &str, dtype: &str, code: i32, says: &[&str]) -> crate::common::Run {
    let arguments = [&QUICK[..], &["--check", id, "--dtype", dtype]].concat();
    check(&library(defect), &arguments).expect(code, says)
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn an_honest_kernel_passes_in_device_memory() {
    let library = library("NONE");
    check(&library, &[&QUICK[..], &["--dtype", "f32"]].concat())
        .expect(0, &["device    a toy: its memory", "CONFORMANT"]);
    ropecheck(&["describe", text(&library)]).expect(0, &["memory of calls: of a device: a toy"]);
}

/// What copies tensors to a device behind ropecheck's back is judged by its results, and not by the memory of
/// the copies.
#[test]
fn the_memory_of_a_library_that_copies_is_not_judged() {
    let edit = |text: &str| text.replacen(r#"\"token_ranges\":true,"#, r#"\"token_ranges\":true,\"copies\":true,"#, 1);
    let kernel = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c can be read");
    assert_ne!(edit(&kernel), kernel, "rope.c's manifest has changed");
    let edited = scratch("copies").join("rope.c");
    fs::write(&edited, edit(&kernel)).expect("the copy can be written");
    let library = compile(&edited, "copies").expect("it compiles");
    let run = check(&library, &[&QUICK[..], &["--dtype", "f32", "-v"]].concat()).expect(0, &[]);
    for id in ["in-place", "inputs-untouched", "fully-written", "guards", "strides", "far-strides"] {
        assert!(run.out.contains(&format!("not judged: {id}: the library works on copies")), "{id}: {run}");
    }
    check(&library, &[&QUICK[..], &["--check", "fully-written"]].concat()).expect(4, &["NOTHING WAS JUDGED"]);
}

#[test]
fn what_is_written_around_and_left_out_on_the_device_is_seen() {
    one(
        "OVERRUN",
        "guards",
        "f32",
        1,
        &["memory outside of every buffer was written: 1 element after the end of q_out"],
    );
    one("SKIPS_LAST", "fully-written", "f32", 1, &["never written: row 0, token"]);
}

/// The case fails that the sync speaks of, and the next has a new process: the same library holds in another
/// type.
#[test]
fn a_fault_that_only_the_sync_knows_fails_its_case_alone() {
    let library = library("LATE_FAULT");
    let arguments = [&QUICK[..], &["--check", "accuracy", "--format", "json"]].concat();
    let report = check(&library, &arguments).expect(1, &["the toy kernel faulted"]).json().expect("a report");
    let found = failures(&report);
    assert!(!found.is_empty() && found.iter().all(|f| f.case.contains("dtype=f16")), "{found:?}");
    assert!(found.iter().all(|f| f.summary == "returned INTERNAL: the toy kernel faulted"), "{found:?}");
    let results = report["results"].as_array().expect("results");
    for dtype in ["f32", "bf16"] {
        let held = results.iter().any(|r| r["dtype"] == dtype && r["bands"]["0..255"]["passed"] == 1);
        assert!(held, "nothing held in {dtype}");
    }
    replay(&found[0].case, &library, &[]).expect(1, &["the toy kernel faulted"]);
}

/// No memory is no verdict; the cases that need less are judged.
#[test]
fn what_does_not_fit_on_the_device_is_not_judged() {
    let says = ["not judged: far-strides", "the toy device has 1 GiB"];
    one("SMALL_DEVICE", "far-strides", "f32", 4, &says);
    one("SMALL_DEVICE", "accuracy", "f32", 0, &["CONFORMANT"]);
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_device_that_cannot_be_used_is_named() {
    let start = |defect: &str, says: &str| {
        let run = check(&library(defect), &QUICK).expect(6, &[says]);
        assert!(run.out.is_empty(), "{run}");
        assert_eq!(run.err.trim_end().lines().count(), 1, "{run}");
    };
    start("NO_DEVICE", "librope.so: no toy device: none was ever made");
    start("NO_FILL", "ropecheck_sync and not ropecheck_fill: device memory takes all of them or none");
    one("MISALIGNED", "accuracy", "f32", 71, &["which is no multiple of 256"]);
}
