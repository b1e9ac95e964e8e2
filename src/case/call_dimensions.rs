//! What a call had on each dimension, measured on the call itself.

use std::collections::BTreeSet;

use super::Case;
use super::call::{Call, CosSinView, PlanView, QkView, SegmentRef, TensorView};
use super::dimension::{Dimension, octave};
use super::prepare::Prepared;
use super::terms::{Order, PositionOrder};
use super::views::{position_memory, segments};
use crate::numeric::{DType, Dd};
use crate::positions::{Layout, Positions};
use crate::spec::model::Pairing;

/// How a tensor lies, as a place in the names of orders. The stride of a dimension of one says nothing.
fn order(view: &TensorView) -> i64 {
    let ([batch, tokens, heads, channels], [row, token, head, channel]) = (view.shape, view.stride);
    let along = usize::cast_signed;
    let backwards = |size: usize, stride: isize| size > 1 && stride < 0;
    let order = if row.max(token) >= 1 << 31 {
        return 8;
    } else if channel < 0 {
        Order::Mirrored
    } else if backwards(batch, row) || backwards(tokens, token) || backwards(heads, head) {
        Order::Reversed
    } else if channel != 1 {
        Order::Spread
    } else if batch > 1 && tokens > 1 && row < token {
        Order::TokensFirst
    } else if heads > 1 && tokens > 1 && token < head {
        let dense =
            token == along(channels) && head == along(tokens) * token && (batch < 2 || row == along(heads) * head);
        if dense { Order::HeadsFirst } else { Order::HeadsFirstPadded }
    } else {
        let dense = (heads < 2 || head == along(channels))
            && (tokens < 2 || token == along(heads * channels))
            && (batch < 2 || row == along(tokens * heads * channels));
        if dense { Order::Packed } else { Order::Padded }
    };
    order as i64
}

/// How positions lie, as a place in the names of orders. The stride of a dimension of one says nothing.
fn position_order([axis, row, token]: [usize; 3], [axes, batch, tokens]: [usize; 3]) -> i64 {
    let order = if batch > 1 && row == 0 {
        PositionOrder::Shared
    } else if tokens < 2 || token == 1 {
        if axes > 1 && batch > 1 && axis < row { PositionOrder::BatchAxisToken } else { PositionOrder::Rows }
    } else if batch > 1 && row < token {
        match axes > 1 && axis < token {
            false => PositionOrder::AxisTokenBatch,
            true if row < axis => PositionOrder::TokenAxisBatch,
            true => PositionOrder::TokenBatchAxis,
        }
    } else if axes > 1 && axis < token {
        PositionOrder::AxesLast
    } else {
        PositionOrder::Spread
    };
    order as i64
}

/// What one call had on each dimension; a dimension may be there several times, such as the octaves of its positions.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CallDimensions {
    all: Vec<(Dimension, i64)>,
    /// Of each token its octaves, of each grid its sizes: what one token or one grid has together.
    together: BTreeSet<[Option<(Dimension, i64)>; 4]>,
    /// Names of scheme parameters, and their values as numbers are written.
    parameters: Vec<(String, String)>,
}

impl CallDimensions {
    /// Of a call that was made.
    #[must_use]
    pub fn of(prepared: &Prepared) -> CallDimensions {
        // On level apply only the suite knows positions.
        let hidden = matches!(prepared.call, Call::Apply { .. });
        let numbers = |row: &Vec<Dd>| row.iter().map(|position| position.to_f64()).collect();
        let positions = match &prepared.truth {
            Some(truth) if !hidden => truth.positions.iter().map(|axis| axis.iter().map(numbers).collect()).collect(),
            _ => Vec::new(),
        };
        CallDimensions::new(&prepared.call, &prepared.sequence_lengths(), &positions)
    }

    /// Of a call, with the tokens of its packed sequences and with its positions by axis, row and token, as far as they are
    /// known.
    #[must_use]
    pub fn new(call: &Call, sequences: &[i64], positions: &[Vec<Vec<f64>>]) -> CallDimensions {
        let mut all = CallDimensions::default();
        if let Call::Positions { scheme, .. } | Call::Rotate { scheme, .. } | Call::Fused { scheme, .. } = call {
            let exact = scheme.parameters.iter().filter(|one| one.den != 0);
            all.parameters = exact.map(|one| (one.name.clone(), format!("{}/{}", one.num, one.den))).collect();
        }
        match call {
            Call::Positions { scheme, layouts, token_start, token_count, out, .. } => {
                let sizes = [scheme.axes.len(), layouts.len(), *token_count];
                all.add(Dimension::PositionOrder, position_order(out.stride, sizes));
                all.position_call(out.dtype, layouts, *token_start, *token_count);
            }
            Call::Rotate { scheme, plan, qk, positions, cos_sin, cache } => {
                let sizes = [scheme.axes.len(), qk.batch, qk.tokens];
                all.add(Dimension::PositionOrder, position_order(positions.stride, sizes));
                all.tables(cos_sin.as_ref().or(cache.as_ref().map(|(view, _)| view)));
                all.add(Dimension::PositionDtype, Dimension::of_dtype(positions.dtype));
                all.tensors(plan, qk, sequences);
            }
            Call::Fused { plan, qk, layouts, token_start, .. } => {
                all.count(Dimension::Start, *token_start);
                all.layouts(layouts);
                all.tensors(plan, qk, sequences);
            }
            Call::Apply { plan, qk, cos_sin } => {
                all.tables(Some(cos_sin));
                all.tensors(plan, qk, sequences);
            }
        }
        for row in 0..positions.first().map_or(0, Vec::len) {
            let tokens = positions[0][row].len();
            all.positions(positions.len(), tokens, |axis, token| positions[axis][row][token]);
        }
        all.finished()
    }

    /// Of a call of level positions for a case, whose positions these are.
    #[must_use]
    pub fn of_positions(case: &Case, rows: &[Positions]) -> CallDimensions {
        let parameters = case.parameters.iter().map(|(name, value)| (name.clone(), value.to_string())).collect();
        let mut all = CallDimensions { parameters, ..CallDimensions::default() };
        let layouts: Vec<_> = case.layouts.iter().map(segments).collect();
        let size = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
        let start = case.window.map_or(0, |(start, _)| size(start));
        let (batch, tokens) = (layouts.len(), size(case.tokens()));
        let axes = rows.first().map_or(0, |row| row.columns().len());
        let (stride, _) = position_memory(case, [axes, batch, tokens]);
        all.add(Dimension::PositionOrder, position_order(stride, [axes, batch, tokens]));
        all.position_call(case.position_dtype, &layouts, start, tokens);
        for row in rows {
            let tokens = row.columns().iter().map(|column| column.len()).min().unwrap_or(0);
            all.positions(row.columns().len(), tokens, |axis, token| {
                row.columns()[axis].get(token).map_or(0.0, |position| position.to_f64())
            });
        }
        all.finished()
    }

    /// What a call would have by its layouts alone.
    #[must_use]
    pub fn of_layouts(layouts: &[Layout]) -> CallDimensions {
        let mut all = CallDimensions::default();
        all.layouts(&layouts.iter().map(segments).collect::<Vec<_>>());
        all.finished()
    }

    fn finished(mut self) -> CallDimensions {
        self.all.extend(self.together.iter().flatten().flatten());
        self.all.sort_unstable();
        self.all.dedup();
        self
    }

    /// What single tokens and single grids had, each as one.
    pub fn together(&self) -> impl Iterator<Item = impl Iterator<Item = (Dimension, i64)>> {
        self.together.iter().map(|one| one.iter().copied().flatten())
    }

    fn positions(&mut self, axes: usize, tokens: usize, at: impl Fn(usize, usize) -> f64) {
        let mut last = None;
        for token in 0..tokens {
            let mut one = [None; 4];
            for axis in 0..axes {
                one[axis.min(3)] = Some((Dimension::of_axis(axis), octave(at(axis, token))));
            }
            if last.replace(one) != Some(one) {
                self.together.insert(one);
            }
        }
    }

    /// Names and values of the scheme parameters that are known.
    pub fn parameters(&self) -> impl Iterator<Item = (&str, &str)> {
        self.parameters.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Each dimension with a value.
    pub fn iter(&self) -> impl Iterator<Item = (Dimension, i64)> {
        self.all.iter().copied()
    }

    fn add(&mut self, dimension: Dimension, value: i64) {
        self.all.push((dimension, value));
    }

    fn count(&mut self, dimension: Dimension, value: usize) {
        self.add(dimension, i64::try_from(value).unwrap_or(i64::MAX));
    }

    fn position_call(&mut self, dtype: DType, layouts: &[Vec<SegmentRef>], start: usize, tokens: usize) {
        self.add(Dimension::PositionDtype, Dimension::of_dtype(dtype));
        self.count(Dimension::Batch, layouts.len());
        self.count(Dimension::Tokens, tokens);
        self.count(Dimension::Start, start);
        self.layouts(layouts);
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
                let seconds = Dimension::of_seconds(segment.seconds);
                let sizes = [(Dimension::Frames, frames), (Dimension::Height, height), (Dimension::Width, width)];
                self.together.insert([sizes[0], sizes[1], sizes[2], (Dimension::Seconds, seconds)].map(Some));
            }
        }
    }

    fn tables(&mut self, given: Option<&CosSinView>) {
        if let Some(view) = given {
            self.add(Dimension::TableDtype, Dimension::of_dtype(view.dtype));
            self.add(Dimension::TableWidth, i64::from(view.full));
        }
    }

    fn tensors(&mut self, plan: &PlanView, qk: &QkView, sequences: &[i64]) {
        self.add(Dimension::Dtype, Dimension::of_dtype(qk.q.dtype));
        self.add(Dimension::OutputDtype, Dimension::of_dtype(qk.q_out.dtype));
        if let Some(k) = &qk.k {
            self.add(Dimension::KDtype, Dimension::of_dtype(k.dtype));
        }
        self.add(Dimension::Pairing, i64::from(plan.pairing == Pairing::Adjacent));
        self.count(Dimension::QHeads, qk.q_heads);
        self.count(Dimension::KHeads, qk.k_heads);
        self.count(Dimension::Group, qk.q_heads.checked_div(qk.k_heads).unwrap_or(0));
        self.count(Dimension::HeadDim, plan.head_dim);
        self.count(Dimension::RotaryDim, plan.rotary_dim);
        self.count(Dimension::RotaryOffset, plan.rotary_offset);
        let rotated = Dimension::of_rotated(plan.head_dim, plan.rotary_dim, plan.rotary_offset);
        self.add(Dimension::Rotated, rotated);
        self.count(Dimension::Batch, qk.batch);
        self.count(Dimension::Tokens, qk.tokens);
        self.count(Dimension::Sequences, sequences.len());
        self.count(Dimension::EmptySequences, sequences.iter().filter(|length| **length == 0).count());
        self.add(Dimension::Alias, i64::from(qk.q.offset == qk.q_out.offset));
        self.add(Dimension::QStrides, order(&qk.q));
        if let Some(k) = &qk.k {
            self.add(Dimension::KStrides, order(k));
        }
        self.add(Dimension::OutStrides, order(&qk.q_out));
        self.add(Dimension::Direction, i64::from(plan.direction < 0));
        self.add(Dimension::Scaling, Dimension::of_scaling(plan.attention_scaling));
        self.add(Dimension::PerHead, i64::from(plan.axis_of_pair.head_stride > 0));
    }
}

#[cfg(test)]
mod tests {
    use super::super::dimension::{ORDERS, POSITION_ORDERS};
    use super::*;

    #[test]
    fn strides_have_names() {
        for (place, (name, order)) in Order::ALL.into_iter().enumerate() {
            assert_eq!((ORDERS[place], order as usize), (name, place));
        }
        let kind = |shape: [usize; 4], stride: [isize; 4]| {
            ORDERS[order(&TensorView { dtype: DType::F32, offset: 0, shape, stride }) as usize]
        };
        assert_eq!(kind([2, 3, 4, 8], [96, 32, 8, 1]), "packed");
        assert_eq!(kind([2, 3, 4, 8], [120, 40, 8, 1]), "padded");
        assert_eq!(kind([2, 3, 4, 8], [96, 8, 24, 1]), "heads-first");
        assert_eq!(kind([2, 3, 4, 8], [128, 8, 32, 1]), "heads-first-padded");
        assert_eq!(kind([2, 3, 4, 8], [32, 64, 8, 1]), "tokens-first");
        assert_eq!(kind([2, 3, 4, 8], [192, 64, 16, 2]), "spread");
        assert_eq!(kind([2, 3, 4, 8], [-192, -64, -16, 1]), "reversed");
        assert_eq!(kind([2, 3, 4, 8], [192, 64, 16, -1]), "mirrored");
        // A stride of a dimension of one says nothing.
        assert_eq!(kind([1, 1, 4, 8], [-7, -7, 8, 1]), "packed");
        assert_eq!(kind([1, 1, 4, 8], [7, 7, 8, 1]), "packed");
    }

    /// Strides of 3 axes, 2 rows and 5 tokens by hand, with gaps.
    #[test]
    fn orders_of_positions_have_names() {
        for (place, (name, order)) in PositionOrder::ALL.into_iter().enumerate() {
            assert_eq!((POSITION_ORDERS[place], order as usize), (name, place));
        }
        let name = |stride, sizes| POSITION_ORDERS[position_order(stride, sizes) as usize];
        let all = [
            ("rows", [16, 8, 1]),
            ("spread", [26, 13, 2]),
            ("axes-last", [1, 18, 3]),
            ("shared", [8, 0, 1]),
            ("batch-axis-token", [8, 24, 1]),
            ("axis-token-batch", [13, 1, 2]),
            ("token-axis-batch", [2, 1, 9]),
            ("token-batch-axis", [1, 3, 9]),
        ];
        for (expected, stride) in all {
            assert_eq!(name(stride, [3, 2, 5]), expected, "{stride:?}");
        }
        // A stride of a dimension of one says nothing.
        assert_eq!((name([1, 3, 9], [3, 1, 5]), name([7, 1, 2], [1, 2, 5])), ("axes-last", "axis-token-batch"));
        assert_eq!((name([8, 24, 1], [3, 1, 5]), name([1, 24, 1], [1, 2, 5])), ("rows", "rows"));
        assert_eq!((name([16, 8, 1], [3, 2, 1]), name([1, 3, 9], [3, 2, 1])), ("rows", "batch-axis-token"));
    }
}
