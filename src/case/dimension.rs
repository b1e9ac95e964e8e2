//! The things in which calls differ, and what their values stand for.

use schemars::JsonSchema;
use serde::Serialize;

use crate::numeric::DType;

/// One thing in which calls differ. The values of most are numbers; of the others, numbers of their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Storage type of q.
    Dtype,
    /// Type of k.
    KDtype,
    /// Type of the output of q.
    OutputDtype,
    /// Type of the positions that are handed over or written.
    PositionDtype,
    /// How these lie in memory.
    PositionOrder,
    /// Which channels form a pair.
    Pairing,
    /// Query heads.
    QHeads,
    /// Key heads.
    KHeads,
    /// Query heads that share a key head; 0 without keys.
    Group,
    /// Channels of a head.
    HeadDim,
    /// Rotated channels.
    RotaryDim,
    /// First rotated channel.
    RotaryOffset,
    /// Share of the head that is rotated.
    Rotated,
    /// Rows of the batch.
    Batch,
    /// Tokens of a row in the call.
    Tokens,
    /// First token of the call in its layout.
    Start,
    /// Packed sequences; 0 where nothing is packed.
    Sequences,
    /// Packed sequences without tokens.
    EmptySequences,
    /// Whether outputs are the inputs' memory.
    Alias,
    /// How queries lie in memory.
    QStrides,
    /// How keys lie in memory.
    KStrides,
    /// How outputs lie in memory.
    OutStrides,
    /// Direction of the rotation.
    Direction,
    /// Factor on cos and sin, against 1.
    Scaling,
    /// Whether the tables differ per head.
    PerHead,
    /// Type of the cosines and sines that are handed over.
    TableDtype,
    /// Width of the tables of the tokens.
    TableWidth,
    /// Segments of the longest layout.
    Segments,
    /// Kinds of neighbouring segments.
    Neighbours,
    /// Frames of a video.
    #[serde(rename = "T")]
    Frames,
    /// Rows of a grid.
    #[serde(rename = "H")]
    Height,
    /// Columns of a grid.
    #[serde(rename = "W")]
    Width,
    /// Tokens of a text segment.
    Text,
    /// Time between frames, against one second.
    Seconds,
    /// Octave and sign of a position on the first axis.
    #[serde(rename = "position_0")]
    Position0,
    /// Octave and sign of a position on the second axis.
    #[serde(rename = "position_1")]
    Position1,
    /// Octave and sign of a position on the third axis.
    #[serde(rename = "position_2")]
    Position2,
    /// Octave and sign of a position on the fourth axis, and those after it.
    #[serde(rename = "position_3")]
    Position3,
    /// A scheme parameter of which the manifest offers values: the first of these.
    #[serde(rename = "parameter_0")]
    Parameter0,
    /// A scheme parameter of which the manifest offers values: the second of these.
    #[serde(rename = "parameter_1")]
    Parameter1,
    /// A scheme parameter of which the manifest offers values: the third of these.
    #[serde(rename = "parameter_2")]
    Parameter2,
    /// A scheme parameter of which the manifest offers values: the fourth of these, and those after it.
    #[serde(rename = "parameter_3")]
    Parameter3,
}

/// Names of how a tensor lies in memory: the orders, and rows or tokens 2^31 elements apart.
pub(super) const ORDERS: [&str; 9] =
    ["packed", "padded", "heads-first", "heads-first-padded", "tokens-first", "spread", "reversed", "mirrored", "far"];

/// Names of how positions lie in memory.
pub(super) const POSITION_ORDERS: [&str; 8] = [
    "rows",
    "spread",
    "axes-last",
    "shared",
    "batch-axis-token",
    "axis-token-batch",
    "token-axis-batch",
    "token-batch-axis",
];

impl Dimension {
    /// Every dimension, in the order of reports.
    pub const ALL: [Dimension; 42] = [
        Dimension::Dtype,
        Dimension::KDtype,
        Dimension::OutputDtype,
        Dimension::PositionDtype,
        Dimension::PositionOrder,
        Dimension::Pairing,
        Dimension::QHeads,
        Dimension::KHeads,
        Dimension::Group,
        Dimension::HeadDim,
        Dimension::RotaryDim,
        Dimension::RotaryOffset,
        Dimension::Rotated,
        Dimension::Batch,
        Dimension::Tokens,
        Dimension::Start,
        Dimension::Sequences,
        Dimension::EmptySequences,
        Dimension::Alias,
        Dimension::QStrides,
        Dimension::KStrides,
        Dimension::OutStrides,
        Dimension::Direction,
        Dimension::Scaling,
        Dimension::PerHead,
        Dimension::TableDtype,
        Dimension::TableWidth,
        Dimension::Segments,
        Dimension::Neighbours,
        Dimension::Frames,
        Dimension::Height,
        Dimension::Width,
        Dimension::Text,
        Dimension::Seconds,
        Dimension::Position0,
        Dimension::Position1,
        Dimension::Position2,
        Dimension::Position3,
        Dimension::Parameter0,
        Dimension::Parameter1,
        Dimension::Parameter2,
        Dimension::Parameter3,
    ];

    /// The name in reports and in conditions of faults.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Dtype => "dtype",
            Dimension::KDtype => "k_dtype",
            Dimension::OutputDtype => "output_dtype",
            Dimension::PositionDtype => "position_dtype",
            Dimension::PositionOrder => "position_order",
            Dimension::Pairing => "pairing",
            Dimension::QHeads => "q_heads",
            Dimension::KHeads => "k_heads",
            Dimension::Group => "group",
            Dimension::HeadDim => "head_dim",
            Dimension::RotaryDim => "rotary_dim",
            Dimension::RotaryOffset => "rotary_offset",
            Dimension::Rotated => "rotated",
            Dimension::Batch => "batch",
            Dimension::Tokens => "tokens",
            Dimension::Start => "start",
            Dimension::Sequences => "sequences",
            Dimension::EmptySequences => "empty_sequences",
            Dimension::Alias => "alias",
            Dimension::QStrides => "q_strides",
            Dimension::KStrides => "k_strides",
            Dimension::OutStrides => "out_strides",
            Dimension::Direction => "direction",
            Dimension::Scaling => "scaling",
            Dimension::PerHead => "per_head",
            Dimension::TableDtype => "table_dtype",
            Dimension::TableWidth => "table_width",
            Dimension::Segments => "segments",
            Dimension::Neighbours => "neighbours",
            Dimension::Frames => "T",
            Dimension::Height => "H",
            Dimension::Width => "W",
            Dimension::Text => "text",
            Dimension::Seconds => "seconds",
            Dimension::Position0 => "position_0",
            Dimension::Position1 => "position_1",
            Dimension::Position2 => "position_2",
            Dimension::Position3 => "position_3",
            Dimension::Parameter0 => "parameter_0",
            Dimension::Parameter1 => "parameter_1",
            Dimension::Parameter2 => "parameter_2",
            Dimension::Parameter3 => "parameter_3",
        }
    }

    /// The words of its values, in their order; empty where they are numbers.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Dimension::Dtype
            | Dimension::KDtype
            | Dimension::OutputDtype
            | Dimension::PositionDtype
            | Dimension::TableDtype => &["f32", "f16", "bf16", "f64", "i32", "i64"],
            Dimension::PositionOrder => &POSITION_ORDERS,
            Dimension::Pairing => &["half", "adjacent"],
            Dimension::Rotated => &["whole", "part-at-start", "part-inside", "part-at-end"],
            Dimension::Alias => &["out", "in"],
            Dimension::QStrides | Dimension::KStrides | Dimension::OutStrides => &ORDERS,
            Dimension::Direction => &["forward", "back"],
            Dimension::Scaling => &["1", "below-1", "above-1"],
            Dimension::PerHead => &["shared", "per-head"],
            Dimension::TableWidth => &["half", "full"],
            Dimension::Neighbours => &NEIGHBOURS,
            Dimension::Seconds => &["1", "dyadic", "other"],
            _ if self.is_of_a_parameter() => &["least", "between", "most"],
            _ => &[],
        }
    }

    /// Whether two dimensions are about one token, or about one grid: their values meet where one of those has both.
    #[must_use]
    pub fn of_one_thing(self, other: Dimension) -> bool {
        let thing = |dimension| match dimension {
            Dimension::Position0 | Dimension::Position1 | Dimension::Position2 | Dimension::Position3 => 1,
            Dimension::Frames | Dimension::Height | Dimension::Width | Dimension::Seconds => 2,
            _ => 0,
        };
        thing(self) > 0 && thing(self) == thing(other)
    }

    /// The value of a type on the dimensions of types.
    #[must_use]
    pub fn of_dtype(dtype: DType) -> i64 {
        DType::ALL.iter().position(|other| *other == dtype).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
    }

    /// The value of a factor on cos and sin.
    #[must_use]
    pub fn of_scaling(factor: f64) -> i64 {
        match factor.partial_cmp(&1.0) {
            Some(std::cmp::Ordering::Less) => 1,
            Some(std::cmp::Ordering::Greater) => 2,
            _ => 0,
        }
    }

    /// The value of a time from one frame to the next, a fraction in lowest terms.
    #[must_use]
    pub fn of_seconds([num, den]: [i64; 2]) -> i64 {
        match (num == den, den > 0 && den & (den - 1) == 0) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        }
    }

    /// The value of so many rotated channels of a head, from an offset on.
    #[must_use]
    pub fn of_rotated(head_dim: usize, rotary_dim: usize, offset: usize) -> i64 {
        match (rotary_dim == head_dim, offset, offset + rotary_dim == head_dim) {
            (true, ..) => 0,
            (false, 0, _) => 1,
            (false, _, false) => 2,
            (false, _, true) => 3,
        }
    }

    /// Whether it is about a scheme parameter.
    #[must_use]
    pub fn is_of_a_parameter(self) -> bool {
        self >= Dimension::Parameter0
    }

    /// The dimension of an offered scheme parameter, by its place among those.
    #[must_use]
    pub fn of_parameter(place: usize) -> Dimension {
        [Dimension::Parameter0, Dimension::Parameter1, Dimension::Parameter2, Dimension::Parameter3][place.min(3)]
    }

    /// The dimension of positions on an axis.
    #[must_use]
    pub fn of_axis(axis: usize) -> Dimension {
        [Dimension::Position0, Dimension::Position1, Dimension::Position2, Dimension::Position3][axis.min(3)]
    }
}

/// Ordered pairs of kinds: text, image, video; and the kind that begins and the one that ends a layout.
const NEIGHBOURS: [&str; 12] = [
    "text-text",
    "text-image",
    "text-video",
    "image-text",
    "image-image",
    "image-video",
    "video-text",
    "video-image",
    "video-video",
    "begins-text",
    "begins-image",
    "begins-video",
];

/// The octave of a position with its sign: 0 for 0, else 1 + floor(log2 |p|), negative below 0. A fraction below 1 counts
/// as 1.
#[must_use]
pub fn octave(position: f64) -> i64 {
    let size = position.abs();
    if size == 0.0 || size.is_nan() {
        return 0;
    }
    // Positions lie within 2^53 of 0.
    let octave = 1 + (size.max(1.0).to_bits() >> 52).cast_signed() - 1023;
    if position < 0.0 { -octave } else { octave }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn octaves_have_signs() {
        let all = [0.0, 0.5, 1.0, 2.0, 3.0, 4.0, 255.0, 256.0, 2_147_483_647.0, -1.0, -9.0];
        assert_eq!(all.map(octave), [0, 1, 1, 2, 2, 3, 8, 9, 31, -1, -4]);
    }

    #[test]
    fn a_dimension_has_one_name() {
        for dimension in Dimension::ALL {
            assert_eq!(serde_json::to_value(dimension).unwrap(), dimension.name());
        }
    }
}
