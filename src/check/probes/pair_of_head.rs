//! Where a probe saw a pair: in a head, whatever the token.

use crate::check::failure::{AxisAt, Place};
use crate::check::judge::{Element, Judge};

/// A pair of a head, with the axis that the scheme says.
pub(super) fn pair_of_head(judge: &Judge, head: usize, pair: usize) -> Place {
    let channel = judge.channels(pair).0;
    let Place { side, head, pair, axis, .. } = judge.place(Element { row: 0, token: 0, head, channel });
    let axis = axis.map(|axis| AxisAt { position: None, ..axis });
    Place { side, head, pair, axis, ..Place::default() }
}
