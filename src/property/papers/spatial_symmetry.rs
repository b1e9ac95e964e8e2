//! Spatial symmetry: the middle of a frame is one place, not a different one on each spatial axis.

use crate::numeric::Number;

use super::subject::{Role, Subject, Video};
use super::{Decision, PropertyError, structure};

/// Structure holds, and the centre of a frame is the same on every spatial axis to within half a cell,
/// whatever H and W are.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    let structure = structure::decide(subject)?;
    if !structure.holds {
        return Ok(structure);
    }
    let spatial = subject.axes(Role::Spatial);
    for video in &subject.videos {
        for t in 0..video.grid[0] {
            let cell = cell_size(video, t, &spatial)?;
            let mut first: Option<(usize, Number)> = None;
            for &axis in &spatial {
                let Some((min, max)) = video.extremes(axis, t) else { continue };
                // Twice the centre, so that half a cell becomes a whole one.
                let twice = min.add(&max)?;
                let Some((other, expected)) = &first else {
                    first = Some((axis, twice));
                    continue;
                };
                if twice.sub(expected)?.abs() > cell {
                    let two = Number::from_i64(2);
                    let evidence = format!(
                        "frame {t} has its centre at {} on axis {} and at {} on axis {}; a cell is {cell}",
                        expected.div(&two)?,
                        subject.names(&[*other]),
                        twice.div(&two)?,
                        subject.names(&[axis])
                    );
                    return Ok(Decision::fails(video.layout(), evidence));
                }
            }
        }
    }
    let axes = subject.names(&spatial);
    Ok(Decision::holds(format!("one centre on the axes {axes}, {}", subject.extent.describe())))
}

/// Largest step between neighbouring cells of a frame on any of the axes; 1 where there are no neighbours.
fn cell_size(video: &Video, t: u32, axes: &[usize]) -> Result<Number, PropertyError> {
    let mut largest: Option<Number> = None;
    for [_, h, w] in video.frame(t) {
        for &axis in axes {
            let Some(here) = video.at(axis, [t, h, w]) else { continue };
            let below = if h + 1 < video.grid[1] { video.at(axis, [t, h + 1, w]) } else { None };
            let right = if w + 1 < video.grid[2] { video.at(axis, [t, h, w + 1]) } else { None };
            for other in below.iter().chain(&right) {
                let step = other.sub(&here)?.abs();
                if largest.as_ref().is_none_or(|largest| step > *largest) {
                    largest = Some(step);
                }
            }
        }
    }
    Ok(largest.unwrap_or(Number::ONE))
}
