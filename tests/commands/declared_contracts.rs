//! `--contract` takes the place of what a backend declares, and is in the report, in replay lines and in messages.

use crate::common::ropecheck;

const QUICK: [&str; 10] =
    ["check", "host", "--depth", "quick", "--scheme", "rope", "--cases", "1", "--level", "rotate"];

fn check(arguments: &[&str]) -> crate::common::Run {
    ropecheck(&[&QUICK[..], arguments].concat())
}

#[test]
fn a_declared_contract_is_in_force_and_a_replay_needs_it_again() {
    // The embedded kernel is fused: it does not keep ideal.
    let arguments = ["--dtype", "f32", "--check", "accuracy", "--contract", "f32=ideal/table"];
    let run =
        check(&arguments).expect(1, &["contract  ideal/table (declared with --contract): rotate f32", "NONCONFORMANT"]);
    let line = run.out.lines().find_map(|line| line.trim().strip_prefix("replay ropecheck replay '")).expect("a line");
    let (case, rest) = line.split_once('\'').expect("a quoted case");
    assert_eq!(rest.trim(), "host --contract 'f32=ideal/table'");
    ropecheck(&["replay", case, "host", "--contract", "f32=ideal/table"]).expect(1, &["FAIL accuracy"]);
    ropecheck(&["replay", case, "host"]).expect(0, &["holds"]);
    // Another type keeps what its manifest says.
    check(&["--dtype", "bf16", "--check", "accuracy", "--contract", "f32=ideal/table"]).expect(0, &[]);
    let junit = check(&[&arguments[..], &["--format", "junit"]].concat()).expect(1, &[]);
    assert!(
        junit.out.contains("--contract &apos;f32=ideal/table&apos;")
            || junit.out.contains("--contract 'f32=ideal/table'")
    );
}

#[test]
fn the_json_report_states_the_contract_in_force() {
    let arguments = ["--dtype", "f32", "--dtype", "bf16", "--check", "accuracy", "--format", "json"];
    let contract = ["--contract", "bf16=cached/pow,trig_ulps=4,library_ulps=1.5"];
    // YaRN's frequencies are no powers of a base, so nothing is proved of it there.
    let json = check(&[&arguments[..], &contract].concat()).expect(4, &[]).json().expect("a report");
    let of = |dtype: &str| {
        let all = json["contracts"].as_array().expect("a list");
        all.iter().find(|c| c["dtype"] == dtype && c["level"] == "rotate").cloned().expect("is there")
    };
    assert_eq!(of("f32")["declared_in"], "manifest");
    assert_eq!(of("f32")["contract"], serde_json::json!({"class": "fused", "frequencies": "table"}));
    assert_eq!(of("f32")["numbers"]["trig_ulps"], 2.0);
    let bf16 = of("bf16");
    assert_eq!(bf16["declared_in"], "--contract");
    assert_eq!(bf16["contract"]["class"], "cached");
    assert_eq!((&bf16["numbers"]["trig_ulps"], &bf16["numbers"]["library_ulps"]), (&4.0.into(), &1.5.into()));
    assert_eq!(bf16["numbers"]["table"], "storage");
    assert_eq!(json["contract_options"], serde_json::json!(["bf16=cached/pow,trig_ulps=4,library_ulps=1.5"]));
    assert_eq!(json["manifest"]["levels"][0][1]["contracts"][0][1]["class"], "fused", "the manifest is as it was");
}

/// What the embedded kernel does is within each of these, and the report names what is in force.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn every_worked_example_can_be_declared_in_the_place_of_a_manifest() {
    for text in [
        "fused/table,angle_unit=turns",
        "cached/table,angle_unit=half-turns,scaling=table",
        "eager/table,table=f16",
        "fused/table,angle_roundings=1,angle_error=1.2e-7",
    ] {
        let in_force = format!("contract  {text} (declared with --contract)");
        check(&["--scheme", "m-rope", "--dtype", "f32", "--check", "accuracy", "--depth", "quick", "--contract", text])
            .expect(0, &[&in_force, "CONFORMANT"]);
    }
    // It multiplies four times: three products are exact where a + b is, and shears where little turns, and
    // it is neither.
    for text in ["fused/table,rotation=three-products", "fused/table,rotation=shears,scaling=outputs"] {
        let in_force = format!("contract  {text} (declared with --contract)");
        check(&["--scheme", "m-rope", "--dtype", "f32", "--check", "accuracy", "--depth", "quick", "--contract", text])
            .expect(1, &[&in_force, "steps", "NONCONFORMANT"]);
    }
    // So many turns as this manifest takes may err by anything.
    let turned = [
        "--scheme",
        "m-rope",
        "--dtype",
        "f32",
        "--check",
        "accuracy",
        "--contract",
        "fused/table,trig_error_per_position=3.1e-7",
    ];
    check(&turned).expect(4, &["contract too wide"]);
}

#[test]
fn the_report_says_what_an_angle_limit_left_out() {
    let limit = "angles beyond 3.2 rad not judged (class fast)";
    let run = check(&["--dtype", "f32", "--contract", "fast/table"]).expect(0, &[limit]);
    let verdict = run.out.lines().last().expect("a verdict");
    assert!(verdict.contains("CONFORMANT") && verdict.contains(limit), "{verdict}");
    let json = check(&["--dtype", "f32", "--contract", "fast/table", "--format", "json"]).json().expect("a report");
    let bands = json["results"]
        .as_array()
        .expect("a list")
        .iter()
        .flat_map(|r| r["bands"].as_object().expect("bands").values());
    let beyond: u64 = bands.map(|b| b["beyond_angle_limit"].as_u64().expect("a count")).sum();
    assert!(beyond > 0);
    // Nothing is left out, so nothing is said.
    let run = check(&["--dtype", "f32", "--contract", "fast/table,angle_limit=1e12", "--check", "frequency-probe"])
        .expect(0, &[]);
    assert!(!run.out.contains("not judged (class"), "{run}");
}

#[test]
fn a_contract_that_makes_no_sense_is_refused() {
    for (text, message) in [
        ("fussed/table", "did you mean \"fused\"?"),
        ("f32=fused", "--contract f32=fused: expected CLASS/FREQUENCIES such as fused/table"),
        ("f8=fused/table", "unknown dtype \"f8\""),
        ("fused/table,trig_ulps=-1", "expected a number from 0 to 65536, found -1"),
        ("ideal/table,angle_unit=turns", "angle_unit does not apply: with angles=exact no angle errs"),
        ("ideal/table,angle_error=1e-7", "angle_error does not apply: with angles=exact no angle errs"),
        ("fused/table,rotation=shears", "rotation=shears does not apply with scaling=factors: shears keep lengths"),
        ("fused/table,rotation=shears", "did you mean scaling=inputs or scaling=outputs?"),
        ("fused/table,rotation=shear", "did you mean \"shears\"?"),
        ("ideal/table,scaling=table", "scaling=table does not apply: with table=exact nothing is rounded"),
        ("fused/table,arithmetic=bf16", "unknown value \"bf16\", expected one of exact, f32, storage"),
        ("fused/table,tirg_ulps=1", "unknown key \"tirg_ulps\"; did you mean \"trig_ulps\"?"),
    ] {
        check(&["--contract", text]).expect(2, &[message]);
        ropecheck(&["replay", "anything", "host", "--contract", text]).expect(2, &[]);
    }
    check(&["--contract", "fused/table", "--contract", "eager/table"]).expect(2, &["given twice"]);
}

#[test]
fn contracts_are_listed_and_explained() {
    ropecheck(&["list", "contracts"]).expect(0, &["class       fused", "frequencies pow", "trig_ulps", "--contract"]);
    ropecheck(&["explain", "fused"]).expect(0, &["class fused", "arithmetic", "f32", "trig_ulps", "docs/numerics.md"]);
    ropecheck(&["explain", "pow"]).expect(0, &["frequencies pow", "library_ulps", "pair", "blind"]);
    ropecheck(&["explain", "trig_ulps"]).expect(0, &["ulps of f32", "from 0 to 65536"]);
    ropecheck(&["list", "contracts"])
        .expect(0, &["key         angle_unit", "example     fused/table,angle_unit=turns"]);
    ropecheck(&["explain", "angle_unit"]).expect(0, &["divided by pi or 2 pi", "half-turns", "radians"]);
    ropecheck(&["explain", "rotation"])
        .expect(0, &["three shears (lifting)", "steps", "tangent", "fused three-products"]);
    ropecheck(&["explain", "trig_error_per_position"]).expect(0, &["from 0 to 0.01"]);
    ropecheck(&["explain", "fusd"]).expect(2, &["did you mean \"fused\"?"]);
}
