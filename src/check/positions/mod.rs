//! The positions that a backend makes, alone and across calls.

pub(super) mod chunked_prefill;
pub(super) mod decode_continuation;
pub(super) mod invariant;
mod layout_classes;
mod layout_sweep;
pub(super) mod measured;
pub(super) mod packed_sequences;
pub(super) mod positions_exact;
pub(super) mod several_segments;
pub(super) mod start_shift;
