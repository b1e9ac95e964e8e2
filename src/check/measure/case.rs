//! What a case that held has measured.

use super::coverage::Coverage;
use super::errors::Errors;
use super::grades::GradeTally;
use crate::case::CallDimensions;
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
    /// Elements whose angle the contract bounds by nothing.
    pub contract_too_wide: u64,
    /// Pairs that turn and whose angle was observable; positions that were compared, where those are what is judged. Where
    /// there are none, nothing is proved of the rotation.
    pub observations: u64,
    /// What the case says of the arithmetic.
    pub grade: GradeTally,
    /// Errors of graded elements by position.
    pub errors: Errors,
    /// Anything else worth saying.
    pub notes: Vec<String>,
    /// What the calls had all of whose outputs were judged, where that is asked for.
    pub calls: Vec<CallDimensions>,
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
        self.calls.extend(part.calls);
        self.elements += part.elements;
        self.range_not_judged += part.range_not_judged;
        self.beyond_angle_limit += part.beyond_angle_limit;
        self.contract_too_wide += part.contract_too_wide;
        self.observations += part.observations;
        if part.worst > self.worst {
            (self.worst, self.place) = (part.worst, part.place);
        }
    }

    /// Why elements were left open, each reason once.
    #[must_use]
    pub fn left_open(&self) -> Vec<String> {
        left_open([self.contract_too_wide, self.beyond_angle_limit, self.range_not_judged])
    }

    /// Adds a note, once.
    pub fn note(&mut self, note: String) {
        if !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

/// Why a contract leaves elements open: for each reason of these, in this order, that has any elements.
#[must_use]
pub fn left_open(elements: [u64; 3]) -> Vec<String> {
    let reasons = ["contract too wide", "beyond the angle limit", "may overflow"];
    reasons.into_iter().zip(elements).filter(|(_, count)| *count > 0).map(|(why, _)| why.to_owned()).collect()
}
