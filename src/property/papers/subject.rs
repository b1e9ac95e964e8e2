//! What the rules look at: the positions of one video between two texts, for every grid of a sweep.

use crate::numeric::Number;
use crate::positions::Layout;
use crate::positions::Positions;
use crate::positions::positions;
use crate::positions::{sweep::Extent, sweep::single_videos};
use crate::spec::Parameters;
use crate::spec::model::Scheme;

use super::PropertyError;

/// What an axis tells apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// It varies inside a frame.
    Spatial,
    /// It varies between frames and not inside one.
    Temporal,
    /// It is the same for all cells of every video that was tried.
    Constant,
}

/// A scheme and its positions on a sweep of layouts.
pub struct Subject<'a> {
    /// The scheme.
    pub scheme: &'a Scheme,
    /// Its parameters.
    pub parameters: &'a Parameters,
    /// Which grids were tried.
    pub extent: Extent,
    pub(super) videos: Vec<Video>,
    roles: Vec<(Role, Option<usize>)>,
}

/// One video between two texts, and its positions.
pub(super) struct Video {
    pub positions: Positions,
    pub grid: [u32; 3],
}

/// The video is the second segment of its layout.
pub(super) const VIDEO: usize = 1;

impl<'a> Subject<'a> {
    /// Runs the scheme on the sweep: on all grids up to 9, or up to 3 if its positions are irrational.
    ///
    /// # Errors
    /// [`PropertyError`] if the scheme cannot be run.
    pub fn new(scheme: &'a Scheme, parameters: &'a Parameters) -> Result<Self, PropertyError> {
        let small = videos(scheme, parameters, Extent::Small)?;
        let exact = small.iter().all(|video| {
            video.positions.columns().iter().all(|column| column.to_numbers().iter().all(Number::is_exact))
        });
        let (extent, videos) =
            if exact { (Extent::Full, videos(scheme, parameters, Extent::Full)?) } else { (Extent::Small, small) };
        let roles = (0..scheme.axes.len()).map(|axis| role(axis, &videos)).collect();
        Ok(Subject { scheme, parameters, extent, videos, roles })
    }

    /// What an axis tells apart.
    #[must_use]
    pub fn role(&self, axis: usize) -> Role {
        self.roles.get(axis).map_or(Role::Constant, |(role, _)| *role)
    }

    /// The smallest layout that shows what an axis tells apart; `None` if it is constant.
    #[must_use]
    pub fn shown_by(&self, axis: usize) -> Option<&Layout> {
        let (_, video) = self.roles.get(axis)?;
        video.and_then(|video| self.videos.get(video)).map(Video::layout)
    }

    /// Axes of a role, in axis order.
    #[must_use]
    pub fn axes(&self, role: Role) -> Vec<usize> {
        (0..self.scheme.axes.len()).filter(|&axis| self.role(axis) == role).collect()
    }

    pub(super) fn names(&self, axes: &[usize]) -> String {
        let names: Vec<&str> = axes.iter().filter_map(|&axis| self.scheme.axes.get(axis)).map(String::as_str).collect();
        names.join(", ")
    }
}

/// Positions on the sweep, smallest grid first.
pub(super) fn videos(scheme: &Scheme, parameters: &Parameters, extent: Extent) -> Result<Vec<Video>, PropertyError> {
    let one = |layout: Layout| {
        let grid = layout.segments()[VIDEO].grid().unwrap_or([1, 1, 1]);
        Ok(Video { positions: positions(scheme, parameters, &layout)?, grid })
    };
    single_videos(extent).into_iter().map(one).collect()
}

fn role(axis: usize, videos: &[Video]) -> (Role, Option<usize>) {
    let inside = |video: &Video| video.cells().any(|[t, h, w]| !same(video, axis, [t, h, w], [t, 0, 0]));
    let between = |video: &Video| (0..video.grid[0]).any(|t| !same(video, axis, [t, 0, 0], [0, 0, 0]));
    if let Some(first) = videos.iter().position(inside) {
        return (Role::Spatial, Some(first));
    }
    match videos.iter().position(between) {
        Some(first) => (Role::Temporal, Some(first)),
        None => (Role::Constant, None),
    }
}

fn same(video: &Video, axis: usize, a: [u32; 3], b: [u32; 3]) -> bool {
    match (video.at(axis, a), video.at(axis, b)) {
        (Some(a), Some(b)) => a.compare(&b).is_eq(),
        _ => false,
    }
}

impl Video {
    pub(super) fn layout(&self) -> &Layout {
        self.positions.layout()
    }

    /// All cells in raster order.
    pub(super) fn cells(&self) -> impl Iterator<Item = [u32; 3]> + use<> {
        let [frames, height, width] = self.grid;
        (0..frames).flat_map(move |t| (0..height).flat_map(move |h| (0..width).map(move |w| [t, h, w])))
    }

    /// The cells of a frame in raster order.
    pub(super) fn frame(&self, t: u32) -> impl Iterator<Item = [u32; 3]> + use<> {
        let [_, height, width] = self.grid;
        (0..height).flat_map(move |h| (0..width).map(move |w| [t, h, w]))
    }

    /// Position of a cell on an axis.
    pub(super) fn at(&self, axis: usize, [t, h, w]: [u32; 3]) -> Option<Number> {
        let [_, height, width] = self.grid.map(u64::from);
        let start = self.layout().token_range(VIDEO).start;
        self.positions.get(axis, start + (u64::from(t) * height + u64::from(h)) * width + u64::from(w))
    }

    /// Position of a cell on every axis.
    pub(super) fn cell(&self, [t, h, w]: [u32; 3]) -> Vec<Number> {
        (0..self.positions.columns().len()).filter_map(|axis| self.at(axis, [t, h, w])).collect()
    }

    /// Smallest and largest position of a frame on an axis.
    pub(super) fn extremes(&self, axis: usize, t: u32) -> Option<(Number, Number)> {
        let values: Vec<Number> = self.frame(t).filter_map(|cell| self.at(axis, cell)).collect();
        Some((values.iter().min()?.clone(), values.iter().max()?.clone()))
    }
}

/// A position for people, such as `(3, 5/2)`.
pub(super) fn show(position: &[Number]) -> String {
    let parts: Vec<String> = position.iter().map(ToString::to_string).collect();
    format!("({})", parts.join(", "))
}
