//! The grammar is wide enough: schemes that are not built in load as a user's files, alone and all together.
//! `docs/schemes-on-paper.md` says what each of them needs.

use std::fs;
use std::path::{Path, PathBuf};

use ropecheck::spec::Library;

fn sketches() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sketches");
    let mut files: Vec<PathBuf> =
        fs::read_dir(folder).expect("tests/sketches").map(|entry| entry.expect("entry").path()).collect();
    files.sort();
    files
}

#[test]
fn every_sketch_loads() {
    let mut library = Library::embedded().expect("built-in specs");
    let built_in = library.schemes().count();
    let sketches = sketches();
    assert!(sketches.len() >= 9);
    for path in &sketches {
        let name = library.add_file(path).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
        let file = path.file_stem().expect("name").to_string_lossy();
        assert_eq!(name, file, "the file is called as its scheme");
        assert!(library.get(&name).expect("loaded").is_default_profile);
    }
    assert!(library.schemes().count() >= built_in + sketches.len());
}

#[test]
fn the_document_links_to_every_sketch() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/schemes-on-paper.md");
    let text = fs::read_to_string(document).expect("docs/schemes-on-paper.md");
    for path in sketches() {
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        assert!(text.contains(&format!("(../tests/sketches/{name})")), "no link to {name}");
    }
}

/// The worked example of `docs/spec.md` is what it says: a file that loads.
#[test]
fn the_worked_example_of_the_documentation_loads() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/spec.md");
    let text = fs::read_to_string(document).expect("docs/spec.md");
    let mut library = Library::embedded().expect("built-in specs");
    let mut loaded = 0;
    for block in text.split("```yaml\n").skip(1) {
        let block = block.split("```").next().expect("block");
        if block.starts_with("scheme:") {
            library.add_text("docs/spec.md", block).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
            loaded += 1;
        }
    }
    assert!(loaded >= 2, "{loaded} examples");
}
