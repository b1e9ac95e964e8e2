//! What an honest kernel takes it can say, and is judged as that: each kernel of tests/kernels/offers.c passes with what
//! it says, and fails with its bug, or where the manifest claims more than the kernel does.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::common::json_schema::agrees;
use crate::common::{Run, check, scratch, source, text};

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
    check(&build("PREFIX", 0, &says), &["--depth", "quick"]).expect(
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
    check(&library, &["--depth", "quick"]).expect(0, &["on level rotate"]);
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

/// The example kernel with these edits, each of which must apply once.
fn example(name: &str, edits: &[(&str, &str)]) -> PathBuf {
    let mut code = fs::read_to_string(source("kernels/c/rope.c")).expect("rope.c");
    for (replace, with) in edits {
        assert_eq!(code.matches(replace).count(), 1, "{replace}");
        code = code.replace(replace, with);
    }
    let file = scratch(name).join("rope.c");
    fs::write(&file, code).expect("the scratch folder takes files");
    crate::common::compile(&file, name).expect("it compiles")
}

/// Tensors that run backwards are asked for where they are offered, and a kernel that takes the size of a stride for the
/// stride is seen in each of them.
#[test]
fn strides_below_zero_are_judged_where_they_are_offered() {
    let said = |strides: &str| format!(r#"\"strides\":\"{strides}\",\"negative_strides\":true,"#);
    let judged = |name: &str, strides: &str, bug: Option<(&str, &str)>| {
        let says = said(strides);
        let mut edits = vec![(r#"\"strides\":\"any\","#, &*says)];
        edits.extend(bug);
        let selection = ["--scheme", "rope@default", "--level", "rotate", "--dtype", "f32", "--depth", "quick"];
        let selection = [&selection[..], &["--check", "accuracy", "--check", "strides"]].concat();
        check(&example(name, &edits), &[&selection[..], &["--format", "json"]].concat())
    };
    for (strides, orders) in [("any", 8), ("rows", 6)] {
        let report = judged(&format!("backwards-{strides}"), strides, None).expect(0, &[]).json().expect("a report");
        let reach = report["reach"][0]["dimensions"].as_array().expect("dimensions");
        for name in ["q_strides", "k_strides", "out_strides"] {
            let one = reach.iter().find(|one| one["dimension"] == name).expect("a dimension");
            assert_eq!((&one["offered"], &one["reached"]), (&orders.into(), &orders.into()), "{strides} {name}");
        }
    }
    let size = |stride: &str| format!("({stride} < 0 ? -{stride} : {stride})");
    for (name, stride, checks) in [
        ("tokens", "i_stride[1]", ["accuracy", "strides"]),
        ("heads", "o_stride[2]", ["accuracy", "strides"]),
        ("channels", "i_stride[3]", ["accuracy", "strides"]),
    ] {
        let run = judged(&format!("backwards-{name}"), "any", Some((stride, &size(stride)))).expect(1, &[]);
        let failed = failing(&run);
        assert!(checks.iter().all(|check| failed.contains(*check)), "{name}: {failed:?}");
    }
}

/// Checks with failures in a report.
fn failing(run: &Run) -> BTreeSet<String> {
    let report = run.json().expect("a report");
    let results = report["results"].as_array().expect("results").iter();
    let failed = results.filter(|one| one["failures"].as_array().is_some_and(|all| !all.is_empty()));
    failed.map(|one| one["check"].as_str().expect("a name").to_owned()).collect()
}

/// Positions lie in every order that is offered, and a kernel that overlooks one of their strides is seen where they do.
#[test]
fn strides_of_positions_are_judged_where_they_are_offered() {
    let any = r#"\"position_strides\":\"any\","#;
    let rows = r#"\"position_strides\":\"rows\","#;
    let judged = |name: &str, says: &str, edits: &[(&str, String)], level: &str| {
        let edits = edits.iter().map(|(replace, with)| (*replace, &**with));
        let edits: Vec<(&str, &str)> = edits.chain([(any, says)]).collect();
        let of_level = if level == "rotate" { "accuracy" } else { "positions-exact" };
        let selection = ["--scheme", "m-rope@default", "--level", level, "--dtype", "f32", "--depth", "quick"];
        let selection = [&selection[..], &["--check", of_level]].concat();
        check(&example(name, &edits), &[&selection[..], &["--format", "json"]].concat())
    };
    let read = "const ropecheck_position_tensor *positions = &call->positions;";
    let written = "const ropecheck_position_tensor *out = &call->out, *next = &call->next;";
    let wrong = |of: &str, name: &str, bug: &str| {
        format!(
            "ropecheck_position_tensor changed = call->{of}; {bug} const ropecheck_position_tensor *{name} = &changed"
        )
    };
    let token = "changed.stride_token = 1;";
    for (name, level, edit) in [
        ("token", "rotate", (read, wrong("positions", "positions", token) + ";")),
        ("shared", "rotate", {
            let bug = "if (!changed.stride_batch) changed.stride_batch = changed.stride_axis / 2;";
            (read, wrong("positions", "positions", bug) + ";")
        }),
        ("axis", "rotate", {
            let bug = "if (changed.stride_axis == 1) changed.stride_axis = changed.stride_batch * call->qk.batch;";
            (read, wrong("positions", "positions", bug) + ";")
        }),
        ("written", "positions", (written, wrong("out", "out", token) + ", *next = &call->next;")),
        ("batch-inside", "rotate", {
            let bug = "if (changed.stride_batch == 1) changed.stride_batch = changed.stride_token;";
            (read, wrong("positions", "positions", bug) + ";")
        }),
        ("batch-inside-written", "positions", {
            let bug = "if (changed.stride_batch == 1) changed.stride_batch = changed.stride_token;";
            (written, wrong("out", "out", bug) + ", *next = &call->next;")
        }),
    ] {
        let run = judged(&format!("positions-{name}"), any, &[edit], level).expect(1, &[]);
        let check = if level == "rotate" { "accuracy" } else { "positions-exact" };
        assert!(failing(&run).contains(check), "{name}: {:?}", failing(&run));
    }
    // Nobody asks for what is not offered.
    let edit = (read, wrong("positions", "positions", token) + ";");
    let honest = judged("positions-unsaid", rows, &[edit], "rotate").expect(0, &[]);
    assert_eq!(orders_of_positions(&honest), (2, 2), "[axis, batch, token] and [batch, axis, token]");
    let honest = judged("positions-any", any, &[], "rotate").expect(0, &[]);
    assert_eq!(orders_of_positions(&honest), (8, 8));
    // Where tokens lie one after another, rows and axes may still change places.
    let bug = "changed.stride_axis = changed.stride_batch * call->qk.batch;";
    let edit = (read, wrong("positions", "positions", bug) + ";");
    let run = judged("positions-batch-first", rows, &[edit], "rotate").expect(1, &[]);
    assert!(failing(&run).contains("accuracy"), "{:?}", failing(&run));
}

/// Orders of positions that were reached, and those that are offered.
fn orders_of_positions(run: &Run) -> (u64, u64) {
    reached(run, "position_order").expect("a dimension")
}

/// Classes of a dimension that were reached, and those that are offered, of a run of one level.
fn reached(run: &Run, dimension: &str) -> Option<(u64, u64)> {
    let report = run.json().expect("a report");
    let mut all = report["reach"][0]["dimensions"].as_array().expect("dimensions").iter();
    let one = all.find(|one| one["dimension"] == dimension)?;
    let count = |key: &str| one[key].as_u64().expect("a number");
    Some((count("reached"), count("offered")))
}

/// What rope.c becomes where outputs have a type of their own.
const TYPES: [(&str, &str); 8] = [
    (r#"if (in->dtype != out->dtype) return BAD(to, "%s and its output differ in dtype", name);"#, ""),
    (
        "const ropecheck_dtype dtype = in->dtype;",
        "const ropecheck_dtype dtype = in->dtype, to = out->dtype; const int64_t width = storage_size(to);",
    ),
    ("head * o_stride[2]) * size;", "head * o_stride[2]) * width;"),
    ("y_step = o_stride[3] * size;", "y_step = o_stride[3] * width;"),
    ("store(dtype, y + first * y_step,", "store(to, y + first * y_step,"),
    ("store(dtype, y + second * y_step,", "store(to, y + second * y_step,"),
    (
        "memcpy(y + d * y_step, x",
        "if (dtype != to) store(to, y + d * y_step, load(dtype, x + d * x_step)); else memcpy(y + d * y_step, x",
    ),
    (r#"\"dtypes\":[\"f32\",\"f16\",\"bf16\"],"#, r#"\"dtypes\":[\"f32\",\"f16\",\"bf16\"],SAYS"#),
];

/// Keys and outputs have each type that is offered beside that of q, and a kernel that takes them for q's is seen.
#[test]
fn keys_and_outputs_have_the_types_that_are_offered() {
    let judged = |name: &str, says: &str, bugs: &[(&str, &str)], more: &[&str]| {
        let says = TYPES[7].1.replace("SAYS", says);
        let edits = TYPES[..7].iter().copied().chain([(TYPES[7].0, &*says)]);
        // A bug stands in the place of what it spoils.
        let kept = edits.filter(|(place, _)| bugs.iter().all(|(other, _)| other != place));
        let edits: Vec<(&str, &str)> = kept.chain(bugs.iter().copied()).collect();
        let selection = ["--scheme", "m-rope@default", "--level", "rotate", "--depth", "quick", "--format", "json"];
        check(&example(&format!("types-{name}"), &edits), &[&selection[..], more].concat())
    };
    let types = r#"[\"storage\",\"f32\",\"f16\",\"bf16\"],"#;
    let all = format!(r#"\"k_dtypes\":{types}\"output_dtypes\":{types}"#);
    let honest = judged("all", &all, &[], &["--check", "accuracy"]).expect(0, &[]);
    assert_eq!([reached(&honest, "k_dtype"), reached(&honest, "output_dtype")], [Some((3, 3)); 2]);
    // Where outputs always have another type, every check has them.
    let alias = (r#"\"alias\":[\"out\",\"in\"],"#, r#"\"alias\":[\"out\"],"#);
    judged("wide", r#"\"output_dtypes\":[\"f32\"],"#, &[alias], &[]).expect(0, &[]);
    let kept = (TYPES[4].0, TYPES[4].0);
    for (name, edits) in [
        ("kept", vec![kept]),
        ("narrow", vec![("b * c[i] + a * s[i]);", "f32_from_bf16(bf16_from_f32(b * c[i] + a * s[i])));")]),
        ("tail", vec![(TYPES[6].0, "if (dtype != to) store(to, y + d * y_step, 0); else memcpy(y + d * y_step, x")]),
        (
            "key",
            vec![
                (
                    "rotate_head(plan, &qk->k, &qk->k_out,",
                    "{\n ropecheck_tensor k = qk->k;\n k.dtype = qk->q.dtype;\n rotate_head(plan, &k, &qk->k_out,",
                ),
                ("head - qk->q_heads, c, s);", "head - qk->q_heads, c, s); }"),
            ],
        ),
    ] {
        let run = judged(name, &all, &edits, &["--check", "accuracy", "--dtype", "bf16"]).expect(1, &[]);
        assert_eq!(failing(&run).into_iter().collect::<Vec<_>>(), ["accuracy"], "{name}");
    }
    // Nobody asks for what is not offered.
    let unsaid = judged("unsaid", "", &[kept], &["--check", "accuracy"]).expect(0, &[]);
    assert_eq!([reached(&unsaid, "k_dtype"), reached(&unsaid, "output_dtype")], [None; 2]);
}

/// Values of a scheme parameter that is offered as a range are a dimension of reach: both ends and what lies between.
#[test]
fn a_range_of_a_parameter_is_swept_and_said_in_reach() {
    let strides = r#"\"strides\":\"any\","#;
    let says = strides.to_owned() + r#"\"parameters\":{\"factor\":{\"min\":2,\"max\":8}},"#;
    let read = "const ropecheck_position_tensor *positions = &call->positions;";
    let judged = |name: &str, bug: &str| {
        let edits = [(strides, &*says), (read, &*format!("{bug} {read}"))];
        let selection = ["--scheme", "rope@yarn", "--level", "rotate", "--dtype", "f32", "--depth", "quick"];
        let run =
            check(&example(name, &edits), &[&selection[..], &["--check", "accuracy", "--format", "json"]].concat());
        let report = run.json().expect("a report");
        let reach = report["reach"][0]["dimensions"].as_array().expect("dimensions");
        let swept = reach.iter().find(|one| one["parameter"] == "factor").expect("the parameter");
        assert_eq!((&swept["dimension"], &swept["offered"]), (&"parameter_0".into(), &3.into()));
        (run.code, swept["reached"].clone())
    };
    assert_eq!(judged("swept", ""), (Some(0), 3.into()));
    // A kernel that has only the ends is wrong between them.
    let bug = "for (int64_t i = 0; i < call->scheme.n_parameters; i++) { \
               const double value = call->scheme.parameters[i].value; \
               if (!strcmp(call->scheme.parameters[i].name, \"factor\") && value > 4.5 && value < 7.9) \
               return ROPECHECK_INTERNAL; }";
    assert_eq!(judged("swept-wrong", bug).0, Some(1));
}
