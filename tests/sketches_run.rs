//! Schemes that are not built in run as a user's files do: positions, plan, their own statements and their properties.

use std::fs;
use std::path::{Path, PathBuf};

use ropecheck::positions::{Layout, positions};
use ropecheck::positions::{sweep::Extent, sweep::layouts};
use ropecheck::property::Checker;
use ropecheck::property::invariants::verify::verify;
use ropecheck::property::papers::properties;
use ropecheck::rotation::{HeadShape, PlanError, RotationPlan};
use ropecheck::spec::Parameters;
use ropecheck::spec::model::Scheme;
use ropecheck::spec::{HeadError, Library};

fn with_sketches() -> (Library, Vec<String>) {
    let mut library = Library::embedded().unwrap_or_else(|errors| panic!("{errors}"));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sketches");
    let mut files: Vec<_> = fs::read_dir(folder).expect("a folder").map(|file| file.expect("a file").path()).collect();
    files.sort();
    let add = |file: &PathBuf| library.add_file(file).unwrap_or_else(|errors| panic!("{errors}"));
    let names: Vec<String> = files.iter().map(add).collect();
    assert!(names.len() >= 9);
    (library, names)
}

#[test]
fn every_sketch_has_positions_and_a_plan() {
    let (library, names) = with_sketches();
    let layout = Layout::parse("text:3 video:2x3x2@0.5s text:2 image:2x3 text:1").expect("a layout");
    for scheme in library.schemes().filter(|scheme| names.contains(&scheme.name)) {
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
fn what_the_sketches_state_of_themselves_is_confirmed() {
    let (library, names) = with_sketches();
    let checker = Checker::new(&library);
    let layouts = layouts(Extent::Small);
    let refuted = |scheme: &Scheme| {
        let findings = verify(&checker, scheme, &layouts).into_iter().filter(|one| !one.finding.is_confirmed());
        findings
            .map(|one| format!("{} line {}, {}: {}", one.scheme, one.line, one.invariant, one.finding))
            .collect::<Vec<_>>()
    };
    let sketches = library.schemes().filter(|scheme| names.contains(&scheme.name));
    let wrong: Vec<String> = sketches.flat_map(|scheme| refuted(scheme)).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What their authors say of them, in the words of the rules.
#[test]
fn the_sketches_have_the_properties_they_were_made_for() {
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
    let (library, names) = with_sketches();
    for name in &names {
        let scheme = library.get(name).expect("a scheme");
        let parameters = Parameters::defaults(scheme).expect("defaults");
        let found = properties(scheme, &parameters).unwrap_or_else(|error| panic!("{name}: {error}"));
        for (scheme, property, expected) in KNOWN.iter().filter(|(scheme, ..)| scheme == name) {
            let (_, finding) = found.iter().find(|(id, _)| id == property).expect("a property");
            assert_eq!(finding.holds, *expected, "{scheme} {property}: {}", finding.evidence);
        }
    }
}
