//! ropecheck.yaml: where it is found, what wins over it, and what is said of mistakes in it.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::common::{Run, json_schema, kernel, scratch, source, text};
use serde_json::Value;

const SMALL: &str = "depth: quick\ncases: 1\nscheme: m-rope@default\ndtype: f32\nlevel: rotate\ncheck: [controls]\n";

fn check_in(folder: &Path, arguments: &[&str]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_ropecheck"))
        .arg("check")
        .args(arguments)
        .current_dir(folder)
        .env("RUST_BACKTRACE", "0")
        .output()
        .expect("ropecheck starts");
    let lossy = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let command = format!("ropecheck check {} in {}", arguments.join(" "), folder.display());
    Run { command, code: output.status.code(), out: lossy(&output.stdout), err: lossy(&output.stderr) }
}

/// A folder of its own with a configuration, a library beside it, and a folder below.
fn project(name: &str, config: &str) -> std::path::PathBuf {
    let folder = scratch(name);
    fs::create_dir_all(folder.join("below/deeper")).expect("folders");
    fs::copy(kernel(), folder.join("librope.so")).expect("copied");
    fs::write(folder.join("ropecheck.yaml"), config).expect("written");
    folder
}

#[test]
fn a_file_is_found_upwards_and_its_paths_are_relative_to_it() {
    let folder = project("upwards", &format!("backend: librope.so\nreports: {{json: report.json}}\n{SMALL}"));
    let says = [
        "on rope.c",
        "config    ../../ropecheck.yaml: backend, report, depth",
        "CONFORMANT IN PART: only --check controls",
    ];
    check_in(&folder.join("below/deeper"), &[]).expect(0, &says);
    let report = fs::read_to_string(folder.join("report.json")).expect("the report is beside the configuration");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    assert_eq!(report["config"]["file"], "../../ropecheck.yaml");
    // Named by an absolute path it is shown as one from the working folder.
    let named = ["--config", text(&folder.join("ropecheck.yaml"))].map(str::to_owned);
    check_in(&folder.join("below"), &named.each_ref().map(String::as_str))
        .expect(0, &["config    ../ropecheck.yaml: "]);
    // The root of a repository ends the search.
    fs::create_dir_all(folder.join("below/.git")).expect("a folder");
    let small = ["--scheme", "rope@default", "--dtype", "f32", "--check", "controls", "--cases", "1"];
    let run = check_in(&folder.join("below/deeper"), &small).expect(0, &["ropecheck's own embedded kernel"]);
    assert!(!run.out.contains("config "), "{run}");
    fs::remove_dir(folder.join("below/.git")).expect("removed");
    let run =
        check_in(&folder, &[&small[..], &["--no-config"]].concat()).expect(0, &["ropecheck's own embedded kernel"]);
    assert!(!run.out.contains("config "), "{run}");
}

#[test]
fn the_command_line_takes_the_place_of_a_key_and_of_a_whole_list() {
    let folder = project("wins", &format!("backend: librope.so\nseed: 4\n{SMALL}"));
    let run = check_in(&folder, &["--check", "golden", "--seed", "9", "host"]);
    let run = run.expect(0, &["only --check golden --scheme m-rope@default", "seed 9", "own embedded kernel"]);
    let says = "config    ropecheck.yaml: depth, cases, scheme, dtype, level; the command line has its own backend, seed, check";
    assert!(run.out.contains(says), "{run}");
    // A program on the command line is another backend, too.
    let run = check_in(&folder, &["--exec", "false"]);
    assert!(!run.err.contains("only one backend"), "{run}");
}

#[test]
fn values_have_the_forms_that_yaml_has_for_them() {
    let forms = "backend: librope.so\nrequire: {levels: [rotate], dtypes: f32}\ncontracts: {f32: eager/pow}\nverbose: true\nno-diagnosis: false\n";
    let folder = project("forms", &format!("{forms}{SMALL}"));
    let run = check_in(&folder, &["--format", "json"]).expect(0, &[]);
    let json = run.json().expect("JSON");
    let required: Vec<&str> =
        json["requirements"].as_array().expect("a list").iter().map(|r| r["require"].as_str().expect("text")).collect();
    assert_eq!(required, ["levels=rotate", "dtypes=f32"]);
    assert_eq!(json["contract_options"][0], "f32=eager/pow");
}

#[test]
fn a_program_beside_the_file_is_found_from_below() {
    let folder = project("program", &format!("exec: sh 'rope it.sh' there\n{SMALL}"));
    fs::write(folder.join("rope it.sh"), "echo \"started with $1\" >&2; exit 3\n").expect("written");
    check_in(&folder.join("below"), &[]).expect(6, &["started with there"]);
}

#[test]
fn every_mistake_is_told_at_once_with_its_place_and_in_reports() {
    let config = "backnd: x\ndepth: quik\nthreads: 100\ncases: [1]\nverbose: maybe\nexec: foo\nbackend: y\n\
                  report: xml=foo\ntime: 60\nchecks: [guards]\ncheck: guards\nexpectations:\n  - check: guards\n  - reason: x\n  \
                  - {check: [], cause: crashd, until: 2026-02-30, lnk: z, reason: y}\n";
    let folder = project("mistakes", config);
    let run = check_in(&folder, &["--report", "junit=r.xml"]).expect(2, &[
        "a configuration has no key `backnd`\n --> ropecheck.yaml:1:1",
        "did you mean `backend`?",
        "invalid value 'quik' for '--depth <DEPTH>'\n --> ropecheck.yaml:2:8",
        "possible values: quick, default, deep",
        "did you mean `quick`?",
        "invalid value '100' for '--threads <N>': 100 is not in 1..=64\n --> ropecheck.yaml:3:10",
        "expected `cases`, found a list",
        "expected `verbose` (true or false), found `maybe`",
        "`backend` and `exec` say the same\n --> ropecheck.yaml:7:1",
        "invalid value 'xml=foo' for '--report <FORMAT=FILE>'",
        "no time such as 60s, 2m, 1h or 500ms",
        "`check` and `check` say the same",
        "an expectation needs the key `reason`\n  --> ropecheck.yaml:13:5",
        "an expectation of everything hides everything: say check, scheme, dtype, level or cause\n  --> ropecheck.yaml:14:5",
        "expected a pattern of check, found an empty list",
        "unknown cause \"crashd\"",
        "did you mean \"crashed\"?",
        "expected a date such as 2027-01-31, found `2026-02-30`",
        "an expectation has no key `lnk`",
        "did you mean `link`?",
    ]);
    assert!(run.out.is_empty(), "{run}");
    let junit = fs::read_to_string(folder.join("r.xml")).expect("a report");
    assert!(junit.contains("name=\"exit_code\" value=\"2\""), "{junit}");
}

#[test]
fn names_that_need_the_specs_are_told_with_their_place_too() {
    for (line, says) in [
        ("require: {q_head: 4}", "unknown key \"q_head\""),
        ("require: [levels=rotat]", "did you mean \"rotate\"?"),
        ("contract: {f32: fussed/table}", "did you mean \"fused\"?"),
        ("preset: qwen2-vl-7", "did you mean \"qwen2-vl-7b\"?"),
    ] {
        let folder = project("names", &format!("{line}\n"));
        check_in(&folder, &[]).expect(2, &[says, " --> ropecheck.yaml:1:"]);
    }
    check_in(&project("empty", "# nothing\n"), &[]).expect(2, &["ropecheck.yaml", "holds only comments"]);
    check_in(&project("missing", SMALL), &["--config", "no.yaml"]).expect(2, &["no.yaml: cannot be read"]);
    check_in(&project("both", SMALL), &["--config", "x", "--no-config"]).expect(2, &["cannot be used with"]);
}

#[test]
fn a_model_narrows_a_run_to_its_scheme_parameters_and_heads() {
    let small = "depth: quick\ncases: 1\ndtype: f32\nlevel: rotate\ncheck: [accuracy]\nbackend: librope.so\n";
    let folder = project("model", &format!("preset: qwen2.5-vl-3b\n{small}"));
    fs::copy(source("tests/hf/qwen2-vl-7b.json"), folder.join("config.json")).expect("copied");
    let says = ["IN PART: only --preset qwen2.5-vl-3b --check accuracy", "within q_heads 16, k_heads 2, head_dim 128"];
    let run = check_in(&folder, &[]).expect(0, &says);
    assert!(run.out.contains("qwen2.5-vl@default") && !run.out.contains("@transformers"), "{run}");
    // A file of the user's on the command line takes its place.
    let report = check_in(&folder, &["--from-hf", "config.json", "--format", "json"]).expect(0, &[]).json();
    let preset = &report.expect("a report")["narrowed"]["preset"];
    assert_eq!((&preset["option"], &preset["scheme"]), (&"from-hf".into(), &"m-rope@default".into()));
    assert_eq!(preset["parameters"], serde_json::json!(["base=1000000", "h_pairs=24", "w_pairs=24"]));
    assert_eq!(preset["q_heads"], 28);
    // A scheme that rotates half of each head, whose part must not be lost.
    check_in(&folder, &["--preset", "glm-4.5v"]).expect(0, &["only --preset glm-4.5v", "glm-4.1v@glm-4.5v"]);
    let wrong = check_in(&folder, &["--from-hf", "ropecheck.yaml"]);
    wrong.expect(2, &["ropecheck.yaml:1:1", "expected `model_type`, found none"]);
    check_in(&folder, &["--from-hf", "/dev/zero"]).expect(2, &["/dev/zero: cannot be read", "a device"]);
}

/// `init` writes one with which the port passes.
#[test]
fn a_port_to_begin_with_has_one() {
    let folder = scratch("init").join("new");
    let _ = fs::remove_dir_all(&folder);
    crate::common::ropecheck(&["init", "c", "--output", &format!("{}/", text(&folder))])
        .expect(0, &["ropecheck.yaml", "    ropecheck check\n"]);
    let cc = ["-O2", "-shared", "-fPIC", "-o", "librope.so", "rope.c", "-lm"];
    let built = Command::new("cc").args(cc).current_dir(&folder).status().expect("cc starts");
    assert!(built.success());
    let says = ["config    ropecheck.yaml: backend; the command line has its own depth", "on my-rope 1"];
    check_in(&folder, &["--depth", "quick", "--check", "accuracy"]).expect(0, &says);
}

/// What the schema calls wrong is wrong, and every key that it knows is one.
#[test]
fn the_schema_is_of_the_keys_that_are_read() {
    let schema = fs::read_to_string(source("docs/schema/config.schema.json")).expect("the schema is committed");
    let schema: Value = serde_json::from_str(&schema).expect("JSON");
    let good = serde_json::json!({"backend": "x.so", "depth": "quick", "checks": ["guards"], "require": {"levels": ["rotate"]},
        "verbose": true, "threads": 2, "expectations": [{"check": ["a*", "b"], "cause": "crashed", "reason": "r", "until": "2027-01-31"}]});
    assert_eq!(json_schema::mistakes(&schema, &good), [""; 0]);
    for wrong in [
        serde_json::json!({"backnd": "x"}),
        serde_json::json!({"depth": "quik"}),
        serde_json::json!({"verbose": "yes"}),
        serde_json::json!({"expectations": [{"check": "a"}]}),
        serde_json::json!({"expectations": [{"reason": "a", "cause": "crashd"}]}),
    ] {
        assert!(!json_schema::mistakes(&schema, &wrong).is_empty(), "{wrong}");
    }
    let known = schema["properties"].as_object().expect("keys");
    for key in [
        "backend",
        "specs",
        "depth",
        "time",
        "contract",
        "require",
        "reports",
        "seed",
        "exec",
        "memory",
        "timeout",
        "expectations",
    ] {
        assert!(known.contains_key(key), "{key}");
    }
    assert!(!known.contains_key("config") && !known.contains_key("help"));
}
