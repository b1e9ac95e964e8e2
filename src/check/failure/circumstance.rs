//! What was being done when something failed.

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::RowKind;
use super::place::Side;

/// In what a call differs from the one that is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum CallDifference {
    /// Storage type of q and k.
    Dtype,
    /// Layout, of another length.
    Layout,
    /// Type of the positions.
    PositionDtype,
    /// Number or width of heads.
    Heads,
    /// Base of the frequencies.
    Base,
    /// Positions.
    Positions,
    /// Direction of the rotation.
    Direction,
    /// Pairing.
    Pairing,
    /// Strides.
    MemoryLayout,
}

/// What the other tensor holds while one of q and k is judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OtherTensor {
    /// NaN and the largest numbers.
    Spoiled,
    /// Zeros.
    Zero,
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum Circumstance {
    /// The same call was made again.
    Repeated {
        /// Which of the runs failed, from 1.
        run: u64,
    },
    /// In plain memory, as the other checks call it.
    PlainMemory,
    /// Before any other call.
    BeforeOtherCalls,
    /// The call between two equal ones failed.
    CallBetween {
        /// In what it differs from them.
        difference: CallDifference,
    },
    /// After a call that differs in one thing.
    AfterCall {
        /// In what it differs.
        difference: CallDifference,
    },
    /// Tokens `start..end` of the sequence were asked for apart.
    Chunk {
        /// First token.
        start: u64,
        /// One past the last token.
        end: u64,
    },
    /// The sequence before any token was appended.
    Prefill,
    /// One token was appended.
    Appended {
        /// Its index.
        token: u64,
    },
    /// One of the packed sequences alone.
    SequenceAlone {
        /// Which, from 0.
        sequence: usize,
    },
    /// The second of two calls, on the outputs of the first.
    SecondCall,
    /// Turned back, from the outputs of the first call.
    TurnedBack,
    /// Inputs around and below the smallest normal number.
    Subnormals {
        /// Whether the contract lets them become zero.
        flushes: bool,
    },
    /// Inputs near the largest number.
    NearLargest,
    /// Other pairs hold NaN and infinities.
    BesideNonFinite,
    /// Outputs are the inputs' memory.
    InPlace,
    /// Outputs are memory of their own.
    OutOfPlace,
    /// Tensors with strides that leave gaps.
    Strided,
    /// Other bytes lie around the buffers.
    OtherSurroundings,
    /// Rows lie 2^31 elements apart.
    FarRows,
    /// Many rows.
    ManyRows {
        /// How many.
        rows: u64,
    },
    /// Positions beyond the manifest's max_position, answered with OK.
    BeyondMaxPosition {
        /// The manifest's max_position.
        max_position: i64,
    },
    /// Special values outside the rotary width.
    SpecialValuesOutside,
    /// Every second token, head or batch row holds NaN or huge numbers.
    OthersSpoiled {
        /// Which kind of row.
        rows: RowKind,
    },
    /// Tokens, heads or batch rows of equal input.
    EqualInput {
        /// Which kind of row.
        rows: RowKind,
    },
    /// One of q and k was judged while the other held something else.
    OtherTensor {
        /// Which is judged.
        judged: Side,
        /// What the other one holds.
        other: OtherTensor,
    },
}
