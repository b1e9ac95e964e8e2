//! Laws that tie outputs together, with what was compared.

use schemars::JsonSchema;
use serde::Serialize;

use super::place::Place;
use super::scalar::Scalar;

/// A position that moved.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct AxisMove {
    /// Name of the axis.
    pub axis: String,
    /// Position before.
    pub from: Scalar,
    /// Position after.
    pub to: Scalar,
}

/// A relation between outputs that every rotation keeps.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(tag = "name", rename_all = "kebab-case")]
pub enum Law {
    /// Inner products depend on differences of positions alone. Expected: the product before the move.
    RelativePosition {
        /// Token of the query.
        query_token: usize,
        /// Token of the key.
        key_token: usize,
        /// By how much all positions moved.
        shift: u32,
    },
    /// A pair keeps its length. Expected and observed are squared lengths.
    PairNorm {
        /// The pair before.
        input: [Scalar; 2],
        /// The pair after.
        output: [Scalar; 2],
        /// Factor on cos and sin.
        attention_scaling: Scalar,
    },
    /// The output of (a, b) is the sum of those of (a, 0) and (0, b).
    Superposition {
        /// Output of (a, 0).
        first: Scalar,
        /// Output of (0, b).
        second: Scalar,
    },
    /// A power of two on the inputs is one on the outputs, bit by bit.
    PowerOfTwo {
        /// The power of two.
        factor: Scalar,
        /// The output without it.
        plain: Scalar,
        /// The pair that goes in without it.
        input: [Scalar; 2],
    },
    /// At position 0 the input comes back.
    IdentityAtZero {
        /// Whether nothing can round, so that the bits must be the input's.
        exact: bool,
    },
    /// Zeros give zeros.
    ZeroOfZero,
    /// Positions of other axes do not reach a pair. Expected: its output before they moved.
    AxisLocality {
        /// The two tokens that were compared.
        between: [Place; 2],
        /// Positions that differ.
        moved: Vec<AxisMove>,
        /// Output at each.
        outputs: [Scalar; 2],
    },
    /// The position of its own axis reaches a pair. Expected and observed are changes of the output.
    AxisSensitivity {
        /// The two tokens that were compared.
        between: [Place; 2],
        /// Positions that differ.
        moved: Vec<AxisMove>,
        /// Output at each.
        outputs: [Scalar; 2],
        /// First or second output of the pair, from 0.
        output: usize,
    },
    /// More text in front turns outputs on by the difference of the scheme's positions.
    TurnedOn {
        /// Text tokens put in front.
        more: u32,
        /// Difference of the scheme's positions.
        step: Scalar,
    },
}
