//! Seamless: text goes on right after the video, on every axis.

use crate::numeric::Number;

use super::subject::{Subject, VIDEO};
use super::{Decision, PropertyError};

/// On every axis, the next text position minus the last frame's largest position is 1, whatever T, H and W
/// are.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    for video in &subject.videos {
        let Some(next) = video.positions.resume_after(VIDEO) else { continue };
        for (axis, next) in next.iter().enumerate() {
            let Some((_, last)) = video.extremes(axis, video.grid[0] - 1) else { continue };
            let gap = next.sub(&last)?;
            if gap.compare(&Number::ONE).is_ne() {
                let axis = subject.names(&[axis]);
                let evidence = format!("on axis {axis} the last frame ends at {last} and text goes on at {next}");
                return Ok(Decision::fails(video.layout(), evidence));
            }
        }
    }
    Ok(Decision::holds(format!("a step of 1 on every axis, {}", subject.extent.describe())))
}
