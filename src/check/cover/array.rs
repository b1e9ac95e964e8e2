//! A covering array: few rows in which every two classes meet that can meet, and every three options of modes.
//!
//! Greedy, a row at a time, as AETG does (Cohen, Dalal, Fredman, Patton, 1997): a row begins with what has not met, and each
//! further factor takes the option whose classes have met fewest of the others.

use std::collections::BTreeSet;

use super::met::Met;
use crate::numeric::Rng;

/// An option of a factor: the classes that a row has which takes it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    /// Numbers of classes.
    pub classes: Vec<u16>,
    /// Of a factor of modes, the one that this option is of.
    pub mode: Option<u8>,
}

/// What a row is made of: one option of each factor.
pub(super) type Row = Vec<usize>;

/// Whether a row with these options so far may be made whole in a round; each of the [`ROUNDS`] allows dearer rows.
pub(super) type Feasible<'a> = dyn Fn(&[Option<usize>], u32) -> bool + 'a;

/// Lets meet what meets in a row, the one of this number; false where no call has these options.
pub(super) type Meet<'a> = dyn Fn(&mut Met, &Row, usize) -> bool + 'a;

/// Rounds in which rows are made: what can meet in a cheap row does. One more is for classes that are in none of them.
pub(super) const ROUNDS: u32 = 3;

/// Rows made so far, and which pairs they let meet.
pub(super) struct Array<'a> {
    factors: &'a [Vec<Choice>],
    /// Whether a row with these options so far (`None`: not yet chosen) may be made whole, at a price.
    feasible: &'a Feasible<'a>,
    /// Whether no row has to have two classes, such as two of one dimension.
    apart: &'a dyn Fn(u16, u16) -> bool,
    /// Lets meet what meets in a row.
    meet: &'a Meet<'a>,
    /// Of each class the options that have it, with their factors.
    holders: Vec<Vec<(usize, usize)>>,
    pub(super) rows: Vec<Row>,
    pub(super) met: Met,
    rng: Rng,
}

/// Options that are compared for each factor of a row.
const RANKED: usize = 48;

/// Tries to make a row around a pair in a round.
const TRIES: usize = 4;

/// Tries to make a row for a class alone that no cheaper round had: without one the class is not reached.
const LAST_TRIES: usize = 64;

impl<'a> Array<'a> {
    pub(super) fn new(
        factors: &'a [Vec<Choice>],
        classes: usize,
        feasible: &'a Feasible<'a>,
        apart: &'a dyn Fn(u16, u16) -> bool,
        meet: &'a Meet<'a>,
        rng: Rng,
    ) -> Array<'a> {
        let mut holders = vec![Vec::new(); classes];
        for (factor, options) in factors.iter().enumerate() {
            for (option, choice) in options.iter().enumerate() {
                choice.classes.iter().for_each(|class| holders[usize::from(*class)].push((factor, option)));
            }
        }
        Array { factors, feasible, apart, meet, holders, rows: Vec::new(), met: Met::none(classes), rng }
    }

    /// Makes rows until every class was there that can be.
    pub(super) fn cover_classes(&mut self) {
        for class in self.numbers() {
            if !self.met.has(class, class) {
                let tries = |round| if round == ROUNDS { LAST_TRIES } else { TRIES };
                let _ = (0..=ROUNDS).any(|round| (0..tries(round)).any(|_| self.row_with(class, class, round)));
            }
        }
    }

    /// Makes rows until every two classes have met that can, or there are `most` rows.
    pub(super) fn cover_pairs(&mut self, most: usize) {
        let pairs = self.numbers().flat_map(|a| self.numbers().filter(move |b| *b > a).map(move |b| (a, b)));
        let mut open: Vec<(u16, u16)> =
            pairs.filter(|(a, b)| self.is_option(*a) && self.is_option(*b) && !(self.apart)(*a, *b)).collect();
        self.rng.shuffle(&mut open);
        for round in 0..ROUNDS {
            open.retain(|(a, b)| !self.met.has(*a, *b) && (self.rows.len() >= most || !self.row_with(*a, *b, round)));
        }
    }

    /// Makes rows until every three options of three factors of modes have met that can, or there are `most` rows.
    pub(super) fn cover_modes(&mut self, most: usize) {
        let modes =
            |factor: usize| self.factors[factor].iter().filter_map(|choice| choice.mode).collect::<BTreeSet<_>>();
        let of: Vec<(usize, BTreeSet<u8>)> = (0..self.factors.len())
            .map(|factor| (factor, modes(factor)))
            .filter(|(_, modes)| modes.len() > 1)
            .collect();
        let threes_of = |row: &Row| {
            let mode = |(factor, _): &(usize, _)| Some((*factor, self.factors[*factor][row[*factor]].mode?));
            threes(&of.iter().filter_map(mode).collect::<Vec<_>>())
        };
        let mut seen: BTreeSet<[(usize, u8); 3]> = self.rows.iter().flat_map(threes_of).collect();
        let mut open = Vec::new();
        for [one, other, third] in threes(&of.iter().collect::<Vec<_>>()) {
            for (a, b) in one.1.iter().flat_map(|a| other.1.iter().map(move |b| (*a, *b))) {
                open.extend(third.1.iter().map(|c| [(one.0, a), (other.0, b), (third.0, *c)]));
            }
        }
        self.rng.shuffle(&mut open);
        for three in open {
            if self.rows.len() >= most {
                return;
            }
            if seen.contains(&three) {
                continue;
            }
            let made = (0..ROUNDS).any(|round| {
                (0..TRIES).any(|_| {
                    let mut row = vec![None; self.factors.len()];
                    for (factor, mode) in three {
                        let of_mode: Vec<usize> = (0..self.factors[factor].len())
                            .filter(|option| self.factors[factor][*option].mode == Some(mode))
                            .collect();
                        row[factor] = self.rng.choose(&of_mode).copied();
                    }
                    self.made(row, round)
                })
            });
            if let (true, Some(row)) = (made, self.rows.last()) {
                seen.extend(threes_of(row));
            }
        }
    }

    /// Pairs of classes that no row can have: no two options that have them go together.
    pub(super) fn impossible(&self) -> Met {
        let mut never = Met::none(self.holders.len());
        for a in self.numbers() {
            for b in self.numbers().filter(|b| *b > a && !(self.apart)(a, *b)) {
                let known = self.is_option(a) && self.is_option(b);
                if known && !self.met.has(a, b) && !self.can_meet(a, b) {
                    never.add(a, b);
                }
            }
        }
        never
    }

    /// Whether some options that have two classes go together.
    fn can_meet(&self, a: u16, b: u16) -> bool {
        let mut row = vec![None; self.factors.len()];
        let (of_a, of_b) = (&self.holders[usize::from(a)], &self.holders[usize::from(b)]);
        for (factor, option) in of_a {
            row[*factor] = Some(*option);
            for (other, of_other) in of_b {
                let same = self.factors[*factor][*option].classes.contains(&b);
                if !same && other == factor {
                    continue;
                }
                if !same {
                    row[*other] = Some(*of_other);
                }
                if (self.feasible)(&row, ROUNDS - 1) {
                    return true;
                }
                if !same {
                    row[*other] = None;
                } else {
                    break;
                }
            }
            row[*factor] = None;
        }
        false
    }

    /// Whether some option has a class; of others the array knows nothing.
    fn is_option(&self, class: u16) -> bool {
        self.holders.get(usize::from(class)).is_some_and(|options| !options.is_empty())
    }

    fn numbers(&self) -> impl Iterator<Item = u16> + use<> {
        0..u16::try_from(self.holders.len()).unwrap_or(u16::MAX)
    }

    /// Makes a row that has two classes, if one is found.
    fn row_with(&mut self, a: u16, b: u16, round: u32) -> bool {
        (0..TRIES).any(|_| self.seed(a, b).is_some_and(|seed| self.made(seed, round)))
    }

    /// Makes a row that has these options, if it can be made whole.
    fn made(&mut self, seed: Vec<Option<usize>>, round: u32) -> bool {
        if !(self.feasible)(&seed, round) {
            return false;
        }
        let Some(row) = self.complete(seed, round) else { return false };
        let met = (self.meet)(&mut self.met, &row, self.rows.len());
        if met {
            self.rows.push(row);
        }
        met
    }

    /// Options that have two classes: one that has both, if there is any, else one each of two factors.
    fn seed(&mut self, a: u16, b: u16) -> Option<Vec<Option<usize>>> {
        let of = |class: u16| self.holders.get(usize::from(class)).map_or(&[][..], Vec::as_slice);
        let both: Vec<&(usize, usize)> =
            of(a).iter().filter(|(factor, option)| self.factors[*factor][*option].classes.contains(&b)).collect();
        let mut row = vec![None; self.factors.len()];
        if let Some((factor, option)) = self.rng.choose(&both) {
            row[*factor] = Some(*option);
            return Some(row);
        }
        let (factor, option) = self.rng.choose(of(a))?;
        let others: Vec<&(usize, usize)> = of(b).iter().filter(|(other, _)| other != factor).collect();
        let (other, of_other) = self.rng.choose(&others)?;
        (row[*factor], row[*other]) = (Some(*option), Some(*of_other));
        Some(row)
    }

    /// Gives every factor that has none yet an option: the one that lets most new pairs meet, of those that may be.
    fn complete(&mut self, mut row: Vec<Option<usize>>, round: u32) -> Option<Row> {
        let mut open: Vec<usize> = (0..row.len()).filter(|factor| row[*factor].is_none()).collect();
        self.rng.shuffle(&mut open);
        let mut so_far = self.met.empty_set();
        for (option, options) in row.iter().zip(self.factors) {
            option.iter().for_each(|option| so_far.add(&options[*option].classes));
        }
        for factor in open {
            let options = &self.factors[factor];
            let start = usize::try_from(self.rng.below(options.len().max(1) as u64)).unwrap_or(0);
            let mut from_start = (0..options.len()).map(|i| (start + i) % options.len());
            // Of many options some are enough to find a good one.
            let mut ranked: Vec<(u32, usize)> = from_start
                .by_ref()
                .take(RANKED)
                .map(|option| {
                    let fresh = |class: &u16| self.met.fresh(*class, &so_far);
                    (options[option].classes.iter().map(fresh).sum::<u32>(), option)
                })
                .collect();
            // Stable: of equals the random start decides.
            ranked.sort_by_key(|(fresh, _)| std::cmp::Reverse(*fresh));
            let chosen = ranked.into_iter().map(|(_, option)| option).chain(from_start).find(|option| {
                row[factor] = Some(*option);
                (self.feasible)(&row, round)
            });
            row[factor] = chosen;
            so_far.add(&options[chosen?].classes);
        }
        row.into_iter().collect()
    }
}

/// The classes of the options that a row takes.
pub(super) fn classes_of(factors: &[Vec<Choice>], row: &[usize]) -> Vec<u16> {
    row.iter().zip(factors).flat_map(|(option, options)| options[*option].classes.iter().copied()).collect()
}

/// Every three of these, in order.
fn threes<T: Copy>(all: &[T]) -> Vec<[T; 3]> {
    let places = 0..all.len();
    let pairs = places.flat_map(|i| (i + 1..all.len()).map(move |j| (i, j)));
    pairs.flat_map(|(i, j)| all[j + 1..].iter().map(move |c| [all[i], all[j], *c])).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors of so many options, each option a class of its own; and which factor a class is of.
    fn plain(sizes: &[u16]) -> (Vec<Vec<Choice>>, Vec<usize>) {
        let (mut factors, mut of, mut next) = (Vec::new(), Vec::new(), 0);
        for (factor, size) in sizes.iter().enumerate() {
            factors.push((next..next + size).map(|class| Choice { classes: vec![class], mode: None }).collect());
            of.extend(std::iter::repeat_n(factor, usize::from(*size)));
            next += size;
        }
        (factors, of)
    }

    #[test]
    fn every_pair_meets_in_few_rows() {
        let (factors, of) = plain(&[7, 6, 5, 4, 3, 3, 2, 2, 2]);
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        let meet = |met: &mut Met, row: &Row, _| {
            met.add_all(&classes_of(&factors, row));
            true
        };
        let mut array = Array::new(&factors, of.len(), &|_, _| true, &apart, &meet, Rng::new(1));
        array.cover_pairs(usize::MAX);
        // Every pair in some row, by counting the rows themselves.
        for (a, b) in (0..of.len()).flat_map(|a| (a + 1..of.len()).map(move |b| (a, b))) {
            let (a, b) = (u16::try_from(a).unwrap(), u16::try_from(b).unwrap());
            let together = array.rows.iter().any(|row| {
                let classes = classes_of(&factors, row);
                classes.contains(&a) && classes.contains(&b)
            });
            assert!(together || apart(a, b), "{a} and {b}");
        }
        // 7 times 6 is the least of 60,480 rows; a greedy array stays near it.
        assert!(array.rows.len() < 2 * 7 * 6, "{} rows", array.rows.len());
    }

    #[test]
    fn what_cannot_be_is_no_row_and_is_said() {
        let (factors, of) = plain(&[4, 4, 2]);
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        // The last option of the first factor never goes with the last of the second.
        let feasible = |row: &[Option<usize>], _| !(row[0] == Some(3) && row[1] == Some(3));
        let meet = |met: &mut Met, row: &Row, _| {
            met.add_all(&classes_of(&factors, row));
            true
        };
        let mut array = Array::new(&factors, of.len(), &feasible, &apart, &meet, Rng::new(2));
        array.cover_pairs(usize::MAX);
        assert!(array.rows.iter().all(|row| (row[0], row[1]) != (3, 3)));
        let never = array.impossible();
        let pairs = (0..10).flat_map(|a| (a..10).map(move |b| (a, b))).filter(|(a, b)| never.has(*a, *b));
        assert_eq!(pairs.collect::<Vec<_>>(), [(3, 7)]);
    }

    #[test]
    fn every_three_modes_meet() {
        let (mut factors, of) = plain(&[9, 3, 4, 2, 3]);
        for factor in [1, 2, 3, 4] {
            for (at, choice) in factors[factor].iter_mut().enumerate() {
                choice.mode = u8::try_from(at).ok();
            }
        }
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        let meet = |met: &mut Met, row: &Row, _| {
            met.add_all(&classes_of(&factors, row));
            true
        };
        let mut array = Array::new(&factors, of.len(), &|_, _| true, &apart, &meet, Rng::new(1));
        array.cover_modes(usize::MAX);
        for [f, g, h] in [[1, 2, 3], [1, 2, 4], [1, 3, 4], [2, 3, 4]] {
            let met: BTreeSet<_> = array.rows.iter().map(|row| (row[f], row[g], row[h])).collect();
            assert_eq!(met.len(), factors[f].len() * factors[g].len() * factors[h].len());
        }
        // 3 times 4 times 3 is the least.
        assert!(array.rows.len() < 2 * 36, "{} rows", array.rows.len());
    }

    #[test]
    fn the_same_seed_gives_the_same_rows() {
        let (factors, of) = plain(&[5, 5, 5, 5]);
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        let rows = |seed| {
            let meet = |met: &mut Met, row: &Row, _| {
                met.add_all(&classes_of(&factors, row));
                true
            };
            let mut array = Array::new(&factors, of.len(), &|_, _| true, &apart, &meet, Rng::new(seed));
            array.cover_pairs(usize::MAX);
            array.rows
        };
        assert_eq!(rows(4), rows(4));
        assert_ne!(rows(4), rows(5));
    }
}
