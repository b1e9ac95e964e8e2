//! How strongly a text token after a video attends to each cell of the last frame, by position alone.

use crate::positions::{Layout, Segment};

use super::sheet::{DATA, ROOM, Sheet, range};
use super::subject::{PictureError, PictureSize, Subject, apart, place};
use crate::report::svg::Anchor;

/// Text before the video, so that centred grids are not at the edge.
const BEFORE: u32 = 16;

/// Score of each cell of the last frame, row by row.
fn scores(subject: &Subject<'_>, size: &PictureSize) -> Result<Vec<f64>, PictureError> {
    let [t, h, w] = size.grid;
    let layout = Layout::new(vec![Segment::Text(BEFORE), Segment::video(t, h, w), Segment::Text(1)])?;
    let positions = subject.positions(&layout)?;
    let query = place(&positions, layout.tokens() - 1);
    let cells = u64::from(h) * u64::from(w);
    let first = layout.tokens() - 1 - cells;
    let score = |cell: u64| subject.score(&apart(&query, &place(&positions, first + cell)), None).unwrap_or(1.0);
    Ok((0..cells).map(score).collect())
}

pub(super) fn draw(subjects: &[Subject<'_>], size: &PictureSize) -> Result<String, PictureError> {
    let all = subjects.iter().map(|subject| scores(subject, size)).collect::<Result<Vec<_>, _>>()?;
    let (low, high) = range(all.iter().flatten().copied());
    let [t, h, w] = size.grid;
    let title = "Attention bias over a frame";
    let about = format!(
        "Mean of cos(distance x frequency) from the text after a video of {t}x{h}x{w} to its last frame, {} channels.",
        size.head_dim
    );
    let names: Vec<String> = subjects.iter().map(|subject| subject.scheme.id()).collect();
    let mut sheet = Sheet::new(title, &about, &names, [0.0, 44.0]);
    let step = (DATA.0 / f64::from(w), DATA.1 / f64::from(h));
    for (panel, (name, scores)) in names.iter().zip(&all).enumerate() {
        let (x, y) = sheet.corner(panel);
        let own = range(scores.iter().copied());
        sheet.label(panel, name, &format!("{:.4} to {:.4}", own.0, own.1), ("column of the frame", "row of the frame"));
        for (cell, score) in scores.iter().enumerate() {
            let (column, row) = ((cell % w as usize) as f64, (cell / w as usize) as f64);
            let share = if high > low { (score - low) / (high - low) } else { 0.5 };
            sheet.svg.cell((x + column * step.0, y + row * step.1), (step.0 + 0.3, step.1 + 0.3), share);
        }
        sheet.svg.frame((x, y), DATA);
    }
    // One scale for all panels.
    let (x, y) = (ROOM[0], sheet.corner(names.len() - 1).1 + DATA.1 + ROOM[3] + 2.0);
    for part in 0..50 {
        sheet.svg.cell((x + f64::from(part) * 5.0, y), (5.3, 10.0), f64::from(part) / 49.0);
    }
    sheet.svg.text((x, y + 26.0), Anchor::Start, "note", &format!("{low:.4} weaker"));
    sheet.svg.text((x + 250.0, y + 26.0), Anchor::End, "note", &format!("stronger {high:.4}"));
    Ok(sheet.svg.finish())
}
