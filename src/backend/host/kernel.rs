//! The embedded kernel's loops: cosines and sines once per token, then every head of the token.

use super::storage::{Bf16, F16, F32, Storage};
use crate::backend::Answer;
use crate::case::call::{Call, CosSinView, PlanView, PositionView, QkView, TensorView};
use crate::case::channels_of_pair;
use crate::numeric::DType;
use crate::spec::model::Pairing;

const AXIS_NONE: u8 = 255;

pub(super) fn run(call: &Call, memory: &mut [u8]) -> Answer {
    match call {
        Call::Rotate { plan, qk, positions, scheme, .. } => {
            let tables = match Tables::read(plan, qk, scheme.axes.len(), memory) {
                Ok(tables) => tables,
                Err(text) => return Answer::BadArgument(text.into()),
            };
            rotate_all(plan, qk, memory, |memory, b, t, head, cos, sin| {
                tables.angles(plan, positions, memory, (b, t, head), cos, sin);
            })
        }
        Call::Apply { plan, qk, cos_sin } => match check_width(plan) {
            Err(text) => Answer::BadArgument(text.into()),
            Ok(()) => rotate_all(plan, qk, memory, |memory, b, t, _, cos, sin| {
                given(cos_sin, plan, memory, (b, t), cos, sin);
            }),
        },
        Call::Positions { .. } | Call::Fused { .. } => {
            Answer::Unsupported("the embedded kernel has levels rotate and apply".into())
        }
    }
}

/// Whether the rotary part is made of pairs and lies inside the head.
fn check_width(plan: &PlanView) -> Result<(), String> {
    let PlanView { head_dim, rotary_dim, rotary_offset, .. } = *plan;
    if !rotary_dim.is_multiple_of(2) {
        return Err(format!("rotary_dim {rotary_dim} is odd"));
    }
    if rotary_offset + rotary_dim > head_dim {
        return Err(format!("rotary_dim {rotary_dim} at offset {rotary_offset} does not fit in head_dim {head_dim}"));
    }
    Ok(())
}

/// Axis and f32 frequency of every pair, per head or shared.
struct Tables {
    axis: Vec<u8>,
    frequency: Vec<f32>,
    pairs: usize,
    per_head: bool,
}

impl Tables {
    fn read(plan: &PlanView, qk: &QkView, axes: usize, memory: &[u8]) -> Result<Tables, String> {
        check_width(plan)?;
        let pairs = plan.rotary_dim / 2;
        let per_head = plan.axis_of_pair.head_stride != 0 || plan.inv_freq.head_stride != 0;
        let rows = if per_head { qk.q_heads + qk.k_heads } else { 1 };
        let (mut axis, mut frequency) = (Vec::with_capacity(rows * pairs), Vec::with_capacity(rows * pairs));
        for row in 0..rows {
            for pair in 0..pairs {
                let a = memory[plan.axis_of_pair.offset + row * plan.axis_of_pair.head_stride + pair];
                if a != AXIS_NONE && usize::from(a) >= axes {
                    return Err(format!("pair {pair} is on axis {a}, but there are {axes} axes"));
                }
                let at = plan.inv_freq.offset + 8 * (row * plan.inv_freq.head_stride + pair);
                axis.push(a);
                #[allow(clippy::cast_possible_truncation)]
                frequency.push(read_f64(memory, at) as f32);
            }
        }
        Ok(Tables { axis, frequency, pairs, per_head })
    }

    fn angles(
        &self,
        plan: &PlanView,
        positions: &PositionView,
        memory: &[u8],
        (b, t, head): (usize, usize, usize),
        cos: &mut [f32],
        sin: &mut [f32],
    ) {
        let row = if self.per_head { head * self.pairs } else { 0 };
        #[allow(clippy::cast_possible_truncation)]
        let scale = plan.attention_scaling as f32;
        let direction = if plan.direction < 0 { -1.0f32 } else { 1.0 };
        for pair in 0..self.pairs {
            let axis = self.axis[row + pair];
            let angle = if axis == AXIS_NONE {
                0.0
            } else {
                position(positions, memory, usize::from(axis), b, t) * self.frequency[row + pair]
            };
            let (s, c) = angle.sin_cos();
            cos[pair] = if scale == 1.0 { c } else { c * scale };
            sin[pair] = direction * if scale == 1.0 { s } else { s * scale };
        }
    }
}

fn read_f64(memory: &[u8], at: usize) -> f64 {
    let mut bytes = [0u8; 8];
    bytes.copy_from_slice(&memory[at..at + 8]);
    f64::from_le_bytes(bytes)
}

/// A position as f32, the type of the angle.
#[allow(clippy::cast_possible_truncation, clippy::cast_precision_loss)]
fn position(view: &PositionView, memory: &[u8], axis: usize, b: usize, t: usize) -> f32 {
    let at = view.at(axis, b, t);
    let four = || [memory[at], memory[at + 1], memory[at + 2], memory[at + 3]];
    match view.dtype {
        DType::I32 => i32::from_le_bytes(four()) as f32,
        DType::F32 => f32::from_le_bytes(four()),
        DType::I64 => {
            let mut bytes = [0u8; 8];
            bytes.copy_from_slice(&memory[at..at + 8]);
            i64::from_le_bytes(bytes) as f32
        }
        _ => read_f64(memory, at) as f32,
    }
}

fn given(view: &CosSinView, plan: &PlanView, memory: &[u8], (b, t): (usize, usize), cos: &mut [f32], sin: &mut [f32]) {
    let size = view.dtype.size();
    let row = b * view.stride[0] + t * view.stride[1];
    let direction = if plan.direction < 0 { -1.0f32 } else { 1.0 };
    let load = |at: usize| match view.dtype {
        DType::F16 => F16::load(&memory[at..]),
        DType::BF16 => Bf16::load(&memory[at..]),
        _ => F32::load(&memory[at..]),
    };
    for pair in 0..plan.rotary_dim / 2 {
        let cell = if view.full { channels_of_pair(plan.pairing, plan.rotary_dim, 0, pair).0 } else { pair };
        cos[pair] = load(view.cos + size * (row + cell));
        sin[pair] = direction * load(view.sin + size * (row + cell));
    }
}

fn rotate_all(
    plan: &PlanView,
    qk: &QkView,
    memory: &mut [u8],
    mut table: impl FnMut(&[u8], usize, usize, usize, &mut [f32], &mut [f32]),
) -> Answer {
    let pairs = plan.rotary_dim / 2;
    let (mut cos, mut sin) = (vec![0.0f32; pairs], vec![0.0f32; pairs]);
    let per_head = plan.axis_of_pair.head_stride != 0 || plan.inv_freq.head_stride != 0;
    for b in 0..qk.batch {
        for t in 0..qk.tokens {
            for head in 0..qk.q_heads + qk.k_heads {
                if head == 0 || per_head {
                    table(memory, b, t, head, &mut cos, &mut sin);
                }
                let (input, output, h) = match (qk.k, qk.k_out) {
                    (Some(k), Some(k_out)) if head >= qk.q_heads => (k, k_out, head - qk.q_heads),
                    _ => (qk.q, qk.q_out, head),
                };
                let row = HeadRow { input, output, b, t, h };
                match input.dtype {
                    DType::F32 => row.rotate::<F32>(plan, memory, &cos, &sin),
                    DType::F16 => row.rotate::<F16>(plan, memory, &cos, &sin),
                    DType::BF16 => row.rotate::<Bf16>(plan, memory, &cos, &sin),
                    other => return Answer::Unsupported(format!("dtype {}", other.name()).into()),
                }
            }
        }
    }
    Answer::Ok
}

/// One head of one token.
struct HeadRow {
    input: TensorView,
    output: TensorView,
    b: usize,
    t: usize,
    h: usize,
}

impl HeadRow {
    fn rotate<S: Storage>(&self, plan: &PlanView, memory: &mut [u8], cos: &[f32], sin: &[f32]) {
        let pairs = cos.len();
        let (source, target) = (self.input.at(self.b, self.t, self.h, 0), self.output.at(self.b, self.t, self.h, 0));
        let size = S::SIZE.cast_signed();
        let along =
            |row: usize, stride: isize, channel: usize| row.wrapping_add_signed(stride * size * channel.cast_signed());
        let from = |channel| along(source, self.input.stride[3], channel);
        let to = |channel| along(target, self.output.stride[3], channel);
        for pair in 0..pairs {
            let (first, second) = match plan.pairing {
                Pairing::Half => (plan.rotary_offset + pair, plan.rotary_offset + pair + pairs),
                Pairing::Adjacent => (plan.rotary_offset + 2 * pair, plan.rotary_offset + 2 * pair + 1),
            };
            let a = S::load(&memory[from(first)..]);
            let b = S::load(&memory[from(second)..]);
            S::store(&mut memory[to(first)..], a * cos[pair] - b * sin[pair]);
            S::store(&mut memory[to(second)..], b * cos[pair] + a * sin[pair]);
        }
        if source != target {
            let rotated = plan.rotary_offset..plan.rotary_offset + plan.rotary_dim;
            for channel in (0..plan.head_dim).filter(|c| !rotated.contains(c)) {
                let at = from(channel);
                memory.copy_within(at..at + S::SIZE, to(channel));
            }
        }
    }
}
