//! Layouts that have what a row of the covering array wishes.

use super::factors::with_neighbours;
use super::row::{CoverRow, Division, Wish};
use crate::backend::Manifest;
use crate::backend::layout_limits::{LayoutLimits, Offered};
use crate::numeric::{Number, Rng};
use crate::positions::{Layout, Segment, SegmentKind};

impl Wish {
    fn cells(&self) -> u64 {
        self.sides.iter().map(|side| u64::from(*side)).product()
    }

    /// Tokens of a layout that has all of it and no more.
    fn tokens(&self) -> u64 {
        self.cells() + u64::from(self.text) + u64::from(self.segments.saturating_sub(2))
    }

    /// A smaller one.
    fn small(&self, rng: &mut Rng) -> Wish {
        let mut size = |most: u32| u32::try_from(rng.between(1, most.into())).unwrap_or(1);
        let sides = [size(3), size(4), size(4)];
        Wish { start: 0, sides, text: size(3), segments: size(4), neighbours: None, ..self.clone() }
    }

    /// Its grid, or one like it that is offered; `None` where no images or videos are.
    fn grid(&self, limits: &LayoutLimits, rng: &mut Rng) -> Option<Segment> {
        let [t, h, w] = self.sides;
        let image = t == 1 && (rng.one_in(2) || !limits.frames.allows(1));
        let [num, den] = self.seconds.map(i128::from);
        let video = || Segment::Video { t, h, w, seconds: Number::ratio(num, den).unwrap_or(Number::ONE) };
        let grid = if image { Segment::Image { h, w } } else { video() };
        limits.like(&grid).filter(Segment::is_visual)
    }

    /// What begins the layout, and two kinds that come after its grid.
    fn kinds(&self) -> (Option<u8>, Option<[u8; 2]>) {
        match self.neighbours {
            Some(pair @ 0..9) => (None, Some([pair / 3, pair % 3])),
            Some(first) => (Some(first - 9), None),
            None => (None, None),
        }
    }
}

/// A segment of a kind (0 text, 1 image, 2 video) of at least one token, and of no more than a few; one like
/// it where it is not offered.
fn small(limits: &LayoutLimits, kind: u8, most: u32, rng: &mut Rng) -> Option<Segment> {
    let mut size = || u32::try_from(rng.between(1, most.into())).unwrap_or(1);
    limits.like(&match kind {
        0 => Segment::Text(size()),
        1 => Segment::Image { h: size(), w: size() },
        _ => Segment::video(size(), size(), size()),
    })
}

/// A segment of any kind, long or with one long side: of every octave up to 2^12, the ends of an octave as often as what lies
/// between.
fn varied(limits: &LayoutLimits, rng: &mut Rng) -> Option<Segment> {
    let power = 1u32 << rng.below(13);
    let long = match rng.below(4) {
        0 => power,
        1 => (power - 1).max(1),
        2 => power + 1,
        _ => u32::try_from(rng.between(power.into(), i64::from(2 * power - 1).min(4096))).unwrap_or(power),
    };
    let long = long.min(4096);
    let mut size = || u32::try_from(rng.between(1, 3)).unwrap_or(1);
    let mut sides = [size(), size(), size()];
    let at = usize::try_from(rng.below(3)).unwrap_or(0);
    limits.like(&match any_kind(limits, rng) {
        0 => Segment::Text(long),
        1 => {
            sides[at % 2] = long;
            Segment::Image { h: sides[0], w: sides[1] }
        }
        _ => {
            sides[at] = long;
            Segment::video(sides[0], sides[1], sides[2])
        }
    })
}

/// A kind that is offered.
fn any_kind(limits: &LayoutLimits, rng: &mut Rng) -> u8 {
    let drawn = usize::try_from(rng.below(limits.kinds.len().max(1) as u64)).unwrap_or(0);
    limits.kinds.get(drawn).map_or(0, |kind| *kind as u8)
}

/// Where the tokens that are asked for begin, and how many there are; `None`: all.
type Window = Option<(u64, u64)>;

impl CoverRow {
    /// Its layouts, and the tokens that are asked for if not all are: where they begin, and how many. `None` if none has as
    /// many tokens.
    pub(super) fn layouts(&self, manifest: &Manifest) -> Option<(Vec<Layout>, Window)> {
        let mut rng = Rng::new(self.seed);
        let limits = &manifest.layouts;
        match self.rows {
            Division::Packed { sequences, empty } => {
                let wished = u32::try_from(self.wish.tokens()).unwrap_or(u32::MAX);
                let lengths = divided(self.tokens, sequences, empty, wished, &mut rng);
                let longest = lengths.iter().enumerate().max_by_key(|(_, n)| **n).map_or(0, |(at, _)| at);
                let one = |(at, n): (usize, &u32)| match (*n, at == longest) {
                    (0, _) => Some(Layout::default()),
                    (n, true) => exactly(limits, &self.wish, n, &mut rng),
                    (n, false) => exactly(limits, &self.wish.small(&mut rng), n, &mut rng),
                };
                Some((lengths.iter().enumerate().map(one).collect::<Option<_>>()?, None))
            }
            Division::Batch(n) => {
                let (first, window) = if manifest.token_ranges {
                    let window = (u64::from(self.wish.start), u64::from(self.tokens));
                    (windowed(limits, &self.wish, self.tokens, &mut rng)?, Some(window))
                } else {
                    (exactly(limits, &self.wish, self.tokens, &mut rng)?, None)
                };
                Some((batch(limits, first, n, manifest.batch_layouts), window))
            }
        }
    }
}

/// So many rows of one layout, each with its segments in another order where rows may differ and that is
/// offered.
fn batch(limits: &LayoutLimits, first: Layout, rows: u32, differ: bool) -> Vec<Layout> {
    let count = first.segments().len().max(1);
    let turned = |by: usize| {
        let mut segments = first.segments().to_vec();
        segments.rotate_left(by % count);
        Layout::new(segments).ok().filter(|layout| limits.refusal(layout).is_none())
    };
    let row = |row: u32| {
        let by = if differ { row as usize } else { 0 };
        let found = (0..count).find_map(|more| turned(by + more)).filter(|_| by % count != 0);
        found.unwrap_or_else(|| first.clone())
    };
    (0..rows).map(row).collect()
}

/// A layout with at least `start + tokens` tokens of which those from the start on are at the beginning of its grid, inside it
/// or at its end, if the start is not before it.
fn windowed(limits: &LayoutLimits, wish: &Wish, tokens: u32, rng: &mut Rng) -> Option<Layout> {
    let (begins, beside) = wish.kinds();
    let mut layout = Offered::new(limits);
    let head = begins.filter(|kind| *kind > 0).and_then(|kind| small(limits, kind, 3, rng));
    head.into_iter().for_each(|segment| {
        layout.push(segment);
    });
    let before = count(&layout.segments) + u64::from(wish.text);
    let (start, cells) = (u64::from(wish.start), wish.cells());
    // Where the window begins in the grid; before it, by the remainder.
    let inside = match rng.below(3) {
        0 => 0,
        1 => rng.below(cells),
        _ => cells.saturating_sub(u64::from(tokens / 2).max(1)),
    };
    let prefix = u32::try_from(start.saturating_sub(before + inside)).ok()?;
    // Two texts side by side take a segment more.
    let few = wish.segments < with_neighbours(limits) || limits.segments < 6;
    if limits.has(SegmentKind::Text) {
        if few && wish.segments > 1 {
            layout.push(Segment::Text(wish.text.checked_add(prefix)?));
        } else {
            let texts = [prefix, if wish.segments > 1 { wish.text } else { 0 }];
            texts.into_iter().filter(|n| *n > 0).for_each(|n| {
                layout.push(Segment::Text(n));
            });
        }
    }
    let grid = wish.grid(limits, rng);
    grid.into_iter().for_each(|segment| {
        layout.push(segment);
    });
    for kind in beside.into_iter().flatten() {
        small(limits, kind, 3, rng).into_iter().for_each(|segment| {
            layout.push(segment);
        });
    }
    let end = start + u64::from(tokens);
    let mut missing = end.saturating_sub(count(&layout.segments));
    while layout.segments.len() + usize::from(missing > 0) < wish.segments as usize {
        if !layout.push(varied(limits, rng)?) {
            break;
        }
        missing = end.saturating_sub(count(&layout.segments));
    }
    if missing > 0 {
        let more = u32::try_from(missing + rng.below(3)).ok()?;
        if !lengthened(limits, &mut layout, more) {
            return None;
        }
    }
    Layout::new(layout.segments).ok().filter(|layout| layout.tokens() >= end)
}

/// A layout of exactly so many tokens, with as much of the wish as has room.
fn exactly(limits: &LayoutLimits, wish: &Wish, tokens: u32, rng: &mut Rng) -> Option<Layout> {
    let (begins, beside) = wish.kinds();
    let mut wanted: Vec<Segment> =
        begins.filter(|kind| *kind > 0).and_then(|kind| small(limits, kind, 1, rng)).into_iter().collect();
    if wish.segments > 1 && limits.has(SegmentKind::Text) {
        wanted.push(Segment::Text(wish.text));
    }
    wanted.extend(wish.grid(limits, rng));
    wanted.extend(beside.into_iter().flatten().filter_map(|kind| small(limits, kind, 1, rng)));
    while wanted.len() + 1 < wish.segments as usize {
        let kind = any_kind(limits, rng);
        wanted.push(small(limits, kind, 1, rng)?);
    }
    let mut layout = Offered::new(limits);
    for segment in wanted {
        let rest = u64::from(tokens) - count(&layout.segments);
        if layout.cost(&segment) <= rest {
            layout.push(segment);
        }
    }
    let rest = u32::try_from(u64::from(tokens) - count(&layout.segments)).ok()?;
    if !lengthened(limits, &mut layout, rest) {
        return None;
    }
    Layout::new(layout.segments).ok().filter(|layout| limits.refusal(layout).is_none())
}

/// Adds so many tokens: of text, or where that has no room of one image or video. False where there is none.
fn lengthened(limits: &LayoutLimits, layout: &mut Offered, more: u32) -> bool {
    if more == 0 || limits.has(SegmentKind::Text) && ends_with_text(limits, layout, more) {
        return true;
    }
    let row = limits.like(&Segment::Image { h: 1, w: more });
    row.filter(|row| row.is_visual() && layout.cost(row) == u64::from(more)).is_some_and(|row| layout.push(row))
}

/// Adds a text of so many tokens at the end, where one has room; to one that is there, where not; or in the
/// place of the last segment.
fn ends_with_text(limits: &LayoutLimits, layout: &mut Offered, more: u32) -> bool {
    if layout.push(Segment::Text(more)) || layout.lengthen(more) {
        return true;
    }
    let Some(last) = layout.segments.pop().and_then(|last| u32::try_from(last.tokens()).ok()) else { return false };
    limits.has(SegmentKind::Text) && last.checked_add(more).is_some_and(|n| layout.push(Segment::Text(n)))
}

fn count(segments: &[Segment]) -> u64 {
    segments.iter().map(Segment::tokens).sum()
}

/// So many tokens in so many sequences, some of them empty, one of at least `wished` tokens if there are enough, the others of
/// any length.
pub(super) fn divided(tokens: u32, sequences: u32, empty: u32, wished: u32, rng: &mut Rng) -> Vec<u32> {
    let full = (sequences - empty).max(1);
    let mut lengths = vec![1; full as usize];
    let mut rest = tokens.saturating_sub(full);
    let first = usize::try_from(rng.below(full.into())).unwrap_or(0);
    let long = rest.min(wished.saturating_sub(1));
    lengths[first] += long;
    rest -= long;
    while rest > 0 {
        let at = usize::try_from(rng.below(full.into())).unwrap_or(0);
        let more = u32::try_from(rng.between(1, rest.into())).unwrap_or(1);
        lengths[at] += more;
        rest -= more;
    }
    for _ in 0..empty {
        let at = usize::try_from(rng.below(lengths.len() as u64 + 1)).unwrap_or(0);
        lengths.insert(at, 0);
    }
    lengths
}
