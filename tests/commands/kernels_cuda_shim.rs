//! The CUDA kernels, built by a C++ compiler through the launch shim: the right ones pass, and what is wrong on purpose is found.
//! The same sources are compiled by nvcc in scripts/nvcc_lane.sh and run on a GPU by scripts/gpu_report.sh.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use crate::common::{Failure, check, failures, scratch, source, text};
use serde_json::Value;

const DTYPES: [&str; 3] = ["f32", "f16", "bf16"];
/// The build line of kernels/cuda/README.md, up to names and what is added here to be strict.
const FLAGS: [&str; 7] =
    ["-std=c++17", "-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/cuda", "-Ikernels/cuda/shim"];
const STRICT: [&str; 6] =
    // A vector that is read at an address that a GPU refuses is fatal here too.
    [
        "-Wall",
        "-Wextra",
        "-Werror",
        "-Wno-unknown-pragmas",
        "-fsanitize=alignment",
        "-fsanitize-undefined-trap-on-error",
    ];

fn cxx(arguments: &[&str]) {
    let output = Command::new("c++").args(arguments).current_dir(source("")).output().expect("c++ starts");
    assert!(output.status.success(), "c++ {}: {}", arguments.join(" "), String::from_utf8_lossy(&output.stderr));
}

/// A file of kernels/cuda as a library on the shim.
fn build(file: &str, name: &str, more: &[&str]) -> PathBuf {
    let library = scratch(name).join("librope.so");
    let from = format!("kernels/cuda/{file}");
    let mut arguments = [&FLAGS[..], &STRICT[..], more].concat();
    arguments.extend(["-o", text(&library), "-x", "c++", &from]);
    cxx(&arguments);
    library
}

fn rope() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("rope.cu", "rope", &[]))
}

fn naive() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("naive.cu", "naive", &[]))
}

fn race() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| build("broken_race.cu", "race", &[]))
}

/// (level, dtype) of every result with cases that held.
fn held(report: &Value) -> BTreeSet<(String, String)> {
    let word = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let results = report["results"].as_array().cloned().unwrap_or_default();
    let count = |r: &Value| -> u64 {
        let bands = r["bands"].as_object();
        bands.map_or(0, |b| b.values().filter_map(|band| band["passed"].as_u64()).sum())
    };
    let passed = results.iter().filter(|r| count(r) > 0);
    passed.map(|r| (word(&r["level"]), word(&r["dtype"]))).collect()
}

/// Judges a library by every check, and says on which levels all three dtypes held.
fn conforms(library: &Path, schemes: &[&str], levels: &[&str]) {
    let (scaled, per_head) = (source("tests/kernels/scaled.yaml"), source("tests/kernels/per-head.yaml"));
    let mut arguments = vec!["--format", "json", "--cases", "1", "--depth", "quick"];
    arguments.extend(["--spec", text(&scaled), "--spec", text(&per_head)]);
    arguments.extend(schemes.iter().flat_map(|scheme| ["--scheme", scheme]));
    let report = check(library, &arguments).expect(0, &[]).json().expect("a report");
    let held = held(&report);
    for level in levels {
        for dtype in DTYPES {
            assert!(held.contains(&((*level).into(), dtype.into())), "nothing held on {level} in {dtype}: {held:?}");
        }
    }
}

#[test]
fn rope_cu_conforms() {
    conforms(rope(), &["vrope@official", "scaled", "per-head"], &["rotate", "fused"]);
}

#[test]
fn naive_cu_conforms() {
    conforms(naive(), &["m-rope@default", "rope-tie"], &["rotate"]);
}

#[test]
fn the_order_of_threads_does_not_matter_to_rope_cu() {
    for seed in ["2", "77"] {
        let output = judged_with("ROPECHECK_SHIM_SEED", seed, rope());
        assert_eq!(output.status.code(), Some(0), "seed {seed}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

/// Enough for defects of launches and of arithmetic; every check takes long in debug builds.
const SHORT: [&str; 12] = [
    "--scheme",
    "vrope@official",
    "--level",
    "rotate",
    "--depth",
    "quick",
    "--cases",
    "1",
    "--check",
    "accuracy",
    "--check",
    "in-place",
];

/// A short run of ropecheck with a variable of the shim set.
fn judged_with(variable: &str, value: &str, library: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .args(["check", text(library)])
        .args(SHORT)
        .env(variable, value)
        .output()
        .expect("ropecheck starts")
}

/// What fails in a short run; something must, in every dtype.
fn found(library: &Path) -> Vec<Failure> {
    let report = check(library, &[&SHORT[..], &["--format", "json"]].concat());
    let found = failures(&report.expect(1, &[]).json().expect("a report"));
    for dtype in DTYPES {
        assert!(found.iter().any(|f| f.case.contains(&format!("dtype={dtype}"))), "nothing in {dtype}: {found:?}");
    }
    found
}

#[test]
fn a_grid_that_rounds_down_is_found() {
    let library = build("broken_tail.cu", "tail", &[]);
    let found = found(&library);
    assert!(found.iter().any(|f| f.check == "accuracy"), "{found:?}");
}

#[test]
fn a_race_in_place_is_found_and_only_in_place() {
    let found = found(race());
    assert!(found.iter().all(|f| f.case.contains("alias=in")), "{found:?}");
}

#[test]
fn fast_math_is_found_at_large_angles() {
    let library = build("rope.cu", "fast", &["-DUSE_FAST_MATH"]);
    let found = found(&library);
    assert!(found.iter().any(|f| f.check == "accuracy"), "{found:?}");
}

#[test]
fn the_adapter_of_the_docs_conforms() {
    let library = build("adapter.cu", "adapter", &[]);
    let report = check(&library, &["--depth", "quick", "--cases", "1", "--format", "json"])
        .expect(0, &[])
        .json()
        .expect("a report");
    assert_eq!(held(&report), BTreeSet::from([("rotate".into(), "bf16".into())]));
}

/// docs/cuda.md shows the adapter whole, so it must be the one that is tested.
#[test]
fn the_docs_show_what_is_tested() {
    let read = |path| fs::read_to_string(source(path)).expect("the file can be read");
    let adapter = read("kernels/cuda/adapter.cu");
    let (_, shown) = adapter.split_once("\n").expect("lines");
    assert!(read("docs/cuda.md").contains(shown.trim()), "docs/cuda.md does not show kernels/cuda/adapter.cu as it is");
    let line = format!("c++ {} -x c++ -o librope_shim.so kernels/cuda/rope.cu", FLAGS.join(" "));
    for page in ["docs/cuda.md", "kernels/cuda/README.md"] {
        assert!(read(page).contains(&line), "{page} lacks the line: {line}");
    }
}

#[test]
fn without_a_device_nothing_starts() {
    let output = judged_with("ROPECHECK_SHIM_NO_DEVICE", "1", rope());
    assert_eq!(output.status.code(), Some(6));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("no CUDA device"), "{said}");
}

/// By the functions that a GPU's events stand behind, on the memory that ropecheck allocated.
#[test]
fn the_device_measures_its_own_time() {
    let run = crate::common::ropecheck(
        &[
            &["bench", text(rope()), "--level", "fused", "--dtype", "bf16", "--tokens", "300"][..],
            &["--seconds", "0.01", "--samples", "3", "--format", "json"],
        ]
        .concat(),
    );
    let report = run.expect(0, &[]).json().expect("a report");
    assert_eq!(report["clock"], "device");
    assert!(report["device"].as_str().is_some_and(|name| name.contains("shim")), "{}", report["device"]);
    assert!(report["rows"][0]["of_copy"].as_f64().is_some_and(|share| share > 0.0), "{report}");
}

/// The six functions of device memory, called as ropecheck calls them.
#[test]
fn device_memory_goes_there_and_back() {
    let driver = scratch("driver").join("device_memory");
    let mut arguments =
        vec!["-std=c++17", "-O2", "-Iinclude", "-o", text(&driver), "tests/kernels/device_memory.cpp", "-ldl"];
    arguments.extend(STRICT);
    cxx(&arguments);
    let run = |library: &Path, what: &[&str]| {
        let output = Command::new(&driver).arg(library).args(what).output().expect("the driver starts");
        (output.status, String::from_utf8_lossy(&output.stdout).into_owned())
    };
    for library in [rope(), naive()] {
        let (status, said) = run(library, &[]);
        assert_eq!(status.code(), Some(0), "{said}");
    }
    let (status, said) = run(race(), &[]);
    assert_eq!(status.code(), Some(1), "the driver must see a kernel that is wrong: {said}");
    // What is wrong with a GPU must be wrong here: memory of the device is none of the host's.
    let (status, said) = run(rope(), &["touch"]);
    assert_eq!(status.signal(), Some(11), "{said}");
}
