//! Kinds of failures, each with its evidence.

use schemars::JsonSchema;
use serde::Serialize;

use super::law::Law;
use super::place::{Place, Side};
use super::scalar::{Observed, Scalar};
use crate::backend::{Death, FloatSetting};
use crate::case::{MemoryPlace, Part};
use crate::contract::{Allowance, AllowanceTerm};
use crate::numeric::DType;
use crate::property::Violation;
use crate::spec::model::Pairing;

/// What kind of failure it is. The names are stable: expectations and reports refer to them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// An output element is further from the exact value than the contract allows.
    OutOfBound(Box<ElementError>),
    /// A channel outside the rotary width did not come back as it went in.
    NotPreserved {
        /// What went in.
        expected: Scalar,
        /// What came back.
        observed: Observed,
    },
    /// A 1 on one channel reached a channel that is neither it nor its partner.
    StrayChannel(Box<OneHotReached>),
    /// A 1 on one channel came back as another turn than the scheme's.
    WrongTurn {
        /// The channel that held the 1.
        channel: usize,
        /// What it holds afterwards.
        cos: Scalar,
        /// What its partner holds afterwards.
        sin: Scalar,
        /// Whether the sine has the right size and the wrong sign.
        opposite: bool,
        /// The element that is out of its bound.
        element: Box<Cause>,
        /// Where that is.
        at: Place,
    },
    /// Pairs turn with another axis than the scheme's.
    WrongAxis(Box<WrongAxis>),
    /// A pair turns at another frequency than the scheme's.
    WrongFrequency {
        /// Radians per position that the scheme says.
        expected: Scalar,
        /// Radians per position that the outputs show; none where no output tells.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Scalar>,
        /// Length of the pair, which goes in with length 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        length: Option<Scalar>,
        /// Factor on cos and sin that the scheme says.
        attention_scaling: Scalar,
        /// Pairs of the head that are off.
        wrong_pairs: Vec<usize>,
        /// Pairs of the head.
        of_pairs: usize,
        /// The base that fits the measured frequencies best.
        #[serde(skip_serializing_if = "Option::is_none")]
        base: Option<Scalar>,
    },
    /// A pair that no axis turns is turned.
    TurnsWithoutAxis,
    /// Outputs of (1, 0) are no numbers, so no frequency shows.
    NoFrequency {
        /// Position of the token.
        position: Scalar,
        /// The pair that came out.
        observed: [Scalar; 2],
        /// The pair that the scheme says.
        expected: [Scalar; 2],
    },
    /// A relation between outputs does not hold.
    LawBroken {
        /// Which one.
        law: Box<Law>,
        /// What it calls for.
        expected: Scalar,
        /// What was found.
        observed: Scalar,
        /// The difference.
        error: Scalar,
        /// How large that may be.
        allowed: Scalar,
    },
    /// Bits that must be equal differ, though all values are within their bounds.
    BitsDiffer {
        /// What they were compared with.
        than: Box<BitsOf>,
        /// How many elements differ, and of how many, where that was counted.
        #[serde(skip_serializing_if = "Option::is_none")]
        elements: Option<[usize; 2]>,
    },
    /// A token, or the text after the layout, is at another position than it must be.
    WrongPosition {
        /// What says where it must be.
        against: Authority,
        /// Exact position that it must have.
        expected: String,
        /// Position that was found; none if there is none.
        observed: Option<String>,
    },
    /// Positions of two calls of the backend do not fit each other.
    PositionsDisagree {
        /// How they are related.
        relation: PositionRelation,
        /// What the relation calls for.
        expected: String,
        /// What was found.
        observed: String,
    },
    /// A position in memory is no number: never written, perhaps.
    NoPosition {
        /// What lies there.
        observed: Scalar,
    },
    /// No position near the scheme's explains the outputs of a token.
    NoPositionFits {
        /// The scheme's position.
        expected: String,
    },
    /// A statement of the scheme does not hold for the backend's positions.
    InvariantBroken {
        /// Id of the statement.
        invariant: String,
        /// What it says.
        statement: String,
        /// Where it does not hold, and by which values.
        violation: Box<Violation>,
        /// The layout.
        layout: String,
    },
    /// The backend behaves as a kernel that does nothing.
    Trivial {
        /// Which.
        kernel: TrivialKernel,
    },
    /// Memory was written that must not be.
    MemoryWritten {
        /// What it belongs to.
        part: Part,
        /// Where it is.
        at: MemoryPlace,
    },
    /// An output was left as it was.
    NotWritten {
        /// Where it is.
        at: MemoryPlace,
    },
    /// A call without tokens or rows wrote something.
    EmptyCallWrote {
        /// What the call was without.
        without: EmptyOf,
        /// Where it wrote.
        at: MemoryPlace,
    },
    /// The result depends on what lies around the buffers.
    DependsOnSurroundings {
        /// What depends on it.
        what: Surroundings,
    },
    /// A call that makes no sense was answered with OK.
    NonsenseAccepted {
        /// What made no sense.
        nonsense: Nonsense,
    },
    /// A call that makes no sense was refused after memory had been written.
    NonsenseWrote {
        /// What made no sense.
        nonsense: Nonsense,
        /// How many bytes were written.
        bytes: usize,
        /// The first of them.
        first: usize,
    },
    /// A call inside the manifest was refused.
    Refused {
        /// The status: `unsupported` or `bad-argument`.
        status: Status,
        /// What the backend said.
        message: String,
    },
    /// The backend reported a failure of its own, or a status that the ABI does not have.
    BackendError {
        /// What the backend said.
        message: String,
        /// What makes no sense in the call, where it was meant to be refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        nonsense: Option<Nonsense>,
    },
    /// The backend died.
    Crashed {
        /// How its process ended.
        death: Death,
        /// What it touched, if it died of that.
        #[serde(skip_serializing_if = "Option::is_none")]
        access: Option<MemoryAccess>,
        /// What makes no sense in the call, where it was meant to be refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        nonsense: Option<Nonsense>,
    },
    /// The backend did not answer in time.
    Hung {
        /// The limit in seconds.
        seconds: f64,
        /// What makes no sense in the call, where it was meant to be refused.
        #[serde(skip_serializing_if = "Option::is_none")]
        nonsense: Option<Nonsense>,
    },
    /// The floating-point environment was not left as it was.
    EnvironmentChanged {
        /// When.
        by: Instant,
        /// What changed.
        settings: Vec<FloatSetting>,
        /// Control word before and after.
        words: [u64; 2],
    },
}

impl Cause {
    /// A law that calls for `expected`, give or take `allowed`, where `observed` was found.
    #[must_use]
    pub fn law(law: Law, expected: f64, observed: f64, allowed: f64) -> Cause {
        let error = (observed - expected).abs();
        let [expected, observed, error, allowed] = [expected, observed, error, allowed].map(Scalar);
        Cause::LawBroken { law: Box::new(law), expected, observed, error, allowed }
    }

    /// The stable name, as in JSON.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Cause::OutOfBound(_) => "out-of-bound",
            Cause::NotPreserved { .. } => "not-preserved",
            Cause::StrayChannel(_) => "stray-channel",
            Cause::WrongTurn { .. } => "wrong-turn",
            Cause::WrongAxis(_) => "wrong-axis",
            Cause::WrongFrequency { .. } => "wrong-frequency",
            Cause::TurnsWithoutAxis => "turns-without-axis",
            Cause::NoFrequency { .. } => "no-frequency",
            Cause::LawBroken { .. } => "law-broken",
            Cause::BitsDiffer { .. } => "bits-differ",
            Cause::WrongPosition { .. } => "wrong-position",
            Cause::PositionsDisagree { .. } => "positions-disagree",
            Cause::NoPosition { .. } => "no-position",
            Cause::NoPositionFits { .. } => "no-position-fits",
            Cause::InvariantBroken { .. } => "invariant-broken",
            Cause::Trivial { .. } => "trivial",
            Cause::MemoryWritten { .. } => "memory-written",
            Cause::NotWritten { .. } => "not-written",
            Cause::EmptyCallWrote { .. } => "empty-call-wrote",
            Cause::DependsOnSurroundings { .. } => "depends-on-surroundings",
            Cause::NonsenseAccepted { .. } => "nonsense-accepted",
            Cause::NonsenseWrote { .. } => "nonsense-wrote",
            Cause::Refused { .. } => "refused",
            Cause::BackendError { .. } => "backend-error",
            Cause::Crashed { .. } => "crashed",
            Cause::Hung { .. } => "hung",
            Cause::EnvironmentChanged { .. } => "environment-changed",
        }
    }
}

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
            opposite_sign: observed.is_finite() && expected != 0.0 && (observed + expected).abs() <= allowed,
        }
    }

    /// The element with the parts of its bound and the angle behind it.
    #[must_use]
    pub fn explained(self, allowance: &Allowance, angle: AngleAt) -> ElementError {
        let budget = allowance.parts().map(|(term, size)| BudgetTerm { term, size: Scalar(size) }).to_vec();
        ElementError { budget, angle: Some(angle), ..self }
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

/// Axes whose positions fit the outputs of a run of pairs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Fitting {
    /// First pair of the run.
    pub first: usize,
    /// Last pair of the run.
    pub last: usize,
    /// The axis that the scheme says.
    pub stated: StatedAxis,
    /// The axes that fit all of its outputs; empty if none does.
    pub fits: Vec<StatedAxis>,
}

/// Pairs that turn with another axis than the scheme's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
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
pub enum Rows {
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
