//! A verdict covers what it says: what was not proved, not run, supplied or replaced is named in it.

use std::fs;
use std::path::PathBuf;

use crate::common::{check, compile, kernel, ropecheck, scratch, source, text};
use serde_json::Value;

/// Every class once: how much is reached does not matter.
const ROTATE: [&str; 9] = ["check", "host", "--level", "rotate", "--depth", "quick", "--cases", "1", "--scheme"];
const MROPE: &str = "m-rope@default";

/// A kernel of the repository with some edits, each of a text that is there once.
fn edited(name: &str, file: &str, edits: &[(&str, &str)]) -> PathBuf {
    let mut code = fs::read_to_string(source(file)).expect("the kernel can be read");
    for (from, to) in edits {
        assert_eq!(code.matches(from).count(), 1, "{from}");
        code = code.replace(from, to);
    }
    let copy = scratch(name).join("kernel.c");
    fs::write(&copy, code).expect("the copy can be written");
    compile(&copy, name).unwrap_or_else(|why| panic!("{why}"))
}

/// A built-in spec with some edits, in a file of its own.
fn spec(name: &str, scheme: &str, edits: &[(&str, &str)]) -> String {
    let mut yaml = fs::read_to_string(source(&format!("spec/schemes/{scheme}.yaml"))).expect("the spec can be read");
    for (from, to) in edits {
        assert!(yaml.contains(from), "{from}");
        yaml = yaml.replacen(from, to, 1);
    }
    let file = scratch("specs").join(format!("{name}.yaml"));
    fs::write(&file, yaml).expect("the spec can be written");
    text(&file).to_owned()
}

fn verdict(report: &Value) -> &str {
    report["verdict"].as_str().expect("a verdict")
}

#[test]
fn a_contract_that_leaves_every_angle_open_proves_nothing() {
    let run = |more: &[&str], code: i32| {
        let arguments = [&ROTATE[..], &[MROPE], more, &["--format", "json"]].concat();
        ropecheck(&arguments).expect(code, &[]).json().expect("a report")
    };
    for (contract, why) in [
        ("f32=fused/pow,library_ulps=32768", "contract too wide"),
        ("f32=fast/table,angle_limit=0", "beyond the angle limit"),
    ] {
        let report = run(&["--dtype", "f32", "--contract", contract], 4);
        let says = format!("NOTHING PROVED of {MROPE} rotate f32: {why}");
        assert!(verdict(&report).starts_with(&says), "{contract}: {}", verdict(&report));
        let group = &report["unproved"][0];
        assert_eq!((&group["dtype"], &group["reasons"][0]), (&"f32".into(), &why.into()), "{contract}: {group}");
        // One type that is proved says nothing of another.
        let report = run(&["--dtype", "f32", "--dtype", "bf16", "--contract", contract], 4);
        assert_eq!(report["unproved"].as_array().expect("a list").len(), 1, "{contract}");
    }
    // A contract as wide as a bound can be still shows an angle.
    let report = run(&["--dtype", "f32", "--contract", "f32=fused/pow,library_ulps=32000"], 0);
    assert_eq!(report["unproved"], Value::Null);
}

#[test]
fn what_a_contract_leaves_open_is_counted_by_its_reason() {
    // Elements that were judged, and those that each reason left open.
    let of = |contract: &str| -> (u64, [u64; 3]) {
        let arguments =
            [&ROTATE[..], &[MROPE, "--dtype", "f32", "--check", "accuracy", "--contract", contract]].concat();
        let report = ropecheck(&[&arguments[..], &["--format", "json"]].concat()).json().expect("a report");
        let results = report["results"].as_array().expect("results");
        let bands = || results.iter().flat_map(|r| r["bands"].as_object().expect("bands").values());
        let sum = |key: &str| bands().map(|b| b[key].as_u64().expect(key)).sum::<u64>();
        (sum("elements"), ["contract_too_wide", "beyond_angle_limit", "range_not_judged"].map(sum))
    };
    let (judged, wide) = of("fused/pow,library_ulps=32768");
    // The overflow of this check's contents is no reason where the contract claims nothing.
    assert!(wide[0] > 0 && wide[1] == 0, "{wide:?}");
    let (_, fast) = of("fast/table");
    assert!(fast[0] == 0 && fast[1] > 0, "{fast:?}");
    let (of_pow, pow) = of("fused/pow");
    assert!(pow[0] == 0 && pow[1] == 0, "{pow:?}");
    // What is open is not judged, and nothing is both: the calls are those of the other contract.
    assert_eq!(judged + wide.iter().sum::<u64>(), of_pow + pow.iter().sum::<u64>());
}

#[test]
fn a_scheme_that_the_contract_says_nothing_of_is_not_proved() {
    // YaRN's frequencies are no powers of one base.
    let says = "NOTHING PROVED of rope@yarn rotate f32: the contract's frequencies (pow) come from a base";
    let both = ["rope@default", "--scheme", "rope@yarn", "--dtype", "f32", "--contract", "fused/pow"];
    ropecheck(&[&ROTATE[..], &both].concat()).expect(4, &[says]);
    let one = [&ROTATE[..], &["rope@default", "--dtype", "f32", "--contract", "fused/pow"]].concat();
    ropecheck(&one).expect(0, &["CONFORMANT"]);
}

#[test]
fn checks_that_look_at_no_angle_or_position_prove_nothing_alone() {
    let tensors = [&ROTATE[..], &[MROPE, "--dtype", "f32", "--check", "empty"]].concat();
    ropecheck(&tensors).expect(4, &["NOTHING PROVED", "nothing that ran looks at an angle: empty"]);
    ropecheck(&[&tensors[..], &["--check", "accuracy"]].concat()).expect(0, &["CONFORMANT"]);
    let positions = ["--level", "positions", "--scheme", MROPE, "--check", "empty"];
    check(kernel(), &positions).expect(4, &["NOTHING PROVED", "nothing that ran looks at a position: empty"]);
    check(kernel(), &[&positions[..], &["--check", "non-negative"]].concat()).expect(0, &["CONFORMANT"]);
    check(kernel(), &[&positions[..], &["--check", "positions-exact"]].concat()).expect(0, &["CONFORMANT"]);
}

/// Frequencies by recurrence err by their index: the contract says nothing of the slow pairs, and does of the fast ones.
#[test]
fn a_contract_that_is_too_wide_for_some_pairs_is_too_wide() {
    let arguments =
        [&ROTATE[..], &[MROPE, "--dtype", "f32", "--contract", "fused/recurrence,library_ulps=1000"]].concat();
    ropecheck(&arguments).expect(4, &["NOTHING PROVED of m-rope@default rotate f32: contract too wide"]);
}

/// Beyond the angle limit of its contract the kernel turns nothing, and is not said to have been seen there.
#[test]
fn what_lies_beyond_the_angle_limit_was_not_observed_and_has_no_grade() {
    let contract = r#"\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\"}"#;
    let library = edited(
        "still-beyond-limit",
        "kernels/c/rope.c",
        &[
            (contract, &contract.replace("fused", "fast")),
            (
                "const float angle = position[pairs[i].axis] * pairs[i].inv_freq;",
                "float angle = position[pairs[i].axis] * pairs[i].inv_freq;\n    if (fabsf(angle) > 3.2f) angle = 0.0f;",
            ),
        ],
    );
    let selection = ["--level", "rotate", "--scheme", "rope@default", "--dtype", "f32", "--check", "accuracy"];
    let arguments = [&selection[..], &["--depth", "quick"]].concat();
    let run = check(&library, &arguments).expect(0, &["angles beyond 3.2 rad not judged (class fast)"]);
    assert!(!run.out.contains("131072..1048575 all"), "{run}");
    let report = check(&library, &[&arguments[..], &["--format", "json"]].concat()).json().expect("a report");
    for result in report["results"].as_array().expect("results") {
        for (pairs, seen) in result["bands"]["131072..1048575"]["observed"].as_object().expect("coverage") {
            assert!(
                !seen.as_str().expect("ranges").starts_with('0'),
                "{pairs}: the fastest pair is far beyond: {seen}"
            );
        }
    }
    let grade = &report["grades"][0];
    let k = |key: &str| grade[key].as_f64().expect("a number");
    assert!(grade["class"] == "fast" && k("k") <= k("k_declared"), "{grade}");
}

#[test]
fn a_run_that_was_narrowed_is_conformant_in_part() {
    let selection = ["--scheme", MROPE, "--dtype", "f32", "--level", "rotate", "--cases", "1", "--check", "controls"];
    let words = "only --check controls --scheme m-rope@default --level rotate --dtype f32 --cases 1; on level rotate";
    let report = check(kernel(), &[&selection[..], &["--format", "json"]].concat()).json().expect("a report");
    assert!(verdict(&report).starts_with(&format!("CONFORMANT IN PART: {words}")), "{}", verdict(&report));
    let narrowed = serde_json::json!({
        "checks": ["controls"], "schemes": [MROPE], "levels": ["rotate"], "dtypes": ["f32"], "cases": 1
    });
    assert_eq!(report["narrowed"], narrowed);
    // A parameter for the whole run is no less a narrowing.
    let arguments = [&ROTATE[..4], &["--scheme", "rope@default", "--param", "base=1000"]].concat();
    let with = ropecheck(&[&arguments[..], &["--check", "accuracy"]].concat());
    with.expect(0, &["--param base=1000"]);
}

/// What one check reached of the box is said beside its name, and which check that was.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn one_check_is_not_taken_for_all() {
    let run = check(kernel(), &["--check", "decode-shape"]).expect(0, &[]);
    let verdict = run.out.lines().last().expect("a verdict");
    assert!(verdict.starts_with("CONFORMANT IN PART: only --check decode-shape; on level"), "{verdict}");
    assert!(verdict.contains(" classes (offered: to 1,024)") && verdict.contains("was not reached"), "{verdict}");
}

#[test]
fn a_quick_run_is_conformant_in_part_and_a_deep_one_is_narrowed_by_nothing() {
    let run = |depth: &str| {
        let selection = ["--level", "rotate", "--scheme", MROPE, "--dtype", "f32", "--check", "controls"];
        let arguments = [&selection[..], &["--depth", depth, "--format", "json"]].concat();
        check(kernel(), &arguments).expect(0, &[]).json().expect("a report")
    };
    let quick = run("quick");
    assert!(verdict(&quick).contains(" --dtype f32 --depth quick; on level rotate"), "{}", verdict(&quick));
    assert_eq!((&quick["depth"], &quick["narrowed"]["depth"]), (&"quick".into(), &"quick".into()));
    for depth in ["default", "deep"] {
        let report = run(depth);
        assert_eq!((&report["depth"], &report["narrowed"]["depth"]), (&depth.into(), &Value::Null));
        assert!(!verdict(&report).contains("--depth"), "{}", verdict(&report));
    }
    let whole = compile(&source("tests/kernels/minimal_apply.c"), "quick").expect("it compiles");
    check(&whole, &["--depth", "quick"]).expect(0, &["CONFORMANT IN PART: only --depth quick; on level apply"]);
}

/// However fast the machine is: some is judged, or nothing, and never is it all.
#[test]
fn a_run_whose_time_was_over_is_in_part() {
    let host = ["check", "host", "--level", "apply", "--time"];
    for (time, nothing) in [("1ms", true), ("1s", false), ("3s", false)] {
        let run = ropecheck(&[&host[..], &[time, "--format", "json"]].concat());
        let report = run.json().expect("a report");
        let stopped = format!("stopped by --time {time} after ");
        if run.code == Some(0) && !nothing {
            let part = verdict(&report).strip_prefix("CONFORMANT IN PART: ").unwrap_or_default();
            assert!(part.contains(&stopped), "{}", verdict(&report));
        } else {
            assert!(verdict(&report).starts_with(&format!("NOTHING WAS JUDGED: {stopped}0 of ")), "{run}");
            assert_eq!(run.code, Some(4), "{run}");
        }
        let count = |key: &str| report["out_of_time"][key].as_u64().expect(key);
        let left = report["out_of_time"]["left_out"].as_object().expect("by check");
        let left: u64 = left.values().map(|groups| groups.as_u64().expect("a count")).sum();
        assert!(left > 0 && count("done") + left == count("units"), "{}", report["out_of_time"]);
        assert_eq!((&report["out_of_time"]["time"], &report["partial"]), (&time.into(), &false.into()));
        let results = report["results"].as_array().expect("results");
        assert_eq!(results.iter().filter(|r| r["stopped"] == "out-of-time").count() as u64, left);
    }
    // Each of them is a skipped test of JUnit, and has a line in the table.
    let junit = ropecheck(&[&host[..], &["1ms", "--format", "junit"]].concat());
    assert!(junit.out.matches("<skipped message=\"not run, or not to the end: the time of the run").count() > 100);
    let table = ropecheck(&[&host[..], &["1ms", "-v"]].concat());
    let line = "not judged: guards: not run, or not to the end: the time of the run was over (";
    assert!(table.out.contains(line), "{table}");
}

/// A kernel for one head and one token is right about those, and has shown no more.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_manifest_of_one_head_and_one_token_is_conformant_within_those() {
    let heads = r#"\"q_heads\":{\"min\":1,\"max\":1024},\"k_heads\":{\"min\":0,\"max\":1024}"#;
    let one = r#"\"q_heads\":[1],\"k_heads\":[1],\"max_tokens\":1"#;
    let library = edited("one-head", "kernels/c/rope.c", &[(heads, one)]);
    let selection = ["--scheme", MROPE, "--dtype", "f32"];
    let run = check(&library, &selection).expect(0, &[]);
    let verdict = run.out.lines().last().expect("a verdict");
    assert!(verdict.contains(", within q_heads 1, k_heads 1, head_dim 2-512, "), "{verdict}");
    assert!(verdict.contains(", tokens 1, "), "{verdict}");
    // Hardly any check has cases of one token, and the verdict says so.
    let (_, idle) = verdict.split_once("; nothing judged by ").expect("checks without cases");
    let (idle, all) = idle.split_once(" of ").expect("how many");
    let all = all.split_once(" checks").expect("of how many").0;
    assert!(2 * idle.parse::<u32>().expect("a count") > all.parse::<u32>().expect("a count"), "{verdict}");
    // A gate asks for more.
    check(&library, &[&selection[..], &["--require", "q_heads=64"]].concat()).expect(4, &["found rotate 1 to 1"]);
}

/// The seed that a run took is printed, and gives the same run again.
#[test]
fn a_fresh_seed_can_be_repeated() {
    let run = |seed: &str| {
        let selection = ["--level", "rotate", "--scheme", MROPE, "--dtype", "f32", "--check", "accuracy"];
        let selection = [&selection[..], &["--depth", "quick"]].concat();
        check(kernel(), &[&selection[..], &["--seed", seed, "--format", "json"]].concat()).expect(0, &[])
    };
    let (one, other) = (run("fresh"), run("fresh"));
    let seed = |run: &crate::common::Run| run.json().expect("a report")["seed"].to_string();
    assert_ne!(seed(&one), seed(&other));
    assert_eq!(run(&seed(&one)).out, one.out);
}

#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn a_selection_of_all_that_there_is_narrows_nothing() {
    let library = compile(&source("tests/kernels/minimal_apply.c"), "minimal").expect("it compiles");
    for arguments in [&[][..], &["--dtype", "f32", "--level", "apply"]] {
        let report =
            check(&library, &[arguments, &["--format", "json"]].concat()).expect(0, &[]).json().expect("a report");
        assert!(verdict(&report).starts_with("CONFORMANT on level apply: "), "{}", verdict(&report));
        assert_eq!(report["narrowed"], Value::Null);
    }
}

/// The name of the level says nothing: a rotate level that is given cosines and sines only applies them.
#[test]
#[ignore = "long: scripts/slow_tests_lane.sh"]
fn given_angles_are_no_proof_of_a_scheme_whatever_the_level_is_called() {
    let library = edited(
        "rotate-by-given",
        "tests/kernels/minimal_apply.c",
        &[
            (r#"\"levels\":{\"apply\":"#, r#"\"levels\":{\"rotate\":"#),
            (
                "ropecheck_apply(void *handle, const ropecheck_apply_call",
                "ropecheck_rotate(void *handle, const ropecheck_rotate_call",
            ),
        ],
    );
    let run = check(&library, &["--cases", "1"]).expect(0, &["(given cos/sin)"]);
    let verdict = run.out.lines().last().expect("a verdict");
    let says = "on level rotate: turns pairs by the cos and sin it is given; the angles were supplied, so no scheme was judged";
    assert!(verdict.contains(says), "{verdict}");
    assert!(!run.out.lines().any(|line| line.starts_with("vrope@official ")), "no row names a scheme: {run}");
}

#[test]
fn what_is_given_is_in_the_verdict() {
    let selection = ["--scheme", MROPE, "--dtype", "f32", "--cases", "1", "--check", "accuracy", "--depth", "quick"];
    let run = check(kernel(), &selection).expect(0, &[]);
    let verdict = run.out.lines().last().expect("a verdict");
    assert!(verdict.contains("; given on level rotate: positions, axis map, frequencies"), "{verdict}");
    assert!(!verdict.contains("given on level fused"), "{verdict}");
}

#[test]
fn a_spec_of_the_user_is_in_the_verdict() {
    let own = spec("own", "rope", &[("title: \"RoPE", "title: \"My RoPE")]);
    let arguments = [&ROTATE[..], &["rope@default", "--dtype", "f32", "--check", "accuracy", "--spec", &own]].concat();
    ropecheck(&arguments).expect(0, &[&format!("; by the user's {own} (rope, in the place of the built-in scheme)")]);
    let other = spec("other", "rope", &[("scheme: rope", "scheme: flat")]);
    let arguments =
        [&ROTATE[..], &["flat@default", "--dtype", "f32", "--check", "accuracy", "--spec", &other]].concat();
    let run = ropecheck(&[&arguments[..], &["--format", "json"]].concat()).expect(0, &[]).json().expect("a report");
    assert!(verdict(&run).contains(&format!("; by the user's {other} (flat)")), "{}", verdict(&run));
    assert_eq!(run["added_specs"], serde_json::json!([{"file": other, "scheme": "flat", "replaces": false}]));
}

/// What official code printed is held against the spec that is in use, not against the one that it replaced.
#[test]
fn a_spec_that_contradicts_official_code_is_3() {
    let wrong = spec("wrong", "m-rope", &[("t: \"p + t\"\n    h: \"p + h\"", "t: \"p + h\"\n    h: \"p + t\"")]);
    let arguments = [&ROTATE[..], &[MROPE, "--dtype", "f32", "--check", "accuracy", "--spec", &wrong]].concat();
    let report = ropecheck(&[&arguments[..], &["--format", "json"]].concat()).expect(3, &[]).json().expect("a report");
    let mismatches = report["anchors"]["mismatches"].as_array().expect("a list");
    assert!(mismatches[0].as_str().is_some_and(|why| why.starts_with("official vector")), "{mismatches:?}");
    assert!(report["anchors"]["vectors"].as_u64() < Some(90), "{}", report["anchors"]);
    // Another scheme than the one that is judged was replaced: the spec is as wrong.
    let other = [&ROTATE[..], &["rope@default", "--dtype", "f32", "--check", "accuracy", "--spec", &wrong]].concat();
    ropecheck(&other).expect(3, &["MISMATCH official vector"]);
    // Frequencies are anchored too.
    let still = spec("still-rope", "rope", &[("\naxes:", "\nfrequencies: {inv_freq: \"base * 0\"}\naxes:")]);
    let arguments =
        [&ROTATE[..], &["rope@default", "--dtype", "f32", "--check", "accuracy", "--spec", &still]].concat();
    ropecheck(&arguments).expect(3, &["MISMATCH golden/accuracy_points.txt"]);
}

/// A statement that one grid refutes, or one length of frames, or a size far beyond a sweep.
#[test]
fn a_statement_that_only_a_large_or_rare_layout_refutes_is_3() {
    for (name, condition) in [
        ("one-grid", "T == 6 && H == 8 && W == 5"),
        ("wide", "W > 50"),
        ("slow", "seconds > 10"),
        ("quick", "seconds < 0.1"),
    ] {
        let formula = format!("p: \"p + k + if({condition}, 1, 0)\"");
        let lie = spec(name, "rope", &[("scheme: rope", &format!("scheme: {name}")), ("p: \"p + k\"", &formula)]);
        let id = format!("{name}@default");
        let arguments = [&ROTATE[..], &[&id, "--dtype", "f32", "--check", "controls", "--spec", &lie]].concat();
        ropecheck(&arguments).expect(3, &["REFUTED", "is said to hold, but fails on"]);
    }
}

/// Under parameters of the run a statement may not be true of the scheme itself: then no backend is blamed.
#[test]
fn a_statement_that_the_parameters_of_the_run_refute_blames_nobody() {
    let stated = "unbiased: {fails: \"video:1x1x2\"}\n  still: {statement: \"s\", for: token, holds: \"extra == 0\"}";
    let own = spec(
        "extra",
        "m-rope",
        &[("parameters:\n", "parameters:\n  extra: {default: 0}\n"), ("unbiased: {fails: \"video:1x1x2\"}", stated)],
    );
    let arguments = ["--level", "positions", "--scheme", MROPE, "--check", "still", "--spec", &own];
    check(kernel(), &arguments).expect(0, &["CONFORMANT"]);
    let under = [&arguments[..], &["--param", "extra=1"]].concat();
    check(kernel(), &under).expect(4, &["NOTHING WAS JUDGED", "under those of this run it is not true"]);
}

#[test]
fn what_held_is_graded_although_another_scheme_failed() {
    let library = edited(
        "wrong-with-four-axes",
        "kernels/c/rope.c",
        &[(
            "pairs[i].inv_freq = pairs[i].axis == ROPECHECK_AXIS_NONE ? 0.0f : (float)inv_freq;",
            "pairs[i].inv_freq = pairs[i].axis == ROPECHECK_AXIS_NONE ? 0.0f : (float)inv_freq;\n      \
             if (call->scheme.n_axes == 4) pairs[i].inv_freq *= 2.0f;",
        )],
    );
    let arguments = ["--level", "rotate", "--scheme", MROPE, "--scheme", "vrope@official", "--dtype", "f32"];
    let run = check(&library, &[&arguments[..], &["--check", "accuracy", "--format", "json"]].concat()).expect(1, &[]);
    let report = run.json().expect("a report");
    assert_eq!(report["grades"][0]["left_out"], serde_json::json!(["vrope@official"]), "{}", report["grades"]);
    assert_eq!(report["grades"][0]["class"], "fused");
}
