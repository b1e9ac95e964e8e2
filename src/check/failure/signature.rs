//! Whether two failures are the same one, in calls of other sizes.

use std::mem::discriminant;

use super::cause::Cause;
use super::evidence::Fitting;
use super::{Circumstance, Failure};

impl Failure {
    /// Whether this is the failure `other` again, seen in another case: the cause, what tells it from others
    /// of its kind, and what was being done. Places and numbers follow from the case.
    #[must_use]
    pub fn is_like(&self, other: &Failure) -> bool {
        let doing = |one: &Failure| one.during.iter().map(discriminant::<Circumstance>).collect::<Vec<_>>();
        doing(self) == doing(other) && alike(&self.cause, &other.cause)
    }
}

fn alike(one: &Cause, other: &Cause) -> bool {
    if discriminant(one) != discriminant(other) {
        return false;
    }
    match (one, other) {
        (Cause::OutOfBound(one), Cause::OutOfBound(other)) => one.observed.state == other.observed.state,
        (Cause::NotPreserved { observed: one, .. }, Cause::NotPreserved { observed: other, .. }) => {
            one.state == other.state
        }
        (Cause::StrayChannel(one), Cause::StrayChannel(other)) => {
            (one.found, one.partner.is_some()) == (other.found, other.partner.is_some())
        }
        (
            Cause::WrongTurn { opposite: one, element: first, .. },
            Cause::WrongTurn { opposite: other, element: second, .. },
        ) => one == other && alike(first, second),
        (Cause::WrongAxis(one), Cause::WrongAxis(other)) => {
            // With fewer pairs there are fewer runs; the first must be told in the same words.
            let words = |run: &Fitting| {
                let turn = run.found.as_ref().map(|turn| (turn.backwards, turn.shift, turn.further != 0));
                (run.fits.is_empty(), turn)
            };
            one.runs.first().map(words) == other.runs.first().map(words)
        }
        (
            Cause::WrongFrequency { observed: one, shift: first, .. },
            Cause::WrongFrequency { observed: other, shift: second, .. },
        ) => (one.is_some(), first) == (other.is_some(), second),
        (Cause::LawBroken { law: one, .. }, Cause::LawBroken { law: other, .. }) => {
            discriminant(&**one) == discriminant(&**other)
        }
        (Cause::InvariantBroken { invariant: one, .. }, Cause::InvariantBroken { invariant: other, .. }) => {
            one == other
        }
        (Cause::Trivial { kernel: one }, Cause::Trivial { kernel: other }) => discriminant(one) == discriminant(other),
        (Cause::MemoryWritten { part: one, .. }, Cause::MemoryWritten { part: other, .. }) => one == other,
        (Cause::Refused { status: one, .. }, Cause::Refused { status: other, .. }) => one == other,
        (Cause::NonsenseAccepted { nonsense: one }, Cause::NonsenseAccepted { nonsense: other })
        | (Cause::NonsenseWrote { nonsense: one, .. }, Cause::NonsenseWrote { nonsense: other, .. }) => one == other,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::case::Part;
    use crate::check::failure::{BoundSource, ElementError, OtherTurn, Scalar, Surroundings, WrongAxis};
    use crate::numeric::DType;

    fn of(cause: Cause) -> Failure {
        *Failure::of_call(cause)
    }

    fn element(observed: f64) -> Failure {
        let error = ElementError::new(DType::F32, 1.0, observed, 1e-3, BoundSource::Contract);
        of(Cause::OutOfBound(Box::new(error)))
    }

    fn axis(fits: &[&str], shift: Option<i64>) -> Failure {
        let turn = |shift| OtherTurn { axis: "h".to_owned(), further: 0, backwards: false, shift, length: Scalar(1.0) };
        let fits = fits.iter().map(|axis| Some((*axis).to_owned())).collect();
        let run = Fitting { first: 0, last: 3, stated: Some("t".into()), fits, found: shift.map(turn) };
        of(Cause::WrongAxis(Box::new(WrongAxis { runs: vec![run], head: 0, wrong: 4, of_pairs: 8 })))
    }

    #[test]
    fn what_is_told_in_other_words_is_another_failure() {
        let written = |part| of(Cause::MemoryWritten { part, at: crate::case::MemoryPlace::Nowhere { byte: 0 } });
        let surroundings = |what| of(Cause::DependsOnSurroundings { what });
        let same = [
            (element(2.0), element(3.0)),
            (axis(&["h"], None), axis(&["w"], None)),
            (axis(&[], Some(1)), axis(&[], Some(1))),
            (written(Part::Gap), written(Part::Gap)),
            (surroundings(Surroundings::Positions), surroundings(Surroundings::StableBits)),
        ];
        assert!(same.iter().all(|(one, other)| one.is_like(other)));
        let others = [
            (element(2.0), element(f64::NAN)),
            (element(2.0), of(Cause::TurnsWithoutAxis)),
            (axis(&["h"], None), axis(&[], None)),
            (axis(&[], Some(1)), axis(&[], Some(-1))),
            (axis(&[], Some(1)), axis(&[], None)),
            (written(Part::Gap), written(Part::Input)),
            (element(2.0), *Box::new(element(2.0)).during(Circumstance::InPlace)),
        ];
        assert!(!others.iter().any(|(one, other)| one.is_like(other)));
    }
}
