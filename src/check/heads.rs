//! Heads of a call, and the parameters that go with them.

use crate::numeric::Number;

/// Heads, and the parameters that go with them.
#[derive(Debug, Clone, PartialEq)]
pub struct HeadPreset {
    /// Query heads.
    pub q_heads: u32,
    /// Key heads.
    pub k_heads: u32,
    /// Channels of a head.
    pub head_dim: u32,
    /// Rotated channels and their offset, if not what the scheme says.
    pub rotary: Option<(u32, u32)>,
    /// Scheme parameters, such as the base of a model.
    pub parameters: Vec<(String, Number)>,
}

impl HeadPreset {
    /// What cases of level positions name, where heads mean nothing.
    pub const NONE: HeadPreset =
        HeadPreset { q_heads: 1, k_heads: 0, head_dim: 2, rotary: None, parameters: Vec::new() };
}
