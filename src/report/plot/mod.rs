//! Pictures of schemes side by side: attention bias over a frame, positions on two axes, decay by distance, period of time.

mod bias;
mod curves;
mod places;
mod sheet;
mod subject;

use crate::spec::{Parameters, Scheme};

use subject::Subject;
pub use subject::{PictureError, PictureSize};

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

/// Draws a picture of schemes, each under its parameters.
///
/// # Errors
/// [`PictureError`] if one of them has no positions or no plan, or there would be too much to draw.
pub fn plot(picture: Picture, schemes: &[(&Scheme, Parameters)], size: &PictureSize) -> Result<String, PictureError> {
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
    let subjects = schemes.iter().map(|(scheme, set)| Subject::new(scheme, set.clone(), size.head_dim));
    let subjects = subjects.collect::<Result<Vec<_>, _>>()?;
    match picture {
        Picture::Bias => bias::draw(&subjects, size),
        Picture::Positions => places::draw(&subjects, size),
        Picture::Decay => curves::decay(&subjects, size),
        Picture::Period => curves::period(&subjects, size),
    }
}
