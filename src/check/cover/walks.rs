//! Where the tokens of rows are: so that octaves of positions meet every class, and those of other axes.

use super::classes::Classes;
use super::met::Met;
use super::row::CoverRow;
use crate::case::{Dimension, octave};
use crate::numeric::Rng;

/// Begins of the walk that are compared.
const CANDIDATES: usize = 8;
/// Tokens that are looked at: longer rows have every octave wherever they begin.
const LOOKED_AT: usize = 64;
/// Most tokens of a walk: more than the square of the number of octaves there are.
const LENGTH: u64 = 1 << 14;

/// Whether the angle of a pair can be seen on some token of narrow heads: where all axes are small, and none is 0.
fn row_shows(row: &CoverRow, axes: usize, tokens: usize) -> bool {
    const SMALL: i64 = 1 << 12;
    let small = |position: &i64| (1..=SMALL).contains(&position.abs());
    row.walk().walked(axes, tokens).iter().any(|token| token.iter().all(small))
}

/// What octaves have met so far.
pub(super) struct Walks<'a> {
    classes: &'a Classes,
    met: Met,
    rng: Rng,
}

impl<'a> Walks<'a> {
    pub(super) fn new(classes: &'a Classes, met: Met, rng: Rng) -> Walks<'a> {
        Walks { classes, met, rng }
    }

    /// Lets a row of these classes, on a scheme of so many axes, begin where most of what its tokens meet has not met.
    pub(super) fn give_turn(&mut self, row: &mut CoverRow, of_row: &[u16], axes: usize) {
        let tokens = (row.batch() as usize * row.tokens as usize).min(LOOKED_AT);
        let mut all = self.met.empty_set();
        all.add(of_row);
        let turns: Vec<u32> = (0..CANDIDATES).filter_map(|_| u32::try_from(self.rng.below(LENGTH)).ok()).collect();
        let wide = row.is_wide();
        let gain = |turn: &u32| {
            let octaves = self.octaves(&CoverRow { turn: *turn, ..row.clone() }, axes, tokens);
            let fresh = |token: &Vec<u16>| {
                let beside = token.iter().enumerate().flat_map(|(i, a)| token[i..].iter().map(move |b| (*a, *b)));
                let among = beside.filter(|(a, b)| !self.met.has(*a, *b)).count();
                token.iter().map(|class| self.met.fresh(*class, &all) as usize).sum::<usize>() + among
            };
            let shows = wide || row_shows(&CoverRow { turn: *turn, ..row.clone() }, axes, tokens);
            (shows, octaves.iter().map(fresh).sum::<usize>())
        };
        row.turn = turns.iter().copied().max_by_key(gain).unwrap_or(0);
        for token in self.octaves(row, axes, tokens) {
            self.met.add_all(&[of_row, &token].concat());
        }
    }

    /// The classes of the octaves of every token.
    fn octaves(&self, row: &CoverRow, axes: usize, tokens: usize) -> Vec<Vec<u16>> {
        let class = |(axis, low): (usize, &i64)| self.classes.number(Dimension::of_axis(axis), octave(*low as f64));
        let walked = row.walk().walked(axes, tokens);
        walked.iter().map(|token| token.iter().enumerate().filter_map(class).collect()).collect()
    }
}
