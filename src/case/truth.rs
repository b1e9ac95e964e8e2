//! What the answer to a case is judged by, and what stands in memory where nothing was handed over.

use std::sync::Arc;

use crate::numeric::Dd;
use crate::rotation::RotationPlan;
use crate::rotation::{reference::Turn, reference::position_of};

/// Why a case cannot be made concrete.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PrepareError {
    /// It lies outside what this backend or these types can express; said in the report, never counted as a pass.
    #[error("{0}")]
    NotApplicable(String),
    /// The spec, the parameters or the case itself is wrong.
    #[error("{0}")]
    Wrong(String),
}

/// Cosine and sine of `[row][token][pair]`.
pub type GivenTables = Vec<Vec<Vec<(f64, f64)>>>;

/// What the answer is judged by. Positions and tables are the numbers that were handed over, exactly.
#[derive(Debug, Clone)]
pub struct Truth {
    /// Rotation plan of the scheme.
    pub plan: Arc<RotationPlan>,
    /// Rotated channels.
    pub rotary_dim: usize,
    /// First of them.
    pub rotary_offset: usize,
    /// Rotated pairs.
    pub pairs: usize,
    /// 1 or -1.
    pub direction: f64,
    /// Position of `[axis][row][token]`.
    pub positions: Vec<Vec<Vec<Dd>>>,
    /// Cosine and sine of `[row][token][pair]` that were handed over, where the backend takes them from the suite.
    pub given: Option<GivenTables>,
}

impl Truth {
    /// Row of the plan's tables for a head of the call; key heads come after query heads.
    #[must_use]
    pub fn map_row(&self, head: usize) -> u32 {
        if self.plan.map_heads <= 1 {
            return 0;
        }
        let (head, q_heads) = (u32::try_from(head).unwrap_or(u32::MAX), self.plan.shape.q_heads);
        if head < q_heads { self.plan.row_of_q_head(head) } else { self.plan.row_of_k_head(head - q_heads) }
    }

    /// How the pairs of a token are turned by a row of the plan's tables.
    #[must_use]
    pub fn turns(&self, row: usize, token: usize, map_row: u32) -> Vec<Turn> {
        if let Some(given) = &self.given {
            let factors = given[row][token].iter();
            return factors.map(|(cos, sin)| Turn { cos: *cos, sin: self.direction * *sin }).collect();
        }
        let positions: Vec<Dd> = self.positions.iter().map(|axis| axis[row][token]).collect();
        let pairs = self.plan.axes(map_row).iter().zip(self.plan.frequencies(map_row));
        pairs
            .map(|(axis, frequency)| {
                let position = position_of(&positions, *axis);
                Turn::new(position, *frequency, self.plan.attention_scaling, self.direction > 0.0)
            })
            .collect()
    }
}

/// Byte that memory is filled with before inputs are written: a NaN in every float type.
pub const FLOAT_POISON: u8 = 0xff;
/// The same for positions: no plausible integer, and a huge float.
pub const POSITION_POISON: u8 = 0x5a;
/// Another one: large and finite in every float type, no plausible integer.
pub const HUGE_POISON: u8 = 0x7a;
