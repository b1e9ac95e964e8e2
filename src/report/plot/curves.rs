//! How attention by position changes with the distance between text tokens, and from frame to frame of a video.

use crate::numeric::{Dd, Number};
use crate::positions::{Layout, Segment};

use super::sheet::{DATA, Scale, Sheet, range};
use super::subject::{PictureError, PictureSize, Subject, apart, place};
use crate::report::svg::Anchor;

/// Height of a row of names of curves, and how many are in it.
const LEGEND: f64 = 16.0;
const IN_A_ROW: usize = 3;

/// One curve: its name, and a value for each step.
struct Curve {
    name: String,
    values: Vec<f64>,
}

/// A curve of all pairs, and one for each axis that rotates some, where there are several axes.
fn curves(subject: &Subject<'_>, distances: &[Vec<Dd>]) -> Vec<Curve> {
    let of = |axis: Option<usize>| {
        let values = distances.iter().map(|d| subject.score(d, axis)).collect::<Option<Vec<f64>>>();
        let name = axis.map_or("all pairs".to_owned(), |axis| format!("pairs of {}", subject.scheme.axes[axis]));
        values.map(|values| Curve { name, values })
    };
    let axes = subject.scheme.axes.len();
    let single = (0..axes).filter(|_| axes > 1).filter_map(|axis| of(Some(axis)));
    of(None).into_iter().chain(single).collect()
}

fn draw(
    (title, about, across): (&str, &str, &str),
    subjects: &[Subject<'_>],
    notes: &[String],
    all: &[Vec<Curve>],
) -> String {
    let names: Vec<String> = subjects.iter().map(|subject| subject.scheme.id()).collect();
    let most = all.iter().map(Vec::len).max().unwrap_or(0);
    let mut sheet = Sheet::new(title, about, &names, [LEGEND * most.div_ceil(IN_A_ROW) as f64, 8.0]);
    let steps = all.iter().flatten().map(|curve| curve.values.len()).max().unwrap_or(2);
    let (low, _) = range(all.iter().flatten().flat_map(|curve| curve.values.iter().copied()));
    let scale = Scale { x: (0.0, (steps - 1) as f64), y: ((low * 10.0).floor() / 10.0, 1.0) };
    for (panel, curves) in all.iter().enumerate() {
        sheet.label(panel, &names[panel], &notes[panel], (across, "mean of cos(distance x frequency)"));
        sheet.axes(panel, &scale);
        let corner = sheet.corner(panel);
        // The curve of all pairs comes last, over the others.
        for (number, curve) in curves.iter().enumerate().rev() {
            let at = |(step, value): (usize, &f64)| scale.at(corner, (step as f64, *value));
            sheet.svg.line(curve.values.iter().enumerate().map(at), number);
        }
        // Below the panel, so that no curve is covered.
        for (number, curve) in curves.iter().enumerate() {
            let (column, row) = (number % IN_A_ROW, number / IN_A_ROW);
            let x = corner.0 + DATA.0 / IN_A_ROW as f64 * column as f64;
            let y = corner.1 + DATA.1 + 52.0 + LEGEND * row as f64;
            sheet.svg.line([(x, y - 4.0), (x + 22.0, y - 4.0)].into_iter(), number);
            sheet.svg.text((x + 27.0, y), Anchor::Start, "note", &curve.name);
        }
    }
    sheet.svg.finish()
}

pub(super) fn decay(subjects: &[Subject<'_>], size: &PictureSize) -> Result<String, PictureError> {
    let mut all = Vec::new();
    let mut notes = Vec::new();
    for subject in subjects {
        let away = |distance: u32| vec![Number::from_i64(i64::from(distance)).to_dd(); subject.scheme.axes.len()];
        let distances: Vec<Vec<Dd>> = (0..size.reach).map(away).collect();
        all.push(curves(subject, &distances));
        let frequencies = &subject.plan.inv_freq;
        let (low, high) = range(frequencies.iter().copied().filter(|frequency| *frequency > 0.0));
        let turn = |frequency: f64| std::f64::consts::TAU / frequency;
        notes.push(format!("a turn takes {:.1} to {:.0} positions", turn(high), turn(low)));
    }
    let about =
        format!("Two text tokens that are 0 to {} apart on every axis, {} channels.", size.reach - 1, size.head_dim);
    Ok(draw(("Decay by distance", &about, "distance"), subjects, &notes, &all))
}

pub(super) fn period(subjects: &[Subject<'_>], size: &PictureSize) -> Result<String, PictureError> {
    let layout = Layout::new(vec![Segment::Text(1), Segment::video(size.reach, 1, 1)])?;
    let mut all = Vec::new();
    let mut notes = Vec::new();
    for subject in subjects {
        let positions = subject.positions(&layout)?;
        let first = place(&positions, 1);
        let frame = |t: u32| apart(&place(&positions, 1 + u64::from(t)), &first);
        let distances: Vec<Vec<Dd>> = (0..size.reach).map(frame).collect();
        all.push(curves(subject, &distances));
        // The axis on which frames lie apart, and how soon its fastest pair comes round.
        let moves = |axis: &usize| distances[1][*axis].to_f64() != 0.0;
        let turns = |axis: &usize| subject.score(&distances[1], Some(*axis)).is_some();
        let moved = (0..subject.scheme.axes.len()).find(|axis| moves(axis) && turns(axis));
        notes.push(match moved {
            None => "frames are apart on no axis that turns pairs".to_owned(),
            Some(axis) => {
                let step = distances[1][axis].to_f64();
                let own = subject.plan.axes(0).iter().zip(subject.plan.frequencies(0));
                let (slow, fast) = range(own.filter(|(a, _)| usize::from(**a) == axis).map(|(_, f)| f * step.abs()));
                let turn = |frequency: f64| std::f64::consts::TAU / frequency;
                let name = &subject.scheme.axes[axis];
                if fast > 0.0 {
                    format!("{name} comes round after {:.1} to {:.0} frames", turn(fast), turn(slow))
                } else {
                    format!("{name} rotates nothing")
                }
            }
        });
    }
    let about =
        format!("One cell in frame 0 and in each of {} frames of a video, {} channels.", size.reach, size.head_dim);
    Ok(draw(("Period of time", &about, "frames apart"), subjects, &notes, &all))
}
