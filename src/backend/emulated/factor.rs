//! What a kernel keeps of an angle.

use std::ops::Neg;

use crate::numeric::Dd;

/// How a kernel turns a pair: cos and sin as it keeps them, with the attention scaling in them if it is
/// applied there.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Factor {
    /// m cos(angle)
    pub cos: Dd,
    /// m sin(angle), negated for direction -1.
    pub sin: Dd,
    /// The tangent of half the angle, where it is kept.
    pub tangent: Option<Tangent>,
}

/// The tangent of half an angle, as a kernel keeps it beside the sine.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tangent {
    /// -sin / (1 + |cos|), with the sine's sign where the cosine is negative.
    pub(super) value: Dd,
    /// Whether the cosine was negative.
    pub(super) half_turn: bool,
}

impl Neg for Tangent {
    type Output = Self;

    fn neg(self) -> Self {
        Self { value: -self.value, ..self }
    }
}
