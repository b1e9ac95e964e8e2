//! Inputs made so that one property of a kernel shows: which axis, which frequency, which pairing, which
//! rounding.

pub(super) mod axis_map_probe;
pub(super) mod frequency_probe;
mod other_turn;
mod pair_of_head;
pub(super) mod pairing_probe;
pub(super) mod superposition;
