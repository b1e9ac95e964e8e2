//! Errors against positions, with the bound as a line: one drawing for each level and storage type.

use std::collections::BTreeMap;

use crate::case::Level;
use crate::check::failure::{AngleAt, Cause};
use crate::check::{ErrorAndBound, Errors};
use crate::numeric::DType;
use crate::report::page::{fold, table};
use crate::report::svg::{Anchor, Svg};
use crate::run::RunReport;

/// What is drawn of a level and a type: octaves with the largest error and bound of cases that held, and of the elements
/// that failures are told by.
#[derive(Default)]
struct Panel {
    held: Errors,
    failed: BTreeMap<i32, ErrorAndBound>,
}

/// The drawings, each with its numbers; empty if no case was graded.
pub(super) fn errors(report: &RunReport) -> String {
    let mut panels: BTreeMap<(Level, Option<DType>), Panel> = BTreeMap::new();
    for result in &report.results {
        let dtype = DType::STORAGE.into_iter().find(|dtype| dtype.name() == result.dtype);
        let panel = panels.entry((result.level, dtype)).or_default();
        result.bands.values().for_each(|band| panel.held.merge(&band.errors));
        for failure in &result.failures {
            panel.fails(&failure.failure.cause);
        }
    }
    panels.retain(|_, panel| !panel.held.is_empty());
    if panels.is_empty() {
        return String::new();
    }
    let drawings: Vec<String> = panels
        .iter()
        .map(|((level, dtype), panel)| {
            let name = format!("{level} {}", dtype.map_or("", DType::name));
            format!("<figure>\n{}{}</figure>\n", panel.draw(&name), panel.numbers(&name))
        })
        .collect();
    format!(
        "<p>Of elements that check <code>accuracy</code> graded, and those that failures are told by: the largest error and \
         the largest bound of each octave of positions, as parts of the length of the pair. Pairs shorter than 1/16 or longer \
         than 256 are left out, as is position 0.</p>\n<div class=\"panels\">\n{}</div>\n",
        drawings.concat()
    )
}

/// Room around the data: left, above, right, below.
const ROOM: [f64; 4] = [58.0, 34.0, 22.0, 62.0];
/// Width and height of the data.
const DATA: (f64, f64) = (280.0, 200.0);
/// The colours of errors and of bounds.
const LINES: [usize; 2] = [0, 1];

impl Panel {
    /// Adds the element that a failure is told by, where it has a place among the others.
    fn fails(&mut self, cause: &Cause) {
        let Cause::OutOfBound(element) = cause else { return };
        let Some(AngleAt::Position { position, .. }) = &element.angle else { return };
        let length = element.length.map_or(0.0, |length| length.0);
        let (error, bound) = (element.error.0 / length, element.allowed.0 / length);
        if let Some(octave) = Errors::octave(position.0).filter(|_| Errors::counts(length) && error.is_finite()) {
            let known = self.failed.entry(octave).or_default();
            if error > known.error {
                *known = ErrorAndBound { error, bound };
            }
        }
    }

    /// The lowest and the highest octave, and power of ten.
    fn ends(&self) -> ([i32; 2], [f64; 2]) {
        let all = || self.held.iter().chain(self.failed.iter().map(|(octave, of)| (*octave, *of)));
        let octaves = all().map(|(octave, _)| octave);
        let octaves = octaves.fold([i32::MAX, i32::MIN], |[low, high], octave| [low.min(octave), high.max(octave)]);
        let sizes = all().flat_map(|(_, of)| [of.error, of.bound]).filter(|size| *size > 0.0).map(f64::log10);
        let [low, high] = sizes.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], s| [low.min(s), high.max(s)]);
        (octaves, if low <= high { [low.floor(), (high + 1e-9).ceil().max(low.floor() + 1.0)] } else { [-1.0, 0.0] })
    }

    fn draw(&self, name: &str) -> String {
        let ([first, last], [low, high]) = self.ends();
        let about = format!(
            "Largest error and largest bound of each octave of positions, from 2^{first} to 2^{}.{}",
            last + 1,
            if self.failed.is_empty() { "" } else { " Crosses are elements out of their bounds." }
        );
        let mut svg = Svg::new(DATA.0 + ROOM[0] + ROOM[2], DATA.1 + ROOM[1] + ROOM[3], name, &about);
        svg.text((ROOM[0], 20.0), Anchor::Start, "name", name);
        let span = f64::from((last - first).max(1));
        let at = |(octave, size): (f64, f64)| {
            let across = (octave - f64::from(first)) / span;
            (ROOM[0] + DATA.0 * across, ROOM[1] + DATA.1 * (high - size.log10().max(low)) / (high - low))
        };
        let step = (last - first) / 7 + 1;
        for octave in (first..=last).step_by(step as usize) {
            let (x, _) = at((f64::from(octave), 1.0));
            svg.rule((x, ROOM[1]), (x, ROOM[1] + DATA.1));
            svg.text((x, ROOM[1] + DATA.1 + 16.0), Anchor::Middle, "note", &format!("2^{octave}"));
        }
        let decades = (low as i32)..=(high as i32);
        let step = (high - low) as usize / 8 + 1;
        for decade in decades.step_by(step) {
            let (_, y) = at((f64::from(first), 10f64.powi(decade)));
            svg.rule((ROOM[0], y), (ROOM[0] + DATA.0, y));
            svg.text((ROOM[0] - 6.0, y + 4.0), Anchor::End, "note", &format!("1e{decade}"));
        }
        svg.frame((ROOM[0], ROOM[1]), DATA);
        let of = |size: fn(ErrorAndBound) -> f64| {
            let points = self.held.iter().map(move |(octave, of)| (f64::from(octave), size(of)));
            points.filter(|(_, size)| *size > 0.0).map(at).collect::<Vec<_>>()
        };
        for (number, points) in LINES.into_iter().zip([of(|of| of.error), of(|of| of.bound)]) {
            svg.line(points.iter().copied(), number);
        }
        for point in of(|of| of.error) {
            svg.dot(point, 0.3);
        }
        for (octave, failed) in &self.failed {
            svg.cross(at((f64::from(*octave), failed.error)));
        }
        svg.text((ROOM[0] + DATA.0 / 2.0, ROOM[1] + DATA.1 + 34.0), Anchor::Middle, "note", "|position|");
        self.legend(&mut svg);
        svg.inline()
    }

    /// Below the data, so that it covers nothing.
    fn legend(&self, svg: &mut Svg) {
        let y = ROOM[1] + DATA.1 + 52.0;
        let mut x = ROOM[0];
        for (number, name, width) in [(LINES[0], "largest error", 104.0), (LINES[1], "bound", 70.0)] {
            svg.line([(x, y - 4.0), (x + 22.0, y - 4.0)].into_iter(), number);
            svg.text((x + 28.0, y), Anchor::Start, "note", name);
            x += width + 12.0;
        }
        if !self.failed.is_empty() {
            svg.cross((x + 6.0, y - 4.0));
            svg.text((x + 16.0, y), Anchor::Start, "note", "out of its bound");
        }
    }

    fn numbers(&self, name: &str) -> String {
        let row = |octave: i32, of: ErrorAndBound, what: &str| {
            let range = format!("2^{octave} to 2^{}", octave + 1);
            let share = if of.bound > 0.0 { format!("{:.3}", of.error / of.bound) } else { String::new() };
            vec![range, what.to_owned(), format!("{:.2e}", of.error), format!("{:.2e}", of.bound), share]
        };
        let rows = self.held.iter().map(|(octave, of)| row(octave, of, "held"));
        let failed = self.failed.iter().map(|(octave, of)| row(*octave, *of, "FAILED"));
        let head = ["|position|", "", "error", "bound", "error/bound"];
        fold("Numbers", &table(&format!("Errors of {name}"), &head, rows.chain(failed)))
    }
}
