//! Kernels outside of C: functions in Rust as tests of cargo.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use ropecheck::backend::Vocabulary;
use ropecheck::backend::function::{Element, Function, Rotate, Rotated};
use ropecheck::contract::contracts;
use ropecheck::rotation::PlanCache;
use ropecheck::run::{Context, Observer, Options, RunReport, Session};
use ropecheck::spec::Library;
use serde_json::Value;

use crate::common::{check, compile, ropecheck, scratch, source, text};

/// Builds the test target of examples/rust with what is built already. The artefacts as cargo tells of them.
fn example() -> Vec<Value> {
    let words = "test --locked --offline -p ropecheck -p rope-example --test rope --no-run --message-format=json";
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let built = Command::new(cargo).args(words.split(' ')).current_dir(source("")).output().expect("cargo starts");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    String::from_utf8_lossy(&built.stdout).lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The file of a library that cargo built.
fn rlib(artefacts: &[Value], name: &str) -> PathBuf {
    let one = |artefact: &&Value| artefact["target"]["name"] == name && artefact["target"]["kind"][0] == "lib";
    let files = &artefacts.iter().find(one).unwrap_or_else(|| panic!("no library {name}"))["filenames"];
    let is_rlib = |file: &&Value| file.as_str().is_some_and(|file| file.ends_with(".rlib"));
    PathBuf::from(files.as_array().and_then(|all| all.iter().find(is_rlib)?.as_str()).expect("an rlib"))
}

fn rustc(arguments: &[&str]) {
    let program = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let done = Command::new(program).args(["--edition", "2024"]).args(arguments).output().expect("rustc starts");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
}

/// A test target, linked with what cargo built and with the example's library.
fn linked(artefacts: &[Value], test: &Path, example: &Path, target: &Path) {
    let suite = rlib(artefacts, "ropecheck");
    let externs = [format!("ropecheck={}", text(&suite)), format!("rope_example={}", text(example))];
    let folder = suite.parent().expect("a folder");
    let folders = [folder.join("deps"), folder.to_owned()].map(|folder| format!("dependency={}", text(&folder)));
    let ([one, other], [deps, beside]) = (&externs, &folders);
    rustc(&["-O", "--extern", one, "--extern", other, "-L", deps, "-L", beside, "-o", text(target), text(test)]);
}

/// A file of the project with one place changed.
fn changed(file: &Path, name: &str, from: &str, to: &str) -> PathBuf {
    let text = std::fs::read_to_string(file).expect("the file");
    assert_eq!(text.matches(from).count(), 1, "{from} in {}", file.display());
    let own = scratch(name).join(file.file_name().expect("a name"));
    std::fs::write(&own, text.replace(from, to)).expect("the copy is written");
    own
}

fn run(target: &Path, arguments: &[&str], case: Option<&str>) -> (Option<i32>, String) {
    let mut command = Command::new(target);
    command.args(arguments).env_remove("ROPECHECK_CASE");
    if let Some(case) = case {
        command.env("ROPECHECK_CASE", case);
    }
    let Output { status, stdout, stderr } = command.output().expect("the test target starts");
    let out = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(!out.contains("panicked"), "{out}");
    (status.code(), out)
}

#[test]
fn each_check_is_a_test_of_cargo_which_a_bug_turns_red() {
    let artefacts = example();
    let target = artefacts.iter().find_map(|artefact| artefact["executable"].as_str()).expect("an executable");
    let good = Path::new(target);
    let (code, out) = run(good, &[], None);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("test accuracy"), "{out}");
    let ignored = out.lines().find(|line| line.contains("test in-place")).expect("the check is listed");
    assert!(ignored.contains("ignored (not judged: the library works on copies"), "{ignored}");
    assert!(
        out.lines().any(|line| line.starts_with("CONFORMANT IN PART: only --depth quick; on level rotate")),
        "{out}"
    );

    // A filter narrows the run, and its verdict.
    let (code, out) = run(good, &["--exact", "pairing-probe"], None);
    assert_eq!(code, Some(0), "{out}");
    assert!(out.contains("1 passed; 0 failed; 0 ignored"), "{out}");
    assert!(out.contains("CONFORMANT IN PART: only --check pairing-probe"), "{out}");
    let (_, list) = run(good, &["--list", "probe"], None);
    assert_eq!(
        list.lines().collect::<Vec<_>>(),
        ["axis-map-probe: test", "frequency-probe: test", "pairing-probe: test"]
    );

    let own = changed(&source("examples/rust/src/lib.rs"), "sign", "*b * cos + *a * sin", "*b * cos - *a * sin");
    let (example, bad) = (own.with_file_name("librope_example.rlib"), own.with_file_name("rope-0123456789abcdef"));
    rustc(&["--crate-type", "rlib", "--crate-name", "rope_example", "-o", text(&example), text(&own)]);
    linked(&artefacts, &source("examples/rust/tests/rope.rs"), &example, &bad);
    let (code, out) = run(&bad, &["probe"], None);
    assert_eq!(code, Some(101), "{out}");
    assert!(out.contains("\nFAIL pairing-probe: "), "{out}");
    let replay = out.lines().find_map(|line| line.trim().strip_prefix("replay ROPECHECK_CASE='")).expect("a line");
    let (case, command) = replay.split_once("' ").expect("a case in quotes");
    assert_eq!(command, "cargo test --test rope");
    let (code, out) = run(&bad, &[], Some(case));
    assert!(code == Some(1) && out.starts_with("FAIL "), "{out}");
    let (code, out) = run(good, &[], Some(case));
    assert!(code == Some(0) && out.starts_with("holds: "), "{out}");
    let (code, out) = run(good, &[], Some("nonsense"));
    assert!(code == Some(2) && out.contains("ROPECHECK_CASE: "), "{out}");
}

/// A fresh folder.
fn empty(name: &str) -> PathBuf {
    let folder = scratch(name);
    std::fs::remove_dir_all(&folder).and_then(|()| std::fs::create_dir(&folder)).expect("a fresh folder");
    folder
}

#[test]
fn a_port_in_rust_to_begin_with_passes_until_a_line_is_changed() {
    let folder = empty("init-rust");
    let written = folder.join("tests/rope.rs");
    ropecheck(&["init", "rust", "--output", text(&folder)]).expect(0, &["wrote", text(&written), "harness = false"]);
    let artefacts = example();
    let examples = rlib(&artefacts, "rope_example");
    let good = folder.join("good");
    linked(&artefacts, &written, &examples, &good);
    let (code, out) = run(&good, &[], None);
    assert_eq!(code, Some(0), "{out}");
    let bad = changed(&written, "init-rust-bad", "x[first] * cos - x[second]", "x[first] * cos + x[second]");
    linked(&artefacts, &bad, &examples, &bad.with_extension("out"));
    let (code, out) = run(&bad.with_extension("out"), &["accuracy"], None);
    assert!(code == Some(101) && out.contains("FAIL accuracy"), "{out}");
}

#[test]
fn a_port_in_c_to_begin_with_passes_until_a_line_is_changed() {
    let folder = empty("init-c");
    ropecheck(&["init", "c", "--output", text(&folder)]).expect(0, &["rope.c", "ropecheck.h", "ropecheck check"]);
    let written = folder.join("rope.c");
    check(&compile(&written, "init-good").expect("it compiles"), &["--depth", "quick"]).expect(0, &["CONFORMANT"]);
    let bad = changed(&written, "init-c-bad", "a * c - b * s", "a * c + b * s");
    let bad = compile(&bad, "init-bad").expect("it compiles");
    check(&bad, &["--depth", "quick", "--check", "pairing-probe"]).expect(1, &["FAIL pairing-probe"]);
    // What is there stays as it is, and nothing is written beside it.
    std::fs::write(&written, "mine").expect("written");
    std::fs::remove_file(folder.join("ropecheck.h")).expect("removed");
    ropecheck(&["init", "c", "--output", text(&folder)]).expect(2, &["rope.c exists already: nothing was written"]);
    assert_eq!(std::fs::read_to_string(&written).expect("it is there"), "mine");
    assert!(!folder.join("ropecheck.h").exists());
    let file = folder.join("mine.c");
    ropecheck(&["init", "c", "--output", text(&file)]).expect(2, &["expected a folder for the 2 files of c"]);
    ropecheck(&["init", "cobol"]).expect(2, &["possible values: c, cuda, python, rust"]);
}

const MANIFEST: &str = r#"{
    "name": "f", "version": "1", "dtypes": ["f32"], "head_dims": [8], "q_heads": [1], "k_heads": [0, 1],
    "levels": {"rotate": {
        "consumes": ["positions", "axis_of_pair", "inv_freq"], "schemes": ["rope"],
        "contracts": {"f32": {"class": "fused", "frequencies": "table"}}
    }}
}"#;

struct Silent;

impl Observer for Silent {
    fn event(&mut self, _: &ropecheck::run::Event) {}
}

/// What check accuracy says of a function.
fn accuracy(function: impl Fn(&Rotate<f32>) -> Result<Rotated<f32>, String> + Send + Sync + 'static) -> String {
    let (library, contracts) = (Library::embedded().expect("specs"), contracts().expect("contracts"));
    let names = Vocabulary { schemes: &library, contracts: &contracts };
    let factory = Function::new(MANIFEST).rotate(function).factory(names).expect("a right manifest");
    let interrupted = false.into();
    let context =
        Context { library: &library, contracts: &contracts, plans: PlanCache::new(), interrupted: &interrupted };
    let options = Options {
        checks: vec!["accuracy".into()],
        cases: 1,
        threads: 1,
        first_failure_only: true,
        ..Options::default()
    };
    let report: RunReport = Session { factory: &factory, context: &context, options: &options }.run(&mut Silent);
    ropecheck::report::check_failures(&report, "accuracy")
}

#[test]
fn what_a_function_does_wrong_is_a_failure_in_words() {
    assert!(accuracy(|_| panic!("no such head")).contains("it panicked: no such head"));
    assert!(accuracy(|_| Err("not today".into())).contains("UNSUPPORTED"));
    let flat = |call: &Rotate<f32>| {
        Ok((call.q.clone().into_shape_with_order((1, 1, 1, call.q.len())).expect("contiguous"), None))
    };
    let said = accuracy(flat);
    assert!(said.contains("was returned, expected [1, "), "{said}");
    let said = accuracy(|call| Ok((call.q.clone(), None)));
    assert!(said.contains("k of shape none was returned, expected [1, "), "{said}");
}

#[test]
fn what_the_manifest_offers_has_a_function() {
    let (library, contracts) = (Library::embedded().expect("specs"), contracts().expect("contracts"));
    let names = Vocabulary { schemes: &library, contracts: &contracts };
    let error = |function: Function| function.factory(names).err().expect("it is refused").to_string();
    let two = MANIFEST
        .replace(r#"["f32"]"#, r#"["f32", "bf16"]"#)
        .replace(r#""contracts": {"#, r#""contracts": {"bf16": {"class": "fused", "frequencies": "table"}, "#);
    fn same<T: Element>(call: &Rotate<T>) -> Result<Rotated<T>, String> {
        Ok((call.q.clone(), call.k.clone()))
    }
    let one = error(Function::new(&two).rotate(same::<f32>));
    assert!(one.contains("level rotate in bf16: expected a function for it, found none"), "{one}");
    let wrong = error(Function::new(&MANIFEST.replace("\"rope\"", "\"rop\"")).rotate(same::<f32>));
    assert!(wrong.contains("levels.rotate.schemes[0]"), "{wrong}");
}
