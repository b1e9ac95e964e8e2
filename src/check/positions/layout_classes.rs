//! Layouts of every class: sizes of grids, neighbours, lengths of text, seconds between frames, numbers of segments.
//! They are made under a seed and know no manifest; `layout_sweep` cuts them to one and makes cases of them.

use crate::numeric::{Number, Rng};
use crate::positions::{Layout, Segment};

/// Sizes up to here are all tried; above, powers of two, both their neighbours and one size between two powers.
const EVERY_SIZE: u32 = 9;
/// Most tokens of a grid that is asked for as a whole, among others in one row.
pub(super) const WHOLE_GRID: u64 = 512;
/// Grids that images and videos of real models have.
const REAL_GRIDS: [[u32; 3]; 8] =
    [[16, 32, 32], [8, 24, 40], [1, 64, 36], [128, 16, 16], [1, 73, 97], [2, 128, 128], [64, 7, 12], [768, 2, 3]];
/// Numerators and denominators of seconds from one frame to the next: one frame a second, halves, thirds, frame rates of
/// film and television, more than one and a half second, slides.
const SECONDS: [(i128, i128); 26] = [
    (1, 1),
    (1, 2),
    (1, 4),
    (3, 4),
    (1, 8),
    (1, 64),
    (1, 3),
    (2, 3),
    (4, 3),
    (1, 7),
    (1, 24),
    (1, 25),
    (1, 30),
    (1, 60),
    (1001, 24_000),
    (1001, 30_000),
    (3, 2),
    (7, 4),
    (2, 1),
    (5, 2),
    (10, 3),
    (5, 1),
    (10, 1),
    (60, 1),
    (3601, 3),
    (1_000_000, 1),
];

/// Sizes from 1 to `most` and a little beyond: every small one, powers of two and both neighbours, one between two powers.
pub(super) fn sizes(rng: &mut Rng, most: u32) -> Vec<u32> {
    let mut all: Vec<u32> = (1..=EVERY_SIZE).collect();
    let mut power = 2 * (EVERY_SIZE - 1);
    while power <= most {
        let between = rng.between(i64::from(power / 2 + 2), i64::from(power - 2));
        all.extend([u32::try_from(between).unwrap_or(power - 2), power - 1, power, power + 1]);
        power *= 2;
    }
    all
}

/// A size in 2^octave .. 2^(octave + 1).
fn of_octave(rng: &mut Rng, octave: u32) -> u32 {
    u32::try_from(rng.between(1 << octave, (2 << octave) - 1)).unwrap_or(1)
}

/// Grids T, H, W that differ in two sizes from all others: every pair of sizes up to 9, and one of every pair of octaves up
/// to 2^16 cells; every size on one axis alone up to 4097; real ones. Each pair of axes has all of them, the third size is
/// small.
pub(super) fn grids(rng: &mut Rng) -> Vec<[u32; 3]> {
    const OCTAVES: u32 = 13;
    const MOST_CELLS: u32 = 15;
    let mut all = REAL_GRIDS.to_vec();
    let mut add = |rng: &mut Rng, axis: usize, a: u32, b: u32| {
        let third = [1, 2, 1, 3][usize::try_from(rng.below(4)).unwrap_or(0)];
        let mut grid = [third; 3];
        (grid[axis], grid[(axis + 1) % 3]) = (a, b);
        all.push(grid);
    };
    for axis in 0..3 {
        for (a, b) in (1..=EVERY_SIZE).flat_map(|a| (1..=EVERY_SIZE).map(move |b| (a, b))) {
            add(rng, axis, a, b);
        }
        for (a, b) in (0..OCTAVES).flat_map(|a| (0..OCTAVES).map(move |b| (a, b))) {
            if a.max(b) > 2 && a + b <= MOST_CELLS {
                let (a, b) = (of_octave(rng, a), of_octave(rng, b));
                add(rng, axis, a, b);
            }
        }
    }
    for axis in 0..3 {
        all.extend(sizes(rng, 4096).into_iter().map(|size| {
            let mut grid = [1; 3];
            grid[axis] = size;
            grid
        }));
    }
    rng.shuffle(&mut all);
    all
}

/// A grid as a video, and as an image where it can be one.
pub(super) fn visuals([t, h, w]: [u32; 3]) -> impl Iterator<Item = Segment> {
    [Segment::video(t, h, w)].into_iter().chain((t == 1).then_some(Segment::Image { h, w }))
}

/// Text of a length that is mostly small.
fn some_text(rng: &mut Rng) -> Segment {
    let most = if rng.one_in(4) { 40 } else { 4 };
    Segment::Text(u32::try_from(rng.between(1, most)).unwrap_or(1))
}

/// Rows of small grids with text between most of them, each row about as long as the next one of `lengths` in turn.
pub(super) fn packed(rng: &mut Rng, grids: &[[u32; 3]], lengths: &[u64]) -> Vec<Layout> {
    const MOST_SEGMENTS: usize = 64;
    let mut rows: Vec<Vec<Segment>> = Vec::new();
    let (mut row, mut tokens) = (Vec::new(), 0);
    for visual in grids.iter().copied().flat_map(visuals) {
        if !rng.one_in(4) {
            row.push(some_text(rng));
        }
        row.push(visual);
        tokens += row.iter().rev().take(2).map(Segment::tokens).sum::<u64>();
        if tokens > lengths[rows.len() % lengths.len()] || row.len() + 2 > MOST_SEGMENTS {
            // Long rows first have several short ones behind them; the last text is long every third time.
            let last = if rows.len().is_multiple_of(3) { rng.between(13, 90) } else { rng.between(1, 4) };
            row.push(Segment::Text(u32::try_from(last).unwrap_or(1)));
            rows.push(std::mem::take(&mut row));
            tokens = 0;
        }
    }
    rows.push(row);
    rows.into_iter().filter_map(|row| Layout::new(row).ok()).filter(|row| row.tokens() > 0).collect()
}

/// A small segment of a kind: 0 text, 1 image, 2 video.
fn small(rng: &mut Rng, kind: u64) -> Segment {
    let mut size = |most| u32::try_from(rng.between(1, most)).unwrap_or(1);
    match kind {
        0 => Segment::Text(size(9)),
        1 => Segment::Image { h: size(7), w: size(7) },
        _ => Segment::video(size(5), size(4), size(4)),
    }
}

/// Every three kinds of segments side by side, at the start of a row, within one and at its end; rows of 1 to 64 segments;
/// two equal videos; and long thin videos, after which one token of text, or none, or more come.
pub(super) fn neighbours(rng: &mut Rng) -> Vec<Layout> {
    let mut rows: Vec<Vec<Segment>> = Vec::new();
    for (a, b, c) in (0..3).flat_map(|a| (0..3).flat_map(move |b| (0..3).map(move |c| (a, b, c)))) {
        rows.push([a, b, c].map(|kind| small(rng, kind)).to_vec());
        let mut more = vec![rng.below(3)];
        more.extend([a, b, c, rng.below(3), a, c]);
        rows.push(more.into_iter().map(|kind| small(rng, kind)).collect());
    }
    for segments in 1..=64 {
        rows.push((0..segments).map(|_| rng.below(3)).collect::<Vec<_>>().into_iter().map(|k| small(rng, k)).collect());
    }
    for index in 0..12 {
        let size = |rng: &mut Rng, low, high| u32::try_from(rng.between(low, high)).unwrap_or(1);
        let video = Segment::video(size(rng, 2, 7), size(rng, 2, 7), size(rng, 2, 9));
        let between = Segment::Text(size(rng, 1, 20));
        let (h, w) = (size(rng, 1, 3), size(rng, 1, 3));
        let thin = Segment::video(size(rng, 4, 40), h, w);
        rows.push(match index % 4 {
            0 => vec![video.clone(), video, thin],
            1 => vec![between, video.clone(), small(rng, 1), video, thin, Segment::Text(1)],
            2 => vec![small(rng, 0), thin.clone(), Segment::Text(1), thin],
            _ => vec![thin, between.clone(), video.clone(), between, video, Segment::Text(1)],
        });
    }
    rows.into_iter().filter_map(|row| Layout::new(row).ok()).collect()
}

/// Text of every class of lengths up to 4097 at the start, between segments and at the end.
pub(super) fn texts(rng: &mut Rng) -> Vec<Layout> {
    let mut lengths = sizes(rng, 4096);
    lengths.extend(EVERY_SIZE + 1..=20);
    lengths.sort_unstable();
    lengths.dedup();
    let text = |index: usize| Segment::Text(lengths[index % lengths.len()]);
    let third = lengths.len() / 3;
    let row = |(index, kinds): (usize, [u64; 2]), rng: &mut Rng| {
        let [first, second] = kinds.map(|kind| small(rng, kind));
        Layout::new(vec![text(index), first, text(index + third), second, text(index + 2 * third)]).ok()
    };
    // Longer than rows of grids become.
    let long = [12, 13].map(|octave| {
        let first = u32::try_from(rng.between(1 << octave, (2 << octave) - 200)).unwrap_or(1 << octave);
        Layout::new(vec![Segment::Text(first), small(rng, 2), Segment::Text(7)]).ok()
    });
    let long: Vec<Layout> = long.into_iter().flatten().collect();
    (0..lengths.len())
        .filter_map(|index| {
            let kinds = [1 + rng.below(2), 1 + rng.below(2)];
            row((index, kinds), rng)
        })
        .chain(long)
        .collect()
}

/// Videos of every kind of seconds between frames: side by side in one row, of few and of many frames.
pub(super) fn seconds(rng: &mut Rng) -> Vec<Layout> {
    let mut rows = Vec::new();
    for frames in [5, 17, 40] {
        let mut row = Vec::new();
        for (num, den) in SECONDS {
            let Ok(seconds) = Number::ratio(num, den) else { continue };
            let size = |rng: &mut Rng, low, high| u32::try_from(rng.between(low, high)).unwrap_or(1);
            row.push(Segment::Text(size(rng, 1, 6)));
            let t = size(rng, i64::from(frames / 2 + 1), i64::from(frames));
            row.push(Segment::Video { t, h: size(rng, 1, 4), w: size(rng, 1, 5), seconds });
        }
        row.push(Segment::Text(3));
        rows.extend(Layout::new(row));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pair_of_sizes_and_of_octaves_is_there() {
        for seed in [1, 2] {
            let grids = grids(&mut Rng::new(seed));
            for (a, b) in [(0, 1), (1, 2), (2, 0)] {
                let has = |x: std::ops::Range<u32>, y: std::ops::Range<u32>| {
                    grids.iter().any(|grid| x.contains(&grid[a]) && y.contains(&grid[b]))
                };
                assert!((1..10).all(|x| (1..10).all(|y| has(x..x + 1, y..y + 1))));
                let octave = |k: u32| 1 << k..2 << k;
                assert!((0..13).all(|i| (0..13).all(|j| i + j > 15 || has(octave(i), octave(j)))));
            }
            for axis in 0..3 {
                for size in (4..13).flat_map(|k| [(1 << k) - 1, 1 << k, (1 << k) + 1]) {
                    assert!(grids.iter().any(|grid| grid[axis] == size && grid.iter().product::<u32>() == size));
                }
            }
        }
    }

    #[test]
    fn every_three_kinds_are_neighbours_everywhere_in_a_row() {
        let rows = neighbours(&mut Rng::new(1));
        let kinds = |row: &Layout| row.segments().iter().map(Segment::kind).collect::<Vec<_>>();
        let all = ["text", "image", "video"];
        for three in (0..27).map(|index| [index / 9, index / 3 % 3, index % 3].map(|kind: usize| all[kind])) {
            assert!(rows.iter().any(|row| kinds(row).starts_with(&three)));
            assert!(rows.iter().any(|row| kinds(row).ends_with(&three)));
            assert!(rows.iter().any(|row| kinds(row).windows(3).skip(1).any(|here| here == three)));
        }
        assert!((1..=64).all(|count| rows.iter().any(|row| row.segments().len() == count)));
        assert_eq!(seconds(&mut Rng::new(1)).iter().map(|row| row.segments().len()).collect::<Vec<_>>(), [53; 3]);
        let texts = texts(&mut Rng::new(1));
        for length in [1, 13, 20, 31, 1025, 4095, 4097] {
            assert!([0, 2, 4].iter().all(|at| texts.iter().any(|row| row.segments()[*at] == Segment::Text(length))));
        }
    }
}
