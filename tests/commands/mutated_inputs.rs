//! Inputs that people and programs hand over, changed at random: no panic, a documented exit code, an end
//! within 10 seconds, and no more than 2 GiB. `ROPECHECK_MUTATIONS=5000 cargo test --release --test
//! mutated_inputs` tries more of each kind.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{ropecheck, scratch, source, text};
use ropecheck::numeric::Rng;

/// Pieces that readers stumble over.
const PIECES: [&str; 24] = [
    "",
    "0",
    "-1",
    "1e999",
    "99999999999999999999",
    "4294967296",
    "NaN",
    "\u{0}",
    "\u{202e}",
    "\u{fffe}",
    "\n",
    "\t",
    "{",
    "}",
    "[",
    "]",
    ":",
    ",",
    "/",
    "&a *a",
    "(((((((((((((((((((",
    "é",
    "//",
    "=",
];

fn below(rng: &mut Rng, most: usize) -> usize {
    usize::try_from(rng.below(most as u64 + 1)).unwrap_or(0)
}

/// A few changes, each of a few bytes.
fn mutated(bytes: &[u8], rng: &mut Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..=below(rng, 3) {
        let at = below(rng, bytes.len());
        let end = (at + 1 + below(rng, 8)).min(bytes.len());
        match below(rng, 5) {
            0 => drop(bytes.drain(at..end)),
            1 => drop(bytes.splice(at..at, PIECES[below(rng, PIECES.len() - 1)].bytes())),
            2 => drop(bytes.splice(at..end, PIECES[below(rng, PIECES.len() - 1)].bytes())),
            3 => {
                let again = bytes[at..end].repeat(1 + below(rng, 40));
                drop(bytes.splice(at..at, again));
            }
            4 => bytes.truncate(at.max(1)),
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte ^= 1 << below(rng, 7);
                }
            }
        }
    }
    bytes
}

/// Arguments of a program hold no NUL and are UTF-8 here.
fn argument(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).replace('\0', "")
}

/// Runs the program within its limits.
fn survives(what: &str, arguments: &[String]) {
    let start = Instant::now();
    let mut child = Command::new("sh")
        .args(["-c", "ulimit -v 2097152; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_ropecheck")])
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("sh starts");
    let status = loop {
        if let Some(status) = child.try_wait().expect("waited for") {
            break status;
        }
        // Twice the promise, as other tests may run beside this one.
        if start.elapsed() > Duration::from_secs(20) {
            let _ = child.kill();
            panic!("{what}: no end of {arguments:?}");
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let mut err = String::new();
    let _ = std::io::Read::read_to_string(&mut child.stderr.take().expect("a pipe"), &mut err);
    let code = status.code();
    assert!([0, 1, 2, 3, 4, 6].map(Some).contains(&code), "{what}: {status} of {arguments:?}: {err}");
    assert!(!err.contains("panicked"), "{what}: {arguments:?}: {err}");
    assert!(err.len() < 100_000, "{what}: a message of {} bytes: {arguments:?}", err.len());
}

fn mutations() -> u64 {
    std::env::var("ROPECHECK_MUTATIONS").ok().and_then(|text| text.parse().ok()).unwrap_or(100)
}

/// Tries changed texts as an argument.
fn as_argument(what: &str, bases: &[&str], arguments: impl Fn(String) -> Vec<String>) {
    let mut rng = Rng::new(what.len() as u64);
    for turn in 0..mutations() {
        let base = bases[usize::try_from(turn).unwrap_or(0) % bases.len()];
        survives(what, &arguments(argument(&mutated(base.as_bytes(), &mut rng))));
    }
}

/// Tries changed files.
fn as_file(what: &str, base: &Path, arguments: impl Fn(&Path) -> Vec<String>) {
    let bytes = fs::read(base).expect("the base can be read");
    let mut rng = Rng::new(what.len() as u64);
    for turn in 0..mutations() {
        let path: PathBuf = scratch(what).join(format!("{turn}"));
        fs::write(&path, mutated(&bytes, &mut rng)).expect("written");
        survives(what, &arguments(&path));
        fs::remove_file(&path).expect("removed");
    }
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn layouts_parameters_contracts_and_cases() {
    let layouts = ["text:3 video:4x2x3@1/2 text:5", "image:8x8 image:2x3 text:1", "text:2147483647"];
    as_argument("layouts", &layouts, |layout| words(&["positions", "--scheme", "m-rope", "--layout", &layout]));
    let parameters = ["delta=2", "delta=10/3", "delta=0.29"];
    as_argument("parameters", &parameters, |parameter| {
        words(&["positions", "--scheme", "videorope", "--layout", "text:2 video:2x2x2", "--param", &parameter])
    });
    let contracts = ["bf16=cached/pow,trig_ulps=1", "fused/table,angle_unit=turns,angle_roundings=2"];
    let check = [
        "check",
        "host",
        "--scheme",
        "rope@default",
        "--dtype",
        "bf16",
        "--check",
        "empty",
        "--cases",
        "1",
        "--depth",
        "quick",
    ];
    as_argument("contracts", &contracts, |contract| [words(&check), words(&["--contract", &contract])].concat());
    let cases = [
        "accuracy,scheme=m-rope@default,level=rotate,dtype=f32,pairing=half,layout=text:14//text:14,span=32768..131071,positions=i64,\
         heads=2/2,head-dim=64,memory=packed,alias=out,data=overflow,seed=f1c458b6",
    ];
    as_argument("cases", &cases, |case| words(&["replay", &case]));
}

#[test]
fn configurations() {
    let config = scratch("base").join("config.yaml");
    let text_of = "backend: host\ndepth: quick\ncases: 1\nscheme: [rope@default]\ndtypes: bf16\ncheck: [empty]\nrequire: {levels: rotate}\n\
                   seed: 7\nthreads: 1\nparam: {base: 10000}\nexpectations:\n  - check: [emp*, \"?mpty\"]\n    scheme: rope@default\n    cause: crashed\n    \
                   reason: it dies\n    link: https://example.com/1\n    until: 2027-01-31\n  - {dtype: f16, level: rotate, reason: known}\n";
    fs::write(&config, text_of).expect("written");
    // Whatever becomes of its keys, the run stays small.
    let small =
        ["--scheme", "rope@default", "--dtype", "bf16", "--check", "empty", "--cases", "1", "--depth", "quick", "host"];
    let files = ["--output", "/dev/null", "--report", "json=/dev/null", "--timeout", "2"];
    as_file("configurations", &config, |path| {
        [words(&["check", "--config", text(path)]), words(&small), words(&files)].concat()
    });
}

#[test]
fn specs_manifests_and_snapshots() {
    as_file("configurations of models", &source("tests/hf/qwen3.5-9b.json"), |path| {
        words(&["positions", "--layout", "text:2", "--from-hf", text(path)])
    });
    let spec = source("spec/schemes/m-rope.yaml");
    as_file("specs", &spec, |path| {
        words(&["positions", "--scheme", "m-rope", "--layout", "text:2", "--spec", text(path)])
    });
    let hello = scratch("base").join("hello");
    let manifest = serde_json::json!({"hello": {"protocol": [1], "manifest": {
        "name": "rope.c", "version": "1", "levels": {"rotate": {"consumes": ["positions", "inv_freq"], "schemes": ["rope", "m-rope@default"],
        "contract": {"class": "fused", "frequencies": "pow", "trig_ulps": 2}}}, "dtypes": ["f32", "bf16"], "head_dims": {"min": 2, "max": 512,
        "multiple": 2}, "q_heads": [1, 4], "k_heads": {"min": 0, "max": 8}, "max_position": 131_071, "bases": [10000, 500_000]}}});
    fs::write(&hello, format!("{manifest}\n")).expect("written");
    as_file("manifests", &hello, |path| {
        words(&["describe", "--start-timeout", "2", "--exec", &format!("cat {}", text(path))])
    });
    let snapshot = scratch("base").join("snapshot");
    let _ = fs::remove_file(&snapshot);
    ropecheck(&[
        "snapshot",
        "record",
        text(&snapshot),
        "host",
        "--scheme",
        "rope@default",
        "--dtype",
        "f32",
        "--cases",
        "1",
    ])
    .expect(0, &[]);
    as_file("snapshots", &snapshot, |path| words(&["snapshot", "verify", text(path), "host"]));
}
