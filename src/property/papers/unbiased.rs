//! Unbiased: no cell of a frame is nearer to later text than another.

use crate::numeric::Number;

use super::subject::{Subject, VIDEO};
use super::{Decision, PropertyError};

/// From any later text token, the distance averaged over the axes is the same for every cell of a frame.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    let axes = Number::from_i64(i64::try_from(subject.scheme.axes.len()).unwrap_or(i64::MAX));
    for video in &subject.videos {
        for token in video.layout().token_range(VIDEO + 1) {
            let Some(text) = video.positions.token(token) else { continue };
            for t in 0..video.grid[0] {
                let mut first: Option<Number> = None;
                for cell in video.frame(t) {
                    let distance = distance(&text, &video.cell(cell))?;
                    let Some(first) = &first else {
                        first = Some(distance);
                        continue;
                    };
                    if first.compare(&distance).is_eq() {
                        continue;
                    }
                    let [_, h, w] = cell;
                    let evidence = format!(
                        "from text token {token}, cell (0, 0) of frame {t} is at a mean distance of {} and cell ({h}, {w}) of {}",
                        first.div(&axes)?,
                        distance.div(&axes)?
                    );
                    return Ok(Decision::fails(video.layout(), evidence));
                }
            }
        }
    }
    Ok(Decision::holds(format!("the same mean distance in every frame, {}", subject.extent.describe())))
}

fn distance(a: &[Number], b: &[Number]) -> Result<Number, PropertyError> {
    let mut sum = Number::ZERO;
    for (a, b) in a.iter().zip(b) {
        sum = sum.add(&a.sub(b)?.abs())?;
    }
    Ok(sum)
}
