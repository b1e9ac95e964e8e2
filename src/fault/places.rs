//! What a call had, as the kernel that gets it can know: from the call, from its memory, and from the scheme.

use crate::case::CallDimensions;
use crate::case::call::{Call, ParameterValue, PositionView, SchemeRef, SegmentRef};
use crate::numeric::{DType, Number};
use crate::positions::{Column, Evaluation, Layout, Segment};
use crate::spec::{Library, Parameters};

/// Positions by axis, row and token.
pub(super) type Places = Vec<Vec<Vec<f64>>>;

/// What a call had, and where its tokens are.
pub(super) struct Had {
    pub(super) places: Places,
    sequences: Vec<i64>,
}

impl Had {
    /// Of a call that has not been made yet, with its memory.
    pub(super) fn of(call: &Call, memory: &[u8], library: &Library) -> Had {
        Had { places: places(call, memory, library), sequences: sequences(call, memory) }
    }

    /// The whole call.
    pub(super) fn dimensions(&self, call: &Call) -> CallDimensions {
        CallDimensions::new(call, &self.sequences, &self.places)
    }

    /// The call, if it had this token alone.
    pub(super) fn with_token(&self, call: &Call, position: &[f64]) -> CallDimensions {
        let alone: Places = position.iter().map(|position| vec![vec![*position]]).collect();
        CallDimensions::new(call, &self.sequences, &alone)
    }
}

/// The positions of a call: those in its memory, or what the scheme makes of its layouts.
fn places(call: &Call, memory: &[u8], library: &Library) -> Places {
    let (scheme, rows) = match call {
        Call::Rotate { scheme, qk, positions, .. } => {
            return read(memory, positions, [scheme.axes.len(), qk.batch, qk.tokens]);
        }
        Call::Apply { .. } => return Vec::new(),
        Call::Positions { scheme, layouts, token_start, token_count, .. } => {
            let one = |layout: &Vec<SegmentRef>| of_scheme(library, scheme, layout, *token_start, *token_count);
            (scheme, layouts.iter().map(one).collect::<Option<Vec<_>>>())
        }
        Call::Fused { scheme, qk, layouts, .. } if qk.sequences.is_some() => {
            let one = |layout: &Vec<SegmentRef>| of_scheme(library, scheme, layout, 0, usize::MAX);
            let all: Option<Vec<Vec<Vec<f64>>>> = layouts.iter().map(one).collect();
            (scheme, all.map(|all| vec![joined(&all, scheme.axes.len())]))
        }
        Call::Fused { scheme, qk, layouts, token_start, .. } => {
            let one = |layout: &Vec<SegmentRef>| of_scheme(library, scheme, layout, *token_start, qk.tokens);
            (scheme, layouts.iter().map(one).collect())
        }
    };
    let rows = rows.unwrap_or_default();
    (0..scheme.axes.len()).map(|axis| rows.iter().map(|row| row[axis].clone()).collect()).collect()
}

/// Positions of a view, by axis, row and token.
pub(super) fn read(memory: &[u8], view: &PositionView, [axes, rows, tokens]: [usize; 3]) -> Places {
    let one = |axis, row, token| number(memory, view.dtype, view.at(axis, row, token));
    let row = |axis, row| (0..tokens).map(|token| one(axis, row, token)).collect();
    (0..axes).map(|axis| (0..rows).map(|r| row(axis, r)).collect()).collect()
}

/// Positions of tokens of a layout by axis, as the scheme has them.
fn of_scheme(
    library: &Library,
    scheme: &SchemeRef,
    layout: &[SegmentRef],
    start: usize,
    count: usize,
) -> Option<Vec<Vec<f64>>> {
    let found = library.get(&format!("{}@{}", scheme.scheme, scheme.profile)).ok()?;
    let exact = |p: &ParameterValue| {
        let value = if p.den == 0 { Number::from_f64(p.value) } else { Number::ratio(p.num.into(), p.den.into()) };
        Some((p.name.clone(), value.ok()?))
    };
    let parameters = scheme.parameters.iter().map(exact).collect::<Option<Vec<_>>>()?;
    let parameters = Parameters::resolve(found, &parameters).ok()?;
    let layout = Layout::new(layout.iter().map(segment).collect::<Option<_>>()?).ok()?;
    let start = u64::try_from(start).ok()?;
    let end = start.saturating_add(u64::try_from(count).ok()?).min(layout.tokens());
    let found = Evaluation::new(found, &parameters, &layout).window(start..end).run().ok()?;
    let numbers =
        |column: &Column| (0..column.len()).map(|at| column.get(at).map_or(f64::NAN, |n| n.to_f64())).collect();
    Some(found.columns().iter().map(numbers).collect())
}

/// Tokens of each packed sequence.
fn sequences(call: &Call, memory: &[u8]) -> Vec<i64> {
    let Some((at, count)) = call.qk().and_then(|qk| qk.sequences) else { return Vec::new() };
    let table = memory.get(at..at + 8 * (count + 1)).unwrap_or_default();
    let starts: Vec<i64> =
        table.chunks_exact(8).map(|bytes| i64::from_le_bytes(bytes.try_into().unwrap_or_default())).collect();
    starts.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

/// Sequences one after the other, by axis.
fn joined(sequences: &[Vec<Vec<f64>>], axes: usize) -> Vec<Vec<f64>> {
    (0..axes).map(|axis| sequences.iter().flat_map(|sequence| sequence[axis].iter().copied()).collect()).collect()
}

fn segment(segment: &SegmentRef) -> Option<Segment> {
    let [t, h, w] = segment.grid.map(u32::try_from);
    Some(match segment.kind {
        0 => Segment::Text(segment.tokens.try_into().ok()?),
        1 => Segment::Image { h: h.ok()?, w: w.ok()? },
        _ => {
            let [num, den] = segment.seconds.map(i128::from);
            Segment::Video { t: t.ok()?, h: h.ok()?, w: w.ok()?, seconds: Number::ratio(num, den).ok()? }
        }
    })
}

/// A position in memory.
fn number(memory: &[u8], dtype: DType, at: usize) -> f64 {
    let bytes = memory.get(at..at + dtype.size()).unwrap_or_default();
    match dtype {
        DType::I32 => bytes.try_into().map_or(f64::NAN, |b| f64::from(i32::from_le_bytes(b))),
        DType::I64 => bytes.try_into().map_or(f64::NAN, |b| i64::from_le_bytes(b) as f64),
        DType::F64 => bytes.try_into().map_or(f64::NAN, f64::from_le_bytes),
        _ => bytes.try_into().map_or(f64::NAN, |b| f64::from(f32::from_le_bytes(b))),
    }
}
