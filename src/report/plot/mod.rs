//! Pictures of schemes side by side: attention bias over a frame, positions in two dimensions, decay by distance, period of time.

mod bias;
mod curves;
mod places;

use crate::numeric::Dd;
use crate::positions::{Layout, LayoutError, PositionError, Positions, positions};
use crate::rotation::reference::{Turn, position_of};
use crate::rotation::{HeadShape, PlanError, RotationPlan};
use crate::spec::{ParameterError, Parameters, Scheme};

use super::svg::{Anchor, Svg, ticks};

/// What is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Picture {
    /// How strongly a later text token attends to each cell of a frame, by position alone.
    Bias,
    /// Where tokens stand on two axes.
    Positions,
    /// How attention falls with the distance between two text tokens.
    Decay,
    /// How attention changes from frame to frame of a video.
    Period,
}

/// What a picture is of, besides schemes.
#[derive(Debug, Clone, Copy)]
pub struct PictureSize {
    /// Frames, rows and columns of the video.
    pub grid: [u32; 3],
    /// Channels of a head.
    pub head_dim: u32,
    /// Largest distance of `decay`, and number of frames of `period`.
    pub reach: u32,
}

impl PictureSize {
    /// Most schemes of a picture.
    pub const SCHEMES: usize = 12;
    /// Most cells of a video that are drawn.
    pub const CELLS: u64 = 16_384;
    /// Most distances of a curve.
    pub const REACH: u32 = 4096;
}

/// Why there is no picture.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PictureError {
    /// There are no parameters.
    #[error("{0}")]
    Parameters(#[from] ParameterError),
    /// There are no positions.
    #[error("{0}")]
    Positions(#[from] PositionError),
    /// There is no layout of this size.
    #[error("{0}")]
    Layout(#[from] LayoutError),
    /// The scheme has no plan for such heads.
    #[error("{scheme}: {error}; --head-dim takes another width")]
    Plan {
        /// The scheme.
        scheme: String,
        /// Why.
        error: PlanError,
    },
    /// Too much, or nothing, to draw.
    #[error("{0}")]
    Size(String),
}

/// Width and height of a panel's data.
const DATA: (f64, f64) = (250.0, 250.0);
/// Room of a panel around it: left, above, right, below.
const ROOM: [f64; 4] = [56.0, 46.0, 18.0, 46.0];
/// Room above all panels.
const HEAD: f64 = 58.0;
/// Panels in a row.
const COLUMNS: usize = 3;

/// A scheme that is drawn.
struct Subject<'a> {
    scheme: &'a Scheme,
    parameters: Parameters,
    plan: RotationPlan,
}

impl<'a> Subject<'a> {
    fn new(scheme: &'a Scheme, head_dim: u32) -> Result<Self, PictureError> {
        let parameters = Parameters::defaults(scheme)?;
        let plan = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim))
            .map_err(|error| PictureError::Plan { scheme: scheme.id(), error })?;
        Ok(Subject { scheme, parameters, plan })
    }

    fn positions(&self, layout: &Layout) -> Result<Positions, PictureError> {
        Ok(positions(self.scheme, &self.parameters, layout)?)
    }

    /// Mean over pairs of cos(distance x frequency): the score of a query and a key of ones, as a share of the largest.
    /// `axis`: over the pairs of that axis alone; `None` where it has none.
    fn score(&self, distances: &[Dd], axis: Option<usize>) -> Option<f64> {
        let (mut sum, mut pairs) = (0.0, 0u32);
        for row in 0..self.plan.map_heads {
            for (of_pair, frequency) in self.plan.axes(row).iter().zip(self.plan.frequencies(row)) {
                if axis.is_none_or(|axis| usize::from(*of_pair) == axis) {
                    sum += Turn::new(position_of(distances, *of_pair), *frequency, 1.0, true).cos;
                    pairs += 1;
                }
            }
        }
        (pairs > 0).then(|| sum / f64::from(pairs))
    }
}

/// The position of a token on every axis.
fn place(positions: &Positions, token: u64) -> Vec<Dd> {
    positions.token(token).unwrap_or_default().iter().map(|number| number.to_dd()).collect()
}

/// Distances from one place to another.
fn apart(from: &[Dd], to: &[Dd]) -> Vec<Dd> {
    from.iter().zip(to).map(|(from, to)| from.plus(to.times_f64(-1.0))).collect()
}

/// Draws a picture of schemes under their default parameters.
///
/// # Errors
/// [`PictureError`] if one of them has no positions or no plan, or there would be too much to draw.
pub fn plot(picture: Picture, schemes: &[&Scheme], size: &PictureSize) -> Result<String, PictureError> {
    if schemes.is_empty() || schemes.len() > PictureSize::SCHEMES {
        let found = schemes.len();
        return Err(PictureError::Size(format!("expected 1 to {} schemes, found {found}", PictureSize::SCHEMES)));
    }
    let cells: u64 = size.grid.iter().map(|n| u64::from(*n)).product();
    if cells == 0 || cells > PictureSize::CELLS {
        return Err(PictureError::Size(format!("expected a grid of 1 to {} cells, found {cells}", PictureSize::CELLS)));
    }
    if !(2..=PictureSize::REACH).contains(&size.reach) {
        let found = size.reach;
        return Err(PictureError::Size(format!("expected a reach of 2 to {}, found {found}", PictureSize::REACH)));
    }
    let subjects = schemes.iter().map(|scheme| Subject::new(scheme, size.head_dim)).collect::<Result<Vec<_>, _>>()?;
    match picture {
        Picture::Bias => bias::draw(&subjects, size),
        Picture::Positions => places::draw(&subjects, size),
        Picture::Decay => curves::decay(&subjects, size),
        Picture::Period => curves::period(&subjects, size),
    }
}

/// A sheet with a place for each of so many panels.
struct Sheet {
    svg: Svg,
}

impl Sheet {
    fn new(title: &str, about: &str, names: &[String], foot: f64) -> Self {
        let columns = names.len().clamp(1, COLUMNS);
        let rows = names.len().div_ceil(columns);
        let width = (columns as f64 * Self::step().0).max(2.0 * Self::step().0);
        let height = HEAD + rows as f64 * Self::step().1 + foot;
        let description = format!("{about} Schemes: {}.", names.join(", "));
        let mut svg = Svg::new(width, height, title, &description);
        svg.text((16.0, 24.0), Anchor::Start, "name", title);
        svg.text((16.0, 42.0), Anchor::Start, "note", about);
        Sheet { svg }
    }

    fn step() -> (f64, f64) {
        (DATA.0 + ROOM[0] + ROOM[2], DATA.1 + ROOM[1] + ROOM[3])
    }

    /// The upper left corner of a panel's data.
    fn corner(panel: usize) -> (f64, f64) {
        let (column, row) = ((panel % COLUMNS) as f64, (panel / COLUMNS) as f64);
        (column * Self::step().0 + ROOM[0], HEAD + row * Self::step().1 + ROOM[1])
    }

    /// Name and note of a panel, and the names of its axes.
    fn label(&mut self, panel: usize, name: &str, note: &str, (across, up): (&str, &str)) {
        let (x, y) = Self::corner(panel);
        self.svg.text((x, y - 24.0), Anchor::Start, "name", name);
        self.svg.text((x, y - 8.0), Anchor::Start, "note", note);
        self.svg.text((x + DATA.0 / 2.0, y + DATA.1 + 34.0), Anchor::Middle, "note", across);
        self.svg.upward((x - 42.0, y + DATA.1 / 2.0), up);
    }

    /// Ticks and rules of a panel.
    fn axes(&mut self, panel: usize, scale: &Scale) {
        let (x, y) = Self::corner(panel);
        for tick in ticks(scale.x.0, scale.x.1) {
            let at = scale.at((x, y), (tick, scale.y.0)).0;
            self.svg.rule((at, y), (at, y + DATA.1));
            self.svg.text((at, y + DATA.1 + 16.0), Anchor::Middle, "note", &super::svg::short(tick));
        }
        for tick in ticks(scale.y.0, scale.y.1) {
            let at = scale.at((x, y), (scale.x.0, tick)).1;
            self.svg.rule((x, at), (x + DATA.0, at));
            self.svg.text((x - 6.0, at + 4.0), Anchor::End, "note", &super::svg::short(tick));
        }
        self.svg.frame((x, y), DATA);
    }
}

/// What a panel's edges mean.
struct Scale {
    x: (f64, f64),
    y: (f64, f64),
}

impl Scale {
    fn at(&self, corner: (f64, f64), (x, y): (f64, f64)) -> (f64, f64) {
        let share = |value: f64, (low, high): (f64, f64)| if high > low { (value - low) / (high - low) } else { 0.5 };
        (corner.0 + DATA.0 * share(x, self.x), corner.1 + DATA.1 * (1.0 - share(y, self.y)))
    }
}

/// Least and greatest of some numbers.
fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| (low.min(value), high.max(value)))
}
