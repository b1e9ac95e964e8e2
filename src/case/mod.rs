//! One concrete input to a check: small enough for one line, complete enough to be run again.

mod arena;
pub mod call;
mod data;
mod fill;
mod hard;
mod position_source;
mod prepare;
mod tables;
pub mod tensor_file;
mod terms;
mod token;
mod truth;
mod views;
mod watch;

use crate::numeric::{DType, Number};
use crate::positions::Layout;
use crate::spec::model::Pairing;

pub use arena::Buffer;
pub use data::{Data, Tensor, channels_of_pair};
pub use fill::fill;
pub use position_source::{CONVERGENTS, PositionSource};
pub use prepare::{Prepared, prepare, prepare_within};
pub use tables::MAX_CACHE_ROWS;
pub use terms::{Alias, Consume, Level, Strides};
pub use token::{TokenError, pairing_name};
pub use truth::{FLOAT_POISON, HUGE_POISON, PrepareError, Truth};
pub use watch::{Change, MemoryPlace, Part, TensorElement};

/// How tensors lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Memory {
    /// [batch, token, head, channel], no gaps.
    Packed,
    /// The same order with gaps after every head and token.
    Padded,
    /// [batch, head, token, channel], with gaps after every token.
    HeadsFirst,
    /// As padded, and channels two apart.
    Spread,
    /// q and k are some of the heads of a wider tensor, as in a fused projection; outputs of their own are packed.
    Sliced,
    /// Packed, and every buffer ends as near to a guard band as alignment allows.
    GuardEnd,
    /// Packed, and every buffer begins right after a guard band.
    GuardStart,
    /// Batch rows more than 2^31 elements apart, in memory of which only what is touched exists.
    FarRows,
    /// The same for tokens.
    FarTokens,
}

impl Memory {
    /// Whether its gaps take far more room than any machine has memory.
    #[must_use]
    pub fn is_far(self) -> bool {
        matches!(self, Memory::FarRows | Memory::FarTokens)
    }
}

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
    /// Storage type of q, k and the outputs (of nothing, on level positions).
    pub dtype: DType,
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
}

impl Case {
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
