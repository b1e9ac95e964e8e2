//! Layouts that go through the sizes of a grid in a fixed order, smallest first.

use super::layout::Layout;
use super::layout::LayoutError;
use super::layout::Segment;

/// How much a sweep covers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Extent {
    /// T, H and W from 1 to 9, all of them.
    Full,
    /// T, H and W among 1, 2, 3, 4 and 7: every parity, every order of two sizes, a prime beyond the small ones.
    Thin,
    /// T, H and W from 1 to 3, for schemes whose positions are irrational and slow to compute.
    Small,
}

impl Extent {
    fn sizes(self) -> &'static [u32] {
        match self {
            Extent::Full => &[1, 2, 3, 4, 5, 6, 7, 8, 9],
            Extent::Thin => &[1, 2, 3, 4, 7],
            Extent::Small => &[1, 2, 3],
        }
    }

    /// What a report says of it.
    #[must_use]
    pub fn describe(self) -> &'static str {
        match self {
            Extent::Full => "T, H, W from 1 to 9",
            Extent::Thin => "T, H, W among 1, 2, 3, 4, 7",
            Extent::Small => "T, H, W from 1 to 3",
        }
    }
}

/// Every grid (T, H, W), those with fewer tokens first, then by T, H, W.
#[must_use]
pub fn grids(extent: Extent) -> Vec<[u32; 3]> {
    let sizes = extent.sizes();
    let mut grids = Vec::with_capacity(sizes.len().pow(3));
    for &t in sizes {
        for &h in sizes {
            grids.extend(sizes.iter().map(|&w| [t, h, w]));
        }
    }
    grids.sort_by_key(|&[t, h, w]| (t * h * w, t, h, w));
    grids
}

fn layout(segments: Vec<Segment>) -> Option<Layout> {
    // All sizes here are small and positive.
    Layout::new(segments).ok()
}

/// One video between two texts, for every grid.
#[must_use]
pub fn single_videos(extent: Extent) -> Vec<Layout> {
    let one = |[t, h, w]: [u32; 3]| layout(vec![Segment::Text(1), Segment::video(t, h, w), Segment::Text(2)]);
    grids(extent).into_iter().filter_map(one).collect()
}

/// What invariants are tested on: text alone; one video for every grid after text of several lengths; and for some of
/// the grids a video at the start, an image, two videos with text between them, and two without.
#[must_use]
pub fn layouts(extent: Extent) -> Vec<Layout> {
    const PREFIXES: [u32; 4] = [1, 2, 5, 13];
    let mut all: Vec<Option<Layout>> = vec![layout(vec![Segment::Text(1)]), layout(vec![Segment::Text(7)])];
    for (index, [t, h, w]) in grids(extent).into_iter().enumerate() {
        let prefix = Segment::Text(PREFIXES[index % PREFIXES.len()]);
        let video = Segment::video(t, h, w);
        all.push(layout(vec![prefix.clone(), video.clone(), Segment::Text(2)]));
        if t == 1 {
            all.push(layout(vec![prefix.clone(), Segment::Image { h, w }, Segment::Text(3)]));
        }
        // The turned grid beside the grid makes the two segments differ.
        let turned = Segment::video(w, t, h);
        match index % 5 {
            0 => all.push(layout(vec![video, Segment::Text(1)])),
            1 => all.push(layout(vec![prefix, video, Segment::Text(1), turned, Segment::Text(2)])),
            2 => all.push(layout(vec![prefix, video, turned, Segment::Text(1)])),
            3 => all.push(layout(vec![prefix, Segment::Image { h, w }, Segment::Text(1), turned, Segment::Text(1)])),
            _ => {}
        }
    }
    all.into_iter().flatten().collect()
}

/// Sizes far beyond a sweep, frames of other lengths in seconds, texts that put positions where a formula may turn.
const FAR: [&str; 12] = [
    "text:2 video:33x2x1 text:2",
    "text:3 video:1x41x3 text:2",
    "text:2 video:3x1x64 text:2",
    "text:1 video:2x17x19 text:1",
    "text:2 video:100x1x1 text:1",
    "text:1 image:24x32 text:2",
    "text:2 video:4x6x5@0.25s text:1 video:3x5x4@3s text:2",
    "text:1 video:5x3x8@0.04s text:2",
    "text:2 video:7x2x2@60s image:2x11 text:2",
    "text:1000 video:2x4x6 text:2",
    "text:257 video:6x1x5 text:300 image:8x3 video:1x2x12",
    "video:12x3x3 video:2x10x10 text:2",
];

/// Layouts for what has to be quick: sizes of grids from 1 to 9 such that every two sizes of two dimensions meet in just one,
/// and some far beyond.
///
/// # Errors
/// If a layout is none, which tests rule out.
pub fn sampled() -> Result<Vec<Layout>, LayoutError> {
    let pairs = (1..=9u32).flat_map(|h| (1..=9u32).map(move |w| (h, w)));
    let grids = pairs
        .map(|(h, w)| Layout::new(vec![Segment::Text(h), Segment::video(1 + (h + w) % 9, h, w), Segment::Text(2)]));
    grids.chain(FAR.iter().map(|text| Layout::parse(text))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every two sizes meet, in any two dimensions, and every layout of [`FAR`] is one.
    #[test]
    fn a_sample_has_every_two_sizes_together() {
        let layouts = sampled().expect("layouts");
        assert_eq!(layouts.len(), 81 + FAR.len());
        for [first, second] in [[0, 1], [0, 2], [1, 2]] {
            let meet = |l: &Layout| l.segments()[1].grid().map(|grid| (grid[first], grid[second]));
            let all: std::collections::BTreeSet<_> = layouts[..81].iter().filter_map(meet).collect();
            assert_eq!(all.len(), 81, "{first} {second}");
        }
    }

    /// A sweep that is empty, or lost a kind of layout, would confirm whatever is stated.
    #[test]
    fn nothing_is_missing_from_a_sweep() {
        for (extent, sizes) in [(Extent::Full, 9), (Extent::Thin, 5), (Extent::Small, 3)] {
            let grids = grids(extent);
            let count = grids.len();
            assert_eq!(count, sizes * sizes * sizes);
            assert!(grids.windows(2).all(|two| {
                let tokens = |[t, h, w]: [u32; 3]| t * h * w;
                (tokens(two[0]), two[0]) < (tokens(two[1]), two[1])
            }));
            assert_eq!(single_videos(extent).len(), count);
            let layouts = layouts(extent);
            // Two of text, one per grid, an image per grid with T = 1, and one more for four of five grids.
            assert_eq!(layouts.len(), 2 + count + sizes * sizes + (count - count / 5), "{extent:?}");
            let kinds = |pattern: &str| {
                let kind = |segment: &Segment| match segment {
                    Segment::Text(_) => 't',
                    Segment::Image { .. } => 'i',
                    Segment::Video { .. } => 'v',
                };
                layouts.iter().filter(|l| l.segments().iter().map(kind).collect::<String>() == pattern).count()
            };
            // Of the grids number 0, 1, 2, ... those that leave 0, 1, 2, 3 when divided by 5.
            let every_fifth = |rest: usize| (count + 4 - rest) / 5;
            let expected = [2, count, sizes * sizes, every_fifth(0), every_fifth(1), every_fifth(2), every_fifth(3)];
            assert_eq!(["t", "tvt", "tit", "vt", "tvtvt", "tvvt", "titvt"].map(kinds), expected, "{extent:?}");
        }
    }
}
