//! What a backend keeps from call to call, what it refuses, and the floating-point environment it leaves.

pub(super) mod deterministic;
pub(super) mod fp_environment;
pub(super) mod no_sticky_state;
pub(super) mod rejects_nonsense;
