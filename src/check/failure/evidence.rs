//! What causes of failures have for evidence.

use schemars::JsonSchema;
use serde::Serialize;

use super::place::{Place, Side};
use super::scalar::{Observed, Scalar};
use crate::case::MemoryPlace;
use crate::contract::{Allowance, AllowanceTerm};
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// A term of an error budget, in units of the output.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct BudgetTerm {
    /// Which rounding or error it is for.
    pub term: AllowanceTerm,
    /// How large it may be.
    pub size: Scalar,
}

/// What a bound was taken from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "source", rename_all = "kebab-case")]
pub enum BoundSource {
    /// Derived from the contract in force.
    Contract,
    /// Stored in the golden file, for this contract.
    Golden {
        /// The contract.
        contract: String,
    },
    /// Derived for this contract from the values of the golden file.
    GoldenValues {
        /// The contract.
        contract: String,
    },
}

/// The angle behind an element.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum AngleAt {
    /// The suite handed over cosine and sine.
    Given {
        /// The cosine.
        cos: Observed,
        /// The sine.
        sin: Observed,
    },
    /// A position times a frequency.
    Position {
        /// Angle in radians.
        angle: Scalar,
        /// Position.
        position: Scalar,
        /// Frequency in radians per position.
        frequency: Scalar,
        /// How far the contract lets the kernel's angle be off, in radians.
        allowed: Scalar,
    },
}

/// An element that is out of its bound.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct ElementError {
    /// Storage type.
    pub dtype: DType,
    /// The exact value, to f64.
    pub expected: Scalar,
    /// The exact value as the storage type holds it.
    pub rounded: Observed,
    /// What the backend wrote.
    pub observed: Observed,
    /// |observed - expected|.
    pub error: Scalar,
    /// The error in units of the storage type's last place there.
    pub ulps: Scalar,
    /// The bound: the sum of the budget.
    pub allowed: Scalar,
    /// What the bound is made of, largest first; empty where it was stored.
    pub budget: Vec<BudgetTerm>,
    /// Where the bound comes from.
    pub bound: BoundSource,
    /// The angle that turns the pair, where the bound is derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub angle: Option<AngleAt>,
    /// Length of the right output pair, where the bound is derived.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<Scalar>,
    /// Whether the value has the right size and the opposite sign.
    pub opposite_sign: bool,
}

impl ElementError {
    /// An element that was `observed` where the exact value is `expected`.
    #[must_use]
    pub fn new(dtype: DType, expected: f64, observed: f64, allowed: f64, bound: BoundSource) -> ElementError {
        let error = (observed - expected).abs();
        ElementError {
            dtype,
            expected: Scalar(expected),
            rounded: Observed::of(dtype, dtype.round(expected)),
            observed: Observed::of(dtype, observed),
            error: Scalar(error),
            ulps: Scalar(error / (2.0 * dtype.half_ulp(expected))),
            allowed: Scalar(allowed),
            budget: Vec::new(),
            bound,
            angle: None,
            length: None,
            opposite_sign: observed.is_finite() && expected != 0.0 && (observed + expected).abs() <= allowed,
        }
    }

    /// The element with the parts of its bound, the angle behind it and the length of the right output pair.
    #[must_use]
    pub fn explained(self, allowance: &Allowance, angle: AngleAt, length: f64) -> ElementError {
        let budget = allowance.parts().map(|(term, size)| BudgetTerm { term, size: Scalar(size) }).to_vec();
        ElementError { budget, angle: Some(angle), length: Some(Scalar(length)), ..self }
    }
}

/// A channel that a 1 on another channel must not reach.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct OneHotReached {
    /// The channel that held the 1.
    pub channel: usize,
    /// Its partner; none outside the rotary width.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partner: Option<usize>,
    /// The channel that was reached.
    pub reached: usize,
    /// What it holds.
    pub value: Scalar,
    /// The pairing that was asked for.
    pub asked: Pairing,
    /// The pairing that the kernel has, if that explains the channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<Pairing>,
}

/// An axis, or none: the pair must not turn.
pub type StatedAxis = Option<String>;

/// A turn that fits the outputs of a pair, where no axis fits at the pair's own frequency.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, JsonSchema)]
pub struct OtherTurn<A> {
    /// The axis whose positions fit.
    pub axis: A,
    /// How many pairs further on the pair is whose frequency fits; 0: its own.
    pub further: isize,
    /// Whether it turns the other way.
    pub backwards: bool,
    /// How far its positions are off.
    pub shift: i64,
    /// The length of the pair, as a part of the one that the scheme says.
    pub length: Scalar,
}

/// Axes whose positions fit the outputs of a run of pairs.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Fitting {
    /// First pair of the run.
    pub first: usize,
    /// Last pair of the run.
    pub last: usize,
    /// The axis that the scheme says.
    pub stated: StatedAxis,
    /// The axes that fit all of its outputs; empty if none does.
    pub fits: Vec<StatedAxis>,
    /// What fits, where no axis does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub found: Option<OtherTurn<String>>,
}

/// Pairs that turn with another axis than the scheme's.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct WrongAxis {
    /// Runs of neighbouring pairs with one result, in order.
    pub runs: Vec<Fitting>,
    /// Head that they were seen in.
    pub head: usize,
    /// How many pairs are wrong.
    pub wrong: usize,
    /// Pairs of the head.
    pub of_pairs: usize,
}

/// Rows of a tensor that must not know of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RowKind {
    /// Tokens.
    Tokens,
    /// Heads, query and key.
    Heads,
    /// Rows of the batch.
    BatchRows,
}

/// What bits were compared with.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "of", rename_all = "kebab-case")]
pub enum BitsOf {
    /// The first run of the same call.
    FirstRun,
    /// The first call, before another one.
    FirstCall,
    /// The call for all tokens at once.
    WholeSequence,
    /// The sequence alone, not packed.
    SequenceAlone,
    /// The call out of place.
    OutOfPlace,
    /// The call while the other rows held other contents.
    OtherContents,
    /// A row of equal input at an equal position.
    EqualRow {
        /// Where that row is.
        at: Place,
    },
}

/// What says where a token must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Authority {
    /// The scheme's formulas.
    Scheme,
    /// The golden file.
    Golden,
}

/// How positions of two calls are related.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum PositionRelation {
    /// More text in front moves every later position: the numbers are steps.
    StartShift {
        /// Text tokens put in front.
        more: u32,
    },
    /// A token that is appended is where text was said to go on.
    Appended {
        /// Which of the appended tokens, from 1.
        number: usize,
        /// Position at which text was said to go on.
        goes_on: String,
    },
    /// Tokens asked for apart are where they are in the whole sequence.
    Chunk {
        /// First token.
        start: u64,
        /// One past the last token.
        end: u64,
    },
}

/// A kernel that does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum TrivialKernel {
    /// Every element is 0.
    Zero {
        /// Of which output.
        side: Side,
    },
    /// Nothing was written.
    Echo,
    /// Every element is NaN.
    Nan,
    /// The input comes back.
    Identity {
        /// Of which output.
        side: Side,
    },
    /// Another input gives the same output.
    Stale,
}

/// What a call was made without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EmptyOf {
    /// No tokens.
    Tokens,
    /// No rows.
    Rows,
}

/// What depends on bytes around the buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Surroundings {
    /// Positions.
    Positions,
    /// Bits that the manifest calls stable.
    StableBits,
}

/// A call that makes no sense under any manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Nonsense {
    /// An odd rotary_dim.
    OddRotaryDim,
    /// A rotary_dim above head_dim.
    WideRotaryDim,
    /// A rotary part that ends after the head.
    RotaryPastHead,
    /// An axis that the call does not have.
    MissingAxis,
    /// q and k of an integer type.
    IntegerTensors,
    /// Tokens after the end of the layout.
    TokensPastLayout,
}

/// How a call was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// UNSUPPORTED.
    Unsupported,
    /// BAD_ARGUMENT.
    BadArgument,
}

/// Memory that a backend touched and must not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct MemoryAccess {
    /// Whether it wrote; none where the machine does not say.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub write: Option<bool>,
    /// Where it is; none if it is near no buffer.
    pub at: MemoryPlace,
}

/// When the environment changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Instant {
    /// While the library was loaded.
    Load,
    /// In a call.
    Call,
}
