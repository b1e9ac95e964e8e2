//! Imports run one way: from a room to rooms on its left, and among files in no circle.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use crate::modules::{Crate, Imports};

/// The rooms, leftmost first. A room imports from those before it.
const ROOMS: [&str; 13] = [
    "numeric",
    "spec",
    "positions",
    "rotation",
    "contract",
    "property",
    "case",
    "backend",
    "check",
    "fault",
    "run",
    "report",
    "cli",
];

fn room(file: &str) -> &str {
    file.split(['/', '.']).next().unwrap_or_default()
}

fn sentence((taker, giver): (&str, &str), names: &BTreeSet<String>) -> String {
    format!("  {taker} takes {} from {giver}", names.iter().cloned().collect::<Vec<_>>().join(", "))
}

/// Imports from a room that does not stand on the left.
fn upwards(imports: &Imports, rooms: &[&str]) -> Vec<String> {
    let place = |file: &str| rooms.iter().position(|name| *name == room(file));
    let wrong = imports.iter().filter(|((taker, giver), _)| match (place(taker), place(giver)) {
        (Some(taker), Some(giver)) => taker < giver,
        // The root declares rooms and has nothing to give or to take.
        _ => true,
    });
    wrong.map(|((taker, giver), names)| sentence((taker, giver), names)).collect()
}

/// The shortest circle through every file that lies on one: each once, beginning with its first file by name.
fn circles(imports: &Imports) -> BTreeSet<Vec<&str>> {
    let mut gives: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for (taker, giver) in imports.keys() {
        gives.entry(taker).or_default().push(giver);
    }
    let mut circles = BTreeSet::new();
    for start in gives.keys() {
        let mut came_from: BTreeMap<&str, &str> = BTreeMap::new();
        let mut queue = VecDeque::from([*start]);
        while let (Some(file), false) = (queue.pop_front(), came_from.contains_key(start)) {
            for giver in gives.get(file).into_iter().flatten() {
                if !came_from.contains_key(giver) {
                    came_from.insert(giver, file);
                    queue.push_back(giver);
                }
            }
        }
        if came_from.contains_key(start) {
            let mut circle = vec![came_from[start]];
            while circle.last() != Some(start) {
                circle.push(came_from[circle[circle.len() - 1]]);
            }
            circle.reverse();
            let first = (0..circle.len()).min_by_key(|at| circle[*at]).unwrap_or_default();
            circle.rotate_left(first);
            circles.insert(circle);
        }
    }
    circles
}

fn told(circle: &[&str], imports: &Imports) -> String {
    let steps = circle
        .iter()
        .zip(circle.iter().cycle().skip(1))
        .map(|(taker, giver)| sentence((taker, giver), &imports[&((*taker).to_owned(), (*giver).to_owned())]));
    format!("a circle of {} files:\n{}", circle.len(), steps.collect::<Vec<_>>().join("\n"))
}

fn ropecheck() -> (Crate, Imports) {
    let all = Crate::read(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"));
    let (imports, lost) = all.imports();
    assert!(lost.is_empty(), "paths that this test cannot follow:\n{}", lost.join("\n"));
    (all, imports)
}

#[test]
fn rooms_import_from_their_left_alone() {
    let (all, imports) = ropecheck();
    assert_eq!(all.rooms(), BTreeSet::from(ROOMS), "ROOMS names every room of src/lib.rs");
    let wrong = upwards(&imports, &ROOMS);
    assert!(wrong.is_empty(), "the order is {}:\n{}", ROOMS.join(" → "), wrong.join("\n"));
}

#[test]
fn no_files_import_in_a_circle() {
    let (_, imports) = ropecheck();
    let circles: Vec<String> = circles(&imports).iter().map(|circle| told(circle, &imports)).collect();
    assert!(circles.is_empty(), "{}", circles.join("\n"));
}

/// Names are met as they are met in ropecheck: re-exported by `mod.rs`, in nested braces, renamed, in a glob,
/// and inline in code.
const MADE_UP: [(&str, &str); 8] = [
    ("lib.rs", "pub mod high; pub mod low;"),
    ("low/mod.rs", "mod a; mod b; mod c; mod d; pub use {a::{A, one}, b::B as Renamed, c::*}; fn f(two: u8) { two }"),
    ("low/a.rs", "use super::{Renamed}; pub struct A(Renamed); pub fn one() -> u8 { 1 }"),
    ("low/b.rs", "pub struct B; impl B { fn c(x: &[*const crate::low::C]) { match 0..super::two() { _ => {} } } }"),
    (
        "low/c.rs",
        "use crate::{low::{self, d::D as E}}; pub struct C(E); pub fn two() -> low::A { let one = low::one(); }",
    ),
    ("low/d.rs", "// use super::A;\npub struct D; fn f() { \"crate::low::A\"; super::super::high::inner::H::new(); }"),
    ("high/mod.rs", "pub mod inner; pub use crate::low::A; #[cfg(test)] mod tests { use crate::nowhere::X; }"),
    ("high/inner.rs", "#[cfg(test)] use super::super::low::{Renamed}; pub struct H;"),
];

#[test]
fn an_upward_import_and_a_circle_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in MADE_UP {
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().expect("in a folder")).expect("folders");
        fs::write(file, text).expect("written");
    }
    let (imports, lost) = Crate::read(folder.path()).imports();
    assert_eq!(lost, [""; 0]);
    let all: Vec<String> = imports.iter().map(|((t, g), names)| sentence((t, g), names)).collect();
    let expected = [
        "  high/mod.rs takes A from low/a.rs",
        "  low/a.rs takes B from low/b.rs",
        "  low/b.rs takes C, two from low/c.rs",
        "  low/c.rs takes A, one from low/a.rs",
        "  low/c.rs takes D from low/d.rs",
        "  low/d.rs takes H from high/inner.rs",
    ];
    assert_eq!(all, expected);
    assert_eq!(upwards(&imports, &["low", "high"]), [expected[5]]);
    let circle: Vec<String> = circles(&imports).iter().map(|circle| told(circle, &imports)).collect();
    assert_eq!(circle, [["a circle of 3 files:", expected[1], expected[2], expected[3]].join("\n")]);
}

#[test]
fn a_path_that_leads_nowhere_is_no_silence() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("lib.rs"), "fn f() { crate::made::by_a_macro() }").expect("written");
    assert_eq!(Crate::read(folder.path()).imports().1, ["lib.rs: crate::made::by_a_macro"]);
}
