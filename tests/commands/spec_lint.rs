//! `spec lint`, and commands that take a spec which does not state everything yet.

use std::path::PathBuf;
use std::process::{Command, Output};

use ropecheck::spec::library::embedded_file;

fn ropecheck(arguments: &[&str]) -> (Option<i32>, String, String) {
    let Output { status, stdout, stderr } =
        Command::new(env!("CARGO_BIN_EXE_ropecheck")).args(arguments).output().expect("the program starts");
    (status.code(), String::from_utf8_lossy(&stdout).into_owned(), String::from_utf8_lossy(&stderr).into_owned())
}

fn file(folder: &tempfile::TempDir, name: &str, text: &str) -> PathBuf {
    let path = folder.path().join(name);
    std::fs::write(&path, text).expect("a file");
    path
}

fn m_rope() -> String {
    embedded_file("schemes/m-rope.yaml").expect("a built-in file").text.clone()
}

/// The text without its invariants, which come last in the part that is taken.
fn without_invariants() -> &'static str {
    "scheme: mine\ntitle: \"A draft\"\nsources: [{ours: \"a test\"}]\naxes: [t, h, w]\npositions:\n  video:\n    t: \"p + t\"\n    \
     h: \"p + h\"\n    w: \"p + w\"\n    advance: \"max(T, H, W)\"\naxis_map: {blocks: [t, h, w]}\n"
}

#[test]
fn a_spec_that_states_all_of_it_is_clean() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "m-rope.yaml", &m_rope());
    let (code, out, err) = ropecheck(&["spec", "lint", path.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("0 wrong, 0 missing") && out.contains("spatial-symmetry"), "{out}");
}

#[test]
fn what_is_missing_is_proposed_and_the_proposal_is_true() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "mine.yaml", without_invariants());
    let name = path.to_str().expect("a path");
    let (code, out, err) = ropecheck(&["spec", "lint", name]);
    assert_eq!(code, Some(3), "{out}{err}");
    assert!(
        out.contains("MISSING unbiased is not stated; it fails on `") && out.contains("0 stated, 0 wrong, 8 missing"),
        "{out}"
    );
    let (code, yaml, _) = ropecheck(&["spec", "lint", name, "--suggest"]);
    assert_eq!(code, Some(3));
    assert!(yaml.contains("\ninvariants:\n") && yaml.contains("  non-negative: holds\n"), "{yaml}");
    // All of standard output can be added as it is.
    let whole = file(&folder, "whole.yaml", &format!("{}{yaml}", without_invariants()));
    let (code, out, err) = ropecheck(&["spec", "lint", whole.to_str().expect("a path")]);
    assert_eq!(code, Some(0), "{out}{err}");
    assert!(out.contains("8 stated, 0 wrong, 0 missing"), "{out}");
}

#[test]
fn a_statement_that_is_not_true_is_wrong() {
    let folder = tempfile::tempdir().expect("a folder");
    let text = m_rope().replace("no-collision: holds", "no-collision: {fails: \"text:2\"}");
    assert_ne!(text, m_rope());
    let path = file(&folder, "m-rope.yaml", &text);
    let (code, out, _) = ropecheck(&["spec", "lint", path.to_str().expect("a path")]);
    assert_eq!(code, Some(3));
    assert!(out.contains("WRONG   no-collision") && out.contains("16 stated, 2 wrong, 0 missing"), "{out}");
}

#[test]
fn a_draft_can_be_looked_at_but_not_checked() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "mine.yaml", without_invariants());
    let name = path.to_str().expect("a path");
    for arguments in [
        &["positions", "--scheme", "mine", "--layout", "text:1 video:1x2x2", "--spec", name][..],
        &["properties", "mine", "--spec", name],
        &["plot", "positions", "--scheme", "mine", "--spec", name],
    ] {
        let (code, out, err) = ropecheck(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {out}{err}");
        assert!(out.contains("mine"), "{out}");
    }
    let (code, _, err) = ropecheck(&["check", "--scheme", "mine", "--spec", name]);
    assert_eq!(code, Some(3));
    assert!(err.contains("does not say whether it keeps: non-negative"), "{err}");
}

#[test]
fn a_file_that_is_none_is_refused() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = file(&folder, "broken.yaml", "scheme: [");
    assert_eq!(ropecheck(&["spec", "lint", path.to_str().expect("a path")]).0, Some(3));
    assert_eq!(ropecheck(&["spec", "lint", "/nowhere/at-all.yaml"]).0, Some(3));
    assert_eq!(ropecheck(&["spec", "lint"]).0, Some(2));
}
