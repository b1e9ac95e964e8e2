//! Which pairs of classes have met.

/// Which pairs of classes have met; a class meets itself where it was there at all.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Met {
    /// Words of a row.
    words: usize,
    /// Of each class a row of bits, one for each class.
    bits: Vec<u64>,
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
