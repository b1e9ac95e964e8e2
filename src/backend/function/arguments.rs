//! What functions get, and what becomes of what they return.

use ndarray::{Array2, Array3, Array4};

use super::values::Element;
use crate::backend::Answer;
use crate::case::call::{Call, CosSinView, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TensorView};
use crate::numeric::DType;
use crate::rotation::NO_AXIS;

/// The rotation plan of a call. What the manifest does not consume is NaN or another axis.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Which channels form a pair, widths, direction and scaling.
    pub view: PlanView,
    /// Axis of each pair, 255 for a pair that does not turn: [1, pairs], or [query heads + key heads, pairs]
    /// with `per_head`.
    pub axis_of_pair: Array2<u8>,
    /// Radians per position of each pair, in the same shape.
    pub inv_freq: Array2<f64>,
    /// Pairs of each axis, where the scheme has sections.
    pub sections: Option<Vec<i64>>,
}

/// What a function of level `rotate` gets.
#[derive(Debug, Clone)]
pub struct Rotate<'a, T> {
    /// Queries: [batch, tokens, heads, head_dim].
    pub q: Array4<T>,
    /// Keys, if there are any.
    pub k: Option<Array4<T>>,
    /// Positions: [axes, batch, tokens].
    pub positions: Array3<f64>,
    /// Rotation plan.
    pub plan: Plan,
    /// Which scheme.
    pub scheme: &'a SchemeRef,
}

/// What a function of level `apply` gets.
#[derive(Debug, Clone)]
pub struct Apply<T> {
    /// Queries: [batch, tokens, heads, head_dim].
    pub q: Array4<T>,
    /// Keys, if there are any.
    pub k: Option<Array4<T>>,
    /// Cosines: [batch, tokens, pairs], or twice as many where `table_widths` says `full`.
    pub cos: Array3<f32>,
    /// Sines, in the same shape.
    pub sin: Array3<f32>,
    /// Rotation plan; axes and frequencies are not meant to be read.
    pub plan: Plan,
}

/// Rotated queries and keys in the shapes of q and k; no keys where there are none.
pub type Rotated<T> = (Array4<T>, Option<Array4<T>>);

/// What a function of level `positions` gets.
#[derive(Debug, Clone)]
pub struct PositionsOfRow<'a> {
    /// Segments of the row.
    pub segments: &'a [SegmentRef],
    /// Which scheme.
    pub scheme: &'a SchemeRef,
}

/// Positions [axes, tokens] of a row, and the position of the next text token on each axis.
pub type RowPositions = (Array2<f64>, Vec<f64>);

fn tensor<T: Element>(view: &TensorView, memory: &[u8]) -> Array4<T> {
    Array4::from_shape_fn(view.shape, |(b, t, h, d)| T::read(&memory[view.at(b, t, h, d)..]))
}

fn plan(view: &PlanView, heads: usize, memory: &[u8]) -> Plan {
    let rows = if view.axis_of_pair.head_stride != 0 || view.inv_freq.head_stride != 0 { heads } else { 1 };
    let shape = (rows, view.rotary_dim / 2);
    let f64_at = |at: usize| DType::F64.bits_at(&memory[at..], 0).map_or(f64::NAN, f64::from_bits);
    let integer = |at: usize| DType::I64.bits_at(&memory[at..], 0).unwrap_or_default().cast_signed();
    let (axes, frequencies) = (view.axis_of_pair, view.inv_freq);
    Plan {
        axis_of_pair: Array2::from_shape_fn(shape, |(row, i)| memory[axes.offset + row * axes.head_stride + i]),
        inv_freq: Array2::from_shape_fn(shape, |(row, i)| {
            f64_at(frequencies.offset + 8 * (row * frequencies.head_stride + i))
        }),
        sections: view.sections.map(|(at, count)| (0..count).map(|i| integer(at + 8 * i)).collect()),
        view: view.clone(),
    }
}

/// Refuses a plan that makes no sense, so that a function need not look: the adapter's part, as in Python.
///
/// # Errors
/// What is wrong with it.
pub(super) fn sensible(view: &PlanView, qk: &QkView, axes: Option<usize>, memory: &[u8]) -> Result<(), Answer> {
    let PlanView { head_dim, rotary_dim, rotary_offset, .. } = *view;
    let bad = |why: String| Err(Answer::BadArgument(why.into()));
    if !rotary_dim.is_multiple_of(2) {
        return bad(format!("rotary_dim {rotary_dim} is odd"));
    }
    if rotary_offset.checked_add(rotary_dim).is_none_or(|end| end > head_dim) {
        return bad(format!("rotary_dim {rotary_dim} at offset {rotary_offset} does not fit in head_dim {head_dim}"));
    }
    let given = plan(view, qk.q_heads + qk.k_heads, memory).axis_of_pair;
    let beyond = given.iter().find(|axis| **axis != NO_AXIS && axes.is_some_and(|axes| usize::from(**axis) >= axes));
    beyond.map_or(Ok(()), |axis| bad(format!("a pair is on axis {axis}, but there are {} axes", axes.unwrap_or(0))))
}

impl<'a, T: Element> Rotate<'a, T> {
    pub(super) fn read(
        (view, qk, positions): (&PlanView, &QkView, &PositionView),
        scheme: &'a SchemeRef,
        memory: &[u8],
    ) -> Rotate<'a, T> {
        let shape = (scheme.axes.len(), qk.batch, qk.tokens);
        let position = |(axis, b, t)| decoded(positions.dtype, &memory[positions.at(axis, b, t)..]);
        Rotate {
            q: tensor(&qk.q, memory),
            k: qk.k.as_ref().map(|k| tensor(k, memory)),
            positions: Array3::from_shape_fn(shape, position),
            plan: plan(view, qk.q_heads + qk.k_heads, memory),
            scheme,
        }
    }
}

impl<T: Element> Apply<T> {
    pub(super) fn read((view, qk): (&PlanView, &QkView), tables: &CosSinView, memory: &[u8]) -> Apply<T> {
        let width = if tables.full { view.rotary_dim } else { view.rotary_dim / 2 };
        let table = |start: usize| {
            Array3::from_shape_fn((qk.batch, qk.tokens, width), |(b, t, i)| {
                let at = start + tables.dtype.size() * (b * tables.stride[0] + t * tables.stride[1] + i);
                // Tables are f32 at most: the value is exact.
                decoded(tables.dtype, &memory[at..]) as f32
            })
        };
        Apply {
            q: tensor(&qk.q, memory),
            k: qk.k.as_ref().map(|k| tensor(k, memory)),
            cos: table(tables.cos),
            sin: table(tables.sin),
            plan: plan(view, qk.q_heads + qk.k_heads, memory),
        }
    }
}

/// The number at the start of bytes.
fn decoded(dtype: DType, bytes: &[u8]) -> f64 {
    let mut value = [0.0];
    dtype.decode_slice(&bytes[..dtype.size()], &mut value);
    value[0]
}

/// Writes what a function returned where the call wants it.
pub(super) fn write<T: Element>(returned: Result<Rotated<T>, String>, qk: &QkView, memory: &mut [u8]) -> Answer {
    let (q, k) = match returned {
        Ok(rotated) => rotated,
        Err(why) => return Answer::Unsupported(why.into()),
    };
    for (name, view, output) in [("q", Some(&qk.q_out), Some(&q)), ("k", qk.k_out.as_ref(), k.as_ref())] {
        let expected = view.map(|view| view.shape);
        let found = output.map(|output| <[usize; 4]>::from(output.dim()));
        if expected != found {
            let shown = |shape: Option<[usize; 4]>| shape.map_or("none".to_owned(), |shape| format!("{shape:?}"));
            let why = format!("{name} of shape {} was returned, expected {}", shown(found), shown(expected));
            return Answer::Internal(why.into());
        }
        if let (Some(view), Some(output)) = (view, output) {
            output.indexed_iter().for_each(|((b, t, h, d), value)| value.write(&mut memory[view.at(b, t, h, d)..]));
        }
    }
    Answer::Ok
}

/// Calls a function row by row, and writes the part of its positions that is asked for.
pub(super) fn write_positions(
    function: impl Fn(&PositionsOfRow) -> Result<RowPositions, String>,
    call: &Call,
    memory: &mut [u8],
) -> Answer {
    let Call::Positions { scheme, layouts, token_start, token_count, out, next } = call else {
        return Answer::Internal("this is no call of level positions".into());
    };
    let axes = scheme.axes.len();
    for (row, segments) in layouts.iter().enumerate() {
        let (positions, after) = match function(&PositionsOfRow { segments, scheme }) {
            Ok(found) => found,
            Err(why) => return Answer::Unsupported(why.into()),
        };
        let tokens: i64 = segments.iter().map(|segment| segment.tokens).sum();
        let expected = (axes, usize::try_from(tokens).unwrap_or(usize::MAX));
        if positions.dim() != expected || after.len() != axes {
            let found = (positions.dim(), after.len());
            return Answer::Internal(
                format!(
                    "positions of shape {:?} and {} next were returned, expected {expected:?} and {axes}",
                    found.0, found.1
                )
                .into(),
            );
        }
        for axis in 0..axes {
            let mut put = |view: &PositionView, token: usize, value: f64| {
                let at = view.at(axis, row, token);
                view.dtype.encode_slice(&[value], &mut memory[at..]);
            };
            (0..*token_count).for_each(|t| put(out, t, positions[[axis, token_start + t]]));
            put(next, 0, after[axis]);
        }
    }
    Answer::Ok
}
