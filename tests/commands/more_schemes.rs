//! Schemes that are judged by name: positions, plan, their own statements, their properties, and who takes them.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use ropecheck::positions::{Layout, positions};
use ropecheck::positions::{sweep::Extent, sweep::layouts, sweep::sampled};
use ropecheck::property::Checker;
use ropecheck::property::invariants::verify::verify;
use ropecheck::property::papers::properties;
use ropecheck::rotation::{HeadShape, PlanError, RotationPlan};
use ropecheck::spec::Parameters;
use ropecheck::spec::model::Scheme;
use ropecheck::spec::{HeadError, Library};

fn library() -> Library {
    Library::embedded().unwrap_or_else(|errors| panic!("{errors}"))
}

fn by_name(library: &Library) -> Vec<&Arc<Scheme>> {
    library.all().filter(|scheme| scheme.by_name).collect()
}

#[test]
fn a_run_takes_them_by_name_alone() {
    let mut library = library();
    let usual: BTreeSet<String> = library.schemes().map(|scheme| scheme.id()).collect();
    let told: Vec<String> = by_name(&library).iter().map(|scheme| scheme.id()).collect();
    assert!(told.len() >= 14, "{told:?}");
    assert!(told.iter().all(|id| !usual.contains(id) && library.get(id).is_ok()));
    // A user's own file is told by being there, whatever it says.
    let text = ropecheck::spec::library::embedded_file("schemes/wan2.1.yaml").expect("a built-in file").text.clone();
    library.add_text("own.yaml", &text).unwrap_or_else(|errors| panic!("{errors}"));
    assert!(library.schemes().any(|scheme| scheme.name == "wan2.1"));
    let wrong = text.replace("judged: by-name", "judged: by-nam");
    let errors = library.add_text("own.yaml", &wrong).expect_err("an unknown word").to_string();
    assert!(errors.contains("own.yaml:2") && errors.contains("by-name"), "{errors}");
}

#[test]
fn the_document_links_to_every_one() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = fs::read_to_string(root.join("docs/schemes.md")).expect("docs/schemes.md");
    for scheme in by_name(&library()) {
        let name = &scheme.name;
        assert!(text.contains(&format!("(../spec/schemes/{name}.yaml)")), "no link to {name}");
    }
}

#[test]
fn every_one_has_positions_and_a_plan() {
    let library = library();
    let layout = Layout::parse("text:3 video:2x3x2@0.5s text:2 image:2x3 text:1").expect("a layout");
    for scheme in by_name(&library) {
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let positions = positions(scheme, &parameters, &layout).unwrap_or_else(|error| panic!("{error}"));
        assert!(positions.columns().iter().all(|column| column.len() as u64 == layout.tokens()));
        let mut made = 0;
        for head_dim in [64, 80, 96, 128, 256] {
            match RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim)) {
                Ok(_) => made += 1,
                Err(PlanError { error: HeadError::Misfit(_), .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
        assert!(made > 0, "{} has no plan", scheme.id());
    }
}

#[test]
fn what_they_state_of_themselves_is_confirmed() {
    let library = library();
    let checker = Checker::new(&library);
    let mut layouts = layouts(Extent::Small);
    layouts.extend(sampled().expect("layouts"));
    let refuted = |scheme: &Scheme| {
        let findings = verify(&checker, scheme, &layouts).into_iter().filter(|one| !one.finding.is_confirmed());
        findings
            .map(|one| format!("{} line {}, {}: {}", one.scheme, one.line, one.invariant, one.finding))
            .collect::<Vec<_>>()
    };
    let all = by_name(&library);
    let wrong: Vec<String> = all.into_iter().flat_map(|scheme| refuted(scheme)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What their authors say of them, in the words of the rules.
#[test]
fn they_have_the_properties_they_were_made_for() {
    const KNOWN: [(&str, &str, bool); 12] = [
        // Every cell of a frame on one plane across the diagonal of the axes.
        ("circle-rope", "unbiased", true),
        // Fractions of an index, still one axis.
        ("v2pe", "structure", false),
        ("v2pe", "temporal-scaling", false),
        // VideoRoPE's diagonal with a scale for time, but time itself is not rotated.
        ("hope", "structure", true),
        ("hope", "spatial-symmetry", true),
        ("hope", "temporal-scaling", true),
        ("hope", "frequency-allocation", false),
        // Every axis gets fast and slow pairs alike.
        ("mrope-i", "frequency-allocation", false),
        ("mm-rope", "temporal-scaling", true),
        ("videorope-plus-plus", "frequency-allocation", true),
        ("videorope-plus-plus", "spatial-symmetry", true),
        // Heads of time rotate at every frequency.
        ("mhrope", "frequency-allocation", false),
    ];
    let library = library();
    for scheme in by_name(&library).into_iter().filter(|scheme| scheme.is_default_profile) {
        let name = &scheme.name;
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let found = properties(scheme, &parameters).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (scheme, property, expected) in KNOWN.iter().filter(|(scheme, ..)| scheme == name) {
            let (_, finding) = found.iter().find(|(id, _)| id == property).expect("a property");
            assert_eq!(finding.holds, *expected, "{scheme} {property}: {}", finding.evidence);
        }
    }
}

/// The embedded kernel, which is given positions, map and frequencies, conforms to a scheme that is named; and one that is not
/// named is not run.
#[test]
fn a_run_that_names_one_judges_it() {
    for name in ["hope", "circle-rope"] {
        let output = std::process::Command::new(env!("CARGO_BIN_EXE_ropecheck"))
            .args([
                "check", "--depth", "quick", "--cases", "1", "--dtype", "f32", "--level", "rotate", "--scheme", name,
            ])
            .output()
            .expect("the program starts");
        let out = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{out}");
        assert!(
            out.contains(&format!("\n{name}@default ")) && out.contains("judged by name, and no golden cases"),
            "{out}"
        );
    }
}
