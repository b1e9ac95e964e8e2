//! Pages: the catalogue of checks is the one of the program, links lead somewhere, and the book has every page.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use ropecheck::check::CATALOGUE;

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &Path) -> String {
    std::fs::read_to_string(page).unwrap_or_else(|e| panic!("{}: {e}", page.display()))
}

/// Pages of a folder and of those in it.
fn pages(below: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(below).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            found.extend(pages(&path));
        } else if path.extension().is_some_and(|e| e == "md") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn catalogue() -> String {
    let mut out = "# The checks\n\nWhat `ropecheck explain CHECK` says of each, in the order of reports. \
                   `cargo test --test laws documentation` makes this page\nof the program's catalogue \
                   (`INSTA_UPDATE=always` writes it). A scheme states invariants besides: [Writing a scheme](spec.md#invariants).\n"
        .to_owned();
    for check in CATALOGUE {
        let docs = check.docs();
        let levels: Vec<&str> = check.levels().iter().map(|level| level.name()).collect();
        let _ = writeln!(out, "\n## {}\n\n{}\n\n| | |\n|---|---|", check.id(), docs.statement);
        let rows = [
            ("levels", &*levels.join(", ")),
            ("formula", docs.formula),
            ("source", docs.source),
            ("catches", docs.catches),
            ("cannot catch", docs.cannot_catch),
        ];
        for (name, text) in rows {
            let _ = writeln!(out, "| {name} | {} |", text.replace('|', "\\|"));
        }
    }
    out
}

#[test]
fn the_page_of_checks_is_the_catalogue() {
    let page = root().join("docs/checks.md");
    if std::env::var("INSTA_UPDATE").is_ok_and(|update| update == "always") {
        std::fs::write(&page, catalogue()).expect("the page can be written");
    }
    assert!(read(&page) == catalogue(), "docs/checks.md is not the catalogue: INSTA_UPDATE=always writes it");
}

/// The text of a page without its blocks of code.
fn prose(text: &str) -> String {
    let mut inside = false;
    let outside = |line: &&str| {
        let fence = line.trim_start().starts_with("```");
        inside ^= fence;
        !inside && !fence
    };
    text.lines().filter(outside).collect::<Vec<_>>().join("\n")
}

/// The names by which headings are linked to.
fn anchors(page: &Path) -> BTreeSet<String> {
    let text = read(page);
    let headings =
        prose(&text).lines().filter_map(|line| line.strip_prefix('#')).map(str::to_owned).collect::<Vec<_>>();
    let name = |heading: &String| {
        let heading = heading.trim_start_matches('#').trim().to_lowercase();
        let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.map(|c| if c == ' ' { '-' } else { c }).collect()
    };
    headings.iter().map(name).collect()
}

#[test]
fn links_lead_somewhere() {
    let mut all = pages(&root().join("docs"));
    all.extend(["README.md", "DESIGN.md"].map(|page| root().join(page)));
    let mut followed = 0;
    for page in all {
        let text = prose(&read(&page));
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if file.is_empty() { page.clone() } else { page.parent().expect("a folder").join(file) };
            assert!(target.exists(), "{}: {link}: there is no such file", page.display());
            let known = anchor.is_empty() || target.extension().is_none_or(|e| e != "md");
            assert!(known || anchors(&target).contains(anchor), "{}: {link}: no such heading", page.display());
            followed += 1;
        }
    }
    assert!(followed > 50, "only {followed} links were found");
}

#[test]
fn the_book_has_every_page() {
    let docs = root().join("docs");
    let summary = read(&docs.join("SUMMARY.md"));
    for page in pages(&docs) {
        let name = page.strip_prefix(&docs).expect("below docs").to_string_lossy().into_owned();
        let listed = name == "SUMMARY.md" || summary.contains(&format!("({name})"));
        assert!(listed, "docs/SUMMARY.md does not list {name}");
    }
}
