//! What a case that held has measured.

use super::coverage::Coverage;
use super::grades::GradeTally;
use crate::check::failure::Place;

/// What a passing case measured.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measure {
    /// Elements (or places, or pairs) judged.
    pub elements: u64,
    /// Largest error / bound.
    pub worst: f64,
    /// Where that was.
    pub place: Option<Place>,
    /// Elements where an honest kernel may overflow.
    pub range_not_judged: u64,
    /// Pairs whose angle was observable.
    pub observed: Coverage,
    /// Largest position that was judged, where positions are the backend's concern.
    pub largest: Option<i64>,
    /// Elements whose angle is beyond the contract's limit.
    pub beyond_angle_limit: u64,
    /// What the case says of the arithmetic.
    pub grade: GradeTally,
    /// Anything else worth saying.
    pub notes: Vec<String>,
}

impl Measure {
    /// So many things judged, and no error measured.
    #[must_use]
    pub fn of(elements: u64) -> Measure {
        Measure { elements, ..Measure::default() }
    }

    /// Counts one element at this error / bound.
    pub fn add(&mut self, ratio: f64) {
        self.elements += 1;
        self.worst = self.worst.max(ratio);
    }

    /// Adds what one part of a case measured; its notes, grade and coverage are left out.
    pub fn add_part(&mut self, part: Measure) {
        self.elements += part.elements;
        self.range_not_judged += part.range_not_judged;
        if part.worst > self.worst {
            (self.worst, self.place) = (part.worst, part.place);
        }
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}
