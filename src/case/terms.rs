//! The words that cases, manifests and reports share.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::numeric::DType;

/// What a backend computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Layout to positions.
    Positions,
    /// Positions and rotation plan to rotated q and k.
    Rotate,
    /// Layout to rotated q and k.
    Fused,
    /// Cosines and sines to rotated q and k.
    Apply,
}

impl Level {
    /// Every level, in the order of reports.
    pub const ALL: [Level; 4] = [Level::Positions, Level::Rotate, Level::Fused, Level::Apply];

    /// The name in manifests, reports and on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Level::Positions => "positions",
            Level::Rotate => "rotate",
            Level::Fused => "fused",
            Level::Apply => "apply",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// What a backend takes from the suite. Whatever it does not list arrives poisoned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Consume {
    /// Cosines and sines of the tokens.
    CosSin,
    /// A cache of cosines and sines by position.
    CosSinCache,
    /// The frequency of each pair.
    InvFreq,
    /// The base that the frequencies come from.
    Base,
    /// The axis of each pair.
    AxisOfPair,
    /// Pairs per axis.
    Sections,
    /// Positions.
    Positions,
    /// Segments of the sequence.
    Layout,
}

impl Consume {
    /// Everything there is.
    pub const ALL: [Consume; 8] = [
        Consume::CosSin,
        Consume::CosSinCache,
        Consume::InvFreq,
        Consume::Base,
        Consume::AxisOfPair,
        Consume::Sections,
        Consume::Positions,
        Consume::Layout,
    ];

    /// The name in manifests and reports.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Consume::CosSin => "cos_sin",
            Consume::CosSinCache => "cos_sin_cache",
            Consume::InvFreq => "inv_freq",
            Consume::Base => "base",
            Consume::AxisOfPair => "axis_of_pair",
            Consume::Sections => "sections",
            Consume::Positions => "positions",
            Consume::Layout => "layout",
        }
    }
}

/// Type of what lies beside q: cosines and sines that the suite hands over, keys, outputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum BesideDtype {
    /// That of q; of outputs, that of the tensor which is rotated.
    #[default]
    Storage,
    /// This one, beside tensors of any type.
    Of(DType),
}

impl BesideDtype {
    /// All, with their names.
    pub const ALL: [(&'static str, BesideDtype); 4] = [
        ("storage", BesideDtype::Storage),
        ("f32", BesideDtype::Of(DType::F32)),
        ("f16", BesideDtype::Of(DType::F16)),
        ("bf16", BesideDtype::Of(DType::BF16)),
    ];

    /// The type beside tensors of type `storage`.
    #[must_use]
    pub fn beside(self, storage: DType) -> DType {
        match self {
            BesideDtype::Storage => storage,
            BesideDtype::Of(dtype) => dtype,
        }
    }
}

impl Serialize for BesideDtype {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = BesideDtype::ALL.iter().find(|(_, other)| other == self).map_or("?", |(name, _)| name);
        serializer.serialize_str(name)
    }
}

/// Width of the tables of cosines and sines that the suite hands over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum TableWidth {
    /// One number for each pair.
    #[default]
    Half,
    /// One number for each rotated channel, in the channels' order: the two of a pair are equal.
    Full,
}

impl TableWidth {
    /// Both, with their names.
    pub const ALL: [(&'static str, TableWidth); 2] = [("half", TableWidth::Half), ("full", TableWidth::Full)];
}

/// How the tensors of a call may lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Strides {
    /// Only packed [batch, token, head, channel].
    Packed,
    /// Channels contiguous; every other stride is free.
    Rows,
    /// Any.
    Any,
}

/// How the positions of a call may lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum PositionStrides {
    /// The tokens of a row and axis one after another; every other stride is free.
    Rows,
    /// Any.
    Any,
}

/// How positions lie in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum PositionOrder {
    /// [axis, batch, token], with gaps after every row.
    #[default]
    Rows,
    /// The same with tokens two apart.
    Spread,
    /// [batch, token, axis]: the axes of a token are neighbours.
    AxesLast,
    /// One row that all rows of the batch share: their stride is 0.
    Shared,
    /// [batch, axis, token], with gaps after every row.
    BatchAxisToken,
    /// [axis, token, batch]: the rows of a token are neighbours.
    AxisTokenBatch,
    /// [token, axis, batch].
    TokenAxisBatch,
    /// [token, batch, axis].
    TokenBatchAxis,
}

impl PositionOrder {
    /// All, with their names, in the order of reports.
    pub const ALL: [(&'static str, PositionOrder); 8] = [
        ("rows", PositionOrder::Rows),
        ("spread", PositionOrder::Spread),
        ("axes-last", PositionOrder::AxesLast),
        ("shared", PositionOrder::Shared),
        ("batch-axis-token", PositionOrder::BatchAxisToken),
        ("axis-token-batch", PositionOrder::AxisTokenBatch),
        ("token-axis-batch", PositionOrder::TokenAxisBatch),
        ("token-batch-axis", PositionOrder::TokenBatchAxis),
    ];

    /// Whether positions of one axis lie as in another order in it.
    #[must_use]
    pub fn needs_axes(self) -> bool {
        use PositionOrder::{AxesLast, BatchAxisToken, TokenAxisBatch, TokenBatchAxis};
        matches!(self, AxesLast | BatchAxisToken | TokenAxisBatch | TokenBatchAxis)
    }
}

/// Whether outputs may, or must, lie on the inputs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alias {
    /// Outputs in memory of their own.
    Out,
    /// Outputs on the inputs.
    In,
}

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
    /// q and k are some of the heads of a wider tensor, as in a fused projection; outputs of their own are
    /// packed.
    Sliced,
    /// Packed, and every buffer ends as near to a guard band as alignment allows.
    GuardEnd,
    /// Packed, and every buffer begins right after a guard band.
    GuardStart,
    /// Batch rows more than 2^31 elements apart, in memory of which only what is touched exists.
    FarRows,
    /// The same for tokens.
    FarTokens,
    /// Each tensor in an order of its own.
    Each {
        /// Queries that go in.
        q: Order,
        /// Keys that go in.
        k: Order,
        /// Outputs of their own.
        out: Order,
    },
}

/// How one tensor of [batch, token, head, channel] lies in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// As named, no gaps.
    Packed,
    /// The same order, with gaps after every head, token and row.
    Padded,
    /// [batch, head, token, channel], no gaps but for alignment.
    HeadsFirst,
    /// [batch, head, token, channel], with gaps after every token, head and row.
    HeadsFirstPadded,
    /// [token, batch, head, channel], no gaps but for alignment.
    TokensFirst,
    /// As padded, and channels two apart.
    Spread,
    /// As padded, and rows, tokens and heads from the end of the memory to its beginning.
    Reversed,
    /// The same, and channels too.
    Mirrored,
}

impl Order {
    /// Every order with its name, in the order of reports.
    pub const ALL: [(&'static str, Order); 8] = [
        ("packed", Order::Packed),
        ("padded", Order::Padded),
        ("heads-first", Order::HeadsFirst),
        ("heads-first-padded", Order::HeadsFirstPadded),
        ("tokens-first", Order::TokensFirst),
        ("spread", Order::Spread),
        ("reversed", Order::Reversed),
        ("mirrored", Order::Mirrored),
    ];
}

impl Memory {
    /// Whether its gaps take far more room than any machine has memory.
    #[must_use]
    pub fn is_far(self) -> bool {
        matches!(self, Memory::FarRows | Memory::FarTokens)
    }

    /// The orders of q, k and outputs, where each tensor has one of its own or all have the same; `None` for those memories
    /// that are about more than order.
    #[must_use]
    pub fn orders(self) -> Option<[Order; 3]> {
        match self {
            Memory::Packed => Some([Order::Packed; 3]),
            Memory::Padded => Some([Order::Padded; 3]),
            Memory::HeadsFirst => Some([Order::HeadsFirstPadded; 3]),
            Memory::Spread => Some([Order::Spread; 3]),
            Memory::Each { q, k, out } => Some([q, k, out]),
            _ => None,
        }
    }
}
