//! Which pairs of classes have met.

use serde::{Deserialize, Serialize};

/// Which pairs of classes have met; a class meets itself where it was there at all.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(into = "Sparse", try_from = "Sparse")]
pub struct Met {
    /// Words of a row.
    words: usize,
    /// Of each class a row of bits, one for each class.
    bits: Vec<u64>,
}

/// As it is kept in a file: few words are not 0.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Sparse {
    classes: usize,
    /// Places of words and the words.
    words: Vec<(usize, u64)>,
}

impl From<Met> for Sparse {
    fn from(Met { words, bits }: Met) -> Sparse {
        let classes = bits.len().checked_div(words).unwrap_or(0);
        Sparse { classes, words: bits.into_iter().enumerate().filter(|(_, word)| *word != 0).collect() }
    }
}

impl TryFrom<Sparse> for Met {
    type Error = String;

    fn try_from(Sparse { classes, words }: Sparse) -> Result<Met, String> {
        // Classes have numbers of 16 bits.
        if classes > 1 << 16 {
            return Err(format!("there are never {classes} classes"));
        }
        let mut met = Met::none(classes);
        for (at, word) in words {
            *met.bits.get_mut(at).ok_or_else(|| format!("of {classes} classes there is no word {at}"))? = word;
        }
        Ok(met)
    }
}

/// A set of classes, as bits.
#[derive(Debug, Clone)]
pub(super) struct Set(Vec<u64>);

impl Set {
    /// Adds classes.
    pub(super) fn add(&mut self, classes: &[u16]) {
        for class in classes {
            if let Some(word) = self.0.get_mut(usize::from(class / 64)) {
                *word |= 1 << (class % 64);
            }
        }
    }
}

impl Met {
    /// No pair of so many classes.
    pub fn none(classes: usize) -> Met {
        let words = classes.div_ceil(64);
        Met { words, bits: vec![0; words * classes] }
    }

    /// No class of those that may meet here.
    pub(super) fn empty_set(&self) -> Set {
        Set(vec![0; self.words])
    }

    fn row(&self, class: u16) -> &[u64] {
        let start = usize::from(class) * self.words;
        self.bits.get(start..start + self.words).unwrap_or_default()
    }

    /// Whether two classes have met.
    pub fn has(&self, a: u16, b: u16) -> bool {
        self.row(a).get(usize::from(b / 64)).is_some_and(|word| word >> (b % 64) & 1 == 1)
    }

    /// How many of a set a class has not met.
    pub(super) fn fresh(&self, class: u16, set: &Set) -> u32 {
        self.row(class).iter().zip(&set.0).map(|(met, there)| (there & !met).count_ones()).sum()
    }

    /// Lets two classes meet.
    pub fn add(&mut self, a: u16, b: u16) {
        for (a, b) in [(a, b), (b, a)] {
            if let Some(word) = self.bits.get_mut(usize::from(a) * self.words + usize::from(b / 64)) {
                *word |= 1 << (b % 64);
            }
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
