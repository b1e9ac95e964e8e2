//! What cases say of the arithmetic that a backend has.

use crate::check::failure::Place;

/// One class, held against what a backend wrote.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassTally {
    /// Its name.
    pub class: String,
    /// Largest error / bound; infinite once an element was outside.
    pub worst: f64,
    /// Where.
    pub place: Option<Place>,
    /// Elements.
    pub elements: u64,
}

/// The measured K: an angle error in units of the type's rounding, relative to the angle.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct MeasuredK {
    /// What some element needs at least, if every other error was as large as it may be.
    pub k: f64,
    /// What the contract allows there.
    pub allowed: f64,
    /// Where.
    pub place: Option<Place>,
}

/// What cases say of the arithmetic that a backend has.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct GradeTally {
    /// The classes up to the declared one, strictest first.
    pub classes: Vec<ClassTally>,
    /// The K that was measured.
    pub k: MeasuredK,
}

impl GradeTally {
    /// Adds what another case says.
    pub fn merge(&mut self, other: &GradeTally) {
        for theirs in &other.classes {
            match self.classes.iter_mut().find(|c| c.class == theirs.class) {
                Some(ours) => {
                    ours.elements += theirs.elements;
                    if theirs.worst > ours.worst {
                        (ours.worst, ours.place) = (theirs.worst, theirs.place.clone());
                    }
                }
                None => self.classes.push(theirs.clone()),
            }
        }
        if other.k.k > self.k.k {
            self.k = other.k.clone();
        }
    }
}
