//! What was observed, held against what an emulated kernel answers to the same calls.

use super::recorder::{Calls, Written, same};

/// In what two recordings of the same calls differ.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Difference {
    /// Elements that were compared.
    pub(super) elements: usize,
    /// Elements whose bits differ.
    pub(super) bits: usize,
    /// Elements further apart than two kernels of one contract can be: call, tensor, element.
    pub(super) wrong: Vec<[usize; 3]>,
}

impl Difference {
    /// Of `observed` from `imitated`, which may have gone on to further calls; `None` if they are not the
    /// same calls. Two kernels that are each within `allowed` of one truth are within twice that of each
    /// other.
    pub(super) fn of(observed: &Calls, imitated: &Calls, allowed: f64) -> Option<Difference> {
        let mut difference = Difference::default();
        if imitated.len() < observed.len() || observed.is_empty() {
            return None;
        }
        for (call, (found, other)) in observed.iter().zip(imitated).enumerate() {
            let alike = |(a, b): (&Written, &Written)| (a.shape, a.dtype) == (b.shape, b.dtype);
            if found.len() != other.len() || !found.iter().zip(other).all(alike) {
                return None;
            }
            for (tensor, (found, other)) in found.iter().zip(other).enumerate() {
                for (element, (x, y)) in found.values.iter().zip(&other.values).enumerate() {
                    difference.elements += 1;
                    if same(found.dtype, *x, *y) {
                        continue;
                    }
                    difference.bits += 1;
                    // NaN and infinities are never near.
                    if (x - y).abs() <= 2.0 * allowed {
                        continue;
                    }
                    difference.wrong.push([call, tensor, element]);
                }
            }
        }
        Some(difference)
    }

    /// Whether nothing differs.
    pub(super) fn is_none(&self) -> bool {
        self.bits == 0
    }

    /// Whether the imitation with this difference shows what the right kernel with that `of_right` does not:
    /// all bits, or every element that is certainly wrong, and no other one.
    pub(super) fn reproduces(&self, of_right: &Difference) -> bool {
        self.is_none() && !of_right.is_none() || self.wrong.is_empty() && !of_right.wrong.is_empty()
    }

    /// How many of the elements that are certainly wrong an imitation shows, all others being right.
    pub(super) fn part(&self, of_right: &Difference) -> usize {
        let known = |element: &[usize; 3]| of_right.wrong.binary_search(element).is_ok();
        if self.wrong.iter().all(known) { of_right.wrong.len() - self.wrong.len() } else { 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::numeric::DType;

    fn calls(values: &[f64]) -> Calls {
        let written =
            Written { dtype: DType::F32, shape: [1, 1, 1, values.len()], values: values.to_vec(), inputs: Vec::new() };
        vec![vec![written]]
    }

    #[test]
    fn only_what_the_right_kernel_does_not_show_is_reproduced() {
        let of =
            |observed: &[f64], other: &[f64]| Difference::of(&calls(observed), &calls(other), 0.25).expect("alike");
        let seen = [1.0, 5.0, 3.0];
        let right = of(&seen, &[1.0, 2.0, 3.0]);
        assert_eq!((right.bits, right.wrong.len()), (1, 1));
        assert!(of(&seen, &[1.5, 5.0, 3.0]).reproduces(&right), "within the bounds");
        assert!(!of(&seen, &[1.6, 5.0, 3.0]).reproduces(&right), "another element is wrong");
        assert!(!of(&seen, &[1.0, 2.0, 3.0]).reproduces(&right), "the right kernel explains nothing");
        let near = of(&seen, &[1.0, 5.25, 3.0]);
        assert!(near.wrong.is_empty() && of(&seen, &seen).reproduces(&near), "bits tell what bounds do not");
        assert!(
            !of(&seen, &[1.0, 4.75, 3.0]).reproduces(&near),
            "within bounds is no evidence where that is right, too"
        );
        assert!(Difference::of(&calls(&seen), &calls(&seen[..2]), 0.25).is_none(), "other calls");
        let nan = of(&[f64::NAN, 5.0, 3.0], &[1.0, 2.0, 3.0]);
        assert_eq!((nan.wrong.len(), of(&[f64::NAN, 5.0, 3.0], &[1.0, 5.0, 3.0]).part(&nan)), (2, 1));
    }
}
