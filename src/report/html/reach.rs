//! What judged calls had of what the manifest offers: every class of every dimension, and pairs of dimensions as a heat map.

use std::fmt::Write as _;

use crate::case::Dimension;
use crate::check::cover::{DimensionReach, PairReach, Reach};
use crate::report::page::{facts, fold, table};
use crate::report::svg::{Anchor, Svg, escaped};
use crate::run::RunReport;

/// Side of a square of the heat map, and the room for names beside it.
const SIDE: f64 = 26.0;
const NAMES: f64 = 130.0;
/// Pairs of dimensions that are listed, those that were reached least.
const LEAST: usize = 20;

/// Level by level; empty if nothing was measured.
pub(super) fn reach(report: &RunReport) -> String {
    let Some(finished) = &report.finished else { return String::new() };
    let mut out = facts(finished.reached.iter().map(|reached| {
        let largest = reached.largest.map_or_else(|| "none".to_owned(), |position| position.to_string());
        let not = if reached.reached { "" } else { ", <span class=\"bad\">which was not reached</span>" };
        let says = format!("positions up to {largest}; declared: {}{not}", reached.declared);
        (format!("level {}", reached.level), says)
    }));
    for level in finished.reach.iter().filter(|reach| !reach.dimensions.is_empty()) {
        let ((classes, of), (pairs, of_pairs)) = (level.classes(), level.pairs());
        let share = 100 * pairs / of_pairs.max(1);
        let _ = writeln!(
            out,
            "<h3>Level {}</h3>\n<p>{classes} of {of} classes, {share} % of {of_pairs} pairs of classes, in calls all of whose \
             outputs were judged.</p>",
            level.level
        );
        let lines = level
            .dimensions
            .iter()
            .map(|one| (format!("{} {} of {}", one.name(), one.reached, one.offered), classes_of(one)));
        out.push_str(&fold("Classes of every dimension", &facts(lines)));
        if !level.pairs.is_empty() {
            out.push_str(&pairs_of(level));
        }
    }
    out
}

/// The classes of a dimension, those that were not reached told apart without colour, too.
fn classes_of(one: &DimensionReach) -> String {
    let mut out = String::from("<ul class=\"classes\">");
    for (label, reached) in &one.classes {
        let label = escaped(label);
        let _ = if *reached {
            write!(out, "<li>{label}</li>")
        } else {
            write!(out, "<li class=\"missed\"><span class=\"unseen\">not reached: </span>{label}</li>")
        };
    }
    out + "</ul>"
}

fn percent(pair: &PairReach) -> usize {
    100 * pair.reached / pair.offered.max(1)
}

fn pairs_of(level: &Reach) -> String {
    let name = |dimension: Dimension| level.of(dimension).map_or(dimension.name(), DimensionReach::name);
    let drawing = heat_map(level, &name);
    let mut least: Vec<&PairReach> = level.pairs.iter().filter(|pair| pair.reached < pair.offered).collect();
    least.sort_by(|a, b| (a.reached * b.offered).cmp(&(b.reached * a.offered)));
    let rows = least.iter().take(LEAST).map(|pair| {
        let cells = [
            format!("{} × {}", name(pair.one), name(pair.other)),
            format!("{} %", percent(pair)),
            format!("{} of {}", pair.reached, pair.offered),
            pair.impossible.to_string(),
        ];
        cells.map(|cell| escaped(&cell)).to_vec()
    });
    let head = ["dimensions", "reached", "pairs of classes", "pairs that no call can have"];
    let label = format!("Pairs of dimensions reached least on level {}", level.level);
    let least = if least.is_empty() { String::new() } else { fold("Pairs reached least", &table(&label, &head, rows)) };
    format!(
        "<section class=\"wide\" tabindex=\"0\" aria-label=\"Pairs of dimensions on level {}\">\n{drawing}</section>\n{least}",
        level.level
    )
}

/// Stairs: a name stands for the row to its left and for the column below it.
fn heat_map<'r>(level: &Reach, name: &dyn Fn(Dimension) -> &'r str) -> String {
    let paired = |dimension: Dimension| level.pairs.iter().any(|pair| pair.one == dimension || pair.other == dimension);
    let all: Vec<Dimension> = level.dimensions.iter().map(|one| one.dimension).filter(|one| paired(*one)).collect();
    let title = format!("Pairs of dimensions, level {}", level.level);
    let about = "The share, in percent, of pairs of classes of two dimensions that judged calls had. A name stands for the row \
                 to its left and for the column below it.";
    let (width, height) = (all.len() as f64 * SIDE + NAMES, all.len() as f64 * SIDE + 30.0);
    let mut svg = Svg::new(width, height, &title, about);
    let place = |dimension: Dimension| all.iter().position(|one| *one == dimension);
    for pair in level.pairs.iter().filter(|pair| pair.offered > 0) {
        let (Some(one), Some(other)) = (place(pair.one), place(pair.other)) else { continue };
        let (column, row) = (one.min(other) as f64, one.max(other) as f64);
        let share = pair.reached as f64 / pair.offered as f64;
        let says =
            format!("{} × {}: {} of {} pairs of classes", name(pair.one), name(pair.other), pair.reached, pair.offered);
        svg.heat((column * SIDE, row * SIDE), SIDE, share, &percent(pair).to_string(), &says);
    }
    for (row, dimension) in all.iter().enumerate() {
        let at = (row as f64 * SIDE + 6.0, row as f64 * SIDE + SIDE / 2.0 + 4.0);
        svg.text(at, Anchor::Start, "note", name(*dimension));
    }
    // The scale.
    let y = all.len() as f64 * SIDE + 14.0;
    for part in 0..40u32 {
        svg.cell((f64::from(part) * 4.0 + 30.0, y - 9.0), (4.3, 10.0), f64::from(part) / 39.0);
    }
    svg.text((0.0, y), Anchor::Start, "note", "0 %");
    svg.text((196.0, y), Anchor::Start, "note", "100 % reached");
    svg.inline()
}
