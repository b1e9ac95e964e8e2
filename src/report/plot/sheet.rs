//! A sheet of panels side by side: their names, axes and scales.

use crate::report::svg::{Anchor, Svg, short, ticks};

/// Width and height of a panel's data.
pub(super) const DATA: (f64, f64) = (250.0, 250.0);
/// Room of a panel around it: left, above, right, below.
pub(super) const ROOM: [f64; 4] = [56.0, 46.0, 18.0, 46.0];
/// Room above all panels.
pub(super) const HEAD: f64 = 58.0;
/// Panels in a row.
pub(super) const COLUMNS: usize = 3;

/// A sheet with a place for each of so many panels.
pub(super) struct Sheet {
    pub(super) svg: Svg,
    /// Room below the data of each panel for what its lines are.
    legend: f64,
}

impl Sheet {
    pub(super) fn new(title: &str, about: &str, names: &[String], [legend, foot]: [f64; 2]) -> Self {
        let step = Self::step(legend);
        let columns = names.len().clamp(1, COLUMNS);
        let rows = names.len().div_ceil(columns);
        let width = (columns as f64 * step.0).max(2.0 * step.0);
        let height = HEAD + rows as f64 * step.1 + foot;
        let description = format!("{about} Schemes: {}.", names.join(", "));
        let mut svg = Svg::new(width, height, title, &description);
        svg.text((16.0, 24.0), Anchor::Start, "name", title);
        svg.text((16.0, 42.0), Anchor::Start, "note", about);
        Sheet { svg, legend }
    }

    fn step(legend: f64) -> (f64, f64) {
        (DATA.0 + ROOM[0] + ROOM[2], DATA.1 + ROOM[1] + ROOM[3] + legend)
    }

    /// The upper left corner of a panel's data.
    pub(super) fn corner(&self, panel: usize) -> (f64, f64) {
        let step = Self::step(self.legend);
        let (column, row) = ((panel % COLUMNS) as f64, (panel / COLUMNS) as f64);
        (column * step.0 + ROOM[0], HEAD + row * step.1 + ROOM[1])
    }

    /// Name and note of a panel, and the names of its axes.
    pub(super) fn label(&mut self, panel: usize, name: &str, note: &str, (across, up): (&str, &str)) {
        let (x, y) = self.corner(panel);
        self.svg.text((x, y - 24.0), Anchor::Start, "name", name);
        self.svg.text((x, y - 8.0), Anchor::Start, "note", note);
        self.svg.text((x + DATA.0 / 2.0, y + DATA.1 + 34.0), Anchor::Middle, "note", across);
        self.svg.upward((x - 42.0, y + DATA.1 / 2.0), up);
    }

    /// Ticks and rules of a panel.
    pub(super) fn axes(&mut self, panel: usize, scale: &Scale) {
        let (x, y) = self.corner(panel);
        for tick in ticks(scale.x.0, scale.x.1) {
            let at = scale.at((x, y), (tick, scale.y.0)).0;
            self.svg.rule((at, y), (at, y + DATA.1));
            self.svg.text((at, y + DATA.1 + 16.0), Anchor::Middle, "note", &short(tick));
        }
        for tick in ticks(scale.y.0, scale.y.1) {
            let at = scale.at((x, y), (scale.x.0, tick)).1;
            self.svg.rule((x, at), (x + DATA.0, at));
            self.svg.text((x - 6.0, at + 4.0), Anchor::End, "note", &short(tick));
        }
        self.svg.frame((x, y), DATA);
    }
}

/// What a panel's edges mean.
pub(super) struct Scale {
    pub(super) x: (f64, f64),
    pub(super) y: (f64, f64),
}

impl Scale {
    pub(super) fn at(&self, corner: (f64, f64), (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| if high > low { (value - low) / (high - low) } else { 0.5 };
        (corner.0 + DATA.0 * share(x, self.x), corner.1 + DATA.1 * (1.0 - share(y, self.y)))
    }
}

/// Least and greatest of some numbers.
pub(super) fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}
