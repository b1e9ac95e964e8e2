//! Every name that position formulas may use has the value that docs/spec.md gives it, worked out here apart from the evaluator.

use ropecheck::numeric::Number;
use ropecheck::positions::{Layout, Segment, positions};
use ropecheck::spec::Library;
use ropecheck::spec::Parameters;

/// One axis for each name, in text and in videos; some formulas stand twice, with another between.
const SCHEME: &str = r#"
scheme: names
title: "One axis for each name"
sources: [{ours: "a test"}]
parameters: {three: 3}
axes: [here, kind, again, start, place, frames, visuals, first, cell, size, grid, time, low, high, lets]
positions:
  text:
    here: "p + i"
    kind: "2*i + three"
    again: "p + i"
    start: "token0"
    place: "segment"
    frames: "frames_before"
    visuals: "visual_before"
    first: "first_visual"
    cell: "token"
    size: "n"
    every: "p"
    advance: "n + 1"
  video:
    let:
      per_segment: "T + 10*H + 100*W"
      per_frame: "per_segment + 1000*t"
      per_cell: "per_frame + 10000*h + 100000*w"
    here: "token"
    kind: "k"
    again: "token"
    start: "token0"
    place: "segment"
    frames: "frames_before"
    visuals: "visual_before"
    first: "first_visual"
    cell: "t + 10*h + 100*w"
    size: "n"
    grid: "T + 10*H + 100*W"
    time: "seconds*t"
    low: "cells_min(w - 2*h - 3*t)"
    high: "cells_max(w - 2*h - 3*t) + cells_max(k)"
    lets: "per_cell"
    advance: "n + three"
axis_map: {cycle: [here, kind, again, start, place, frames, visuals, first, cell, size, grid, time, low, high, lets]}
invariants: {non-negative: holds, continuous-boundary: holds, continuous-entry: holds, frames-contiguous: holds, degenerates-to-1d: holds,
  text-equals-1d: holds, no-collision: holds, unbiased: holds}
"#;

#[test]
fn every_name_has_its_value() {
    let mut library = Library::embedded().expect("embedded specs load");
    library.add_text("names.yaml", SCHEME).unwrap_or_else(|errors| panic!("{}", errors.render(false)));
    let scheme = library.get("names").expect("a scheme");
    let parameters = Parameters::defaults(scheme).expect("defaults");
    let layout =
        Layout::parse("text:2 video:2x2x3@0.5s image:1x2 text:3 text:1 video:3x1x2@2s text:2").expect("a layout");
    let found = positions(scheme, &parameters, &layout).expect("positions");

    let mut expected: Vec<Vec<i64>> = Vec::new();
    // Halves of seconds are the only fractions: axis `time` is kept apart, doubled.
    let mut halves: Vec<i64> = Vec::new();
    let (mut p, mut token0, mut frames, mut visuals) = (0i64, 0i64, 0i64, 0i64);
    for (segment, place) in layout.segments().iter().zip(0i64..) {
        let n = i64::try_from(segment.tokens()).expect("small");
        if let Segment::Text(_) = segment {
            for i in 0..n {
                let token = token0 + i;
                let mut row = vec![p + i, 2 * i + 3, p + i, token0, place, frames, visuals, 2, token, n];
                row.extend([p; 5]);
                expected.push(row);
                halves.push(2 * p);
            }
            p += n + 1;
        } else {
            let [t_size, h_size, w_size] = segment.grid().expect("visual").map(i64::from);
            let half_seconds = (segment.seconds().to_f64() * 2.0) as i64;
            let mut k = 0;
            for t in 0..t_size {
                for (h, w) in (0..h_size).flat_map(|h| (0..w_size).map(move |w| (h, w))) {
                    let token = token0 + k;
                    let sizes = t_size + 10 * h_size + 100 * w_size;
                    // w - 2h - 3t is least at (T-1, H-1, 0) and greatest at (0, 0, W-1).
                    let low = -2 * (h_size - 1) - 3 * (t_size - 1);
                    let high = (w_size - 1) + (n - 1);
                    expected.push(vec![
                        token,
                        k,
                        token,
                        token0,
                        place,
                        frames,
                        visuals,
                        2,
                        t + 10 * h + 100 * w,
                        n,
                        sizes,
                        0,
                        low,
                        high,
                        sizes + 1000 * t + 10_000 * h + 100_000 * w,
                    ]);
                    halves.push(half_seconds * t);
                    k += 1;
                }
            }
            frames += t_size;
            visuals += 1;
            p += n + 3;
        }
        token0 += n;
    }
    let time = scheme.axes.iter().position(|axis| axis == "time").expect("an axis");
    for (axis, name) in scheme.axes.iter().enumerate() {
        let column = found.columns()[axis].to_numbers();
        assert_eq!(column.len(), expected.len());
        for (token, (value, row)) in column.iter().zip(&expected).enumerate() {
            let wanted = if axis == time {
                Number::ratio(i128::from(halves[token]), 2).expect("a fraction")
            } else {
                Number::from_i64(row[axis])
            };
            assert_eq!(*value, wanted, "{name} of token {token}");
        }
    }
    assert_eq!(found.next().on(0), Some(&Number::from_i64(p)));
}
