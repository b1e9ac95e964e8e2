//! Every kind of mistake in a spec has a message that says where it is, what was expected and what was found.
//! Each `tests/spec_errors/NAME.yaml` stands beside the message it must give, `NAME.stderr`.
//! `BLESS=1 cargo test --test laws spec_errors` writes the messages anew; read the difference before committing it.

use std::fs;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use ropecheck::spec::{Library, yaml};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spec_errors")
}

fn names() -> Vec<String> {
    let entries = fs::read_dir(folder()).expect("tests/spec_errors");
    let paths = entries.map(|entry| entry.expect("entry").path());
    let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
    let mut names: Vec<String> =
        yaml.map(|path| path.file_stem().expect("name").to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_mistake_has_its_message() {
    let library = Library::embedded().expect("built-in specs");
    let mut wrong = Vec::new();
    for name in names() {
        let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("spec");
        let expected = folder().join(format!("{name}.stderr"));
        let Err(errors) = library.clone().add_text(&format!("{name}.yaml"), &text) else {
            wrong.push(format!("{name}: loads without an error"));
            continue;
        };
        let found = format!("{}\n\n{errors}\n", errors.render(false));
        if std::env::var_os("BLESS").is_some() {
            fs::write(&expected, &found).expect("write");
        } else if fs::read_to_string(&expected).ok().as_deref() != Some(found.as_str()) {
            wrong.push(format!("{name}: another message than {}:\n{found}", expected.display()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn there_are_many_kinds_and_no_stray_messages() {
    let names = names();
    assert!(names.len() >= 60, "{} kinds", names.len());
    for entry in fs::read_dir(folder()).expect("tests/spec_errors") {
        let path = entry.expect("entry").path();
        let stem = path.file_stem().expect("name").to_string_lossy().into_owned();
        assert!(names.contains(&stem), "{} has no spec", path.display());
    }
}

/// The exact place of the mistake, counted by hand, for a few kinds: a message that points elsewhere is no help.
#[test]
fn the_place_is_exact() {
    let library = Library::embedded().expect("built-in specs");
    let cases = [
        ("unknown-name", 10, 13),
        ("unknown-key", 12, 1),
        ("duplicate-key", 3, 1),
        ("missing-parenthesis", 10, 21),
        ("cell-name-in-advance", 11, 21),
        ("witness-is-no-layout", 21, 21),
        ("map-names-no-axis", 12, 23),
        ("with-unknown-parameter", 21, 21),
        ("mistake-in-a-profile", 24, 28),
    ];
    for (name, line, column) in cases {
        let text = fs::read_to_string(folder().join(format!("{name}.yaml"))).expect("spec");
        let errors = library.clone().add_text(name, &text).expect_err(name);
        let places: Vec<_> = errors.errors().iter().map(|error| error.location.line_column()).collect();
        assert!(places.contains(&(line, column)), "{name}: {errors}");
    }
}

#[test]
fn a_failed_file_changes_nothing() {
    let mut library = Library::embedded().expect("built-in specs");
    let before: Vec<String> = library.schemes().map(|scheme| scheme.id()).collect();
    let text = fs::read_to_string(folder().join("equals-unknown-scheme.yaml")).expect("spec");
    library.add_text("x.yaml", &text).expect_err("must fail");
    let after: Vec<String> = library.schemes().map(|scheme| scheme.id()).collect();
    assert_eq!(before, after);
}

#[test]
fn files_that_cannot_be_read_are_refused() {
    let folder = tempfile::tempdir().expect("folder");
    let mut library = Library::embedded().expect("built-in specs");
    let mut refuse = |name: &str, content: Option<&[u8]>, expected: &str| {
        let path = folder.path().join(name);
        if let Some(content) = content {
            fs::write(&path, content).expect("write");
        }
        let message = library.add_file(&path).expect_err(name).to_string();
        assert!(message.contains(expected), "{name}: {message}");
        assert!(message.contains(name), "the message names the file: {message}");
    };
    refuse("missing.yaml", None, "cannot be read");
    refuse("empty.yaml", Some(b""), "the file is empty");
    refuse("blank.yaml", Some(b"  \n\n"), "the file is empty");
    refuse("latin1.yaml", Some(b"scheme: caf\xe9\n"), "invalid byte at offset 11");
    refuse("large.yaml", Some(&vec![b'#'; yaml::MAX_BYTES + 1]), "may have 1048576 bytes");
    refuse("many.yaml", Some("- a\n".repeat(yaml::MAX_NODES + 2).as_bytes()), "may have 50000 values");
    let keys: String = (0..=yaml::MAX_KEYS).map(|n| format!("k{n}: 1\n")).collect();
    refuse("keys.yaml", Some(keys.as_bytes()), "may have 256 keys");
    refuse("", None, "expected a file");
}

/// Parts of a scheme that are tried at every width, and mistakes that are each shown with their place, are limited: tens of
/// thousands of them took minutes.
#[test]
fn lists_of_parts_and_of_mistakes_end() {
    let library = Library::embedded().expect("built-in specs");
    let rope = ropecheck::spec::library::embedded_file("schemes/rope.yaml").expect("a scheme").text.clone();
    let own = rope.replace("scheme: rope", "scheme: own");
    let with_map = |part: &str| {
        let map = own.lines().find(|line| line.starts_with("axis_map:")).expect("an axis map");
        own.replace(map, &format!("axis_map: {{{part}}}"))
    };
    let many = |part: &str| vec![part; 257].join(", ");
    for (text, expected) in [
        (
            with_map(&format!("per_head: [{}, {{heads: rest, axis: p}}]", many("{heads: 0, axis: p}"))),
            "256 groups of heads",
        ),
        (with_map(&format!("runs: [{}, {{pairs: rest, axis: p}}]", many("{pairs: 0, axis: p}"))), "256 runs"),
    ] {
        let errors = library.clone().add_text("own.yaml", &text).expect_err(expected);
        assert!(errors.to_string().contains(expected), "{errors}");
    }
    let unknown: String = (0..200).map(|n| format!("unknown{n}: 1\n")).collect();
    let errors = library.clone().add_text("own.yaml", &format!("{own}{unknown}")).expect_err("unknown keys");
    assert_eq!(errors.errors().len(), ropecheck::spec::diagnostic::MAX_ERRORS);
    assert!(errors.errors().last().is_some_and(|last| last.notes.iter().any(|note| note.contains("more mistakes"))));
}

/// A billion laughs: ten levels of ten aliases. It must be refused at the first anchor.
#[test]
fn an_alias_bomb_is_refused_at_once() {
    let mut text = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
    for level in 1..10 {
        let all = vec![format!("*a{}", level - 1); 10].join(", ");
        text.push_str(&format!("a{level}: &a{level} [{all}]\n"));
    }
    let mut library = Library::embedded().expect("built-in specs");
    let errors = library.add_text("bomb.yaml", &text).expect_err("must fail");
    assert_eq!(errors.errors().len(), 1);
    assert!(errors.to_string().starts_with("bomb.yaml:1:"), "{errors}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever is cut out of a scheme or put into it, it is loaded or refused, and the refusal can be shown.
    #[test]
    fn a_damaged_scheme_is_loaded_or_refused(
        file in any::<prop::sample::Index>(),
        at in any::<prop::sample::Index>(),
        length in 0usize..12,
        put in prop::sample::select(vec![
            "", " ", "\n", "{", "}", "[", "]", "\"", ":", "- ", "0", "-1", "1/0", "rest", "none", "t", "p", "(", ")", "*",
            "é", "\t", "#", "&a ", "every", "floor(", "cells_max(", " && ", "999999999999999999999",
        ]),
    ) {
        let files = ropecheck::spec::library::embedded_files("schemes");
        let text = &file.get(&files).text;
        let boundary = |mut at: usize| {
            at = at.min(text.len());
            while !text.is_char_boundary(at) {
                at -= 1;
            }
            at
        };
        let start = boundary(at.index(text.len()));
        let end = boundary(start + length).max(start);
        let damaged = format!("{}{put}{}", &text[..start], &text[end..]);
        LIBRARY.with(|library| {
            if let Err(errors) = library.clone().add_text("damaged.yaml", &damaged) {
                assert!(!errors.errors().is_empty());
                let _ = (errors.render(false), errors.render(true), errors.to_string());
            }
        });
    }
}

thread_local! {
    static LIBRARY: Library = Library::embedded().expect("built-in specs");
}

/// Colour is for terminals alone: the same words, with escape codes between them.
#[test]
fn colour_adds_only_escape_codes() {
    let library = Library::embedded().expect("built-in specs");
    let text = fs::read_to_string(folder().join("unknown-name.yaml")).expect("spec");
    let errors = library.clone().add_text("x.yaml", &text).expect_err("must fail");
    let coloured = errors.render(true);
    assert!(coloured.contains("\u{1b}["));
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some(at) = rest.find('\u{1b}') {
        plain.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = &rest[rest.find('m').expect("end of an escape code") + 1..];
    }
    plain.push_str(rest);
    assert_eq!(plain, errors.render(false));
}
