//! A scheme that is drawn, how large, and why it may not be.

use crate::numeric::{Dd, Number};
use crate::positions::{Layout, LayoutError, PositionError, Positions, positions};
use crate::rotation::reference::{Turn, position_of};
use crate::rotation::{HeadShape, PlanError, RotationPlan};
use crate::spec::{ParameterError, Parameters, Scheme};

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
    #[error("{0}; --head-dim takes another width")]
    Plan(#[from] PlanError),
    /// Too much, or nothing, to draw.
    #[error("{0}")]
    Size(String),
}

/// A scheme that is drawn.
pub(super) struct Subject<'a> {
    pub(super) scheme: &'a Scheme,
    parameters: Parameters,
    pub(super) plan: RotationPlan,
}

impl<'a> Subject<'a> {
    pub(super) fn new(scheme: &'a Scheme, parameters: Parameters, head_dim: u32) -> Result<Self, PictureError> {
        let plan = RotationPlan::new(scheme, &parameters, HeadShape::of_dim(head_dim))?;
        Ok(Subject { scheme, parameters, plan })
    }

    pub(super) fn positions(&self, layout: &Layout) -> Result<Positions, PictureError> {
        Ok(positions(self.scheme, &self.parameters, layout)?)
    }

    /// Mean over pairs of cos(distance x frequency): the score of a query and a key of ones, as a share of the largest.
    /// `axis`: over the pairs of that axis alone; `None` where it has none.
    pub(super) fn score(&self, distances: &[Dd], axis: Option<usize>) -> Option<f64> {
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
pub(super) fn place(positions: &Positions, token: u64) -> Vec<Dd> {
    positions.token(token).unwrap_or_default().iter().map(Number::to_dd).collect()
}

/// Distances from one place to another.
pub(super) fn apart(from: &[Dd], to: &[Dd]) -> Vec<Dd> {
    from.iter().zip(to).map(|(from, to)| from.plus(to.times_f64(-1.0))).collect()
}
