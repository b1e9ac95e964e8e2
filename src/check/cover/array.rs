//! A covering array: few rows in which every two classes meet that can meet.
//!
//! Greedy, a row at a time, as AETG does (Cohen, Dalal, Fredman, Patton, 1997): a row begins with two classes that have not
//! met, and each further factor takes the option whose classes have met fewest of the others.

use crate::numeric::Rng;

/// An option of a factor: the classes that a row has which takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Choice {
    /// Numbers of classes.
    pub classes: Vec<u16>,
}

/// What a row is made of: one option of each factor.
pub(super) type Row = Vec<usize>;

/// Which pairs of classes have met.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Met {
    classes: usize,
    bits: Vec<u64>,
}

impl Met {
    /// No pair of so many classes.
    pub fn none(classes: usize) -> Met {
        Met { classes, bits: vec![0; (classes * classes).div_ceil(64)] }
    }

    /// Whether two classes have met; a class meets itself where it was there at all.
    pub fn has(&self, a: u16, b: u16) -> bool {
        let at = usize::from(a.min(b)) * self.classes + usize::from(a.max(b));
        self.bits.get(at / 64).is_some_and(|word| word >> (at % 64) & 1 == 1)
    }

    /// Lets two classes meet.
    pub fn add(&mut self, a: u16, b: u16) {
        let at = usize::from(a.min(b)) * self.classes + usize::from(a.max(b));
        if let Some(word) = self.bits.get_mut(at / 64) {
            *word |= 1 << (at % 64);
        }
    }

    /// Lets all of these meet.
    pub fn add_all(&mut self, classes: &[u16]) {
        for (i, a) in classes.iter().enumerate() {
            classes[i..].iter().for_each(|b| self.add(*a, *b));
        }
    }

    /// Adds what has met elsewhere.
    pub fn merge(&mut self, other: &Met) {
        self.bits.iter_mut().zip(&other.bits).for_each(|(ours, theirs)| *ours |= theirs);
    }
}

/// Whether a row with these options so far may be made whole in a round; each of the [`ROUNDS`] allows dearer rows.
pub(super) type Feasible<'a> = dyn Fn(&[Option<usize>], u32) -> bool + 'a;

/// Rounds in which rows are made: what can meet in a cheap row does.
pub(super) const ROUNDS: u32 = 3;

/// Rows made so far, and which pairs they let meet.
pub(super) struct Array<'a> {
    factors: &'a [Vec<Choice>],
    /// Whether a row with these options so far (`None`: not yet chosen) may be made whole, at a price.
    feasible: &'a Feasible<'a>,
    /// Whether two classes belong to one dimension, so that they need not meet.
    apart: &'a dyn Fn(u16, u16) -> bool,
    /// Of each class the options that have it, with their factors.
    holders: Vec<Vec<(usize, usize)>>,
    pub(super) rows: Vec<Row>,
    pub(super) met: Met,
    /// Pairs that no row was found for.
    pub(super) never: Met,
    rng: Rng,
}

/// Options that are compared for each factor of a row.
const RANKED: usize = 64;

/// Tries to make a row around a pair before it counts as one that never meets.
const TRIES: usize = 6;

impl<'a> Array<'a> {
    pub(super) fn new(
        factors: &'a [Vec<Choice>],
        classes: usize,
        feasible: &'a Feasible<'a>,
        apart: &'a dyn Fn(u16, u16) -> bool,
        rng: Rng,
    ) -> Array<'a> {
        let (met, never) = (Met::none(classes), Met::none(classes));
        let mut holders = vec![Vec::new(); classes];
        for (factor, options) in factors.iter().enumerate() {
            for (option, choice) in options.iter().enumerate() {
                choice.classes.iter().for_each(|class| holders[usize::from(*class)].push((factor, option)));
            }
        }
        Array { factors, feasible, apart, holders, rows: Vec::new(), met, never, rng }
    }

    /// Makes rows until every class was there that can be.
    pub(super) fn cover_classes(&mut self) {
        for class in (0..self.holders.len()).filter_map(|class| u16::try_from(class).ok()) {
            if !self.met.has(class, class) && !(0..10 * ROUNDS).any(|turn| self.row_with(class, class, turn / 10)) {
                self.never.add(class, class);
            }
        }
    }

    /// Makes rows until every two classes have met that can, or there are `most` rows.
    pub(super) fn cover_pairs(&mut self, most: usize) {
        let all = (0..self.holders.len()).filter_map(|class| u16::try_from(class).ok());
        let pairs = all.clone().flat_map(|a| all.clone().filter(move |b| *b > a).map(move |b| (a, b)));
        let mut open: Vec<(u16, u16)> = pairs.filter(|(a, b)| !(self.apart)(*a, *b)).collect();
        self.rng.shuffle(&mut open);
        for round in 0..ROUNDS {
            open.retain(|(a, b)| {
                let done = self.met.has(*a, *b) || self.never.has(*a, *a) || self.never.has(*b, *b);
                !done && (self.rows.len() >= most || !self.row_with(*a, *b, round))
            });
        }
        if self.rows.len() < most {
            open.into_iter().for_each(|(a, b)| self.never.add(a, b));
        }
    }

    /// Makes a row that has two classes, if one is found.
    fn row_with(&mut self, a: u16, b: u16, round: u32) -> bool {
        (0..TRIES).any(|_| {
            let Some(seed) = self.seed(a, b) else { return false };
            if !(self.feasible)(&seed, round) {
                return false;
            }
            let Some(row) = self.complete(seed, round) else { return false };
            let classes: Vec<u16> = self.classes_of(&row);
            self.met.add_all(&classes);
            self.rows.push(row);
            true
        })
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
        for factor in open {
            let so_far: Vec<u16> = row
                .iter()
                .zip(self.factors)
                .filter_map(|(option, options)| Some(&options[(*option)?].classes))
                .flatten()
                .copied()
                .collect();
            let options = &self.factors[factor];
            let start = usize::try_from(self.rng.below(options.len().max(1) as u64)).unwrap_or(0);
            let mut ranked: Vec<(usize, usize)> = (0..options.len())
                .map(|i| ((start + i) % options.len(), i))
                .map(|(option, i)| {
                    // Of many options some are enough to find a good one.
                    if i >= RANKED {
                        return (0, option);
                    }
                    let fresh = |class: &u16| so_far.iter().filter(|other| !self.met.has(*class, **other)).count();
                    (options[option].classes.iter().map(fresh).sum::<usize>(), option)
                })
                .collect();
            // Stable: of equals the random start decides.
            ranked.sort_by_key(|(fresh, _)| std::cmp::Reverse(*fresh));
            let chosen = ranked.into_iter().map(|(_, option)| option).find(|option| {
                row[factor] = Some(*option);
                (self.feasible)(&row, round)
            });
            row[factor] = Some(chosen?);
        }
        row.into_iter().collect()
    }

    /// The classes of a row.
    pub(super) fn classes_of(&self, row: &[usize]) -> Vec<u16> {
        row.iter().zip(self.factors).flat_map(|(option, options)| options[*option].classes.iter().copied()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Factors of so many options, each option a class of its own; and which factor a class is of.
    fn plain(sizes: &[u16]) -> (Vec<Vec<Choice>>, Vec<usize>) {
        let (mut factors, mut of, mut next) = (Vec::new(), Vec::new(), 0);
        for (factor, size) in sizes.iter().enumerate() {
            factors.push((next..next + size).map(|class| Choice { classes: vec![class] }).collect());
            of.extend(std::iter::repeat_n(factor, usize::from(*size)));
            next += size;
        }
        (factors, of)
    }

    #[test]
    fn every_pair_meets_in_few_rows() {
        let (factors, of) = plain(&[7, 6, 5, 4, 3, 3, 2, 2, 2]);
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        let mut array = Array::new(&factors, of.len(), &|_, _| true, &apart, Rng::new(1));
        array.cover_pairs(usize::MAX);
        // Every pair in some row, by counting the rows themselves.
        for (a, b) in (0..of.len()).flat_map(|a| (a + 1..of.len()).map(move |b| (a, b))) {
            let (a, b) = (u16::try_from(a).unwrap(), u16::try_from(b).unwrap());
            let together = array.rows.iter().any(|row| {
                let classes = array.classes_of(row);
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
        let mut array = Array::new(&factors, of.len(), &feasible, &apart, Rng::new(2));
        array.cover_pairs(usize::MAX);
        assert!(array.rows.iter().all(|row| (row[0], row[1]) != (3, 3)));
        assert!(array.never.has(3, 7));
        assert!((0..10).all(|class| !array.never.has(class, class)));
    }

    #[test]
    fn the_same_seed_gives_the_same_rows() {
        let (factors, of) = plain(&[5, 5, 5, 5]);
        let apart = |a: u16, b: u16| of[usize::from(a)] == of[usize::from(b)];
        let rows = |seed| {
            let mut array = Array::new(&factors, of.len(), &|_, _| true, &apart, Rng::new(seed));
            array.cover_pairs(usize::MAX);
            array.rows
        };
        assert_eq!(rows(4), rows(4));
        assert_ne!(rows(4), rows(5));
    }
}
