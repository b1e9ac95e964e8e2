//! Every mistake in a manifest is reported, all of them at once: its place, what was expected, what was
//! found, what was meant.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::common::json_schema::{against_schema, agrees};
use crate::common::{compile, kernel, ropecheck, scratch, source, text};
use ropecheck::backend::{Manifest, Vocabulary};
use ropecheck::case::Level;
use ropecheck::contract::{ContractTable, contracts};
use ropecheck::numeric::DType;
use ropecheck::spec::Library;

static SCHEMES: LazyLock<Library> = LazyLock::new(|| Library::embedded().unwrap_or_else(|e| panic!("{e}")));
static CONTRACTS: LazyLock<ContractTable> = LazyLock::new(|| contracts().unwrap_or_else(|e| panic!("{e}")));

const GOOD: &str = r#"{
  "name": "m", "version": "1", "dtypes": ["f32", "bf16"], "position_dtypes": ["i64"],
  "levels": {"rotate": {"consumes": ["positions", "axis_of_pair"], "schemes": ["*"],
                        "contract": {"class": "fused", "frequencies": "table"}}},
  "head_dims": [64, 128], "q_heads": {"min": 1, "max": 64}, "k_heads": {"min": 0, "max": 64}
}"#;

fn parse(json: &str) -> Result<Manifest, Vec<String>> {
    let names = Vocabulary { schemes: &SCHEMES, contracts: &CONTRACTS };
    let read = Manifest::parse(json, names);
    let read = read.map_err(|error| error.0.iter().map(ToString::to_string).collect::<Vec<_>>());
    agrees(json, read.as_ref().map_or_else(|mistakes| &mistakes[..], |_| &[]));
    read
}

/// The good manifest with edits, each of which must apply.
fn edited(edits: &[(&str, &str)]) -> String {
    edits.iter().fold(GOOD.to_owned(), |json, (replace, with)| {
        assert_eq!(json.matches(replace).count(), 1, "{replace}");
        json.replace(replace, with)
    })
}

/// The good manifest with a key more.
fn with(key: &str) -> String {
    edited(&[("\"k_heads\"", &format!("{key}, \"k_heads\""))])
}

#[track_caller]
fn refused(json: &str, mistakes: &[&str]) {
    assert_eq!(parse(json).expect_err(json), mistakes, "{json}");
}

#[test]
fn the_manifest_that_the_others_are_made_from_is_good() {
    parse(GOOD).unwrap_or_else(|mistakes| panic!("{mistakes:?}"));
}

#[test]
fn keys() {
    for (replace, with, mistakes) in [
        (
            "\"dtypes\"",
            "\"dtyps\"",
            &["dtypes: this key is missing", "dtyps: unknown key; did you mean \"dtypes\"?"][..],
        ),
        (
            "\"schemes\"",
            "\"shemes\"",
            &[
                "levels.rotate.schemes: this key is missing",
                "levels.rotate.shemes: unknown key; did you mean \"schemes\"?",
            ],
        ),
        (
            "\"rotate\"",
            "\"rotat\"",
            &[
                "levels: expected at least one of positions, rotate, fused, apply",
                "levels.rotat: unknown key; did you mean \"rotate\"?",
            ],
        ),
        (
            "\"class\"",
            "\"clas\"",
            &[
                "levels.rotate.contract.clas: unknown key; did you mean \"class\"?",
                "levels.rotate.contract.class: this key is missing",
            ],
        ),
        (
            "\"frequencies\": \"table\"",
            "\"trig_ulp\": 1",
            &[
                "levels.rotate.contract.frequencies: this key is missing",
                "levels.rotate.contract.trig_ulp: unknown key; did you mean \"trig_ulps\"?",
            ],
        ),
        (
            "\"min\": 1",
            "\"mim\": 1",
            &["q_heads.mim: unknown key; did you mean \"min\"?", "q_heads.min: this key is missing"],
        ),
        ("\"min\": 1", "\"step\": 2, \"min\": 1", &["q_heads.step: unknown key, expected one of min, max, multiple"]),
        (
            "\"head_dims\"",
            "\"head_dim\"",
            &["head_dim: unknown key; did you mean \"head_dims\"?", "head_dims: this key is missing"],
        ),
        ("\"consumes\": [\"positions\", \"axis_of_pair\"],", "", &["levels.rotate.consumes: this key is missing"]),
        // One may stand twice anywhere, and it says which.
        ("\"version\"", "\"name\": \"n\", \"version\"", &["name: expected once, found twice"]),
        (
            "\"levels\": {",
            "\"levels\": {\"rotate\": {}, ",
            &[
                "levels.rotate: expected once, found twice",
                "levels.rotate.consumes: this key is missing",
                "levels.rotate.schemes: this key is missing",
            ],
        ),
        ("\"schemes\"", "\"consumes\": [], \"schemes\"", &["levels.rotate.consumes: expected once, found twice"]),
        (
            "\"class\"",
            "\"\\u0063lass\": \"fused\", \"class\"",
            &["levels.rotate.contract.class: expected once, found twice"],
        ),
        ("\"max\": 64}, \"k", "\"max\": 64, \"max\": 64}, \"k", &["q_heads.max: expected once, found twice"]),
    ] {
        refused(&edited(&[(replace, with)]), mistakes);
    }
}

#[test]
fn words_and_names() {
    for (replace, with, mistakes) in [
        (
            "\"f32\"",
            "\"f31\"",
            &["dtypes[0]: unknown value \"f31\", expected one of f32, f16, bf16; did you mean \"f32\"?"][..],
        ),
        (
            "\"bf16\"",
            "\"i32\"",
            &["dtypes[1]: unknown value \"i32\", expected one of f32, f16, bf16; did you mean \"f32\"?"],
        ),
        ("\"bf16\"", "\"f32\"", &["dtypes[1]: expected no entry twice, found \"f32\""]),
        ("\"i64\"", "\"bf16\"", &["position_dtypes[0]: unknown value \"bf16\", expected one of i32, i64, f32, f64"]),
        (
            "\"axis_of_pair\"",
            "\"axis_of_pairs\"",
            &[
                "levels.rotate.consumes[1]: unknown value \"axis_of_pairs\", expected one of cos_sin, cos_sin_cache, inv_freq, base, axis_of_pair, sections, \
             positions, layout; did you mean \"axis_of_pair\"?",
            ],
        ),
        ("\"positions\", ", "", &["levels.rotate.consumes: level rotate must consume positions or cos_sin"]),
        (
            "\"fused\"",
            "\"fussed\"",
            &[
                "levels.rotate.contract.class: unknown value \"fussed\", expected one of ideal, fused, cached, eager, fast; \
             did you mean \"fused\"?",
            ],
        ),
        (
            "\"table\"",
            "\"tabel\"",
            &[
                "levels.rotate.contract.frequencies: unknown value \"tabel\", expected one of table, pow, pow-reciprocal, exp, exp2, scale, recurrence; did you mean \"table\"?",
            ],
        ),
        (
            "\"table\"",
            "\"table\", \"angles\": \"exat\"",
            &[
                "levels.rotate.contract.angles: unknown value \"exat\", expected one of exact, f64, f32; did you mean \"exact\"?",
            ],
        ),
        (
            "\"table\"",
            "\"table\", \"library\": 1",
            &[
                "levels.rotate.contract: frequencies fused/table,library=1 call a library function: library_ulps must be more than 0",
            ],
        ),
        (
            "\"table\"",
            "\"table\", \"rotation\": \"shears\"",
            &[
                "levels.rotate.contract: rotation=shears does not apply with scaling=factors: shears keep lengths, whatever \
               their factors; did you mean scaling=inputs or scaling=outputs?",
            ],
        ),
        ("\"*\"", "\"mrope\"", &["levels.rotate.schemes[0]: there is no scheme \"mrope\"; did you mean \"m-rope\"?"]),
        (
            "\"*\"",
            "\"*\", \"vrope@oficial\"",
            &["levels.rotate.schemes[1]: unknown profile of scheme vrope \"oficial\", expected one of official, \
                 paper-v2, quarters; did you mean \"official\"?"],
        ),
        (
            "\"*\"",
            "\"zzz\", \"m-rope\", \"*@default\"",
            &[
                "levels.rotate.schemes[0]: there is no scheme \"zzz\"",
                "levels.rotate.schemes[2]: there is no scheme \"*\"",
            ],
        ),
        ("\"*\"", "", &["levels.rotate.schemes: expected at least one entry, found []"]),
    ] {
        refused(&edited(&[(replace, with)]), mistakes);
    }
    for (key, mistake) in [
        (
            "\"pairings\": [\"halves\"]",
            "pairings[0]: unknown value \"halves\", expected one of half, adjacent; did you mean \"half\"?",
        ),
        (
            "\"alias\": [\"out\", \"inn\"]",
            "alias[1]: unknown value \"inn\", expected one of out, in; did you mean \"in\"?",
        ),
        (
            "\"strides\": \"row\"",
            "strides: unknown value \"row\", expected one of packed, rows, any; did you mean \"rows\"?",
        ),
    ] {
        refused(&with(key), &[mistake]);
    }
    // Names and aliases, with and without a profile, are those of the library.
    for scheme in SCHEMES.schemes() {
        let names = [scheme.id()].into_iter().chain(scheme.aliases.clone());
        for name in names.chain(scheme.is_default_profile.then(|| scheme.name.clone())) {
            let manifest = parse(&edited(&[("\"*\"", &format!("{name:?}"))])).unwrap_or_else(|e| panic!("{e:?}"));
            let level = manifest.level(Level::Rotate).expect("is there");
            assert!(SCHEMES.schemes().any(|scheme| level.offers(scheme)), "{name}");
        }
    }
}

#[test]
fn kinds_and_limits() {
    for (key, mistakes) in [
        ("\"copies\": null", &["copies: expected true or false, found null"][..]),
        ("\"per_head\": \"yes\"", &["per_head: expected true or false, found \"yes\""]),
        ("\"alias\": \"out\"", &["alias: expected a list, found \"out\""]),
        ("\"alias\": []", &["alias: expected at least one entry, found []"]),
        ("\"pairings\": []", &["pairings: expected at least one entry, found []"]),
        ("\"directions\": []", &["directions: expected at least one entry, found []"]),
        ("\"directions\": [1, 2]", &["directions[1]: expected 1 or -1, found 2"]),
        (
            "\"bases\": [1e4, \"10000\", -3, 0]",
            &[
                "bases[1]: expected a number from 1e-20 to 1e38, found \"10000\"",
                "bases[2]: expected a number from 1e-20 to 1e38, found -3",
                "bases[3]: expected a number from 1e-20 to 1e38, found 0",
            ],
        ),
        ("\"alignment\": 3", &["alignment: expected a power of two up to 4096, found 3"]),
        ("\"alignment\": 8192", &["alignment: expected a power of two up to 4096, found 8192"]),
        ("\"max_position\": 0", &["max_position: expected an integer of at least 1, found 0"]),
        ("\"max_position\": 1e30", &["max_position: expected an integer of at least 1, found 1e30"]),
        ("\"min_position\": 1", &["min_position: expected an integer of at most 0, found 1"]),
        ("\"max_tokens\": 1.5", &["max_tokens: expected an integer of at least 1, found 1.5"]),
        ("\"max_offset\": -1", &["max_offset: expected an integer of at least 1, found -1"]),
        (
            "\"negative_strides\": true, \"rotary_dims\": 8",
            &[
                "negative_strides: has a meaning with \"strides\": \"rows\" or \"any\" alone",
                "rotary_dims: has a meaning with \"partial_rotary\": true alone",
            ],
        ),
        ("\"strides\": {\"rows\": true}", &["strides: expected one of packed, rows, any, found {\"rows\": true}"]),
    ] {
        refused(&with(key), mistakes);
    }
    for (replace, with, mistakes) in [
        ("\"m\"", "\"\"", &["name: expected a text of 1 to 200 bytes, found \"\""][..]),
        ("\"1\"", "1", &["version: expected a text of 1 to 200 bytes, found 1"]),
        ("[\"f32\", \"bf16\"]", "[]", &["dtypes: expected at least one entry, found []"]),
        ("[\"f32\", \"bf16\"]", "[\"f32\", 7]", &["dtypes[1]: expected one of f32, f16, bf16, found 7"]),
        ("[\"i64\"]", "[]", &["position_dtypes: expected at least one entry, found []"]),
        ("[64, 128]", "[1000000000, 64]", &["head_dims[0]: expected an integer from 2 to 65536, found 1000000000"]),
        ("[64, 128]", "[]", &["head_dims: expected at least one entry, found []"]),
        ("[64, 128]", "-64", &["head_dims: expected an integer from 2 to 65536, found -64"]),
        ("[64, 128]", "\"64\"", &["head_dims: expected an integer from 2 to 65536, found \"64\""]),
        ("{\"min\": 1, \"max\": 64}", "0", &["q_heads: expected an integer from 1 to 65536, found 0"]),
        (
            "\"min\": 1, \"max\": 64",
            "\"min\": 8, \"max\": 4",
            &["q_heads: expected a range that holds an integer from 1 to 65536, found {\"min\": 8, \"max\": 4}"],
        ),
        (
            "\"min\": 1, \"max\": 64",
            "\"min\": 33, \"max\": 63, \"multiple\": 64",
            &[
                "q_heads: expected a range that holds an integer from 1 to 65536, found {\"min\": 33, \"max\": 63, \"multiple\": 64}",
            ],
        ),
        (
            "\"min\": 1, \"max\": 64",
            "\"min\": 1, \"max\": 99999, \"multiple\": 65537",
            &[
                "q_heads: expected a range that holds an integer from 1 to 65536, found {\"min\": 1, \"max\": 99999, \"multiple\": 65537}",
            ],
        ),
        (
            "\"min\": 1, \"max\": 64",
            "\"min\": 1, \"max\": 64, \"multiple\": 0",
            &["q_heads.multiple: expected an integer of at least 1, found 0"],
        ),
        ("\"min\": 1", "\"min\": -1", &["q_heads.min: expected an integer from 1 to 65536, found -1"]),
        ("\"min\": 0", "\"min\": 65537", &["k_heads.min: expected an integer from 0 to 65536, found 65537"]),
        (
            "{\"class\": \"fused\", \"frequencies\": \"table\"}",
            "\"fused\"",
            &["levels.rotate.contract: expected an object, found \"fused\""],
        ),
        (
            "\"table\"",
            "\"table\", \"trig_ulps\": -1, \"flushes\": 1, \"fma\": true, \"angle_limit\": null",
            &[
                "levels.rotate.contract.angle_limit: expected a number from 0 to 1e12, found null",
                "levels.rotate.contract.flushes: expected true or false, found 1",
                "levels.rotate.contract.fma: expected one of allowed, always, never, found true",
                "levels.rotate.contract.trig_ulps: expected a number from 0 to 65536, found -1",
            ],
        ),
        (
            "\"contract\":",
            "\"contracts\": {\"f32\": {\"class\": \"fused\", \"frequencies\": \"table\"}}, \"contract\":",
            &[
                "levels.rotate.contract: unknown key; did you mean \"contracts\"?",
                "levels.rotate.contracts.bf16: this key is missing",
            ],
        ),
    ] {
        refused(&edited(&[(replace, with)]), mistakes);
    }
    // A range without an end is one of no limit.
    assert!(parse(&edited(&[("\"max\": 64}, \"k", "\"max\": 9223372036854775807}, \"k")])).is_ok());
}

#[test]
fn levels_have_one_way_to_learn_where_tokens_are() {
    for (level, consumes, mistake) in [
        ("fused", "positions", "level fused must consume layout, and neither positions nor cos_sin"),
        ("positions", "base", "level positions must consume layout, and neither positions nor cos_sin"),
        ("apply", "positions", "level apply must consume cos_sin"),
    ] {
        let json = edited(&[
            ("\"rotate\"", &format!("{level:?}")),
            ("\"positions\", \"axis_of_pair\"", &format!("{consumes:?}")),
        ]);
        refused(&json, &[&format!("levels.{level}.consumes: {mistake}")]);
    }
}

#[test]
fn what_is_no_object_of_json_is_refused_whole() {
    refused("[]", &["top level: expected an object, found []"]);
    let found = |json: &str| parse(json).expect_err(json).concat();
    assert!(found("}{").starts_with("top level: the manifest is not JSON: "));
    assert!(found(&GOOD[..80]).starts_with("top level: the manifest is not JSON: EOF"));
    assert!(found(&format!("{GOOD} {GOOD}")).starts_with("top level: the manifest is not JSON: trailing"));
    assert_eq!(found(&" ".repeat(1 << 21)), "top level: the manifest has 2097152 bytes, more than 1048576");
    // Thousands of mistakes, and long ones, are not all shown.
    let many: String = (0..3000).map(|n| format!("\"k{n}{}\": 1, ", "x".repeat(200))).collect();
    let mistakes = parse(&with(&many[..many.len() - 2])).expect_err("unknown keys");
    assert_eq!(mistakes.len(), 100);
    assert!(mistakes.iter().all(|line| line.len() < 1000));
    assert!(parse(&with(&format!("\"deep\": {}{}", "[".repeat(100_000), "]".repeat(100_000)))).is_err());
}

#[test]
fn a_contract_is_read_with_its_numbers() {
    let text = r#"{"class": "cached", "frequencies": "pow", "trig_ulps": 1, "fma": "never", "flushes": true, "per_index.library": 2}"#;
    let contract = r#"{"class": "fused", "frequencies": "table"}"#;
    let one = parse(&edited(&[(contract, text)])).expect("is one");
    let level = one.level(Level::Rotate).expect("is there");
    for dtype in [DType::F32, DType::BF16] {
        let contract = level.contract(dtype).expect("is there").to_string();
        assert_eq!(contract, "cached/pow,trig_ulps=1,flushes=true,fma=never,per_index.library=2");
    }
    // As JSON it is what it was read from.
    let json = serde_json::to_value(level.contract(DType::F32)).expect("JSON");
    let mut given: serde_json::Value = serde_json::from_str(text).expect("JSON");
    given["trig_ulps"] = 1.0.into();
    given["per_index.library"] = 2.0.into();
    assert_eq!(json, given);
    let text = r#""contracts": {"bf16": {"class": "eager", "frequencies": "exp"}, "f32": {"class": "fused", "frequencies": "table"}}"#;
    let two = parse(&edited(&[(&format!("\"contract\": {contract}"), text)])).expect("is one");
    let contracts = &two.level(Level::Rotate).expect("is there").contracts;
    let shown: Vec<String> = contracts.iter().map(|(dtype, contract)| format!("{dtype} {contract}")).collect();
    assert_eq!(shown, ["f32 fused/table", "bf16 eager/exp"]);
    // Where cos and sin are given the way to frequencies may be left out.
    let apply = [("\"rotate\"", "\"apply\""), ("\"positions\"", "\"cos_sin\""), (", \"frequencies\": \"table\"", "")];
    assert!(parse(&edited(&apply)).is_ok());
}

/// A limit that a manifest may state is no mistake of a spec, however large the calls become.
#[test]
fn what_is_too_large_for_the_memory_of_a_case_is_not_judged() {
    let good = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c");
    let wide = good.replace(r#"\"q_heads\":{\"min\":1,\"max\":1024}"#, r#"\"q_heads\":1024"#);
    assert_ne!(good, wide);
    let file = scratch("wide").join("rope.c");
    fs::write(&file, wide).expect("the scratch folder takes files");
    let library = compile(&file, "wide").expect("it compiles");
    let selection = ["--scheme", "rope@default", "--level", "rotate", "--dtype", "f32", "--check", "many-rows"];
    let run = ropecheck(&[&["check", text(&library)][..], &selection].concat());
    run.expect(4, &["not judged: many-rows: the tensors would take more than 2147483648 bytes"]);
}

/// A library of this manifest, with statements for describe and open.
fn library(name: &str, manifest: &str, describe: &str, open: &str) -> PathBuf {
    let manifest = serde_json::to_string(manifest).expect("a text");
    let code = format!(
        r#"
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "ropecheck.h"
uint32_t ropecheck_abi_version(void) {{ return ROPECHECK_ABI_VERSION; }}
const char *ropecheck_describe(void) {{ {describe} return {manifest}; }}
ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {{ *handle = NULL; {open} return ROPECHECK_OK; }}
void ropecheck_close(void *handle) {{ (void)handle; }}
ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {{
  return ROPECHECK_OK;
}}
"#
    );
    let file = scratch(name).join("library.c");
    fs::write(&file, code).expect("the scratch folder takes files");
    compile(&file, name).expect("it compiles")
}

/// Every command that starts a backend ends with exit code 6 and these lines, and with nothing else.
#[track_caller]
fn no_command_starts(library: &Path, message: &str) {
    let snapshot = scratch("recorded")
        .join(format!("{}.snapshot", library.parent().expect("a folder").file_name().expect("a name").display()));
    let _ = fs::remove_file(&snapshot);
    let selection = ["--scheme", "rope", "--level", "rotate", "--dtype", "f32", "--cases", "1"];
    ropecheck(&[&["snapshot", "record", text(&snapshot), text(kernel())][..], &selection].concat()).expect(0, &[]);
    let (file, other) = (text(&snapshot), snapshot.with_extension("other"));
    for arguments in [
        &["check"][..],
        &["replay", "accuracy,scheme=rope@default,level=rotate,layout=text:2,head-dim=4"],
        &["describe"],
        &["bench"],
        &["snapshot", "record", text(&other)],
        &["snapshot", "verify", file],
        &["snapshot", "diff", file],
        &["snapshot", "accept", "--force", file],
    ] {
        let run = ropecheck(&[arguments, &[text(library)]].concat()).expect(6, &[]);
        assert_eq!(run.err.trim_end(), format!("error: {}: {message}", text(library)), "{run}");
        assert!(run.out.is_empty() && !other.exists(), "{run}");
    }
}

#[test]
fn every_command_shows_every_mistake_and_exits_with_6() {
    let manifest =
        edited(&[("\"*\"", "\"m-rope\", \"mrope\""), ("\"f32\", ", "\"f31\", "), ("[64, 128]", "[1000000000]")]);
    no_command_starts(
        &library("mistakes", &manifest, "", ""),
        "3 mistakes in the manifest\n  \
         dtypes[0]: unknown value \"f31\", expected one of f32, f16, bf16; did you mean \"f32\"?\n  \
         head_dims[0]: expected an integer from 2 to 65536, found 1000000000\n  \
         levels.rotate.schemes[1]: there is no scheme \"mrope\"; did you mean \"m-rope\"?",
    );
}

#[test]
fn a_scheme_of_the_user_is_known_where_its_file_is_given() {
    let library = library("own-scheme", &edited(&[("\"*\"", "\"per-head\"")]), "", "");
    let file = source("tests/kernels/per-head.yaml");
    ropecheck(&["describe", text(&library)])
        .expect(6, &["manifest, levels.rotate.schemes[0]: there is no scheme \"per-head\""]);
    ropecheck(&["describe", text(&library), "--spec", text(&file)]).expect(0, &["schemes per-head"]);
}

#[test]
fn what_fails_while_it_is_opened_says_why() {
    for (name, describe, open, message) in [
        (
            "refuses",
            "",
            r#"fprintf(stderr, "driver 1 is too old\n"); printf("need 2"); snprintf(err, err_len, "no driver"); return ROPECHECK_INTERNAL;"#,
            "ropecheck_open returned INTERNAL: no driver; it printed: driver 1 is too old\n       need 2",
        ),
        ("refuses-in-silence", "", "return ROPECHECK_INTERNAL;", "ropecheck_open returned INTERNAL and gave no reason"),
        (
            "dies-in-open",
            "",
            r#"fprintf(stderr, "assertion failed: context\n"); raise(SIGABRT);"#,
            "it died while it was loaded, described or opened: signal 6 (SIGABRT); it printed: assertion failed: context",
        ),
        (
            "dies-in-describe",
            r#"fprintf(stderr, "no table\n"); *(volatile int *)16 = 1;"#,
            "",
            "it died while it was loaded, described or opened: signal 11 (SIGSEGV); it printed: no table",
        ),
        (
            "exits-in-open",
            "",
            r#"fprintf(stderr, "bye\n"); exit(3);"#,
            "it died while it was loaded, described or opened: exit status 3; it printed: bye",
        ),
    ] {
        no_command_starts(&library(name, GOOD, describe, open), message);
    }
    let library = library("hangs", GOOD, "", r#"fprintf(stderr, "waiting for a device\n"); for (;;) {}"#);
    let run = ropecheck(&["describe", text(&library), "--start-timeout", "1"]);
    run.expect(
        6,
        &["it did not load and open within 1s (--start-timeout); it is computing; it printed: waiting for a device"],
    );
}

/// Objects with the keys of a manifest, wherever they stand in a text: as JSON, or in the literals of a program in C.
fn manifests(text: &str) -> Vec<String> {
    let literals = text.contains("\\\"levels\\\"");
    let joined: String = if literals {
        let pieces: Vec<&str> = text.split("\"\n").collect();
        let glued = pieces.iter().map(|piece| piece.trim_start().trim_start_matches('"'));
        glued.collect::<String>().replace("\\\"", "\"")
    } else {
        text.to_owned()
    };
    let starts = joined.match_indices('{').map(|(at, _)| &joined[at..]);
    let read = |from: &str| serde_json::Deserializer::from_str(from).into_iter::<serde_json::Value>().next()?.ok();
    let whole = starts.filter_map(read).filter(|one| one.get("levels").is_some() && one.get("version").is_some());
    whole.map(|one| one.to_string()).collect()
}

#[test]
fn every_manifest_of_the_project_is_as_the_schema_says() {
    for (file, count) in [
        ("docs/abi.md", 4),
        ("docs/cuda.md", 1),
        ("docs/protocol.md", 1),
        ("kernels/c/rope.c", 1),
        ("kernels/cuda/adapter.cu", 1),
        ("kernels/cuda/rope.cu", 1),
        ("tests/kernels/long.c", 1),
        ("tests/kernels/minimal_apply.c", 1),
        ("tests/kernels/vllm_like.cpp", 1),
    ] {
        let found = manifests(&fs::read_to_string(source(file)).expect(file));
        assert_eq!(found.len(), count, "{file}: {found:?}");
        for manifest in &found {
            assert_eq!(against_schema(manifest), [""; 0], "{file}: {manifest}");
            // Some are about schemes of files beside them.
            let mistakes = parse(manifest).err().into_iter().flatten();
            let others: Vec<String> = mistakes.filter(|one| !one.contains("there is no scheme")).collect();
            assert_eq!(others, [""; 0], "{file}");
        }
    }
}

/// What an editor shows of a key is there for each.
#[test]
fn every_key_of_the_schema_is_described() {
    fn undescribed(schema: &serde_json::Value, place: &str, found: &mut Vec<String>) {
        for (key, value) in schema.as_object().into_iter().flatten() {
            let below = format!("{place}/{key}");
            if key == "properties" && !place.contains("allOf") {
                for (name, property) in value.as_object().into_iter().flatten() {
                    if !property["description"].is_string() {
                        found.push(format!("{below}/{name}"));
                    }
                }
            }
            undescribed(value, &below, found);
        }
        for value in schema.as_array().into_iter().flatten() {
            undescribed(value, place, found);
        }
    }
    let names = Vocabulary { schemes: &SCHEMES, contracts: &CONTRACTS };
    let mut found = Vec::new();
    undescribed(&ropecheck::backend::manifest_schema(names), "", &mut found);
    // The types of `contracts` say what they are.
    found.retain(|place| !place.contains("/contracts/"));
    assert_eq!(found, [""; 0]);
}
