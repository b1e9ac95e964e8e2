//! A backend that cannot be judged, or that dies, is named; and so is a command line that makes no sense. Never a panic.

use std::fs;

use crate::common::{broken, check, compile, kernel, ropecheck, scratch, source, text};

const QUICK: [&str; 6] = ["--scheme", "m-rope@default", "--cases", "1", "--depth", "quick"];

/// Exit 6, nothing on standard output, and one message with the path and the reason.
#[track_caller]
fn does_not_start(library: &std::path::Path, reason: &str) {
    let run = check(library, &[]).expect(6, &[]);
    assert!(run.out.is_empty(), "a report of a backend that never started: {run}");
    let line = run.err.trim_end();
    assert!(line.starts_with(&format!("error: {}: ", text(library))), "{run}");
    assert!(line.contains(reason), "{reason:?} is missing from {run}");
    assert_eq!(line.lines().count(), 1, "{run}");
    assert!(!line.ends_with(':'), "the reason breaks off: {run}");
}

#[test]
fn what_is_no_backend_does_not_start() {
    let folder = scratch("files");
    does_not_start(&folder.join("missing.so"), "there is no such file");
    let letters = folder.join("letters.so");
    fs::write(&letters, "not a library\n".repeat(400)).unwrap();
    does_not_start(&letters, "not a shared library that this system can load");
    does_not_start(&folder, "folder");
    let other = compile(&source("tests/kernels/not_abi.c"), "not_abi").unwrap();
    does_not_start(&other, "does not export ropecheck_abi_version");
}

#[test]
fn what_misstates_itself_does_not_start() {
    for (id, reason) in [
        ("wrong-abi-version", "ABI"),
        ("garbage-manifest", "the manifest is not JSON"),
        ("null-manifest", "ropecheck_describe returned NULL"),
        ("open-fails", "ropecheck_open returned INTERNAL"),
        ("claims-a-missing-level", "ropecheck_apply is not exported"),
    ] {
        does_not_start(&broken(id).unwrap(), reason);
    }
    check(&broken("manifest-without-levels").unwrap(), &[])
        .expect(6, &["2 mistakes in the manifest\n  dtypes: this key is missing\n  levels: this key is missing"]);
}

#[test]
fn a_refusal_of_what_the_manifest_offers_is_a_failure() {
    let library = broken("refuses-what-it-offers").unwrap();
    check(&library, &[&QUICK[..], &["--level", "rotate"]].concat()).expect(1, &["UNSUPPORTED", "NONCONFORMANT"]);
    // What it does not refuse is judged as ever.
    check(&library, &[&QUICK[..], &["--level", "rotate", "--dtype", "f16"]].concat()).expect(0, &[]);
}

#[test]
fn a_backend_that_always_dies_is_told_from_one_that_sometimes_does() {
    let library = broken("segfault").unwrap();
    let arguments = [&QUICK[..], &["--dtype", "f32"]].concat();
    let run = check(&library, &[&arguments[..], &["--level", "rotate"]].concat())
        .expect(6, &["SIGSEGV", "THE BACKEND DIED IN EVERY CASE"]);
    assert!(run.out.contains("ropecheck replay "), "the report must still be printed: {run}");
    check(&library, &[&arguments[..], &["--level", "rotate", "--level", "positions"]].concat())
        .expect(1, &["SIGSEGV", "NONCONFORMANT"]);
}

#[test]
fn a_signal_is_named() {
    let library = broken("abort").unwrap();
    check(&library, &[&QUICK[..], &["--level", "rotate"]].concat()).expect(1, &["SIGABRT", "NONCONFORMANT"]);
}

#[test]
fn a_hang_ends() {
    let library = broken("infinite-loop").unwrap();
    check(&library, &[&QUICK[..], &["--level", "rotate", "--timeout", "1"]].concat())
        .expect(1, &["hung", "no answer within 1s", "stopped after the backend hung"]);
}

#[test]
fn a_name_that_does_not_exist_is_a_usage_error_with_a_hint() {
    for (arguments, parts) in [
        (&["--scheme", "vrop"][..], &["vrop", "did you mean", "vrope"][..]),
        (&["--scheme", "vrope@oficial"], &["oficial", "did you mean", "official", "paper-v2"]),
        (&["--dtype", "bf61"], &["bf61", "a similar value exists: 'bf16'"]),
        (&["--dtype", "float32"], &["float32", "f32, f16, bf16"]),
        (&["--check", "acuracy"], &["acuracy", "did you mean", "accuracy", "ropecheck list checks"]),
        (&["--level", "rotat"], &["rotat", "a similar value exists: 'rotate'"]),
        (&["--scheme", "m-rope", "--param", "bse=5"], &["bse", "did you mean", "base"]),
        (&["--cases", "0"], &["--cases", "0 is not in"]),
        (&["--timeout", "0"], &["--timeout must be more than 0"]),
    ] {
        let run = check(kernel(), arguments).expect(2, parts);
        assert!(run.out.is_empty(), "{run}");
    }
}

#[test]
fn a_layout_that_makes_no_sense_is_a_usage_error() {
    for (layout, part) in [
        ("text:0", "found a size of 0"),
        ("video:0x1x1", "found a size of 0"),
        ("text:-1", "column"),
        ("text:99999999999999", "at most 2^31"),
        ("video:100000x100000x100000", "at most 2^31"),
        ("txt:3", "did you mean `text:3`"),
        ("", "at least one segment"),
    ] {
        ropecheck(&["positions", "--scheme", "vrope", "--layout", layout]).expect(2, &[part]);
    }
}

#[test]
fn a_case_that_makes_no_sense_is_a_usage_error() {
    for (case, part) in [
        ("", "scheme and a layout"),
        ("accuracy,scheme=vrope", "scheme and a layout"),
        ("acuracy,scheme=vrope@official,level=fused,layout=text:2,head-dim=4", "acuracy"),
        ("accuracy,scheme=vrop,level=fused,layout=text:2,head-dim=4", "vrop"),
        ("accuracy,scheme=vrope@official,level=fused,layout=text:2,head-dim=4,seed=zz", "seed=zz"),
    ] {
        ropecheck(&["replay", case, text(kernel())]).expect(2, &[part]);
    }
}

#[test]
fn a_scheme_file_that_is_missing_or_broken_is_a_spec_error() {
    let folder = scratch("specs");
    let missing = folder.join("missing.yaml");
    check(kernel(), &["--spec", text(&missing)]).expect(3, &[text(&missing), "cannot be read"]);
    let open = folder.join("open.yaml");
    fs::write(&open, "scheme: x\ntitle: [\n").unwrap();
    check(kernel(), &["--spec", text(&open)]).expect(3, &[text(&open), "not YAML", ":2:"]);
    let letters = folder.join("letters.yaml");
    fs::write(&letters, "scheme: x\ntitle: y\ncolour: red\n").unwrap();
    check(kernel(), &["--spec", text(&letters)]).expect(3, &["colour"]);
}

#[test]
fn a_selection_of_nothing_is_not_a_pass() {
    check(kernel(), &["--scheme", "videorope", "--level", "fused"]).expect(4, &["nothing is selected"]);
}

#[test]
fn a_kernel_that_is_given_cos_and_sin_proves_no_scheme() {
    let library = compile(&source("tests/kernels/minimal_apply.c"), "minimal").unwrap();
    check(&library, &["--depth", "quick"]).expect(
        0,
        &[
            "not judged on level apply, because the suite supplied it: positions, axis map, frequencies",
            "no scheme was judged",
        ],
    );
}
