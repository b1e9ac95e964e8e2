//! The parts of a call as the ABI has them, laid out in the arena.

use super::arena::Arena;
use super::call::{ParameterValue, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TableView};
use super::truth::{POSITION_POISON, PrepareError, Truth};
use super::{Alias, Case, Consume, Memory, PositionOrder};
use crate::numeric::Number;
use crate::positions::{Layout, Segment};
use crate::rotation::NO_AXIS;
use crate::spec::Parameters;
use crate::spec::model::Scheme;

pub(super) fn scheme_ref(scheme: &Scheme, parameters: &Parameters) -> SchemeRef {
    let values = parameters.named(scheme).into_iter().map(|(name, value)| {
        let fraction = value.as_ratio().and_then(|(n, d)| Some((i64::try_from(n).ok()?, i64::try_from(d).ok()?)));
        let (num, den) = fraction.unwrap_or((0, 0));
        ParameterValue { name, value: value.to_f64(), num, den }
    });
    SchemeRef {
        scheme: scheme.name.clone(),
        profile: scheme.profile.clone(),
        axes: scheme.axes.clone(),
        parameters: values.collect(),
    }
}

pub(super) fn segments(layout: &Layout) -> Vec<SegmentRef> {
    let one = |segment: &Segment| {
        let grid = segment.grid().map_or([0; 3], |g| g.map(i64::from));
        let seconds = segment.seconds().as_ratio().unwrap_or((1, 1));
        SegmentRef {
            kind: match segment {
                Segment::Text(_) => 0,
                Segment::Image { .. } => 1,
                Segment::Video { .. } => 2,
            },
            grid,
            tokens: i64::try_from(segment.tokens()).unwrap_or(i64::MAX),
            seconds: [i64::try_from(seconds.0).unwrap_or(0), i64::try_from(seconds.1).unwrap_or(0)],
        }
    };
    layout.segments().iter().map(one).collect()
}

/// Strides of a position tensor of so many axes, rows and tokens, and the elements that it takes. Rows are padded, so that a
/// backend that ignores a stride is seen; next to a guard band they are not, or an overrun would end in the padding.
pub(super) fn position_memory(case: &Case, [axes, batch, tokens]: [usize; 3]) -> ([usize; 3], usize) {
    let gap = if matches!(case.memory, Memory::GuardEnd | Memory::GuardStart) { 0 } else { 3 };
    match case.position_order {
        PositionOrder::Rows => ([batch * (tokens + gap), tokens + gap, 1], axes * batch * (tokens + gap)),
        PositionOrder::Spread => {
            let row = 2 * tokens + gap;
            ([batch * row, row, 2], axes * batch * row)
        }
        PositionOrder::AxesLast => ([1, tokens * axes + gap, axes], batch * (tokens * axes + gap)),
        PositionOrder::Shared => ([tokens + gap, 0, 1], axes * (tokens + gap)),
        PositionOrder::BatchAxisToken => ([tokens + gap, axes * (tokens + gap), 1], batch * axes * (tokens + gap)),
        PositionOrder::AxisTokenBatch => ([tokens * batch + gap, 1, batch], axes * (tokens * batch + gap)),
        PositionOrder::TokenAxisBatch => ([batch, 1, axes * batch + gap], tokens * (axes * batch + gap)),
        PositionOrder::TokenBatchAxis => ([1, axes, batch * axes + gap], tokens * (batch * axes + gap)),
    }
}

pub(super) fn tensors(case: &Case, batch: usize, tokens: usize, arena: &mut Arena) -> QkView {
    let mut tensor = |name: &'static str, dtype, heads: u32, output: bool| {
        arena.tensor(name, dtype, [batch, tokens, heads as usize, case.head_dim as usize], output)
    };
    let (own, of_k) = (case.dtype, case.k_type());
    let q = tensor("q", own, case.q_heads, false);
    let k = (case.k_heads > 0).then(|| tensor("k", of_k, case.k_heads, false));
    let (q_out, k_out) = match case.alias {
        Alias::In => (q, k),
        Alias::Out => {
            let out = tensor("q_out", case.output_type(own), case.q_heads, true);
            let k_out = (case.k_heads > 0).then(|| tensor("k_out", case.output_type(of_k), case.k_heads, true));
            (out, k_out)
        }
    };
    let sequences = case.packed.then(|| (arena.put("cu_seqlens", first_tokens(&case.layouts), 8), case.layouts.len()));
    let (q_heads, k_heads) = (case.q_heads as usize, case.k_heads as usize);
    QkView { batch, tokens, q_heads, k_heads, sequences, q, k, q_out, k_out }
}

/// First token of each sequence in the packed row, and the number of tokens: `cu_seqlens`.
fn first_tokens(layouts: &[Layout]) -> Vec<u8> {
    let mut starts = vec![0i64];
    for layout in layouts {
        let last = starts.last().copied().unwrap_or(0);
        starts.push(last.saturating_add(i64::try_from(layout.tokens()).unwrap_or(i64::MAX)));
    }
    starts.iter().flat_map(|n| n.to_le_bytes()).collect()
}

pub(super) fn plan_view(
    case: &Case,
    scheme: &Scheme,
    truth: &Truth,
    consumes: &[Consume],
    arena: &mut Arena,
) -> PlanView {
    let has = |what| consumes.contains(&what);
    let plan = &truth.plan;
    let rows: Vec<u32> = if plan.map_heads > 1 {
        (0..case.q_heads)
            .map(|h| plan.row_of_q_head(h))
            .chain((0..case.k_heads).map(|h| plan.row_of_k_head(h)))
            .collect()
    } else {
        vec![0]
    };
    let axes = scheme.axes.len();
    let mut axis_bytes = Vec::with_capacity(rows.len() * truth.pairs);
    let mut frequency_bytes = Vec::with_capacity(8 * rows.len() * truth.pairs);
    for row in &rows {
        for (axis, frequency) in plan.axes(*row).iter().zip(plan.frequencies(*row)) {
            // A backend that reads what it says it does not read turns every pair by a neighbouring axis, and by NaN.
            let moved = u8::try_from((usize::from(*axis) + 1) % axes).unwrap_or(0);
            axis_bytes.push(if has(Consume::AxisOfPair) || *axis == NO_AXIS { *axis } else { moved });
            let frequency = if has(Consume::InvFreq) { *frequency } else { f64::NAN };
            frequency_bytes.extend_from_slice(&frequency.to_le_bytes());
        }
    }
    let head_stride = if rows.len() > 1 { truth.pairs } else { 0 };
    let sections = match &plan.sections {
        Some(list) if has(Consume::Sections) => {
            let bytes: Vec<u8> = list.iter().flat_map(|n| n.to_le_bytes()).collect();
            Some((arena.put("sections", bytes, 8), list.len()))
        }
        _ => None,
    };
    PlanView {
        pairing: case.pairing,
        head_dim: case.head_dim as usize,
        rotary_dim: truth.rotary_dim,
        rotary_offset: truth.rotary_offset,
        direction: case.direction,
        attention_scaling: plan.attention_scaling,
        axis_of_pair: TableView { offset: arena.put("axis_of_pair", axis_bytes, 1), head_stride },
        inv_freq: TableView { offset: arena.put("inv_freq", frequency_bytes, 8), head_stride },
        base: if has(Consume::Base) { plan.parameter("base").map_or(f64::NAN, Number::to_f64) } else { f64::NAN },
        sections,
        interleaved: plan.interleaved,
    }
}

/// The positions of a call, right ones where they are consumed.
///
/// # Errors
/// If rows of the batch share a row and have other positions than it.
pub(super) fn position_view(
    case: &Case,
    truth: &Truth,
    consumed: bool,
    arena: &mut Arena,
) -> Result<PositionView, PrepareError> {
    let (axes, batch) = (truth.positions.len(), case.batch());
    let tokens = truth.positions.first().and_then(|a| a.first()).map_or(0, Vec::len);
    let dtype = case.position_dtype;
    if case.position_order == PositionOrder::Shared
        && truth.positions.iter().any(|rows| rows.iter().any(|row| *row != rows[0]))
    {
        return Err(PrepareError::NotApplicable("rows that share their positions have the same".into()));
    }
    let (stride, elements) = position_memory(case, [axes, batch, tokens]);
    let view = PositionView { dtype, offset: 0, stride };
    let mut bytes = vec![POSITION_POISON; dtype.size() * elements];
    for ((axis, b, t), at) in view.elements([axes, batch, tokens]) {
        let position = truth.positions[axis][b][t].hi;
        let value = if consumed { position } else { 3.0 * position + 11.0 + axis as f64 };
        dtype.encode_slice(&[value], &mut bytes[at..]);
    }
    Ok(PositionView { offset: arena.put("positions", bytes, dtype.size()), ..view })
}
