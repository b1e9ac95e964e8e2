//! In what calls differ, measured on the calls themselves.

use schemars::JsonSchema;
use serde::Serialize;

use super::call::{Call, PlanView, QkView, SegmentRef, TensorView};
use super::prepare::Prepared;
use super::terms::Order;
use crate::numeric::DType;
use crate::spec::model::Pairing;

/// One thing in which calls differ. The values of most are numbers; of the others, numbers of their words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dimension {
    /// Storage type of q and k.
    Dtype,
    /// Type of the positions that are handed over or written.
    PositionDtype,
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
    /// Segments of the longest layout.
    Segments,
    /// Kinds of neighbouring segments.
    Neighbours,
    /// Frames of a video.
    Frames,
    /// Rows of a grid.
    Height,
    /// Columns of a grid.
    Width,
    /// Tokens of a text segment.
    Text,
    /// Time between frames, against one second.
    Seconds,
    /// Octave and sign of a position on the first axis.
    Position0,
    /// Octave and sign of a position on the second axis.
    Position1,
    /// Octave and sign of a position on the third axis.
    Position2,
    /// Octave and sign of a position on the fourth axis, and those after it.
    Position3,
}

/// Names of how a tensor lies in memory: the orders, and rows or tokens 2^31 elements apart.
const ORDERS: [&str; 7] = ["packed", "padded", "heads-first", "heads-first-padded", "tokens-first", "spread", "far"];

/// How a tensor lies, as a place in [`ORDERS`]. The stride of a dimension of one says nothing.
fn order(view: &TensorView) -> i64 {
    let ([batch, tokens, heads, channels], [row, token, head, channel]) = (view.shape, view.stride);
    let order = if row.max(token) >= 1 << 31 {
        return 6;
    } else if channel != 1 {
        Order::Spread
    } else if batch > 1 && tokens > 1 && row < token {
        Order::TokensFirst
    } else if heads > 1 && tokens > 1 && token < head {
        let dense = token == channels && head == tokens * channels && (batch < 2 || row == heads * head);
        if dense { Order::HeadsFirst } else { Order::HeadsFirstPadded }
    } else {
        let dense = (heads < 2 || head == channels)
            && (tokens < 2 || token == heads * channels)
            && (batch < 2 || row == tokens * heads * channels);
        if dense { Order::Packed } else { Order::Padded }
    };
    order as i64
}

impl Dimension {
    /// Every dimension, in the order of reports.
    pub const ALL: [Dimension; 33] = [
        Dimension::Dtype,
        Dimension::PositionDtype,
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
    ];

    /// The name in reports and in conditions of faults.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Dimension::Dtype => "dtype",
            Dimension::PositionDtype => "position_dtype",
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
        }
    }

    /// The words of its values, in their order; empty where they are numbers.
    #[must_use]
    pub fn words(self) -> &'static [&'static str] {
        match self {
            Dimension::Dtype | Dimension::PositionDtype => &["f32", "f16", "bf16", "f64", "i32", "i64"],
            Dimension::Pairing => &["half", "adjacent"],
            Dimension::Rotated => &["whole", "part-at-start", "part-inside", "part-at-end"],
            Dimension::Alias => &["out", "in"],
            Dimension::QStrides | Dimension::KStrides | Dimension::OutStrides => &ORDERS,
            Dimension::Direction => &["forward", "back"],
            Dimension::Scaling => &["1", "below-1", "above-1"],
            Dimension::PerHead => &["shared", "per-head"],
            Dimension::Neighbours => &NEIGHBOURS,
            Dimension::Seconds => &["1", "dyadic", "other"],
            _ => &[],
        }
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

/// What one call had on each dimension; a dimension may be there several times, such as the octaves of its positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallDimensions(Vec<(Dimension, i64)>);

impl CallDimensions {
    /// Of a call that was made.
    #[must_use]
    pub fn of(prepared: &Prepared) -> CallDimensions {
        let mut all = CallDimensions::default();
        match &prepared.call {
            Call::Positions { layouts, token_start, token_count, out, .. } => {
                all.add(Dimension::PositionDtype, dtype(out.dtype));
                all.count(Dimension::Batch, layouts.len());
                all.count(Dimension::Tokens, *token_count);
                all.count(Dimension::Start, *token_start);
                all.layouts(layouts);
                for row in &prepared.positions {
                    for (axis, column) in row.columns().iter().enumerate() {
                        let column = (0..column.len()).filter_map(|i| column.get(i));
                        column.for_each(|p| all.add(Dimension::of_axis(axis), octave(p.to_f64())));
                    }
                }
            }
            Call::Rotate { plan, qk, positions, .. } => {
                all.add(Dimension::PositionDtype, dtype(positions.dtype));
                all.tensors(plan, qk, prepared);
            }
            Call::Fused { plan, qk, layouts, token_start, .. } => {
                all.count(Dimension::Start, *token_start);
                all.layouts(layouts);
                all.tensors(plan, qk, prepared);
            }
            Call::Apply { plan, qk, .. } => all.tensors(plan, qk, prepared),
        }
        all.0.sort_unstable();
        all.0.dedup();
        all
    }

    /// Each dimension with a value.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, i64)> {
        self.0.iter().copied()
    }

    /// The largest value of a dimension.
    #[must_use]
    pub fn most(&self, dimension: Dimension) -> Option<i64> {
        self.iter().filter(|(other, _)| *other == dimension).map(|(_, value)| value).max()
    }

    fn add(&mut self, dimension: Dimension, value: i64) {
        self.0.push((dimension, value));
    }

    fn count(&mut self, dimension: Dimension, value: usize) {
        self.add(dimension, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn layouts(&mut self, layouts: &[Vec<SegmentRef>]) {
        for layout in layouts {
            self.count(Dimension::Segments, layout.len());
            if let Some(first) = layout.first() {
                self.add(Dimension::Neighbours, 9 + i64::from(first.kind));
            }
            for pair in layout.windows(2) {
                self.add(Dimension::Neighbours, 3 * i64::from(pair[0].kind) + i64::from(pair[1].kind));
            }
            for segment in layout {
                let [frames, height, width] = segment.grid;
                if frames == 0 {
                    self.add(Dimension::Text, segment.tokens);
                    continue;
                }
                self.add(Dimension::Frames, frames);
                self.add(Dimension::Height, height);
                self.add(Dimension::Width, width);
                let [num, den] = segment.seconds;
                let dyadic = den > 0 && den & (den - 1) == 0;
                self.add(Dimension::Seconds, if num == den { 0 } else { 2 - i64::from(dyadic) });
            }
        }
    }

    fn tensors(&mut self, plan: &PlanView, qk: &QkView, prepared: &Prepared) {
        self.add(Dimension::Dtype, dtype(qk.q.dtype));
        self.add(Dimension::Pairing, i64::from(plan.pairing == Pairing::Adjacent));
        self.count(Dimension::QHeads, qk.q_heads);
        self.count(Dimension::KHeads, qk.k_heads);
        self.count(Dimension::Group, qk.q_heads.checked_div(qk.k_heads).unwrap_or(0));
        self.count(Dimension::HeadDim, plan.head_dim);
        self.count(Dimension::RotaryDim, plan.rotary_dim);
        self.count(Dimension::RotaryOffset, plan.rotary_offset);
        let (whole, end) = (plan.rotary_dim == plan.head_dim, plan.rotary_offset + plan.rotary_dim == plan.head_dim);
        let rotated = match (whole, plan.rotary_offset, end) {
            (true, ..) => 0,
            (false, 0, _) => 1,
            (false, _, false) => 2,
            (false, _, true) => 3,
        };
        self.add(Dimension::Rotated, rotated);
        self.count(Dimension::Batch, qk.batch);
        self.count(Dimension::Tokens, qk.tokens);
        let lengths = prepared.sequence_lengths();
        self.count(Dimension::Sequences, lengths.len());
        self.count(Dimension::EmptySequences, lengths.iter().filter(|length| **length == 0).count());
        self.add(Dimension::Alias, i64::from(qk.q.offset == qk.q_out.offset));
        self.add(Dimension::QStrides, order(&qk.q));
        if let Some(k) = &qk.k {
            self.add(Dimension::KStrides, order(k));
        }
        self.add(Dimension::OutStrides, order(&qk.q_out));
        self.add(Dimension::Direction, i64::from(plan.direction < 0));
        let scaling = match plan.attention_scaling.partial_cmp(&1.0) {
            Some(std::cmp::Ordering::Less) => 1,
            Some(std::cmp::Ordering::Greater) => 2,
            _ => 0,
        };
        self.add(Dimension::Scaling, scaling);
        self.add(Dimension::PerHead, i64::from(plan.axis_of_pair.head_stride > 0));
        // On level apply only the suite knows positions.
        if let (Some(truth), false) = (&prepared.truth, matches!(prepared.call, Call::Apply { .. })) {
            for (axis, rows) in truth.positions.iter().enumerate() {
                rows.iter().flatten().for_each(|p| self.add(Dimension::of_axis(axis), octave(p.to_f64())));
            }
        }
    }
}

fn dtype(dtype: DType) -> i64 {
    DType::ALL.iter().position(|other| *other == dtype).and_then(|at| i64::try_from(at).ok()).unwrap_or(-1)
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
    fn strides_have_names() {
        for (place, (name, order)) in Order::ALL.into_iter().enumerate() {
            assert_eq!((ORDERS[place], order as usize), (name, place));
        }
        let kind = |shape: [usize; 4], stride: [usize; 4]| {
            ORDERS[order(&TensorView { dtype: DType::F32, offset: 0, shape, stride }) as usize]
        };
        assert_eq!(kind([2, 3, 4, 8], [96, 32, 8, 1]), "packed");
        assert_eq!(kind([2, 3, 4, 8], [120, 40, 8, 1]), "padded");
        assert_eq!(kind([2, 3, 4, 8], [96, 8, 24, 1]), "heads-first");
        assert_eq!(kind([2, 3, 4, 8], [128, 8, 32, 1]), "heads-first-padded");
        assert_eq!(kind([2, 3, 4, 8], [32, 64, 8, 1]), "tokens-first");
        assert_eq!(kind([2, 3, 4, 8], [192, 64, 16, 2]), "spread");
        // A stride of a dimension of one says nothing.
        assert_eq!(kind([1, 1, 4, 8], [7, 7, 8, 1]), "packed");
    }
}
