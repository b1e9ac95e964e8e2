//! The suite judged by faults: what is killed, what is not, and what a lost cell of the matrix does.

use std::process::Command;

use ropecheck::check::Failure;
use ropecheck::check::failure::Cause;
use ropecheck::fault::catalogue;
use ropecheck::numeric::DType;
use ropecheck::report::words;
use ropecheck::run::ExitCode;
use ropecheck::run::selftest::{
    DtypeResult, FaultResult, HonestResult, Kill, Matrix, Rejection, SelfTest, SelfTestOptions,
};

fn selftest(arguments: &[&str]) -> (Option<i32>, String, String) {
    let done = Command::new(env!("CARGO_BIN_EXE_ropecheck"));
    let mut done = done;
    let output = done.arg("selftest").args(arguments).output().expect("ropecheck runs");
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn a_fault_of_each_kind_is_killed_by_what_must_kill_it() {
    // A scheme, arithmetic, indices, state, and a source in C. The matrix of all of them is a step of CI of its own.
    let faults = ["seconds-cut-first", "table-in-bf16", "first-axis-for-all", "stale-direction", "input-changed"];
    let mut arguments = vec!["--dtype", "bf16", "--dtype", "f32", "--format", "json"];
    faults.iter().for_each(|fault| arguments.extend(["--fault", fault]));
    let (code, out, err) = selftest(&arguments);
    assert_eq!(code, Some(0), "{err}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(report["faults"].as_array().map(Vec::len), Some(faults.len()));
    let again = selftest(&[&arguments[..], &["--threads", "3"]].concat());
    assert_eq!(again.1, out, "the same report at any number of threads");
}

/// Of a scheme, arithmetic, indices, positions, width; docs/faults.md has the share of all of them.
#[test]
fn a_kernel_is_said_to_have_the_fault_that_it_has() {
    let faults = ["angles-in-bf16", "first-axis-for-all", "only-head-0", "seconds-cut-first", "tail-zeroed"];
    let mut arguments = vec!["--diagnosis", "--dtype", "f32", "--cases", "1", "--format", "json"];
    faults.iter().for_each(|fault| arguments.extend(["--fault", fault]));
    let (code, out, err) = selftest(&arguments);
    assert_eq!(code, Some(0), "{err}{out}");
    let report: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    let kernels = report["kernels"].as_array().expect("a list");
    assert_eq!(kernels.len(), faults.len());
    assert!(kernels.iter().all(|kernel| kernel["named"] == "first"), "{out}");
}

#[test]
fn a_check_that_cannot_see_a_fault_lets_it_survive() {
    let (code, out, _) = selftest(&["--fault", "input-changed", "--check", "superposition", "--dtype", "f32"]);
    assert_eq!(code, Some(5), "{out}");
    assert!(out.contains("input-changed survives in f32"), "{out}");
}

#[test]
fn names_that_do_not_exist_are_refused() {
    for (arguments, message) in [
        (["--fault", "first-axis-for-al"], "did you mean \"first-axis-for-all\"?"),
        (["--check", "nothing"], "there is no check \"nothing\""),
        (["--dtype", "f8"], "invalid value 'f8' for '--dtype"),
    ] {
        let (code, _, err) = selftest(&arguments);
        assert_eq!(code, Some(2), "{err}");
        assert!(err.contains(message), "{err}");
    }
}

fn result(kills: &[&str], must: &[&str]) -> FaultResult {
    let kill = |check: &&str| Kill { check: (*check).to_owned(), cases: 1 };
    let outcome = |dtype: &str| DtypeResult {
        dtype: dtype.to_owned(),
        kills: kills.iter().map(kill).collect(),
        ..DtypeResult::default()
    };
    FaultResult {
        id: "one".into(),
        class: "c".into(),
        doc: "d".into(),
        bugs: vec!["b".into()],
        why: String::new(),
        must: must.iter().map(|m| (*m).to_owned()).collect(),
        equal: None,
        outcomes: vec![outcome("f32"), outcome("bf16")],
    }
}

#[test]
fn a_lost_cell_a_survivor_and_a_rejected_honest_kernel_are_complaints() {
    let options =
        SelfTestOptions { dtypes: vec![DType::F32], checks: vec![], cases: 2, seed: 1, threads: 1, cover: false };
    let of = |faults, honest| SelfTest::new(&options, faults, honest);
    let said = |found: &SelfTest| words::complaint(&found.complaints[0]);
    let good = of(vec![result(&["accuracy"], &["accuracy"])], vec![]);
    assert_eq!((good.complaints.len(), good.exit()), (0, ExitCode::Conformant));
    let lost = of(vec![result(&["accuracy"], &["accuracy", "guards"])], vec![]);
    assert_eq!(said(&lost), "one in f32 is no longer killed by guards");
    assert_eq!(lost.exit(), ExitCode::ControlFailed);
    let survivor = of(vec![result(&[], &["accuracy"])], vec![]);
    assert_eq!(said(&survivor), "one survives in f32");
    let mut harmless = result(&["accuracy"], &[]);
    harmless.equal = Some("a proof".into());
    assert!(said(&of(vec![harmless], vec![])).contains("is no defect, but accuracy fails"));
    let mut half = result(&["accuracy"], &["accuracy"]);
    half.outcomes[1].kills.clear();
    assert!(half.killers().is_empty(), "killed in one type only");
    let kernel = HonestResult {
        kernel: "k".into(),
        dtype: "f32".into(),
        seed: 7,
        passed: 3,
        rejected: vec![Rejection::Check {
            check: "accuracy".into(),
            failure: Failure::of_call(Cause::TurnsWithoutAxis),
        }],
    };
    assert!(said(&of(vec![], vec![kernel])).contains("honest kernel k in f32 is rejected by accuracy"));
    assert_eq!(of(vec![], vec![]).exit(), ExitCode::NothingRan);
}

#[test]
fn the_matrix_says_which_check_is_needed() {
    let order = ["accuracy", "guards"].map(str::to_owned);
    let matrix = Matrix::new(&[result(&["accuracy"], &[]), result(&["accuracy", "guards"], &[])], &order);
    assert_eq!((matrix.checks[0].kills.len(), matrix.checks[0].alone.len()), (2, 1));
    assert_eq!((matrix.checks[1].kills.len(), matrix.checks[1].alone.len()), (1, 0));
    assert_eq!(matrix.needed_by_none(), ["guards"]);
}

#[test]
fn every_fault_of_the_catalogue_states_its_bug_and_what_must_kill_it() {
    let all = catalogue().unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let known = ropecheck::run::known_ids(&ropecheck::spec::Library::embedded().expect("the library loads"));
    assert!(all.iter().filter(|fault| fault.equal.is_none()).count() >= 90);
    for fault in &all {
        assert_eq!(fault.kills.is_empty(), fault.equal.is_some(), "{}", fault.id);
        for check in &fault.kills {
            assert!(known.contains(check), "{}: {check}", fault.id);
        }
    }
}
