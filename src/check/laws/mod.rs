//! Laws of rotations: what must hold between the outputs of two calls, or of a call and its own inputs.

pub(super) mod axis_locality;
pub(super) mod axis_moves;
pub(super) mod axis_sensitivity;
pub(super) mod composition;
pub(super) mod degenerates_to_1d;
pub(super) mod identity_at_zero;
pub(super) mod inverse;
pub(super) mod linearity;
pub(super) mod pair_norm;
pub(super) mod pairs;
pub(super) mod relative_position;
pub(super) mod text_equals_1d;
