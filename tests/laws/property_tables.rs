//! The papers' tables of properties come out of the specs by rules that know no scheme by name.

use std::collections::BTreeMap;

use ropecheck::property::Outcome;
use ropecheck::property::{papers::Decision, papers::properties};
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;

const VROPE_COLUMNS: [&str; 3] = ["structure", "unbiased", "seamless"];
/// VRoPE, arXiv:2502.11664v1, table 2.
const VROPE: [(&str, &str); 6] = [
    ("rope", "- - +"),
    ("rope-2d", "+ - -"),
    ("rope-3d", "+ - -"),
    ("rope-share", "- + +"),
    ("rope-compact", "+ - +"),
    ("vrope", "+ + +"),
];

const VIDEOROPE_COLUMNS: [&str; 4] = ["structure", "frequency-allocation", "spatial-symmetry", "temporal-scaling"];
/// VideoRoPE, arXiv:2502.05173, table 1.
const VIDEOROPE: [(&str, &str); 5] = [
    ("rope", "- - - -"),
    ("tad-rope", "- - - +"),
    ("rope-tie", "+ - + -"),
    ("m-rope", "+ - - -"),
    ("videorope", "+ + + +"),
];

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn derive(library: &Library, name: &str) -> BTreeMap<&'static str, Decision> {
    let scheme = library.get(name).unwrap_or_else(|error| panic!("{error}"));
    let parameters = Parameters::defaults(scheme).expect("defaults");
    properties(scheme, &parameters).unwrap_or_else(|error| panic!("{name}: {error}")).into_iter().collect()
}

fn compare(columns: &[&str], table: &[(&str, &str)]) {
    let library = library();
    let mut wrong = Vec::new();
    for (name, row) in table {
        let found = derive(&library, name);
        for (column, expected) in columns.iter().zip(row.split(' ')) {
            let finding = &found[column];
            if finding.holds != (expected == "+") {
                wrong.push(format!("{name} {column}: expected {expected}, found {finding:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn vrope_table_2_is_reproduced() {
    compare(&VROPE_COLUMNS, &VROPE);
}

#[test]
fn videorope_table_1_is_reproduced() {
    compare(&VIDEOROPE_COLUMNS, &VIDEOROPE);
}

/// In the words of the same rules: time on the last 20 pairs; every axis on fast and slow pairs alike; time on the
/// fastest; no time at all. In all of them corners, not centres, coincide.
#[test]
fn schemes_of_later_models_have_the_properties_that_their_maps_give_them() {
    let rows =
        [("ernie-4.5-vl", "+ + - -"), ("qwen3.5", "+ - - -"), ("glm-4.1v", "+ - - -"), ("qwen2-vl-vision", "+ - - -")];
    compare(&VIDEOROPE_COLUMNS, &rows);
}

#[test]
fn the_tables_in_the_spec_folder_are_the_papers_tables() {
    let library = library();
    let typed =
        [("vrope-v1-table-2", &VROPE_COLUMNS[..], &VROPE[..]), ("videorope-table-1", &VIDEOROPE_COLUMNS, &VIDEOROPE)];
    for (id, columns, rows) in typed {
        let table = library.tables().iter().find(|table| table.id == id).unwrap_or_else(|| panic!("no table {id}"));
        assert_eq!(table.columns, columns);
        let claims = |row: &str| row.split(' ').map(|claim| claim == "+").collect::<Vec<_>>();
        let expected: Vec<_> = rows.iter().map(|(name, row)| ((*name).to_owned(), claims(row))).collect();
        let found: Vec<_> = table.rows.iter().map(|row| (row.scheme.clone(), row.claims.clone())).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn a_property_that_fails_comes_with_the_smallest_layout_that_shows_it() {
    let library = library();
    let witness = |name: &str, property: &str| {
        let finding = &derive(&library, name)[property];
        assert!(!finding.holds, "{name} {property}");
        (finding.witness.as_ref().map(ToString::to_string).unwrap_or_default(), finding.evidence.clone())
    };
    let (layout, evidence) = witness("rope", "structure");
    assert_eq!(layout, "text:1 video:1x2x2 text:2");
    assert_eq!(evidence, "frame 0 has rank 1: cells (0, 0), (0, 1), (1, 0) are at (1), (2), (3)");
    let (layout, evidence) = witness("rope-2d", "seamless");
    assert_eq!(layout, "text:1 video:1x1x2 text:2");
    assert_eq!(evidence, "on axis h the last frame ends at 1 and text goes on at 3");
    let (layout, _) = witness("m-rope", "unbiased");
    assert_eq!(layout, "text:1 video:1x1x2 text:2");
    let (layout, evidence) = witness("m-rope", "spatial-symmetry");
    // Half a cell apart is allowed, so one row against two columns is not yet enough.
    assert_eq!(layout, "text:1 video:1x1x3 text:2");
    assert_eq!(evidence, "frame 0 has its centre at 1 on axis h and at 2 on axis w; a cell is 1");
    let (layout, evidence) = witness("rope-tie", "frequency-allocation");
    assert_ne!(layout, "");
    assert_eq!(
        evidence,
        "at head_dim 128 pair 0 of axis t turns at 1e0, no slower than pair 63 of axis w at 1.1547819846894582e-4"
    );
}

#[test]
fn unbiased_and_seamless_agree_with_the_invariants_of_the_same_meaning() {
    // Two independent paths to one truth: the property rules, and the catalogue's formulas on the property's witness.
    let library = library();
    let checker = ropecheck::property::Checker::new(&library);
    for scheme in library.schemes() {
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let found = properties(scheme, &parameters).unwrap_or_else(|error| panic!("{}: {error}", scheme.id()));
        for (property, invariant) in [("unbiased", "unbiased"), ("seamless", "continuous-boundary")] {
            let (_, finding) = found.iter().find(|(id, _)| *id == property).expect("a property");
            let stated = scheme.invariants.iter().find(|one| one.id == invariant).expect("a required invariant");
            let says_holds = matches!(stated.verdict, ropecheck::spec::model::Stated::Holds);
            assert_eq!(finding.holds, says_holds, "{} {property}: {}", scheme.id(), finding.evidence);
            if let Some(witness) = &finding.witness {
                let outcome = checker.evaluate(scheme, stated, &parameters, witness).expect("an outcome");
                assert!(matches!(outcome, Outcome::Violated(_)), "{} {property} on `{witness}`", scheme.id());
            }
        }
    }
}

/// A pair with frequency 0 turns by nothing, so it is no slow pair of time.
#[test]
fn pairs_that_do_not_turn_are_no_slow_pairs() {
    let scheme = |time: &str| {
        let text = format!(
            "scheme: still\ntitle: a test\nsources: [{{ours: \"a test\"}}]\naxes: [t, h, w]\n\
             positions: {{video: {{t: \"p + t\", h: \"p + h\", w: \"p + w\", advance: \"max(T, H, W)\"}}}}\n\
             axis_map: {{sections: {{h: \"floor(R/4)\", w: \"floor(R/4)\", t: rest}}}}\n\
             frequencies: {{inv_freq: {{t: \"{time}\", h: \"base ^ (-2*i/d)\", w: \"base ^ (-2*i/d)\"}}}}\n\
             invariants: {{non-negative: holds, continuous-boundary: holds, continuous-entry: holds, \
             frames-contiguous: holds, degenerates-to-1d: holds, text-equals-1d: holds, no-collision: holds, \
             unbiased: holds}}\n"
        );
        let mut library = library();
        library.add_text("still.yaml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        derive(&library, "still")["frequency-allocation"].clone()
    };
    assert!(scheme("base ^ (-2*i/d)").holds);
    let still = scheme("0");
    assert!(!still.holds && still.evidence == "at head_dim 128 no pair rotates with t", "{still:?}");
}
