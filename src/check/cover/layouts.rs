//! Layouts that have what a row of the covering array wishes.

use super::factors::WITH_NEIGHBOURS;
use super::row::{CoverRow, Division, Wish};
use crate::backend::Manifest;
use crate::check::generator::text;
use crate::numeric::{Number, Rng};
use crate::positions::{Layout, Segment};

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

    fn grid(&self, rng: &mut Rng) -> Segment {
        let [t, h, w] = self.sides;
        if t == 1 && rng.one_in(2) {
            return Segment::Image { h, w };
        }
        let [num, den] = self.seconds.map(i128::from);
        Segment::Video { t, h, w, seconds: Number::ratio(num, den).unwrap_or(Number::ONE) }
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

/// A segment of a kind (0 text, 1 image, 2 video) of at least one token, and of no more than a few.
fn small(kind: u8, most: u32, rng: &mut Rng) -> Segment {
    let mut size = || u32::try_from(rng.between(1, most.into())).unwrap_or(1);
    match kind {
        0 => Segment::Text(size()),
        1 => Segment::Image { h: size(), w: size() },
        _ => Segment::video(size(), size(), size()),
    }
}

/// A segment of any kind, long or with one long side: of every octave up to 2^12, the ends of an octave as often as what lies
/// between.
fn varied(rng: &mut Rng) -> Segment {
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
    match any_kind(rng) {
        0 => Segment::Text(long),
        1 => {
            sides[at % 2] = long;
            Segment::Image { h: sides[0], w: sides[1] }
        }
        _ => {
            sides[at] = long;
            Segment::video(sides[0], sides[1], sides[2])
        }
    }
}

fn any_kind(rng: &mut Rng) -> u8 {
    u8::try_from(rng.below(3)).unwrap_or(0)
}

/// Where the tokens that are asked for begin, and how many there are; `None`: all.
type Window = Option<(u64, u64)>;

impl CoverRow {
    /// Its layouts, and the tokens that are asked for if not all are: where they begin, and how many. `None` if none has as
    /// many tokens.
    pub(super) fn layouts(&self, manifest: &Manifest) -> Option<(Vec<Layout>, Window)> {
        let mut rng = Rng::new(self.seed);
        match self.rows {
            Division::Packed { sequences, empty } => {
                let wished = u32::try_from(self.wish.tokens()).unwrap_or(u32::MAX);
                let lengths = divided(self.tokens, sequences, empty, wished, &mut rng);
                let longest = lengths.iter().enumerate().max_by_key(|(_, n)| **n).map_or(0, |(at, _)| at);
                let one = |(at, n): (usize, &u32)| match (*n, at == longest) {
                    (0, _) => Layout::default(),
                    (n, true) => exactly(&self.wish, n, &mut rng),
                    (n, false) => exactly(&self.wish.small(&mut rng), n, &mut rng),
                };
                Some((lengths.iter().enumerate().map(one).collect(), None))
            }
            Division::Batch(n) => {
                let (first, window) = if manifest.token_ranges {
                    let window = (u64::from(self.wish.start), u64::from(self.tokens));
                    (windowed(&self.wish, self.tokens, &mut rng)?, Some(window))
                } else {
                    (exactly(&self.wish, self.tokens, &mut rng), None)
                };
                Some((batch(first, n, manifest.batch_layouts), window))
            }
        }
    }
}

/// So many rows of one layout, each with its segments in another order where rows may differ.
fn batch(first: Layout, rows: u32, differ: bool) -> Vec<Layout> {
    let turned = |row: u32| {
        let mut segments = first.segments().to_vec();
        let by = row as usize % segments.len().max(1);
        segments.rotate_left(if differ { by } else { 0 });
        Layout::new(segments).unwrap_or_else(|_| first.clone())
    };
    (0..rows).map(turned).collect()
}

/// A layout with at least `start + tokens` tokens of which those from the start on are at the beginning of its grid, inside it
/// or at its end, if the start is not before it.
fn windowed(wish: &Wish, tokens: u32, rng: &mut Rng) -> Option<Layout> {
    let (begins, beside) = wish.kinds();
    let head: Vec<Segment> = begins.filter(|kind| *kind > 0).map(|kind| small(kind, 3, rng)).into_iter().collect();
    let before = count(&head) + u64::from(wish.text);
    let (start, cells) = (u64::from(wish.start), wish.cells());
    // Where the window begins in the grid; before it, by the remainder.
    let inside = match rng.below(3) {
        0 => 0,
        1 => rng.below(cells),
        _ => cells.saturating_sub(u64::from(tokens / 2).max(1)),
    };
    let prefix = start.saturating_sub(before + inside);
    let mut segments = head;
    let few = wish.segments < WITH_NEIGHBOURS;
    match u32::try_from(prefix).ok()? {
        prefix if few && wish.segments > 1 => segments.push(Segment::Text(wish.text.checked_add(prefix)?)),
        prefix => {
            segments.extend((prefix > 0).then_some(Segment::Text(prefix)));
            segments.extend((wish.segments > 1).then_some(Segment::Text(wish.text)));
        }
    }
    segments.push(wish.grid(rng));
    segments.extend(beside.into_iter().flatten().map(|kind| small(kind, 3, rng)));
    let end = start + u64::from(tokens);
    let mut missing = end.saturating_sub(count(&segments));
    while segments.len() + usize::from(missing > 0) < wish.segments as usize {
        segments.push(varied(rng));
        missing = end.saturating_sub(count(&segments));
    }
    if missing > 0 {
        segments.push(Segment::Text(u32::try_from(missing + rng.below(3)).ok()?));
    }
    Layout::new(segments).ok()
}

/// A layout of exactly so many tokens, with as much of the wish as has room.
fn exactly(wish: &Wish, tokens: u32, rng: &mut Rng) -> Layout {
    let (begins, beside) = wish.kinds();
    let mut wanted: Vec<Segment> =
        begins.filter(|kind| *kind > 0).map(|kind| small(kind, 1, rng)).into_iter().collect();
    if wish.segments > 1 {
        wanted.push(Segment::Text(wish.text));
    }
    wanted.push(wish.grid(rng));
    wanted.extend(beside.into_iter().flatten().map(|kind| small(kind, 1, rng)));
    while wanted.len() + 1 < wish.segments as usize {
        wanted.push(small(any_kind(rng), 1, rng));
    }
    let mut rest = u64::from(tokens);
    let mut segments = Vec::new();
    for segment in wanted {
        if segment.tokens() <= rest {
            rest -= segment.tokens();
            segments.push(segment);
        }
    }
    segments.extend(u32::try_from(rest).ok().filter(|rest| *rest > 0).map(Segment::Text));
    Layout::new(segments).unwrap_or_else(|_| text(tokens))
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
