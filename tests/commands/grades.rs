//! The grade: the strictest class that a backend kept, and the K that its angles need.

use std::process::Command;

use serde_json::Value;

fn grades(arguments: &[&str]) -> Vec<Value> {
    let mut ropecheck = Command::new(env!("CARGO_BIN_EXE_ropecheck"));
    ropecheck.args([
        "check",
        "--depth",
        "quick",
        "--scheme",
        "m-rope@default",
        "--level",
        "rotate",
        "--check",
        "accuracy",
    ]);
    let output = ropecheck.args(["--format", "json"]).args(arguments).output().expect("ropecheck runs");
    let report: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    report["grades"].as_array().expect("grades").clone()
}

/// The embedded kernel has f32 angles from a table, f32 arithmetic and one rounding: class fused whatever it declares.
#[test]
fn the_embedded_kernel_is_fused_whatever_it_declares() {
    for declared in ["fused/table", "cached/table", "eager/table"] {
        let all = grades(&["--contract", declared]);
        assert_eq!(all.len(), 3, "one per storage type");
        for grade in &all {
            assert_eq!((&grade["class"], &grade["declared"]), (&Value::from("fused"), &Value::from(declared)));
            let number = |key: &str| grade[key].as_f64().expect("a number");
            assert!(number("headroom") > 0.5 && number("headroom") <= 1.0, "{grade}");
            assert!(number("k") > 0.0 && number("k") <= number("k_declared"), "{grade}");
            assert_eq!(grade["not"]["class"], "ideal", "f32 angles are not exact: {grade}");
        }
    }
    // In f32 keeping cosines in the storage type changes nothing; in bf16 it does.
    let all = grades(&["--contract", "eager/table"]);
    let of = |dtype: &str| all.iter().find(|g| g["dtype"] == dtype).expect("a grade");
    assert_eq!(of("f32")["same_as"], serde_json::json!(["cached", "eager"]));
    assert_eq!(of("bf16")["same_as"], serde_json::json!([]));
}

/// A declaration that is looser in K is measured all the same: the need does not grow with what is allowed.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn the_measured_k_does_not_follow_the_declaration() {
    let k = |declared: &str| -> f64 {
        let all = grades(&["--contract", declared, "--dtype", "f32"]);
        all[0]["k"].as_f64().expect("a number")
    };
    let (table, recurrence) = (k("fused/table"), k("fused/recurrence"));
    assert!(recurrence <= table, "{recurrence} {table}");
}
