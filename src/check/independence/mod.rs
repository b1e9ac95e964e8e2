//! Rows that must not know of each other.

pub(super) mod batch_independence;
pub(super) mod decode_shape;
pub(super) mod head_counts;
pub(super) mod head_independence;
pub(super) mod probe;
pub(super) mod q_k_independence;
pub(super) mod token_independence;
