//! What wrong values are, where they are something that can be named.

use super::compare::Difference;
use super::recorder::{Calls, Written, same};
use crate::check::failure::is_poison;
use crate::numeric::DType;
use crate::run::explanation::{Resemblance, ValueOrigin};

/// Fewest elements that agree with something that agrees by chance where storage is narrow.
const FEWEST: usize = 4;

/// A wrong element.
struct Wrong<'a> {
    found: &'a Written,
    right: &'a Written,
    at: usize,
    call: usize,
    tensor: usize,
}

impl Wrong<'_> {
    fn value(&self) -> f64 {
        self.found.values[self.at]
    }

    /// The element with another index in one dimension: `further` on, or 0.
    fn moved(&self, dimension: usize, further: Option<isize>) -> Option<usize> {
        let shape = self.found.shape;
        let stride: usize = shape[dimension + 1..].iter().product();
        let index = self.at / stride % shape[dimension];
        let to = further.map_or(Some(0), |by| index.checked_add_signed(by))?;
        (to < shape[dimension] && to != index).then(|| self.at - index * stride + to * stride)
    }
}

/// What the wrong elements of `observed` are; `right` is what the right kernel writes, give or take
/// `allowed`.
pub(super) fn resemblance(
    observed: &Calls,
    right: &Calls,
    difference: &Difference,
    allowed: f64,
) -> Option<Resemblance> {
    let one = |[call, tensor, at]: &[usize; 3]| {
        let (found, right) = (observed.get(*call)?.get(*tensor)?, right.get(*call)?.get(*tensor)?);
        Some(Wrong { found, right, at: *at, call: *call, tensor: *tensor })
    };
    let wrong: Vec<Wrong> = difference.wrong.iter().filter_map(one).collect();
    let origin = origin(&wrong, observed, allowed)?;
    Some(Resemblance { origin, wrong: wrong.len(), of: difference.elements })
}

fn origin(wrong: &[Wrong], observed: &Calls, allowed: f64) -> Option<ValueOrigin> {
    let all = |holds: &dyn Fn(&Wrong) -> bool| !wrong.is_empty() && wrong.iter().all(holds);
    let near = |one: f64, other: f64| (one - other).abs() <= 2.0 * allowed;
    if all(&|w| is_poison(w.found.dtype, w.value())) {
        return Some(ValueOrigin::Unwritten);
    }
    if all(&|w| w.value() == 0.0) {
        return Some(ValueOrigin::Zero);
    }
    if all(&|w| w.found.inputs.get(w.at).is_some_and(|input| same(w.found.dtype, *input, w.value()))) {
        return Some(ValueOrigin::Input);
    }
    let earlier = |w: &Wrong| {
        let mut before = observed.iter().take(w.call).filter_map(|call| call.get(w.tensor));
        before.any(|written| written.shape == w.found.shape && same(w.found.dtype, written.values[w.at], w.value()))
    };
    if all(&earlier) {
        return Some(ValueOrigin::EarlierCall);
    }
    if wrong.len() < FEWEST {
        return None;
    }
    if all(&|w| near(-w.right.values[w.at], w.value())) {
        return Some(ValueOrigin::Negative);
    }
    let tensors = wrong.iter().all(|w| !w.found.inputs.is_empty());
    let of_place = |dimension: usize, further: Option<isize>| match dimension {
        0 => ValueOrigin::OtherRow { further },
        1 => ValueOrigin::OtherToken { further },
        _ => ValueOrigin::OtherHead { further },
    };
    for dimension in [2, 1, 0].into_iter().filter(|_| tensors) {
        for further in [Some(1), Some(-1), None] {
            let of_other =
                |w: &Wrong| w.moved(dimension, further).is_some_and(|at| near(w.right.values[at], w.value()));
            if all(&of_other) {
                return Some(of_place(dimension, further));
            }
        }
    }
    [DType::BF16, DType::F16].into_iter().find_map(|dtype| {
        let narrower = all(&|w| w.found.dtype == DType::F32 && !w.found.inputs.is_empty() && dtype.holds(w.value()));
        let by_nature = wrong.iter().all(|w| dtype.holds(w.right.values[w.at]));
        (narrower && !by_nature).then_some(ValueOrigin::Narrower { dtype })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two tokens of two heads of two channels.
    const SHAPE: [usize; 4] = [1, 2, 2, 2];
    const RIGHT: [f64; 8] = [0.11, 0.22, 0.33, 0.44, 0.55, 0.66, 0.77, 0.88];
    const INPUTS: [f64; 8] = [1.1, 1.2, 1.3, 1.4, 1.5, 1.6, 1.7, 1.8];

    fn call(values: [f64; 8]) -> Vec<Written> {
        vec![Written { dtype: DType::F32, shape: SHAPE, values: values.to_vec(), inputs: INPUTS.to_vec() }]
    }

    fn origin_of(first: [f64; 8], second: [f64; 8]) -> Option<ValueOrigin> {
        let (observed, right) = (vec![call(first), call(second)], vec![call(RIGHT), call(RIGHT)]);
        let difference = Difference::of(&observed, &right, 1e-6).expect("alike");
        resemblance(&observed, &right, &difference, 1e-6).map(|found| found.origin)
    }

    #[test]
    fn values_are_named() {
        let poison = DType::F32.decode(u64::MAX);
        let with = |at: std::ops::Range<usize>, from: &dyn Fn(usize) -> f64| {
            let mut values = RIGHT;
            at.for_each(|i| values[i] = from(i));
            origin_of(RIGHT, values)
        };
        assert_eq!(origin_of(RIGHT, RIGHT), None);
        assert_eq!(with(0..2, &|_| poison), Some(ValueOrigin::Unwritten));
        assert_eq!(with(3..4, &|_| 0.0), Some(ValueOrigin::Zero));
        assert_eq!(with(2..5, &|i| INPUTS[i]), Some(ValueOrigin::Input));
        assert_eq!(with(0..4, &|i| -RIGHT[i]), Some(ValueOrigin::Negative));
        assert_eq!(with(4..8, &|i| RIGHT[i - 4]), Some(ValueOrigin::OtherToken { further: Some(-1) }));
        assert_eq!(with(0..4, &|i| RIGHT[i ^ 2]), None, "two heads exchanged are not one further on");
        assert_eq!(with(0..4, &|i| DType::BF16.round(RIGHT[i])), Some(ValueOrigin::Narrower { dtype: DType::BF16 }));
        assert_eq!(with(0..4, &|i| RIGHT[i] * 1.5 + 0.017), None);
        assert_eq!(with(0..2, &|i| if i == 0 { 0.0 } else { 9.0 }), None, "all of them or none");
        let stale = [7.1, 7.2, 7.3, 7.4, 7.5, 7.6, 7.7, 7.8];
        let (observed, right) = (vec![call(stale), call(stale)], vec![call(stale), call(RIGHT)]);
        let difference = Difference::of(&observed, &right, 1e-6).expect("alike");
        let found = resemblance(&observed, &right, &difference, 1e-6).map(|found| found.origin);
        assert_eq!(found, Some(ValueOrigin::EarlierCall));
    }
}
