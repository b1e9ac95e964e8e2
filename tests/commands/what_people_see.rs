//! What the program prints is kept as snapshots: a change is looked at, and then accepted on purpose.

use std::process::Command;

fn ropecheck(arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_ropecheck")).args(arguments).output().expect("the program starts");
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    format!("exit code {}\n{out}{err}", output.status.code().unwrap_or(-1))
}

#[test]
fn the_property_tables_are_printed_with_witnesses_and_errata() {
    insta::assert_snapshot!("properties", ropecheck(&["properties"]));
}

/// A verdict holds up to the largest position that was judged, and says so where that is not the declared maximum.
#[test]
fn how_far_up_the_positions_a_run_went_is_said() {
    let run = |check: &str| {
        ropecheck(&[
            "check", "host", "--scheme", "rope", "--level", "rotate", "--dtype", "f32", "--cases", "1", "--check",
            check,
        ])
    };
    let far = run("accuracy");
    assert!(far.contains("reached   rotate: largest position judged 2147483647: the declared maximum\n"), "{far}");
    assert!(
        far.contains("--cases 1; on level rotate, within q_heads 1-1,024, ")
            && far.contains("; given on level rotate")
            && !far.contains("was not reached"),
        "{far}"
    );
    // Eighteen tokens.
    let near = run("golden");
    assert!(near.contains("largest position judged 17: NOT the declared maximum, 2147483647\n"), "{near}");
    assert!(near.contains(", rotate up to position 17 (declared max_position 2147483647 was not reached)"), "{near}");
}

#[test]
fn the_lists_are_printed() {
    insta::assert_snapshot!("list_schemes", ropecheck(&["list", "schemes"]));
    insta::assert_snapshot!("list", ropecheck(&["list"]));
    insta::assert_snapshot!("list_checks", ropecheck(&["list", "checks"]));
}

#[test]
fn a_check_and_a_scheme_are_explained() {
    insta::assert_snapshot!("explain_check", ropecheck(&["explain", "axis-map-probe"]));
    insta::assert_snapshot!("explain_scheme", ropecheck(&["explain", "vrope"]));
}

#[test]
fn positions_are_printed_as_a_table() {
    let layout = "text:2 video:2x1x2@0.5s image:1x2 text:1";
    insta::assert_snapshot!("positions", ropecheck(&["positions", "--scheme", "vrope", "--layout", layout]));
}

#[test]
fn positions_as_json_are_integers_dyadic_numbers_and_fractions() {
    let json = |scheme: &str, param: &str| {
        let text = ropecheck(&[
            "positions",
            "--scheme",
            scheme,
            "--layout",
            "text:2 video:2x2x1 text:1",
            "--param",
            param,
            "--format",
            "json",
        ]);
        serde_json::from_str::<serde_json::Value>(text.split_once('\n').expect("a line").1).expect("JSON")
    };
    let tie = json("rope-tie", "base=10000");
    assert_eq!(tie["positions"][0][2], serde_json::json!("8/3"));
    assert_eq!(tie["positions"][2][2], serde_json::json!(3.5));
    assert_eq!(tie["next"], serde_json::json!(7));
    let compact = json("rope-compact", "base=10000");
    assert_eq!(compact["next"], serde_json::json!([5, 5, 4]));
}

#[test]
fn the_same_seed_gives_the_same_bytes_at_any_number_of_threads() {
    let page = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("threads.html");
    let html = format!("html={}", page.display());
    let run = |threads: &str| {
        let selection = ["check", "--scheme", "vrope@official", "--dtype", "f16", "--cases", "1", "--seed", "9"];
        let more = ["--depth", "quick", "--format", "json", "--report", &html, "--threads", threads];
        let json = ropecheck(&[&selection[..], &more].concat());
        json + &std::fs::read_to_string(&page).expect("a page")
    };
    let first = run("1");
    assert!(first.starts_with("exit code 0"), "{first}");
    assert!(!first.contains("threads"));
    // Errors below the bound are drawn, and pairs of dimensions.
    for part in ["<h2 id=\"errors\">", "class=\"line l1\"", "aria-label=\"Pairs of dimensions, level rotate\""] {
        assert!(first.contains(part), "{part}");
    }
    assert_eq!(first, run("2"));
    assert_eq!(first, run("5"));
}

#[test]
fn the_embedded_run_says_that_it_judges_itself() {
    let text = ropecheck(&["check", "--scheme", "rope", "--cases", "1", "--depth", "quick"]);
    assert!(text.starts_with("exit code 0"), "{text}");
    assert!(text.contains("ropecheck's own embedded kernel"), "{text}");
    assert!(
        text.contains("not judged on level rotate, because the suite supplied it: positions, axis map, frequencies")
    );
}

#[test]
fn the_help_of_every_command_is_printed() {
    let help = ropecheck(&["--help"]);
    // Below headings, such as `Judge:`.
    let lines = help.lines().filter_map(|line| line.strip_prefix("  "));
    let commands = lines.filter(|line| line.starts_with(|first: char| first.is_ascii_lowercase()));
    let commands: Vec<&str> = commands.filter_map(|line| line.split_whitespace().next()).collect();
    assert!(commands.len() > 15, "{help}");
    let groups = help.lines().skip_while(|line| *line != "Judge:").take_while(|line| *line != "Options:");
    assert!(groups.into_iter().all(|line| line.chars().count() <= 80), "{help}");
    insta::assert_snapshot!("help", help);
    for command in commands {
        insta::assert_snapshot!(format!("help_{command}"), ropecheck(&[command, "--help"]));
    }
}

/// A manifest that has a slip, described for people and for programs.
#[test]
fn a_manifest_is_described_with_what_it_leaves_out_and_what_is_probably_a_slip() {
    let hello = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("described");
    let manifest = serde_json::json!({"hello": {"protocol": [1], "manifest": {
        "name": "one-width", "version": "1", "dtypes": ["f32"], "head_dims": 64, "q_heads": [1, 4], "k_heads": [0, 1],
        "levels": {"rotate": {"consumes": ["positions", "inv_freq", "base"], "schemes": ["rope"]}}}}});
    std::fs::write(&hello, format!("{manifest}\n")).expect("written");
    let program = format!("cat {}", hello.display());
    insta::assert_snapshot!("describe_table", ropecheck(&["describe", "--exec", &program]));
    insta::assert_snapshot!("describe_json", ropecheck(&["describe", "--format", "json", "--exec", &program]));
}

#[test]
fn colours_are_there_where_they_are_asked_for() {
    let check = ["check", "--scheme", "rope", "--level", "rotate", "--dtype", "f32", "--check", "controls"];
    let run = |color: &str| ropecheck(&[&["--color", color], &check[..], &["--no-config"]].concat());
    assert!(run("always").contains("\u{1b}[32m"), "{}", run("always"));
    assert!(!run("never").contains('\u{1b}') && !run("auto").contains('\u{1b}'));
    // Mistakes, too, in the command line and in files, before the command and after it.
    for (color, arguments) in
        [("--color=always", ["check", "--cheme"]), ("--color=always", ["list", "--spec=none.yaml"])]
    {
        assert!(ropecheck(&[&arguments[..], &[color]].concat()).contains("\u{1b}["), "{arguments:?}");
        assert!(!ropecheck(&arguments).contains('\u{1b}'), "{arguments:?}");
    }
    assert!(ropecheck(&["--color", "green", "list"]).starts_with("exit code 2"));
}

#[test]
fn a_quiet_run_says_its_verdict_and_its_findings() {
    let check =
        ["check", "host", "--scheme", "rope", "--level", "rotate", "--dtype", "f32", "--check", "controls", "-q"];
    let held = ropecheck(&check);
    assert!(held.starts_with("exit code 0\nCONFORMANT IN PART: ") && held.lines().count() == 2, "{held}");
    assert!(ropecheck(&[&check[..], &["-v"]].concat()).contains("golden"), "the last one of both is in force");
}

/// Made from the command line, so that they have every command.
#[test]
fn completions_and_a_manual_are_made() {
    for (shell, says) in [("bash", "complete -F"), ("zsh", "#compdef ropecheck"), ("fish", "complete -c ropecheck")] {
        let script = ropecheck(&["completions", shell]);
        assert!(script.starts_with("exit code 0") && script.contains(says) && script.contains("max-fail"), "{shell}");
        assert!(!script.contains("worker"), "{shell}: what is hidden is not offered");
    }
    let page = ropecheck(&["man"]);
    assert!(page.contains(".TH ropecheck") && page.contains("check(1)"), "{page}");
    let folder = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("man");
    ropecheck(&["man", folder.to_str().expect("a name")]);
    let page = std::fs::read_to_string(folder.join("ropecheck-check.1")).expect("a page");
    assert!(page.contains("max\\-fail") && page.contains("Exit codes"), "{page}");
}
