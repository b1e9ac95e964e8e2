//! One input to a check: its values, apart from how they are prepared in memory.

use super::data::Data;
use super::position_source::PositionSource;
use super::terms::{Alias, BesideDtype, Level, Memory, PositionOrder, TableWidth};
use crate::numeric::{DType, Number};
use crate::positions::Layout;
use crate::spec::model::Pairing;

/// One input to a check.
#[derive(Debug, Clone, PartialEq)]
pub struct Case {
    /// Check id.
    pub check: String,
    /// Scheme and profile, `vrope@official`.
    pub scheme: String,
    /// Scheme parameters that differ from the defaults.
    pub parameters: Vec<(String, Number)>,
    /// Level that is called.
    pub level: Level,
    /// Storage type of q, and of k and the outputs where these have no other (of nothing, on level positions).
    pub dtype: DType,
    /// Type of k.
    pub k_dtype: BesideDtype,
    /// Type of outputs that are not on the inputs.
    pub output_dtype: BesideDtype,
    /// Which channels form a pair.
    pub pairing: Pairing,
    /// Layout of each batch row.
    pub layouts: Vec<Layout>,
    /// Whether the rows lie packed one after another in a batch of one; then they may differ in length.
    pub packed: bool,
    /// First token and number of tokens; `None` is all.
    pub window: Option<(u64, u64)>,
    /// Where the tokens are.
    pub place: PositionSource,
    /// Type that positions are handed over in.
    pub position_dtype: DType,
    /// How these lie in memory.
    pub position_order: PositionOrder,
    /// Query heads.
    pub q_heads: u32,
    /// Key heads.
    pub k_heads: u32,
    /// Channels of a head.
    pub head_dim: u32,
    /// Rotated channels and the first of them, where they are not what the scheme says for `head_dim`.
    pub rotary: Option<(u32, u32)>,
    /// Factor on cos and sin, where it is not the scheme's own.
    pub scaling: Option<f64>,
    /// Whether tables of the plan that all heads share differ per head all the same: see
    /// [`crate::rotation::RotationPlan::per_head`].
    pub per_head: bool,
    /// Type of the cosines and sines that are handed over, where some are.
    pub table_dtype: BesideDtype,
    /// Width of these, where they are those of the tokens.
    pub table_width: TableWidth,
    /// 1, or -1 for the transpose.
    pub direction: i32,
    /// How tensors lie.
    pub memory: Memory,
    /// Where outputs lie.
    pub alias: Alias,
    /// What the tensors hold.
    pub data: Data,
    /// Seed of random contents.
    pub seed: u64,
    /// What the scheme meant where the case was printed ([`crate::spec::Library::meaning_for`]); none: any meaning.
    pub spec: Option<u32>,
}

impl Case {
    /// Type of keys.
    #[must_use]
    pub fn k_type(&self) -> DType {
        self.k_dtype.beside(self.dtype)
    }

    /// Type of the output of a tensor of type `own`.
    #[must_use]
    pub fn output_type(&self, own: DType) -> DType {
        if self.alias == Alias::In { own } else { self.output_dtype.beside(own) }
    }

    /// Batch rows of the call: 1 where sequences are packed.
    #[must_use]
    pub fn batch(&self) -> usize {
        if self.packed { 1 } else { self.layouts.len() }
    }

    /// Tokens per row that the call covers.
    #[must_use]
    pub fn tokens(&self) -> u64 {
        if self.packed {
            return self.layouts.iter().map(Layout::tokens).fold(0, u64::saturating_add);
        }
        self.window.map_or_else(|| self.layouts.first().map_or(0, Layout::tokens), |(_, count)| count)
    }
}
