//! What a manifest says of layouts and of the parameters of schemes: read, shown, and its mistakes reported all at once.

use std::fs;

use crate::common::json_schema::agrees;
use crate::common::{check, compile, ropecheck, scratch, source, text};
use ropecheck::backend::{Manifest, Vocabulary};
use ropecheck::contract::contracts;
use ropecheck::spec::Library;

fn parse(json: &str) -> Result<Manifest, Vec<String>> {
    let schemes = Library::embedded().unwrap_or_else(|e| panic!("{e}"));
    let contracts = contracts().unwrap_or_else(|e| panic!("{e}"));
    let names = Vocabulary { schemes: &schemes, contracts: &contracts };
    let read = Manifest::parse(json, names);
    let read = read.map_err(|error| error.0.iter().map(ToString::to_string).collect::<Vec<_>>());
    agrees(json, read.as_ref().map_or_else(|mistakes| &mistakes[..], |_| &[]));
    read
}

/// A good manifest of level fused on these schemes, with a key more.
fn with_key(schemes: &str, key: &str) -> String {
    format!(
        r#"{{"name": "m", "version": "1", "dtypes": ["f32"], {key},
  "levels": {{"fused": {{"consumes": ["layout"], "schemes": [{schemes}],
                       "contract": {{"class": "fused", "frequencies": "table"}}}}}},
  "head_dims": [64, 128], "q_heads": {{"min": 1, "max": 64}}, "k_heads": {{"min": 0, "max": 64}}}}"#
    )
}

#[track_caller]
fn refused(json: &str, mistakes: &[&str]) {
    assert_eq!(parse(json).expect_err(json), mistakes, "{json}");
}

#[test]
fn layouts_and_parameters() {
    let schemes = "\"qwen2.5-vl\", \"videorope\"";
    for (key, mistakes) in [
        ("\"layouts\": []", &["layouts: expected an object, found []"][..]),
        (
            "\"layouts\": {\"text_befor\": true, \"text_between\": 1, \"segments\": 0}",
            &[
                "layouts.segments: expected an integer of at least 1, found 0",
                "layouts.text_befor: unknown key; did you mean \"text_before\"?",
                "layouts.text_between: expected true or false, found 1",
            ],
        ),
        (
            "\"layouts\": {\"frames\": {\"min\": 0, \"max\": 4}, \"kinds\": [\"text\", \"vido\", \"text\"]}",
            &[
                "layouts.frames.min: expected an integer from 1 to 4294967295, found 0",
                "layouts.kinds[1]: unknown value \"vido\", expected one of text, image, video; did you mean \"video\"?",
                "layouts.kinds[2]: expected no entry twice, found \"text\"",
            ],
        ),
        ("\"layouts\": {\"kinds\": []}", &["layouts.kinds: expected at least one entry, found []"]),
        (
            "\"layouts\": {\"kinds\": [\"image\"], \"text_before\": true}",
            &["layouts.text_before: expected \"text\" among layouts.kinds where text must stand"],
        ),
        ("\"parameters\": 3", &["parameters: expected an object, found 3"]),
        (
            "\"parameters\": {\"tokens_per_secnd\": 1, \"gamma\": 2, \"base\": 10000}",
            &[
                "parameters.base: `base` is limited by the key bases",
                "parameters.gamma: unknown parameter of the schemes of this backend \"gamma\", expected one of delta, \
                 h_pairs, tokens_per_second, w_pairs",
                "parameters.tokens_per_secnd: unknown parameter of the schemes of this backend \"tokens_per_secnd\", \
                 expected one of delta, h_pairs, tokens_per_second, w_pairs; did you mean \"tokens_per_second\"?",
            ],
        ),
        (
            "\"parameters\": {\"delta\": [], \"h_pairs\": [1, \"1/2\", 1], \"tokens_per_second\": {\"min\": 3, \"max\": 2}}",
            &[
                "parameters.delta: expected at least one entry, found []",
                "parameters.h_pairs[1]: the parameter must be an integer, found 0.5",
                "parameters.h_pairs[2]: expected no entry twice, found 1",
                "parameters.tokens_per_second: expected a range that holds a number, found {\"min\": 3, \"max\": 2}",
            ],
        ),
        (
            "\"parameters\": {\"delta\": {\"min\": -1, \"least\": 2}, \"tokens_per_second\": true}",
            &[
                "parameters.delta.least: unknown key, expected one of min, max",
                "parameters.delta.max: this key is missing",
                "parameters.delta.min: the parameter must be at least 0, found -1",
                "parameters.tokens_per_second: expected a number, or a text such as \"1/2\", found true",
            ],
        ),
        ("\"parameters\": {\"delta\": 1, \"delta\": 2}", &["parameters.delta: expected once, found twice"]),
    ] {
        refused(&with_key(schemes, key), mistakes);
    }
    // What is right is kept as it was written, and shown.
    let key = "\"layouts\": {\"text_between\": true, \"frames\": 1, \"segments\": 8, \"kinds\": [\"text\", \"video\"]}, \
               \"parameters\": {\"delta\": [2, \"1/2\"], \"tokens_per_second\": {\"min\": 1, \"max\": 30}}";
    let manifest = parse(&with_key(schemes, key)).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    let json = serde_json::to_value(&manifest).expect("JSON");
    let expected = serde_json::json!({
        "text_before": false, "text_between": true, "frames": [1], "segments": 8, "kinds": ["text", "video"]
    });
    assert_eq!(json["layouts"], expected);
    let expected = serde_json::json!([
        {"name": "delta", "values": ["0.5", "2"]},
        {"name": "tokens_per_second", "values": {"min": "1", "max": "30"}}
    ]);
    assert_eq!(json["parameters"], expected);
    let plain = parse(&with_key(schemes, "\"per_head\": false")).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
    assert_eq!((plain.layouts, plain.parameters), (Default::default(), None));
}

/// The example kernel that says it takes less: described so, judged so, and no less right.
#[test]
fn a_library_is_described_and_judged_by_what_it_offers() {
    let code = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c");
    let limits =
        r#"\"layouts\":{\"text_between\":true,\"segments\":4,\"frames\":{\"min\":1,\"max\":3}},\"parameters\":{},"#;
    let edited = code.replacen("\"\\\"dtypes\\\":", &format!("\"{limits}\\\"dtypes\\\":"), 1);
    assert_ne!(code, edited);
    let file = scratch("offers").join("rope.c");
    fs::write(&file, edited).expect("the scratch folder takes files");
    let library = compile(&file, "offers").expect("it compiles");
    let shown = ["\"text_between\": true", "\"segments\": 4", "\"parameters\": []"];
    ropecheck(&["describe", text(&library)]).expect(0, &shown);
    let selection = ["--scheme", "m-rope", "--level", "positions"];
    let run = check(&library, &[&selection[..], &["--format", "json"]].concat()).expect(0, &[]);
    let report = run.json().expect("a report");
    let reach = report["reach"][0]["dimensions"].as_array().expect("dimensions");
    let of = |name: &str| reach.iter().find(|one| one["dimension"] == name).expect("a dimension");
    assert_eq!((&of("segments")["offered"], &of("segments")["reached"]), (&4.into(), &4.into()));
    assert_eq!((&of("T")["offered"], &of("T")["reached"]), (&3.into(), &3.into()));
    // Of nine pairs of kinds four are of images and videos side by side.
    assert_eq!((&of("neighbours")["offered"], &of("neighbours")["reached"]), (&8.into(), &8.into()));
}
