//! Cases of `positions-exact` that go through the classes of layouts, octaves of positions and ranges of tokens, as far as a
//! manifest offers them. Level positions takes next to no time, so nothing that it offers is left to chance.

use std::ops::Range;

use super::layout_classes::{WHOLE_GRID, grids, neighbours, packed, seconds, sizes, texts, visuals};
use crate::case::{Alias, holds};
use crate::check::depth::Depth;
use crate::check::heads::HeadPreset;
use crate::check::schedule::Scheduler;
use crate::numeric::{DType, Rng};
use crate::positions::{Layout, Segment};

/// Most tokens that are asked for at once where the backend takes ranges; of a longer layout only parts are.
const WHOLE_ROW: u64 = 20_000;
/// Tokens of a layout that a backend without ranges is asked for.
const WHOLE_LAYOUT: u64 = 8192;
/// Tokens of the rows that grids are packed into, in turn, so that calls of every length come about.
const ROW_TOKENS: [u64; 9] = [600, 70, 1200, 150, 2500, 300, 5000, 100, 18_000];
/// Rows of a batch, in turn.
const ROWS: [usize; 8] = [1, 2, 1, 3, 5, 1, 8, 4];
/// Tokens around a place that are looked at.
const AROUND: u64 = 24;

/// Plans the cases: all classes in every type that the positions can be handed over in; at quick depth each in one of the
/// types, and of what is looked at in part a share.
pub(super) fn plan(s: &mut Scheduler) {
    let generator = s.generator;
    let mut types = generator.position_types();
    if types.is_empty() {
        types.push(generator.position_dtype());
    }
    if generator.depth == Depth::Quick {
        let most = generator.limits().1;
        let widest = types.iter().copied().find(|dtype| holds(*dtype, most)).unwrap_or(types[0]);
        let [rows, grids, ranges] = [(); 3].map(|()| *s.rng.choose(&types).unwrap_or(&widest));
        LayoutSweep::new(s, rows, 1, 4).rows();
        LayoutSweep::new(s, grids, 2, 4).large_grids();
        LayoutSweep::new(s, widest, 3, 4).octaves();
        LayoutSweep::new(s, ranges, 4, 4).ranges();
        return;
    }
    for turn in 0..generator.cases.div_ceil(2).max(1) {
        for dtype in &types {
            let mut sweep = LayoutSweep::new(s, *dtype, u64::from(turn) << 8, 1);
            sweep.rows();
            sweep.large_grids();
            sweep.octaves();
            sweep.ranges();
        }
    }
}

/// The sweep in one type.
struct LayoutSweep<'s, 'g> {
    s: &'s mut Scheduler<'g>,
    dtype: DType,
    rng: Rng,
    /// Of so many places in large layouts one is looked at.
    one_in: usize,
    /// Cases so far.
    asked: usize,
}

impl<'s, 'g> LayoutSweep<'s, 'g> {
    fn new(s: &'s mut Scheduler<'g>, dtype: DType, turn: u64, one_in: usize) -> Self {
        LayoutSweep { rng: s.rng.fork(turn | dtype as u64), s, dtype, one_in, asked: 0 }
    }

    fn ranges_offered(&self) -> bool {
        self.s.generator.manifest.token_ranges
    }

    fn ask(&mut self, band: &str, rows: Vec<Layout>, window: Option<(u64, u64)>) {
        self.asked += 1;
        let mut case = self.s.case(rows, &HeadPreset::NONE);
        (case.direction, case.alias) = (1, Alias::Out);
        (case.position_dtype, case.window) = (self.dtype, window);
        self.s.generator.vary_parameters(&mut case, self.asked);
        self.s.plan(band, case);
    }

    /// Whether these tokens of a layout can be asked for.
    fn fits(&self, layout: &Layout, window: Range<u64>) -> bool {
        self.s.generator.places(layout, window, Some(self.dtype))
    }

    /// A layout of these segments, or the nearest one that is offered.
    fn offered(&self, segments: Vec<Segment>) -> Option<Layout> {
        self.s.generator.adapted(&Layout::new(segments).ok()?).ok()
    }

    /// Rows of many segments, each asked for as a whole.
    fn rows(&mut self) {
        let whole: Vec<[u32; 3]> = grids(&mut self.rng).into_iter().filter(|g| cells(*g) <= WHOLE_GRID).collect();
        for (band, rows) in [
            ("grids", packed(&mut self.rng, &whole, &ROW_TOKENS)),
            ("neighbours", neighbours(&mut self.rng)),
            ("texts", texts(&mut self.rng)),
            ("seconds", seconds(&mut self.rng)),
        ] {
            let mut fitting = Vec::new();
            for row in rows {
                self.halves_that_fit(row, &mut fitting);
            }
            self.in_batches(band, fitting);
        }
    }

    /// A row, or what of its halves can be asked for.
    fn halves_that_fit(&self, row: Layout, fitting: &mut Vec<Layout>) {
        let few = self.s.generator.layout_limits().is_none_or(|limits| row.segments().len() as i64 <= limits.segments);
        // What has too many segments is divided, not cut short.
        let adapted = if few { self.s.generator.adapted(&row).ok() } else { None };
        let fits = |row: &Layout| row.tokens() <= WHOLE_ROW && self.fits(row, 0..row.tokens());
        if let Some(row) = adapted.filter(fits) {
            fitting.push(row);
        } else if row.segments().len() > 1 {
            let (first, second) = row.segments().split_at(row.segments().len() / 2);
            for half in [first, second].into_iter().filter_map(|half| Layout::new(half.to_vec()).ok()) {
                self.halves_that_fit(half, fitting);
            }
        }
    }

    /// Rows of about as many tokens in one call, filled up with text; alone where they do not end in text.
    fn in_batches(&mut self, band: &str, rows: Vec<Layout>) {
        let ends_in_text = |row: &Layout| row.segments().last().is_some_and(|last| !last.is_visual());
        let (mut rows, alone): (Vec<Layout>, Vec<Layout>) = rows.into_iter().partition(ends_in_text);
        alone.into_iter().for_each(|row| self.ask(band, vec![row], None));
        rows.sort_by_key(Layout::tokens);
        let mut rows = rows.into_iter().peekable();
        for size in ROWS.into_iter().cycle() {
            if rows.peek().is_none() {
                return;
            }
            let size = if self.s.generator.manifest.batch_layouts { size } else { 1 };
            let batch: Vec<Layout> = rows.by_ref().take(size).collect();
            let most = batch.iter().map(Layout::tokens).max().unwrap_or(0);
            let limits = &self.s.generator.manifest.layouts;
            let filled: Option<Vec<Layout>> = batch.iter().map(|row| limits.filled(row, most)).collect();
            match filled {
                Some(filled) if filled.iter().all(|row| self.fits(row, 0..most)) => self.ask(band, filled, None),
                _ => batch.into_iter().for_each(|row| self.ask(band, vec![row], None)),
            }
        }
    }

    /// Grids that are too large to be looked at everywhere: their first tokens, their last ones, or some between.
    fn large_grids(&mut self) {
        let large: Vec<[u32; 3]> = grids(&mut self.rng).into_iter().filter(|g| cells(*g) > WHOLE_GRID).collect();
        for (index, visual) in large.into_iter().flat_map(visuals).step_by(self.one_in).enumerate() {
            let before = u32::try_from(self.rng.between(1, 12)).unwrap_or(1);
            let row = vec![Segment::Text(before), visual, Segment::Text(5)];
            let Some(row) = self.offered(row) else { continue };
            let Some(grid) = row.segments().iter().position(Segment::is_visual) else { continue };
            let inside = row.token_range(grid);
            let at = match index % 3 {
                0 => inside.start,
                1 => inside.start + self.rng.below(inside.end - inside.start),
                _ => inside.end,
            };
            self.look_at("large-grids", row, at);
        }
    }

    /// The tokens around one, or the whole row where ranges are not offered and it is not too long.
    fn look_at(&mut self, band: &str, row: Layout, at: u64) {
        let around = at.saturating_sub(AROUND)..(at + AROUND).min(row.tokens());
        if around.is_empty() {
            return;
        }
        if self.ranges_offered() {
            if self.fits(&row, around.clone()) {
                self.ask(band, vec![row], Some((around.start, around.end - around.start)));
            }
        } else if row.tokens() <= WHOLE_LAYOUT && self.fits(&row, 0..row.tokens()) {
            self.ask(band, vec![row], None);
        }
    }

    /// Positions around every power of two, and somewhere between two: in text, and in a grid that crosses the power; two
    /// rows in one call where that is offered.
    fn octaves(&mut self) {
        let step = self.s.generator.text_step();
        let most = self.s.generator.limits().1;
        for octave in 6..=52u32 {
            let power = 1i64 << octave;
            if power > most {
                break;
            }
            let between = self.rng.between(power + 9, 2 * power - 9);
            for place in [power, between.min(most - 64)] {
                // A scheme that places tokens further apart reaches it sooner.
                let Some(before) = u32::try_from(place / step).ok().filter(|n| *n > 32) else { continue };
                let grid = [3 + self.rng.below(3), 4 + self.rng.below(4), 4 + self.rng.below(5)];
                let [t, h, w] = grid.map(|size| u32::try_from(size).unwrap_or(4));
                let crossing = vec![Segment::Text(before - 2), Segment::video(t, h, w), Segment::Text(12)];
                let small = Segment::Image { h: 2, w: 3 };
                let after = vec![Segment::Text(3), small, Segment::Text(before - 9 + t * h * w + 10)];
                let at = u64::from(before) - 2 + AROUND / 3;
                let rows = [crossing, after].into_iter().filter_map(|row| self.offered(row));
                let rows: Vec<Layout> = rows.collect();
                for row in &rows {
                    self.look_at("octaves", row.clone(), at);
                }
                let window = at - AROUND / 3..at + AROUND / 3;
                let batch = self.ranges_offered() && self.s.generator.manifest.batch_layouts && rows.len() == 2;
                if batch && rows.iter().all(|row| self.fits(row, window.clone())) {
                    self.ask("octaves", rows, Some((window.start, window.end - window.start)));
                }
            }
        }
    }

    /// Ranges of tokens of a layout of many segments: one token at, before and after every border, and ranges of many
    /// lengths that begin anywhere.
    fn ranges(&mut self) {
        if !self.ranges_offered() {
            return;
        }
        for length in [9, 60, 900] {
            let size = |rng: &mut Rng, most: i64| u32::try_from(rng.between(1, most)).unwrap_or(1);
            let row: Vec<Segment> = (0..9u32)
                .map(|index| match index % 3 {
                    0 => Segment::Text(size(&mut self.rng, length)),
                    1 => Segment::Image { h: size(&mut self.rng, 17), w: size(&mut self.rng, 17) },
                    _ => Segment::video(size(&mut self.rng, 9), size(&mut self.rng, 9), size(&mut self.rng, 9)),
                })
                .collect();
            let Some(row) = self.offered(row) else { continue };
            let tokens = row.tokens();
            let borders = (0..row.segments().len()).map(|segment| row.token_range(segment).start);
            let mut windows: Vec<(u64, u64)> = borders
                .enumerate()
                .flat_map(|(index, start)| {
                    let before = start.saturating_sub(1);
                    [(before, 1), (start, 1), (start + 1, 1), (before, 2 + index as u64 % 3)]
                })
                .collect();
            windows.push((tokens - 1, 1));
            for count in sizes(&mut self.rng, 1024).into_iter().map(u64::from).filter(|count| *count < tokens) {
                windows.push((self.rng.below(tokens - count + 1), count));
            }
            for (start, count) in windows.into_iter().step_by(self.one_in) {
                if start + count <= tokens && self.fits(&row, start..start + count) {
                    self.ask("ranges", vec![row.clone()], Some((start, count)));
                }
            }
        }
    }
}

fn cells(grid: [u32; 3]) -> u64 {
    grid.into_iter().map(u64::from).product()
}
