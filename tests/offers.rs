//! What an honest kernel takes it can say, and is judged as that: each kernel of tests/kernels/offers.c passes with what
//! it says, and fails with its bug, or where the manifest claims more than the kernel does.

mod common;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::json_schema::agrees;
use common::{Run, check, scratch, source, text};

const SEEDS: [&str; 1] = ["1"];

/// Builds a file of tests/kernels with `more` arguments for the compiler.
fn compile(compiler: &str, file: &str, library: &Path, more: &[&str]) {
    let output = Command::new(compiler)
        .args(["-O2", "-shared", "-fPIC", "-Iinclude", "-Ikernels/c", "-o", text(library)])
        .args(more)
        .args([&format!("tests/kernels/{file}"), "-lm"])
        .current_dir(source(""))
        .output()
        .expect("the compiler starts");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// Builds a kind of offers.c, right for `bug` 0, under what its manifest says beside the common keys.
fn build(kind: &str, bug: u8, says: &str) -> PathBuf {
    let folder = scratch(&format!("{kind}-{bug}-{:x}", says.len() + says.bytes().map(usize::from).sum::<usize>()));
    let library = folder.join("liboffers.so");
    let header = folder.join("says.h");
    fs::write(&header, format!("#define MANIFEST {says:?}\n#define KIND {kind}\n")).expect("a header can be written");
    let whole = if says.starts_with('{') { "-DWHOLE" } else { "-UWHOLE" };
    compile("cc", "offers.c", &library, &["-include", text(&header), &format!("-DBUG={bug}"), whole]);
    library
}

fn judged(kind: &str, bug: u8, says: &str, more: &[&str]) -> Vec<Run> {
    let library = build(kind, bug, says);
    let depth = ["--depth", "quick", "--seed"];
    SEEDS.iter().map(|seed| check(&library, &[more, &depth, &[*seed]].concat())).collect()
}

#[track_caller]
fn holds(kind: &str, says: &str, more: &[&str]) {
    let common = r#""name":"m","version":"1","dtypes":["f32","bf16"],"head_dims":2,"q_heads":1,"k_heads":0"#;
    let manifest = if says.starts_with('{') { says.to_owned() } else { format!("{{{common},{says}}}") };
    agrees(&manifest, &[]);
    judged(kind, 0, says, more).into_iter().for_each(|run| drop(run.expect(0, &["CONFORMANT"])));
}

#[track_caller]
fn fails(kind: &str, bug: u8, says: &str, more: &[&str], why: &str) {
    judged(kind, bug, says, more).into_iter().for_each(|run| drop(run.expect(1, &["NONCONFORMANT", why])));
}

fn rotate(consumes: &str, schemes: &str, contract: &str, more: &str) -> String {
    format!(
        r#""levels":{{"rotate":{{"consumes":["positions"{consumes}],"schemes":[{schemes}],"contract":{contract}}}}}{more}"#
    )
}

const TABLE: &str = r#"{"class":"fused","frequencies":"table"}"#;

#[test]
fn a_part_of_a_head_is_the_first_channels_unless_more_is_said() {
    let says = |offsets: &str| {
        rotate(r#","axis_of_pair","inv_freq""#, r#""rope""#, TABLE, &format!(r#","partial_rotary":true{offsets}"#))
    };
    holds("PREFIX", &says(""), &[]);
    holds("PREFIX", &says(r#","rotary_offsets":0,"rotary_dims":[16,32]"#), &[]);
    fails("PREFIX", 1, &says(""), &[], "accuracy");
    fails("PREFIX", 0, &says(r#","rotary_offsets":[0,8]"#), &[], "accuracy");
}

#[test]
fn a_base_of_its_own_holds_for_frequencies_that_are_no_powers_of_it() {
    let says =
        |base: &str| rotate("", r#""rope@yarn""#, TABLE, &format!(r#","attention_scaling":true,"bases":[{base}]"#));
    holds("OWN_BASE", &says("500000"), &[]);
    fails("OWN_BASE", 1, &says("500000"), &[], "frequency-probe");
    fails("OWN_BASE", 0, &says("1000000"), &[], "frequency-probe");
}

#[test]
fn a_base_is_handed_over_for_frequencies_that_are_no_powers_of_it() {
    let says = |schemes: &str| rotate(r#","base""#, schemes, TABLE, r#","attention_scaling":true"#);
    holds("GIVEN_BASE", &says(r#""rope@yarn""#), &[]);
    fails("GIVEN_BASE", 1, &says(r#""rope@yarn""#), &[], "frequency-probe");
    // `*` names no scheme: what knows a base alone cannot be meant for frequencies that are no powers of one.
    let run = check(&build("GIVEN_BASE", 0, &says(r#""*""#)), &["--scheme", "rope@yarn", "--depth", "quick"]);
    run.expect(4, &["the level consumes base, and the scheme's frequencies are no powers of a base"]);
}

/// A recurrence errs at every step, and a scheme without a base has steps as well.
#[test]
fn what_a_contract_says_of_each_index_holds_without_a_base() {
    let spec = source("tests/kernels/restart.yaml");
    let more = ["--spec", text(&spec), "--scheme", "restart"];
    let says = |contract: &str| rotate("", r#""restart""#, contract, r#","bases":[10000],"attention_scaling":true"#);
    let own = r#"{"class":"fused","frequencies":"table","library_ulps":1,"per_index.roundings":2}"#;
    holds("RECURRENCE", &says(own), &more);
    fails("RECURRENCE", 1, &says(own), &more, "frequency-probe");
    fails("RECURRENCE", 0, &says(TABLE), &more, "accuracy");
    // A way from a base is none where there is no base: nothing is proved.
    for run in judged("RECURRENCE", 0, &says(r#"{"class":"fused","frequencies":"pow"}"#), &more) {
        run.expect(4, &["come from a base"]);
    }
}

#[test]
fn tables_have_the_types_and_widths_that_are_offered() {
    let says = |tables: &str| {
        let level = r#""levels":{"apply":{"consumes":["cos_sin"],"contract":{"class":"fused"}}}"#;
        format!(r#"{level},"pairings":["half","adjacent"],"attention_scaling":true{tables}"#)
    };
    let all = r#","table_dtypes":["storage","f32","f16","bf16"],"table_widths":["half","full"]"#;
    for tables in ["", all, r#","table_dtypes":["f32"]"#, r#","table_widths":["full"]"#] {
        holds("TABLES", &says(tables), &[]);
    }
    for tables in [all, r#","table_dtypes":["f32"]"#, r#","table_dtypes":["storage","f32"]"#] {
        fails("TABLES", 1, &says(tables), &["--dtype", "bf16"], "accuracy");
    }
    for tables in [all, r#","table_widths":["full"]"#] {
        fails("TABLES", 2, &says(tables), &[], "accuracy");
    }
}

#[test]
fn a_cache_has_whole_rows_and_one_for_each_token() {
    let says = rotate(
        r#","cos_sin","cos_sin_cache","axis_of_pair""#,
        r#""rope","m-rope""#,
        TABLE,
        r#","max_position":4096,"attention_scaling":true,"table_dtypes":["storage","f32"]"#,
    );
    let says = says.replace(r#""cos_sin","#, "");
    holds("CACHE", &says, &[]);
    fails("CACHE", 1, &says, &[], "accuracy");
}

#[test]
fn what_does_not_go_together_is_said_at_once() {
    let says = rotate(
        "",
        r#""rope""#,
        TABLE,
        r#","rotary_offsets":[0,8],"rotary_dims":[64],"table_dtypes":["f32"],"table_widths":["wide"]"#,
    );
    check(&build("PREFIX", 0, &says), &[]).expect(
        6,
        &[
            "4 mistakes in the manifest",
            "rotary_offsets: has a meaning with \"partial_rotary\": true alone",
            "rotary_dims: has a meaning with",
            "table_dtypes: no level consumes cos_sin or cos_sin_cache",
            "table_widths[0]: unknown value \"wide\", expected one of half, full",
        ],
    );
}

/// The worked examples of docs/abi.md: each manifest as it stands there, with a kernel that does what it says.
#[test]
fn worked_examples_are_judged_as_they_stand() {
    let page = fs::read_to_string(source("docs/abi.md")).expect("the page can be read");
    for (name, kind, bug) in [
        ("in-place-with-cache", "CACHE", 1),
        ("function-on-tables", "TABLES", 3),
        ("fused-from-the-layout", "FUSED", 1),
    ] {
        let start = page.find(&format!("{{ \"name\": \"{name}\"")).expect("the example is there");
        let manifest = &page[start..start + page[start..].find("```").expect("its end")];
        assert!(manifest.lines().count() <= 12, "{name}");
        holds(kind, manifest.trim(), &[]);
        fails(kind, bug, manifest.trim(), &[], "accuracy");
    }
}

/// From a kernel to a verdict: nothing but what README and docs/abi.md say, and few lines.
#[test]
fn a_kernel_like_those_of_vllm_takes_a_short_adapter() {
    let file = fs::read_to_string(source("tests/kernels/vllm_like.cpp")).expect("the file can be read");
    let adapter = file.split_once("// ---- the adapter\n").expect("an adapter").1;
    assert!(adapter.lines().count() <= 40, "{} lines", adapter.lines().count());
    let library = scratch("vllm-like").join("libvllm.so");
    compile("c++", "vllm_like.cpp", &library, &[]);
    check(&library, &[]).expect(0, &["CONFORMANT on level rotate"]);
    // One line less: the third argument of store is no longer b cos + a sin.
    let broken = file.replace("b * cos + a * sin", "b * cos + a * -sin");
    assert_ne!(broken, file);
    let copy = scratch("vllm-broken").join("vllm_broken.cpp");
    fs::write(&copy, broken).expect("the copy can be written");
    let library = scratch("vllm-broken").join("libvllm.so");
    let relative = Path::new("../..").join(copy.strip_prefix(source("")).expect("below the repository"));
    compile("c++", text(&relative), &library, &[]);
    check(&library, &["--depth", "quick"]).expect(1, &["NONCONFORMANT"]);
}
