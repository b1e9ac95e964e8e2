//! What is in `golden/` is what the specs give today, byte for byte; and every scheme's page there is one that a person has read.
//!
//! `INSTA_UPDATE=always cargo test --test golden` writes it all again. A changed line is then looked at like any other change.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;

use ropecheck::case::tensor_file::TensorFile;
use ropecheck::check::golden::{self, DTYPES, GoldenFiles, LAYOUT, SUMS, TOKENS, WIDTHS};
use ropecheck::contract::contracts;
use ropecheck::contract::{ContractTable, Frequency};
use ropecheck::contract::{PairBound, Types};
use ropecheck::numeric::Number;
use ropecheck::positions::{Layout, positions};
use ropecheck::property::papers::properties;
use ropecheck::rotation::{HeadShape, RotationPlan};
use ropecheck::spec::Parameters;
use ropecheck::spec::model::{Scheme, Stated};
use ropecheck::spec::{Library, model};

/// Most bytes of `golden/`.
const MOST: u64 = 6 << 20;

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn table() -> ContractTable {
    contracts().unwrap_or_else(|errors| panic!("{errors}"))
}

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("golden").join(name)
}

fn writes() -> bool {
    std::env::var("INSTA_UPDATE").is_ok_and(|v| v == "always")
}

/// The files of `golden/tensors/`, or what they are just being replaced by.
fn files() -> GoldenFiles {
    if !writes() {
        return on_disk();
    }
    golden::make(&library(), &table(), &on_disk()).unwrap_or_else(|why| panic!("{why}"))
}

fn on_disk() -> GoldenFiles {
    let entries = std::fs::read_dir(folder("tensors")).expect("golden/tensors is there");
    let mut all = GoldenFiles::new();
    for entry in entries {
        let entry = entry.expect("an entry");
        let name = entry.file_name().into_string().expect("a name");
        all.insert(name, std::fs::read(entry.path()).expect("a file"));
    }
    all
}

/// The same file as if another version had recorded it, from a spec with another comment.
fn recorded_elsewhere(bytes: &[u8]) -> Vec<u8> {
    let mut file = TensorFile::read(bytes).unwrap_or_else(|e| panic!("{e}"));
    let mut provenance: golden::Provenance = serde_json::from_str(&file.metadata).expect("provenance");
    (provenance.ropecheck, provenance.spec_sha256) = ("0.0.1".into(), "0".repeat(64));
    file.metadata = serde_json::to_string(&provenance).expect("JSON");
    file.write().unwrap_or_else(|e| panic!("{e}"))
}

#[test]
fn the_tensors_are_what_the_specs_give_to_the_byte() {
    const OLD: &str = "vrope@official.safetensors";
    let on_disk = on_disk();
    let mut before = on_disk.clone();
    if !writes() {
        // Values that stay keep the provenance that they have: a new version changes no file.
        let old = before.get_mut(OLD).expect("a file");
        *old = recorded_elsewhere(old);
        assert_ne!(before, on_disk);
    }
    let mut made = golden::make(&library(), &table(), &before).unwrap_or_else(|why| panic!("{why}"));
    if writes() {
        for name in on_disk.keys().filter(|name| !made.contains_key(*name)) {
            std::fs::remove_file(folder("tensors").join(name)).expect("an old file can be removed");
        }
        for (name, bytes) in &made {
            std::fs::write(folder("tensors").join(name), bytes).expect("the file can be written");
        }
        return;
    }
    let names = |files: &GoldenFiles| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&on_disk), names(&made));
    assert!(made[OLD] == before[OLD], "values that stay keep their provenance");
    let sums = String::from_utf8(made.remove(SUMS).expect("sums")).expect("text");
    for line in String::from_utf8(on_disk[SUMS].clone()).expect("text").lines().filter(|line| !line.ends_with(OLD)) {
        assert!(sums.contains(line), "{SUMS}: {line}");
    }
    for (name, bytes) in made.iter().filter(|(name, _)| *name != OLD) {
        let same = on_disk[name] == *bytes;
        assert!(same, "golden/tensors/{name} is not what the specs give; docs/golden.md says when that is right");
    }
}

#[test]
fn every_scheme_has_its_tensors_and_no_other_is_there() {
    let library = library();
    let read = golden::read(&files()).unwrap_or_else(|why| panic!("{why}"));
    let schemes: BTreeSet<String> = library.schemes().map(|s| s.id()).collect();
    assert_eq!(read.schemes.keys().cloned().collect::<BTreeSet<_>>(), schemes);
    if !writes() {
        assert!(
            golden::embedded() == on_disk(),
            "what is compiled in is not what is on disk: touch src/check/golden/stored.rs"
        );
    }
    for (id, entry) in &read.schemes {
        for case in entry.provenance.cases.values() {
            let case: ropecheck::case::Case = case.parse().unwrap_or_else(|e| panic!("{e}"));
            assert_eq!((case.check.as_str(), &case.scheme), ("golden", id));
        }
        let widths = golden::widths(library.get(id).expect("a scheme")).len();
        assert_eq!((entry.provenance.cases.len(), entry.widths.len()), (widths * DTYPES.len(), widths));
        for axis in &entry.positions {
            assert!(axis.iter().any(|p| *p != axis[0]), "{id}: an axis on which nothing moves shows nothing");
        }
    }
}

#[test]
fn the_whole_folder_is_small() {
    let mut total = 0;
    for name in ["", "tensors", "schemes"] {
        for entry in std::fs::read_dir(folder(name)).expect("a folder") {
            let entry = entry.expect("an entry").metadata().expect("its size");
            total += if entry.is_file() { entry.len() } else { 0 };
        }
    }
    assert!(total < MOST, "{total} bytes");
}

#[test]
fn this_program_agrees_with_the_tensors() {
    let count = golden::agree_with(&files(), &table(), &WIDTHS).unwrap_or_else(|all| panic!("{}", all.join("\n")));
    let pairs: u32 = library().schemes().flat_map(|s| golden::widths(s)).map(|(width, _)| width / 2).sum();
    assert_eq!(count, TOKENS * pairs as usize * 2 * DTYPES.len());
}

#[test]
fn a_reference_or_a_bound_that_changed_is_seen() {
    let golden = golden::read(&files()).unwrap_or_else(|why| panic!("{why}"));
    let contract = table().contract("fused", "table").expect("a contract");
    assert!(golden::agree(&golden, &contract, &WIDTHS).is_ok());
    let changed = |change: &dyn Fn(&mut golden::Width)| {
        let mut golden = golden.clone();
        let entry = golden.schemes.get_mut("rope-tie@default").expect("a scheme");
        change(&mut entry.widths[1].1);
        golden::agree(&golden, &contract, &WIDTHS).err().map(|all| all.join("\n")).unwrap_or_default()
    };
    let at = 2 * (7 * 64 + 3);
    let said = changed(&|w| w.expected[1].values[at] *= 1.0 + 2f64.powi(-40));
    assert!(
        said.contains("rope-tie@default") && said.contains("128/f16, token 7, pair 3: the reference says"),
        "{said}"
    );
    let said = changed(&|w| w.expected[2].bounds[at] = f64::from((w.expected[2].bounds[at] as f32).next_up()));
    assert!(said.contains("128/bf16, token 7, pair 3: the bound is"), "{said}");
    let said = changed(&|w| w.inv_freq[3] = w.inv_freq[3].next_up());
    assert!(!said.is_empty());
    let said = changed(&|w| w.axis_of_pair[3] ^= 1);
    assert!(said.contains("pair 3: the reference says"), "{said}");
}

#[test]
fn one_flipped_bit_anywhere_is_noticed() {
    let files = files();
    let mut tried = 0;
    for (name, bytes) in &files {
        // Some places of each file: the first and last bytes, its header, its data.
        let step = (bytes.len() / 7).max(1);
        for at in (0..bytes.len()).step_by(step).chain([bytes.len() - 1]) {
            let mut changed = files.clone();
            changed.get_mut(name).expect("a file")[at] ^= 1 << (at % 8);
            let error = golden::read(&changed).expect_err("a changed file");
            assert!(error.contains("golden/tensors/"), "{error}");
            tried += 1;
        }
    }
    assert!(tried > 100);
    // Changed together with its checksum it is still no file of tensors, or not what this program says.
    let mut without = files.clone();
    without.remove("vrope@official.safetensors");
    let error = golden::read(&without).expect_err("a missing file");
    assert_eq!(error, "golden/tensors/vrope@official.safetensors: it is missing, and listed in SHA256SUMS");
    let mut more = files.clone();
    more.insert("more.safetensors".into(), Vec::new());
    let error = golden::read(&more).expect_err("a file too many");
    assert_eq!(error, "golden/tensors/more.safetensors: it is not listed in SHA256SUMS");
    let mut twice = files;
    let sums = twice.get_mut(SUMS).expect("sums");
    let line = sums.split(|b| *b == b'\n').next().expect("a line").to_vec();
    sums.extend(line);
    assert!(golden::read(&twice).expect_err("a line twice").contains("is there twice"));
}

// ---------------------------------------------------------------------------------------------- pages of the schemes

fn page(scheme: &Scheme) -> String {
    let mut out = format!("{}: {}\n", scheme.id(), scheme.title);
    let parameters = Parameters::defaults(scheme).unwrap_or_else(|e| panic!("{e}"));
    for layout in [LAYOUT, "text:1 image:3x2 video:3x1x2@0.5s text:1 video:2x2x1 text:2"] {
        let layout = Layout::parse(layout).unwrap_or_else(|e| panic!("{e}"));
        position_table(&mut out, scheme, &parameters, &layout);
    }
    for (width, head_dim) in golden::widths(scheme) {
        let shape = HeadShape::of_dim(head_dim);
        let plan = RotationPlan::new(scheme, &parameters, shape).unwrap_or_else(|e| panic!("{e}"));
        plan_table(&mut out, scheme, width, &plan);
    }
    let _ = writeln!(out, "\nproperties");
    for (id, finding) in properties(scheme, &parameters).unwrap_or_else(|e| panic!("{e}")) {
        let holds = if finding.holds { "yes" } else { "NO" };
        let witness = finding.witness.map(|w| format!(" [{w}]")).unwrap_or_default();
        let _ = writeln!(out, "  {id:22}{holds:4}{}{witness}", finding.evidence);
    }
    let _ = writeln!(out, "\nstatements of the spec");
    for stated in &scheme.invariants {
        let _ = writeln!(out, "  {:30}{}", stated.id, verdict(stated));
    }
    out
}

fn verdict(stated: &model::Invariant) -> String {
    match &stated.verdict {
        Stated::Holds => "holds".into(),
        Stated::Fails { witness } => format!("fails on {witness}"),
    }
}

fn position_table(out: &mut String, scheme: &Scheme, parameters: &Parameters, layout: &Layout) {
    let found = positions(scheme, parameters, layout).unwrap_or_else(|e| panic!("{e}"));
    let _ = writeln!(out, "\npositions of {layout}");
    let mut tokens = vec!["token".to_owned()];
    tokens.extend((0..layout.tokens()).map(|t| t.to_string()));
    tokens.push("next".into());
    let mut rows = vec![tokens];
    for (axis, name) in scheme.axes.iter().enumerate() {
        let mut row = vec![name.clone()];
        row.extend((0..layout.tokens()).map(|t| found.get(axis, t).as_ref().map_or("?".into(), exact)));
        row.push(found.next().on(axis).map_or("?".into(), exact));
        rows.push(row);
    }
    let widths: Vec<usize> = (0..rows[0].len()).map(|c| rows.iter().map(|r| r[c].len()).max().unwrap_or(0)).collect();
    for row in &rows {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:>width$}")).collect();
        let _ = writeln!(out, "  {}", cells.join(" ").trim_end());
    }
}

/// Integers, or fractions: no rounding.
fn exact(number: &Number) -> String {
    match number.as_ratio() {
        Some((n, 1)) => n.to_string(),
        Some((n, d)) => format!("{n}/{d}"),
        None => number.to_string(),
    }
}

fn plan_table(out: &mut String, scheme: &Scheme, width: u32, plan: &RotationPlan) {
    let _ = writeln!(out, "\nrotation plan of heads with {width} channels");
    let (dim, offset) = (plan.rotary_dim, plan.rotary_offset);
    let base = plan.base.map_or("none".into(), |b| b.to_string());
    let _ = writeln!(out, "  rotary_dim {dim} at {offset}, attention_scaling {}, base {base}", plan.attention_scaling);
    if let Some(sections) = &plan.sections {
        let _ = writeln!(out, "  sections {sections:?}{}", if plan.interleaved { ", interleaved" } else { "" });
    }
    let axes = plan.axes(0);
    let name = |axis: u8| scheme.axes.get(usize::from(axis)).map_or("-", String::as_str);
    let _ = writeln!(out, "  pair: axis, inv_freq as the f64 nearest to the formula");
    for (pair, (axis, frequency)) in axes.iter().zip(plan.frequencies(0)).enumerate() {
        let _ = writeln!(out, "  {pair:>4}: {:6} {:016x} {frequency:e}", name(*axis), frequency.to_bits());
    }
}

#[test]
fn every_scheme_has_a_page_of_positions_plan_and_properties() {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder("schemes"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    let library = library();
    settings.bind(|| {
        for scheme in library.schemes() {
            insta::assert_snapshot!(scheme.id(), page(scheme));
        }
    });
    let pages = std::fs::read_dir(folder("schemes")).expect("a folder").filter_map(Result::ok);
    let names: BTreeSet<String> = pages.filter_map(|p| p.file_name().into_string().ok()).collect();
    let wanted: BTreeSet<String> = library.schemes().map(|s| format!("{}.snap", s.id())).collect();
    let stray: Vec<_> = names.iter().filter(|n| n.ends_with(".snap") && !wanted.contains(*n)).collect();
    assert!(stray.is_empty(), "pages of schemes that are no more: {stray:?}");
}

/// The bound of every class, way and type at three elements of the golden cases: bounds other than the stored one.
#[test]
fn the_bounds_of_all_contracts_are_printed() {
    let table = table();
    let golden = golden::read(&files()).unwrap_or_else(|why| panic!("{why}"));
    let kept = golden.schemes["rope@default"].width(64).expect("a width");
    let mut out =
        String::from("first output of pairs 0, 20 and 40 of rope@default, 128 channels, at positions 17, 9 and 16\n");
    for class in &table.classes {
        for way in &table.frequencies {
            let contract = table.contract(&class.name, &way.name).expect("names of the table");
            let _ = write!(out, "{:24}", format!("{}/{}", class.name, way.name));
            for (index, dtype) in DTYPES.into_iter().enumerate() {
                let types = Types::new(&contract, dtype);
                for (pair, token) in [(0usize, 17usize), (20, 9), (40, 16)] {
                    let (frequency, position) =
                        (kept.inv_freq[pair], golden.schemes["rope@default"].positions[0][token].to_dd());
                    let power = Frequency::power(frequency, 1e4, pair as u32, 128);
                    let steps = contract.steps(&power).expect("a base");
                    let bound = PairBound::new(&contract, &types, steps, frequency, position, 1.0, true);
                    let inputs = golden.input(index, token, pair);
                    let (y, z) = bound.turn.apply(inputs.0, inputs.1);
                    let limit = if bound.beyond_limit { "!" } else { "" };
                    let _ = write!(out, " {limit}{:.4e}", bound.allowance(&types, false, inputs, y, z).total());
                }
                out.push_str(if index < 2 { " |" } else { "\n" });
            }
        }
    }
    out.push_str("groups: f32 | f16 | bf16; !: beyond the angle limit, nothing is claimed\n");
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(folder(""));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!("bounds", out));
}

#[test]
fn outputs_of_other_programs_can_be_compared_with_the_files_alone() {
    // What docs/golden.md says about the files, read with the crate of the format.
    let files = files();
    let bytes = &files["m-rope@default.safetensors"];
    let theirs = safetensors::SafeTensors::deserialize(bytes).expect("a safetensors file");
    let ours = TensorFile::read(bytes).expect("a file");
    assert_eq!(theirs.len(), ours.tensors.len());
    assert_eq!(theirs.tensor("128/bf16/value").expect("a tensor").shape(), [18, 64, 2]);
}
