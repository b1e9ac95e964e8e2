//! One call of a backend: sizes, and where in one byte arena each tensor and table lies. The same description
//! serves the host backend, the worker that calls a shared library, and anything else that can be handed
//! bytes.

use std::ops::Range;

use crate::numeric::DType;
use crate::spec::model::Pairing;

use super::terms::Level;

/// A four-dimensional tensor (batch, token, head, channel) in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TensorView {
    /// Storage type.
    pub dtype: DType,
    /// Byte offset of element (0, 0, 0, 0) in the arena.
    pub offset: usize,
    /// Elements per dimension.
    pub shape: [usize; 4],
    /// Strides in elements; below 0 where a dimension runs backwards.
    pub stride: [isize; 4],
}

impl TensorView {
    /// Byte offset of an element.
    #[must_use]
    pub fn at(&self, b: usize, t: usize, h: usize, d: usize) -> usize {
        let along = |index: usize, stride: isize| index.cast_signed() * stride;
        let s = self.stride;
        let elements = along(b, s[0]) + along(t, s[1]) + along(h, s[2]) + along(d, s[3]);
        self.offset.wrapping_add_signed(self.dtype.size().cast_signed() * elements)
    }

    /// Largest distance of two elements, in elements.
    #[must_use]
    pub fn span(&self) -> usize {
        self.shape.iter().zip(self.stride).map(|(n, stride)| (n.max(&1) - 1) * stride.unsigned_abs()).sum()
    }

    /// Batch row, token and head of every row of channels, the head fastest, and the byte offset of its first
    /// channel.
    pub fn rows(&self) -> impl Iterator<Item = ((usize, usize, usize), usize)> {
        let [batch, tokens, heads, _] = self.shape;
        ndarray::indices((batch, tokens, heads)).into_iter().map(|row| (row, self.at(row.0, row.1, row.2, 0)))
    }

    /// Byte ranges of all elements in the order of [`TensorView::rows`]: a row's at once where its channels
    /// are contiguous.
    pub fn ranges(&self) -> impl Iterator<Item = Range<usize>> {
        let ([.., channels], [.., stride], size) = (self.shape, self.stride, self.dtype.size());
        let (ranges, bytes) = if stride == 1 { (1, size * channels) } else { (channels.cast_signed(), size) };
        let step = stride * size.cast_signed();
        let starts = self.rows();
        let starts = starts.flat_map(move |(_, at)| (0..ranges).map(move |d| at.wrapping_add_signed(step * d)));
        starts.map(move |start| start..start + bytes)
    }
}

/// Positions (or the `next` of level positions) in the arena.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PositionView {
    /// Storage type.
    pub dtype: DType,
    /// Byte offset of element (axis 0, batch 0, token 0).
    pub offset: usize,
    /// Strides in elements: axis, batch, token.
    pub stride: [usize; 3],
}

impl PositionView {
    /// Byte offset of an element.
    #[must_use]
    pub fn at(&self, axis: usize, batch: usize, token: usize) -> usize {
        self.offset + self.dtype.size() * (axis * self.stride[0] + batch * self.stride[1] + token * self.stride[2])
    }

    /// Axis, batch row and token of every element for so many of them, the token fastest, and its byte
    /// offset.
    pub fn elements(&self, [axes, batch, tokens]: [usize; 3]) -> impl Iterator<Item = ((usize, usize, usize), usize)> {
        let all = ndarray::indices((axes, batch, tokens)).into_iter();
        all.map(|element| (element, self.at(element.0, element.1, element.2)))
    }
}

/// A table with a row per head, or one shared row (head stride 0).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableView {
    /// Byte offset of the first entry.
    pub offset: usize,
    /// Entries from one head to the next; 0 if all heads share a row.
    pub head_stride: usize,
}

/// Cosines and sines of the tokens of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CosSinView {
    /// Storage type of both tables.
    pub dtype: DType,
    /// Byte offset of the cosines.
    pub cos: usize,
    /// Byte offset of the sines.
    pub sin: usize,
    /// Strides in elements: batch, token.
    pub stride: [usize; 2],
    /// One number for each rotated channel, not one for each pair.
    pub full: bool,
}

/// A scheme parameter as a backend gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct ParameterValue {
    /// Name.
    pub name: String,
    /// Nearest f64.
    pub value: f64,
    /// Numerator of the exact value (0 with denominator 0 if it is not a fraction of 64-bit integers).
    pub num: i64,
    /// Denominator of the exact value.
    pub den: i64,
}

/// Which scheme a call is about.
#[derive(Debug, Clone, PartialEq)]
pub struct SchemeRef {
    /// Scheme name.
    pub scheme: String,
    /// Profile name.
    pub profile: String,
    /// Axis names.
    pub axes: Vec<String>,
    /// Parameters.
    pub parameters: Vec<ParameterValue>,
}

/// One segment as a backend gets it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SegmentRef {
    /// 0 text, 1 image, 2 video.
    pub kind: i32,
    /// T, H, W (0 for text).
    pub grid: [i64; 3],
    /// Tokens.
    pub tokens: i64,
    /// Seconds per frame, numerator and denominator.
    pub seconds: [i64; 2],
}

/// The rotation plan as a backend gets it.
#[derive(Debug, Clone, PartialEq)]
pub struct PlanView {
    /// Which channels form a pair.
    pub pairing: Pairing,
    /// Channels of a head.
    pub head_dim: usize,
    /// Rotated channels.
    pub rotary_dim: usize,
    /// First rotated channel.
    pub rotary_offset: usize,
    /// 1 or -1.
    pub direction: i32,
    /// Factor on cos and sin.
    pub attention_scaling: f64,
    /// u8 per pair.
    pub axis_of_pair: TableView,
    /// f64 per pair.
    pub inv_freq: TableView,
    /// NaN where absent.
    pub base: f64,
    /// i64 per axis: byte offset and count.
    pub sections: Option<(usize, usize)>,
    /// Whether the sections cycle.
    pub interleaved: bool,
}

/// The tensors of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QkView {
    /// Rows.
    pub batch: usize,
    /// Tokens per row.
    pub tokens: usize,
    /// Query heads.
    pub q_heads: usize,
    /// Key heads (0: k is absent).
    pub k_heads: usize,
    /// Where sequences are packed in one row: byte offset of their first tokens (i64, one more than there are
    /// sequences), and the number of sequences.
    pub sequences: Option<(usize, usize)>,
    /// Inputs and outputs.
    pub q: TensorView,
    /// Keys.
    pub k: Option<TensorView>,
    /// Rotated queries; equal to `q` in place.
    pub q_out: TensorView,
    /// Rotated keys.
    pub k_out: Option<TensorView>,
}

impl QkView {
    /// Inputs and outputs, whichever there are; in place they are the same.
    pub fn tensors(&self) -> impl Iterator<Item = &TensorView> {
        [Some(&self.q), self.k.as_ref(), Some(&self.q_out), self.k_out.as_ref()].into_iter().flatten()
    }
}

/// One call.
#[derive(Debug, Clone, PartialEq)]
pub enum Call {
    /// Layout to positions.
    Positions {
        /// Which scheme.
        scheme: SchemeRef,
        /// Segments per batch row.
        layouts: Vec<Vec<SegmentRef>>,
        /// First token.
        token_start: usize,
        /// Tokens.
        token_count: usize,
        /// Where positions go.
        out: PositionView,
        /// Where `next` goes (token stride unused).
        next: PositionView,
    },
    /// Positions and plan to rotated q and k.
    Rotate {
        /// Which scheme.
        scheme: SchemeRef,
        /// Rotation plan.
        plan: PlanView,
        /// Tensors.
        qk: QkView,
        /// Positions.
        positions: PositionView,
        /// Cosines and sines.
        cos_sin: Option<CosSinView>,
        /// Cache rows and view (row stride in elements, as `[rows, stride]`, cos then sin in one row).
        cache: Option<(CosSinView, usize)>,
    },
    /// Layout to rotated q and k.
    Fused {
        /// Which scheme.
        scheme: SchemeRef,
        /// Rotation plan.
        plan: PlanView,
        /// Tensors.
        qk: QkView,
        /// Segments per batch row.
        layouts: Vec<Vec<SegmentRef>>,
        /// First token.
        token_start: usize,
    },
    /// Cosines and sines to rotated q and k.
    Apply {
        /// Rotation plan (tables not meant to be read).
        plan: PlanView,
        /// Tensors.
        qk: QkView,
        /// Cosines and sines.
        cos_sin: CosSinView,
    },
}

impl Call {
    /// The level that is called.
    #[must_use]
    pub fn level(&self) -> Level {
        match self {
            Call::Positions { .. } => Level::Positions,
            Call::Rotate { .. } => Level::Rotate,
            Call::Fused { .. } => Level::Fused,
            Call::Apply { .. } => Level::Apply,
        }
    }

    /// The rotation plan, where the level has one.
    #[must_use]
    pub fn plan(&self) -> Option<&PlanView> {
        match self {
            Call::Positions { .. } => None,
            Call::Rotate { plan, .. } | Call::Fused { plan, .. } | Call::Apply { plan, .. } => Some(plan),
        }
    }

    /// The tensors, where the level has them.
    #[must_use]
    pub fn qk(&self) -> Option<&QkView> {
        match self {
            Call::Positions { .. } => None,
            Call::Rotate { qk, .. } | Call::Fused { qk, .. } | Call::Apply { qk, .. } => Some(qk),
        }
    }
}
