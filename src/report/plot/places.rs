//! Where the tokens of a text, a video and a text stand on two axes.

use crate::positions::{Layout, Segment};

use super::sheet::{Scale, Sheet, range};
use super::subject::{PictureError, PictureSize, Subject};

const TEXT: u32 = 4;

/// The two axes that tell the cells of a frame apart best: those on which the first frame takes the most values.
fn two_axes(columns: &[Vec<f64>], frame: std::ops::Range<usize>) -> (usize, Option<usize>) {
    let count = |axis: usize| {
        let mut values: Vec<u64> = columns[axis][frame.clone()].iter().map(|value| value.to_bits()).collect();
        values.sort_unstable();
        values.dedup();
        values.len()
    };
    let mut axes: Vec<usize> = (0..columns.len()).collect();
    axes.sort_by_key(|axis| std::cmp::Reverse(count(*axis)));
    let mut two: Vec<usize> = axes.into_iter().take(2).collect();
    // As the file has them: rows upwards, columns across.
    two.sort_unstable();
    match two[..] {
        [up, across] => (across, Some(up)),
        _ => (0, None),
    }
}

pub(super) fn draw(subjects: &[Subject<'_>], size: &PictureSize) -> Result<String, PictureError> {
    let [t, h, w] = size.grid;
    let layout = Layout::new(vec![Segment::Text(TEXT), Segment::video(t, h, w), Segment::Text(TEXT)])?;
    let names: Vec<String> = subjects.iter().map(|subject| subject.scheme.id()).collect();
    let about = format!(
        "text:{TEXT} video:{t}x{h}x{w} text:{TEXT}; squares are text, points are cells, lighter from frame to frame."
    );
    let mut sheet = Sheet::new("Positions on two axes", &about, &names, [0.0, 8.0]);
    let cells = (h * w) as usize;
    for (panel, subject) in subjects.iter().enumerate() {
        let positions = subject.positions(&layout)?;
        let columns: Vec<Vec<f64>> = positions
            .columns()
            .iter()
            .map(|column| column.to_numbers().iter().map(|number| number.to_f64()).collect())
            .collect();
        let start = TEXT as usize;
        let (across, up) = two_axes(&columns, start..start + cells);
        let axis = |axis: usize| subject.scheme.axes[axis].as_str();
        // A single axis is shown over the tokens.
        let tokens: Vec<f64> = (0..columns[0].len()).map(|token| token as f64).collect();
        let (xs, ys, labels) = match up {
            Some(up) => (&columns[across], &columns[up], (axis(across), axis(up))),
            None => (&tokens, &columns[across], ("token", axis(across))),
        };
        let wide = |(low, high): (f64, f64)| {
            let edge = ((high - low) * 0.05).max(0.5);
            (low - edge, high + edge)
        };
        let scale = Scale { x: wide(range(xs.iter().copied())), y: wide(range(ys.iter().copied())) };
        let note = match subject.scheme.axes.len() {
            1 => "its one axis, over the tokens".to_owned(),
            2 => "both axes".to_owned(),
            n => format!("2 of {n} axes"),
        };
        sheet.label(panel, &names[panel], &note, labels);
        sheet.axes(panel, &scale);
        let corner = sheet.corner(panel);
        for (token, (x, y)) in xs.iter().zip(ys).enumerate() {
            let at = scale.at(corner, (*x, *y));
            match token.checked_sub(start).filter(|cell| *cell < cells * t as usize) {
                Some(cell) => {
                    let frame = (cell / cells) as f64;
                    let share = if t > 1 { frame / f64::from(t - 1) } else { 0.4 };
                    sheet.svg.dot(at, share);
                }
                None => sheet.svg.square(at),
            }
        }
    }
    Ok(sheet.svg.finish())
}
