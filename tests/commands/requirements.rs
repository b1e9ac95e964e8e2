//! What `--require` asks for is met, or the run says what fell short and ends in 4.

use crate::common::{Run, broken, check, compile, kernel, ropecheck, source};
use serde_json::{Value, json};

const SMALL: [&str; 10] =
    ["--level", "rotate", "--scheme", "m-rope", "--dtype", "f32", "--check", "accuracy", "--depth", "quick"];

fn report(run: &Run) -> Value {
    run.json().expect("a report")
}

/// The small run on the embedded kernel with these requirements.
fn small(requirements: &[&str]) -> Value {
    let mut all = vec!["check", "host"];
    all.extend(SMALL);
    all.extend(requirements.iter().flat_map(|text| ["--require", text]));
    all.extend(["--format", "json"]);
    report(&ropecheck(&all))
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn what_is_met_changes_nothing_but_that_it_is_said() {
    let all = [
        "q_heads=64",
        "q_heads=1-1024",
        "k_heads=0-8",
        "head_dim=2-128",
        "tokens=4096",
        "max_position=131071",
        "levels=rotate",
        "dtypes=f32",
        "schemes=m-rope@default",
        "contract=fused/table",
        "contract=fused/pow",
        "contract=f32=eager/table",
        "reach=100%",
        "pairs=1%",
    ];
    let with = small(&all);
    let without = small(&[]);
    assert_eq!((&with["exit_code"], &with["verdict"]), (&json!(0), &without["verdict"]), "{}", with["requirements"]);
    let found = with["requirements"].as_array().expect("a list");
    assert_eq!(found.iter().map(|one| one["require"].as_str().expect("text")).collect::<Vec<_>>(), all);
    assert!(found.iter().all(|one| one["met"] == true), "{found:?}");
    assert_eq!(found[0], json!({"require": "q_heads=64", "met": true, "found": "rotate 1 to 1024"}));
    assert_eq!(without["requirements"], Value::Null);
}

#[test]
fn what_falls_short_is_4_and_is_said() {
    let short = [
        ("q_heads=1025", "rotate 1 to 1024"),
        ("q_heads=0-64", "rotate 1 to 1024"),
        // The level has no layouts.
        ("T=2", "nothing"),
        ("levels=rotate,fused", "fused not judged"),
        ("dtypes=f32,bf16", "rotate bf16 not judged"),
        ("schemes=m-rope,rope@default", "rotate rope@default not judged"),
        ("contract=ideal/table", "rotate f32 fused/table"),
        ("contract=fused/table,trig_ulps=1", "rotate f32 fused/table"),
        // Not of the run, so no contract is in force for it.
        ("contract=bf16=eager/table", "nothing"),
        ("max_position=2147483648", "rotate 2147483647"),
    ];
    let with = small(&short.map(|(text, _)| text));
    assert_eq!(with["exit_code"], 4, "{}", with["verdict"]);
    let verdict = with["verdict"].as_str().expect("a verdict");
    assert!(verdict.starts_with("REQUIREMENT NOT MET: q_heads=1025 (found rotate 1 to 1024); "), "{verdict}");
    for ((text, found), one) in short.iter().zip(with["requirements"].as_array().expect("a list")) {
        assert_eq!(*one, json!({"require": text, "met": false, "found": found}));
        assert!(verdict.contains(&format!("{text} (found {found})")), "{verdict}");
    }
    // Of several one is enough, and shares are counted.
    let one = small(&["q_heads=64", "pairs=100%"]);
    let said = one["verdict"].as_str().expect("a verdict");
    assert!(said.starts_with("REQUIREMENT NOT MET: pairs=100% (found rotate ") && said.ends_with(" pairs)"), "{said}");
}

/// Each has its line in the table, and JUnit is red.
#[test]
fn the_table_and_junit_say_it() {
    let table = [&["check", "host"], &SMALL[..], &["--require", "q_heads=64", "--require", "tokens=2000000"]].concat();
    let run = ropecheck(&table).expect(4, &["required, not met: tokens=2000000 (found rotate 1 to ", "NOT MET"]);
    assert!(!run.out.contains("not met: q_heads"), "{run}");
    let junit = ropecheck(&[&table[..], &["--format", "junit"]].concat()).expect(4, &["REQUIREMENT NOT MET"]);
    assert!(junit.out.contains("<error message=\"REQUIREMENT NOT MET"), "{junit}");
}

/// Of calls somewhere from 34 to 62 tokens nobody knows that one had 35.
#[test]
fn a_class_counts_by_its_end() {
    let selection = ["check", "host", "--level", "rotate", "--scheme", "m-rope@default", "--dtype", "f32"];
    let requirement = |text: String| {
        let more = ["--check", "deterministic", "--format", "json", "--require", &text];
        report(&ropecheck(&[&selection[..], &more].concat()))["requirements"][0].clone()
    };
    let found = requirement("tokens=1000000".to_owned())["found"].as_str().expect("words").to_owned();
    let (_, class) = found.split_once(" to ").expect("two ends");
    let low: u32 = class.split_once('-').expect("a class of several sizes").0.parse().expect("a number");
    assert_eq!(requirement(format!("tokens={low}"))["met"], true, "{found}");
    assert_eq!(requirement(format!("tokens={}", low + 1))["met"], false, "{found}");
}

/// A class that was left out is a class that was not reached: one token, and few heads.
#[test]
fn a_share_is_of_what_is_offered_and_not_of_what_was_planned() {
    let arguments = ["check", "host", "--level", "rotate", "--scheme", "m-rope", "--check", "decode-shape"];
    let run = ropecheck(&[&arguments[..], &["--require", "reach=50%"]].concat());
    run.expect(4, &["REQUIREMENT NOT MET: reach=50% (found rotate ", " classes)"]);
}

#[test]
fn a_manifest_that_offers_less_than_is_required_is_4() {
    // f32 alone, cos and sin given: no scheme is judged there, and no position.
    let library = compile(&source("tests/kernels/minimal_apply.c"), "minimal").expect("it compiles");
    let check = |more: &[&str]| check(&library, &[&["--depth", "quick"], more].concat());
    let met = ["--require", "levels=apply", "--require", "q_heads=64", "--require", "contract=fused/table"];
    check(&met).expect(0, &["CONFORMANT", "on level apply"]);
    for text in ["dtypes=bf16", "levels=rotate", "schemes=rope@default", "max_position=1"] {
        check(&["--require", text]).expect(4, &[&format!("REQUIREMENT NOT MET: {text} (found ")]);
    }
}

#[test]
fn a_failure_wins_and_a_group_that_failed_is_not_proved() {
    // Many of its cases hold, and angles are seen in them.
    let hazard = broken("in-place-hazard").expect("it compiles");
    let arguments = [&SMALL[..], &["--require", "levels=rotate", "--format", "json"]].concat();
    let failed = report(&check(&hazard, &arguments).expect(1, &[]));
    assert_eq!(failed["verdict"], "NONCONFORMANT");
    let bands = failed["results"][0]["bands"].as_object().expect("bands");
    assert!(bands.values().any(|band| band["observations"].as_u64() > Some(0)), "{bands:?}");
    let found = json!([{"require": "levels=rotate", "met": false, "found": "rotate proved in 0 of 2 groups"}]);
    assert_eq!(failed["requirements"], found);
}

/// What the user declares is what outputs are held to; a way whose cost is in no order with the one that is asked
/// for is not within it.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn the_contract_in_force_counts() {
    let of = |contract: &str, required: &str| {
        let arguments = [&SMALL[..], &["--contract", contract, "--require", required]].concat();
        check(kernel(), &arguments).code
    };
    assert_eq!(of("fused/table,trig_ulps=1.5", "contract=fused/table"), Some(0));
    assert_eq!(of("fast/table", "contract=fused/table"), Some(4));
    assert_eq!(of("fused/exp2", "contract=fused/exp"), Some(4));
}

#[test]
fn what_cannot_be_required_is_2() {
    for (text, message) in [
        ("q_head=64", "--require q_head=64: unknown key \"q_head\", expected one of q_heads, "),
        ("q_head=64", "did you mean \"q_heads\"?"),
        ("dtypes=f64", "--require dtypes=f64: unknown dtype \"f64\", expected one of f32, f16, bf16"),
        ("schemes=m-rop", "did you mean \"m-rope\"?"),
        ("reach=101%", "expected more than 0% and at most 100%"),
        ("contract=fussed/table", "did you mean \"fused\"?"),
    ] {
        ropecheck(&["check", "host", "--require", text]).expect(2, &[message]);
    }
}
