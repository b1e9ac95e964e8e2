//! One call to be made, as the covering array has it.

use crate::case::{Alias, Order};
use crate::check::heads::HeadPreset;
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// How the tokens of a row are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// Division of a batch.
    Batch(u32),
    /// Packed sequences, and how many of them are empty.
    Packed { sequences: u32, empty: u32 },
}

/// Where the tokens of a row are: every axis in an octave, or one of them and the others at 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Octave {
    pub(super) axis: Option<u8>,
    pub(super) low: i64,
    pub(super) high: i64,
}

/// One call to be made.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverRow {
    pub(super) scheme: String,
    pub(super) dtype: DType,
    pub(super) pairing: Pairing,
    pub(super) heads: HeadPreset,
    pub(super) rows: Division,
    pub(super) tokens: u32,
    pub(super) alias: Alias,
    pub(super) orders: [Order; 3],
    pub(super) direction: i32,
    pub(super) scaling: Option<f64>,
    pub(super) position_dtype: DType,
    pub(super) octave: Octave,
    pub(super) seed: u64,
}

impl CoverRow {
    pub(super) fn batch(&self) -> u32 {
        match self.rows {
            Division::Batch(n) => n,
            Division::Packed { .. } => 1,
        }
    }

    pub(super) fn elements(&self) -> u64 {
        let heads = self.heads.q_heads + self.heads.k_heads;
        [self.batch(), self.tokens, heads, self.heads.head_dim].iter().map(|n| u64::from(*n)).product()
    }
}
