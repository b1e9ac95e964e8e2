//! Structure: rows and columns of a frame can be told apart.

use crate::numeric::Number;

use super::subject::{Subject, Video, show};
use super::{Decision, PropertyError};

/// Within a frame, positions vary with row and column with rank 2; a flattened index has rank 1, a shared one
/// 0.
pub(super) fn decide(subject: &Subject<'_>) -> Result<Decision, PropertyError> {
    let mut frames = 0u64;
    for video in subject.videos.iter().filter(|video| video.grid[1] > 1 && video.grid[2] > 1) {
        for t in 0..video.grid[0] {
            let rank = rank(video, t)?;
            if rank < 2 {
                let cell = |h, w| show(&video.cell([t, h, w]));
                let evidence = format!(
                    "frame {t} has rank {rank}: cells (0, 0), (0, 1), (1, 0) are at {}, {}, {}",
                    cell(0, 0),
                    cell(0, 1),
                    cell(1, 0)
                );
                return Ok(Decision::fails(video.layout(), evidence));
            }
            frames += 1;
        }
    }
    Ok(Decision::holds(format!("rank 2 or more in {frames} frames, {}", subject.extent.describe())))
}

/// Rank of the differences between the cells of a frame, up to 2: two differences are of rank 2 exactly if some minor
/// of two axes does not vanish.
fn rank(video: &Video, t: u32) -> Result<u8, PropertyError> {
    let origin = video.cell([t, 0, 0]);
    let mut first: Option<Vec<Number>> = None;
    for cell in video.frame(t) {
        let position = video.cell(cell);
        let difference = position.iter().zip(&origin).map(|(a, b)| a.sub(b)).collect::<Result<Vec<_>, _>>()?;
        let Some(first) = &first else {
            if position.iter().zip(&origin).any(|(a, b)| a.compare(b).is_ne()) {
                first = Some(difference);
            }
            continue;
        };
        for i in 0..difference.len() {
            for j in 0..i {
                if difference[i].mul(&first[j])?.compare(&difference[j].mul(&first[i])?).is_ne() {
                    return Ok(2);
                }
            }
        }
    }
    Ok(u8::from(first.is_some()))
}
