//! The table of what holds for which scheme, cell by cell: where it holds, it does on every layout with T, H and W from
//! 1 to 9; where it does not, some of those layouts show it; and the spec of the scheme says the same.
//!
//! The table is typed here from the papers and the official code; the specs are what is tested.

use ropecheck::positions::sweep::{Extent, layouts, sampled};
use ropecheck::positions::{Layout, Positions, positions};
use ropecheck::property::{Checker, Outcome};
use ropecheck::property::{invariants::verify::Verification, invariants::verify::verify};
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;
use ropecheck::spec::model::{Invariant, Scheme, Stated};

const COLUMNS: [&str; 8] = [
    "non-negative",
    "continuous-boundary",
    "continuous-entry",
    "frames-contiguous",
    "degenerates-to-1d",
    "text-equals-1d",
    "no-collision",
    "unbiased",
];

/// + holds, - does not.
const TABLE: [(&str, &str); 18] = [
    ("rope", "+ + + + + + + -"),
    ("rope-2d", "+ - + - + + + -"),
    ("rope-3d", "+ - + - - + + -"),
    ("rope-share", "+ + + + + + - +"),
    ("rope-compact", "+ + + - - - + -"),
    ("vrope", "+ + + + + + + +"),
    ("vrope-continuity", "+ + + + + + + -"),
    ("vrope-symmetry", "+ - + - + + + +"),
    ("videorope@paper", "- - - - - + + -"),
    ("videorope@official", "- - - - - + + -"),
    ("tad-rope", "+ - - - - - + -"),
    ("rope-tie", "+ - - - - + + -"),
    ("qwen3-vl", "+ - + - + + + -"),
    ("glm-4.1v", "+ - + - + + + -"),
    ("qwen3.5", "+ - + - + + + -"),
    ("ernie-4.5-vl", "+ - + - - + + -"),
    // A tower knows rows and columns alone: text, and the frames of a video, all stand on the same places.
    ("qwen2-vl-vision", "+ - - - - - - -"),
    ("qwen2-vl-vision@raster", "+ - - - - - - -"),
];

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn stated<'a>(scheme: &'a Scheme, id: &str) -> &'a Invariant {
    let found = scheme.invariants.iter().find(|invariant| invariant.id == id);
    found.unwrap_or_else(|| panic!("{} does not state {id}", scheme.id()))
}

/// Whether the statement holds on all layouts that it speaks of, and how many those are; or the layout that refutes it.
fn survey(
    checker: &Checker<'_>,
    scheme: &Scheme,
    invariant: &Invariant,
    parameters: &Parameters,
    runs: &[(Layout, Positions)],
) -> Result<usize, String> {
    let mut judged = 0;
    for (layout, positions) in runs {
        let outcome = checker.check(scheme, invariant, parameters, positions);
        match outcome.unwrap_or_else(|error| panic!("{} on `{layout}`: {error}", scheme.id())) {
            Outcome::Holds { .. } => judged += 1,
            Outcome::NotApplicable => {}
            Outcome::Violated(violation) => return Err(format!("`{layout}`: {violation}")),
        }
    }
    Ok(judged)
}

/// Layouts that a statement must have been judged on at least: all 729 grids, the 648 with several frames, the 9 with
/// one cell a frame.
fn least(column: &str) -> usize {
    match column {
        "frames-contiguous" => 648,
        "degenerates-to-1d" => 9,
        _ => 729,
    }
}

fn run(scheme: &Scheme, parameters: &Parameters, extent: Extent) -> Vec<(Layout, Positions)> {
    let one = |layout: Layout| {
        let positions = positions(scheme, parameters, &layout).unwrap_or_else(|error| panic!("{error}"));
        (layout, positions)
    };
    layouts(extent).into_iter().map(one).collect()
}

#[test]
fn every_cell_of_the_table_is_as_the_sources_say() {
    let library = library();
    let checker = Checker::new(&library);
    let mut wrong = Vec::new();
    for (name, row) in TABLE {
        let scheme = library.get(name).unwrap_or_else(|error| panic!("{error}"));
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let runs = run(scheme, &parameters, Extent::Full);
        for (column, expected) in COLUMNS.iter().zip(row.split(' ')) {
            let invariant = stated(scheme, column);
            let found = survey(&checker, scheme, invariant, &parameters, &runs);
            match (expected, &found) {
                ("+", Ok(judged)) => assert!(*judged >= least(column), "{name} {column}: only {judged} layouts"),
                ("-", Err(_)) => {}
                _ => wrong.push(format!("{name} {column}: expected {expected}, found {found:?}")),
            }
            let says = if matches!(invariant.verdict, Stated::Holds) { "+" } else { "-" };
            if says != expected {
                wrong.push(format!("{name} {column}: expected {expected}, the spec says {says}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn videorope_degenerates_to_one_dimension_at_delta_1() {
    let library = library();
    let checker = Checker::new(&library);
    let one = [("delta".to_owned(), ropecheck::numeric::Number::one())];
    let survey_of = |name: &str| {
        let scheme = library.get(name).expect("a scheme");
        let parameters = Parameters::resolve(scheme, &one).expect("parameters");
        let runs = run(scheme, &parameters, Extent::Thin);
        survey(&checker, scheme, stated(scheme, "degenerates-to-1d"), &parameters, &runs)
    };
    assert!(survey_of("videorope@official").is_ok_and(|judged| judged > 5));
    assert!(survey_of("videorope@paper").is_err());
}

#[test]
fn everything_that_a_spec_states_of_itself_is_confirmed() {
    let library = library();
    let checker = Checker::new(&library);
    let mut layouts = layouts(Extent::Thin);
    layouts.extend(sampled().expect("layouts"));
    let mut wrong = Vec::new();
    for scheme in library.schemes() {
        for verified in verify(&checker, scheme, &layouts) {
            if !verified.finding.is_confirmed() {
                wrong.push(format!(
                    "{} line {}, {}: {}",
                    verified.scheme, verified.line, verified.invariant, verified.finding
                ));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_witness_that_stops_failing_is_an_error() {
    let mut library = library();
    let text = ropecheck::spec::library::embedded_file("schemes/m-rope.yaml").expect("a built-in file").text.clone();
    // On a grid of one column and one row the boundary is as it should be.
    let edited =
        text.replace("continuous-boundary: {fails: \"video:1x1x2\"}", "continuous-boundary: {fails: \"video:2x1x1\"}");
    assert_ne!(text, edited);
    library.add_text("edited.yaml", &edited).unwrap_or_else(|errors| panic!("{errors}"));
    let scheme = library.get("m-rope").expect("a scheme").clone();
    let checker = Checker::new(&library);
    let findings = verify(&checker, &scheme, &layouts(Extent::Small));
    let found = |id: &str| &findings.iter().find(|one| one.invariant == id).expect("stated").finding;
    assert!(matches!(found("continuous-boundary"), Verification::Fails { .. }), "axis h still shows it");
    let edited =
        text.replace("continuous-boundary: {fails: \"video:1x1x2\"}", "continuous-boundary: {fails: \"video:2x2x2\"}");
    library.add_text("edited.yaml", &edited).unwrap_or_else(|errors| panic!("{errors}"));
    let scheme = library.get("m-rope").expect("a scheme").clone();
    let checker = Checker::new(&library);
    let findings = verify(&checker, &scheme, &layouts(Extent::Small));
    let found = findings.iter().find(|one| one.invariant == "continuous-boundary").expect("stated");
    assert!(matches!(found.finding, Verification::WitnessHolds { .. }), "{}", found.finding);
    assert!(!found.finding.is_confirmed());
}

#[test]
fn a_statement_that_does_not_hold_is_refuted_with_its_place() {
    let mut library = library();
    let text = ropecheck::spec::library::embedded_file("schemes/rope-2d.yaml").expect("a built-in file").text.clone();
    let edited = text.replace("continuous-boundary: {fails: \"video:1x1x2\"}", "continuous-boundary: holds");
    assert_ne!(text, edited);
    library.add_text("edited.yaml", &edited).unwrap_or_else(|errors| panic!("{errors}"));
    let scheme = library.get("rope-2d").expect("a scheme").clone();
    let checker = Checker::new(&library);
    let findings = verify(&checker, &scheme, &layouts(Extent::Small));
    let found = findings.iter().find(|one| one.invariant == "continuous-boundary").expect("stated");
    let Verification::Refuted { layout, violation } = &found.finding else { panic!("{}", found.finding) };
    assert_eq!(layout.to_string(), "text:2 video:1x1x2 text:2");
    let text = violation.to_string();
    assert_eq!(
        text,
        "segment 1 (video:1x1x2), axis h: `next - max_last_frame == 1` is false with next = 4, max_last_frame = 2"
    );
}

fn finding_of(more: &str, id: &str) -> Verification {
    finding_with("p + t", more, id)
}

/// What comes of a statement of a scheme with this formula on both axes of a video.
fn finding_with(every: &str, more: &str, id: &str) -> Verification {
    let mut library = library();
    let text = format!(
        "scheme: custom\ntitle: a test\nsources: [{{ours: \"a test\"}}]\naxes: [a, b]\n\
         positions: {{video: {{every: \"{every}\", advance: \"T\"}}}}\n\
         axis_map: {{per_head: [{{heads: 3, axis: a}}, {{heads: rest, axis: b}}]}}\n\
         invariants:\n  non-negative: holds\n  continuous-boundary: holds\n  continuous-entry: holds\n\
        \x20 frames-contiguous: holds\n  degenerates-to-1d: holds\n  text-equals-1d: holds\n\
        \x20 no-collision: {{fails: \"video:1x1x2\"}}\n  unbiased: holds\n{more}\n"
    );
    library.add_text("custom.yaml", &text).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let scheme = library.get("custom").expect("a scheme").clone();
    let findings = verify(&Checker::new(&library), &scheme, &layouts(Extent::Small));
    findings.into_iter().find(|one| one.invariant == id).expect("stated").finding
}

/// A name without a value, such as the step of a first token, leaves a place out. Nothing else does.
#[test]
fn what_cannot_be_evaluated_is_an_error_and_not_left_out() {
    let holds =
        finding_of("  steps: {statement: a test, for: text-token, when: \"step > 0\", holds: \"step == 1\"}", "steps");
    assert!(matches!(holds, Verification::Holds { .. }), "{holds}");
    for more in ["when: \"1/(T - T) > 0\", holds: \"t >= 0\"", "holds: \"1/(T - T) > 0\""] {
        let found = finding_of(&format!("  broken: {{statement: a test, for: frame, {more}}}"), "broken");
        let Verification::Error(error) = &found else { panic!("{more}: {found}") };
        let text = error.to_string();
        assert!(text.contains("custom@default on `") && text.contains("frame 0"), "{text}");
        assert!(!found.is_confirmed());
    }
}

#[test]
fn a_statement_about_frequencies_names_width_and_head() {
    let found = finding_of("  on-a: {statement: a test, for: frequencies, holds: \"pairs.a > 0\"}", "on-a");
    let Verification::Refuted { violation, .. } = &found else { panic!("{found}") };
    assert_eq!(violation.to_string(), "head_dim 64, head 3: `pairs.a > 0` is false with pairs.a = 0");
}

#[test]
fn a_position_that_is_not_that_of_another_scheme_is_named() {
    let found = finding_with("p + 2*t", "", "degenerates-to-1d");
    let Verification::Refuted { layout, violation } = &found else { panic!("{found}") };
    assert_eq!(layout.to_string(), "text:13 video:2x1x1 text:2");
    assert_eq!(violation.place.to_string(), "segment 1 (video:2x1x1), token 14, cell (t, h, w) = (1, 0, 0), axis a");
    let found = finding_with("p + t", "", "degenerates-to-1d");
    assert!(matches!(found, Verification::Holds { .. }), "{found}");
}
