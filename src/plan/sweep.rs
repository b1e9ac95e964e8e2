//! Layouts that go through the sizes of a grid in a fixed order, smallest first.

use super::layout::{Layout, Segment};

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
