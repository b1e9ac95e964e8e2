//! Kinds of failures, each with its evidence.

use std::sync::LazyLock;

use schemars::JsonSchema;
use serde::Serialize;

use super::evidence::{
    Authority, BitsOf, ElementError, EmptyOf, Instant, MemoryAccess, Nonsense, OneHotReached, PositionRelation, Status,
    Surroundings, TrivialKernel, WrongAxis,
};
use super::law::Law;
use super::place::Place;
use super::scalar::{Observed, Scalar};
use crate::backend::{Death, Doing, FloatSetting, ForeignText};
use crate::case::{MemoryPlace, Part};
use crate::property::Violation;

/// What kind of failure it is. The names are stable: expectations and reports refer to them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// An output element is further from the exact value than the contract allows.
    OutOfBound(Box<ElementError>),
    /// An output does not show the NaN or the infinity that its pair holds.
    NonFiniteLost {
        /// What the pair holds.
        input: Scalar,
        /// What came back.
        observed: Observed,
    },
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
        /// What the scheme says that the two hold.
        expected: [Scalar; 2],
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
        /// Radians per position that the outputs show; none where no one frequency explains them.
        #[serde(skip_serializing_if = "Option::is_none")]
        observed: Option<Scalar>,
        /// How far all positions are off, where that explains the outputs at the scheme's frequency.
        #[serde(skip_serializing_if = "Option::is_none")]
        shift: Option<i64>,
        /// Length of the pair, which goes in with length 1.
        #[serde(skip_serializing_if = "Option::is_none")]
        length: Option<Scalar>,
        /// Factor on cos and sin that the scheme says.
        attention_scaling: Scalar,
        /// Pairs of the head that are off.
        wrong_pairs: Vec<usize>,
        /// Pairs of the head.
        of_pairs: usize,
        /// The base whose powers explain every pair of the head.
        #[serde(skip_serializing_if = "Option::is_none")]
        base: Option<Scalar>,
        /// Whether that is the scheme's base with exponents over the head's width instead of the rotary
        /// width.
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        over_head_dim: bool,
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
        message: ForeignText,
    },
    /// The backend reported a failure of its own, or a status that the ABI does not have.
    BackendError {
        /// What the backend said.
        message: ForeignText,
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
        /// What it was seen doing when that was over.
        doing: Doing,
        /// Whether it hung again in a fresh process, where that was tried.
        #[serde(skip_serializing_if = "Option::is_none")]
        again: Option<bool>,
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
    /// The stable names of all kinds, as in JSON.
    #[must_use]
    pub fn names() -> Vec<&'static str> {
        // The names are those that serde writes, and the schema has them all.
        static NAMES: LazyLock<Vec<String>> = LazyLock::new(|| {
            let schema = schemars::schema_for!(Cause).to_value();
            let kinds = schema["oneOf"].as_array().into_iter().flatten();
            kinds.filter_map(|kind| kind["properties"]["kind"]["const"].as_str().map(str::to_owned)).collect()
        });
        NAMES.iter().map(String::as_str).collect()
    }

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
            Cause::NonFiniteLost { .. } => "non-finite-lost",
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
