//! What turns a pair, where it is not an axis at the pair's own frequency: axis, frequency, direction,
//! position and length are looked for together.

use crate::check::failure::{OtherTurn, Scalar, Stop};
use crate::check::harness::Outputs;
use crate::check::judge::{Fit, Judge, KeptBounds};
use crate::check::measure::Measure;
use crate::rotation::NO_AXIS;

/// Positions that are off by more are not looked for.
const FURTHEST: i64 = 4;

/// The first turn that fits; those nearest to the scheme's come first.
pub(super) fn other_turn(
    judge: &Judge,
    outputs: &Outputs,
    axes: usize,
    head: usize,
    pair: usize,
) -> Option<OtherTurn<u8>> {
    let stated = judge.axis(head, pair);
    let all = (0..axes).filter_map(|axis| u8::try_from(axis).ok()).filter(|axis| *axis != stated);
    let axes: Vec<u8> = [stated].into_iter().filter(|axis| *axis != NO_AXIS).chain(all).collect();
    let of = |axis: u8| OtherTurn { axis, further: 0, backwards: false, shift: 0, length: Scalar(1.0) };
    let backwards = axes.iter().map(|axis| OtherTurn { backwards: true, ..of(*axis) });
    let shifts = (1..=FURTHEST).flat_map(|by| [by, -by]);
    let shifted = axes.iter().take(1).flat_map(|axis| shifts.clone().map(|shift| OtherTurn { shift, ..of(*axis) }));
    let (first, pairs) = (pair as isize, judge.truth().pairs as isize);
    let others = (0..pairs).map(|other| other - first).filter(|further| *further != 0);
    let further = axes.iter().flat_map(|axis| others.clone().map(|further| OtherTurn { further, ..of(*axis) }));
    let (cos, sin) = judge.output_pair(outputs, 0, 0, head, pair);
    let length = cos.hypot(sin) / judge.truth().plan.attention_scaling;
    let longer = axes.iter().filter(|_| length > 0.0).map(|axis| OtherTurn { length: Scalar(length), ..of(*axis) });
    let mut candidates = backwards.chain(shifted).chain(longer).chain(further);
    candidates.find(|turn| judge.fits_turn(outputs, head, pair, turn) == Fit::Yes)
}

/// The failure of a head's elements where a pair of it holds no numbers: from NaN and what was never written
/// no turn can be read off.
pub(super) fn numbers(
    judge: &Judge,
    outputs: &Outputs,
    head: usize,
    pair: usize,
    measure: &mut Measure,
) -> Result<(), Stop> {
    let is_number = |token: &usize| {
        let (first, second) = judge.output_pair(outputs, 0, *token, head, pair);
        first.is_finite() && second.is_finite()
    };
    let mut kept = KeptBounds::default();
    (0..judge.tokens())
        .filter(|token| !is_number(token))
        .try_for_each(|token| judge.row(outputs, (0, token, head), measure, &mut kept))
}
