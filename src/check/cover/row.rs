//! One call to be made, as the covering array has it.

use std::sync::OnceLock;

use crate::case::{Alias, BesideDtype, Order, PositionOrder, PositionSource, TableWidth};
use crate::check::heads::HeadPreset;
use crate::numeric::DType;
use crate::positions::Layout;
use crate::spec::model::Pairing;

/// How the tokens of a row are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Division {
    /// Rows of a batch.
    Batch(u32),
    /// Packed sequences, and how many of them are empty.
    Packed { sequences: u32, empty: u32 },
}

/// What a layout shall have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wish {
    /// First token that is asked for.
    pub(super) start: u32,
    /// T, H and W of a grid.
    pub(super) sides: [u32; 3],
    /// Time from one of its frames to the next, as a fraction.
    pub(super) seconds: [i64; 2],
    /// Tokens of a text before it.
    pub(super) text: u32,
    /// Kinds side by side, or the one that begins it, as the dimension has them.
    pub(super) neighbours: Option<u8>,
    /// Segments.
    pub(super) segments: u32,
}

/// Fewest rotated channels with which the slowest pair's angle can be seen at any position.
pub(super) const WIDE: u32 = 16;

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
    /// Of queries, keys and outputs.
    pub(super) orders: [Order; 3],
    pub(super) direction: i32,
    pub(super) scaling: Option<f64>,
    pub(super) per_head: bool,
    pub(super) k_dtype: BesideDtype,
    pub(super) output_dtype: BesideDtype,
    pub(super) table_dtype: BesideDtype,
    pub(super) table_width: TableWidth,
    pub(super) position_order: PositionOrder,
    pub(super) position_dtype: DType,
    /// The one axis on which tokens are anywhere; `None`: all.
    pub(super) axis: Option<u8>,
    /// Smallest and largest position.
    pub(super) limits: (i64, i64),
    /// Where its tokens begin in the walk through all octaves.
    pub(super) turn: u32,
    /// Its layout, on levels that have one.
    pub(super) wish: Wish,
    pub(super) seed: u64,
    /// The layouts that were found for the wish and the tokens of them that are asked for, once they were looked for; `None`
    /// where the scheme has no such layout.
    pub(super) laid: OnceLock<Option<Laid>>,
}

/// Layouts of the rows, and the first token and the number of tokens that are asked for where these are not all.
pub(super) type Laid = (Vec<Layout>, Option<(u64, u64)>);

impl CoverRow {
    pub(super) fn batch(&self) -> u32 {
        match self.rows {
            Division::Batch(n) => n,
            Division::Packed { .. } => 1,
        }
    }

    /// Whether its heads have slow pairs, whose angles can be seen at any position.
    pub(super) fn is_wide(&self) -> bool {
        self.heads.rotary.map_or(self.heads.head_dim, |(width, _)| width) >= WIDE
    }

    /// Where its tokens are, on level rotate.
    pub(super) fn walk(&self) -> PositionSource {
        let (low, high) = self.limits;
        PositionSource::Octaves { low, high, turn: self.turn, axis: self.axis }
    }

    pub(super) fn elements(&self) -> u64 {
        let heads = self.heads.q_heads + self.heads.k_heads;
        [self.batch(), self.tokens, heads, self.heads.head_dim].iter().map(|n| u64::from(*n)).product()
    }
}
