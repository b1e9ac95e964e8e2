//! What a backend answers while a check judges it.

use std::ops::Range;

use crate::backend::{Answer, Backend, BadAccess, FloatEnvironment, Manifest, StartError};
use crate::case::call::{Call, PositionView, TensorView};
use crate::check::failure::is_poison;
use crate::numeric::DType;

/// Most elements of the calls of a case that are kept.
const MOST_ELEMENTS: usize = 1 << 19;

/// A tensor that a call wrote, or should have.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Written {
    /// Storage type.
    pub(super) dtype: DType,
    /// Row, token, head, channel; of positions axis, row, token and 1.
    pub(super) shape: [usize; 4],
    /// Its elements, the last index fastest.
    pub(super) values: Vec<f64>,
    /// What it was made from; empty for positions.
    pub(super) inputs: Vec<f64>,
}

/// The tensors of each call that was answered with OK, in order.
pub(super) type Calls = Vec<Vec<Written>>;

/// Passes calls on to a backend, and keeps what it wrote.
pub(super) struct Recorder<'a> {
    backend: &'a mut dyn Backend,
    bytes: usize,
    calls: Calls,
    elements: usize,
}

fn number(memory: &[u8], at: usize, dtype: DType) -> f64 {
    let mut bits = [0; 8];
    if let Some(bytes) = memory.get(at..at + dtype.size()) {
        bits[..bytes.len()].copy_from_slice(bytes);
    }
    dtype.decode(u64::from_le_bytes(bits))
}

fn tensor(memory: &[u8], view: &TensorView) -> Vec<f64> {
    let channels = view.shape[3];
    let row = |((b, t, h), _)| (0..channels).map(move |d| view.at(b, t, h, d));
    view.rows().flat_map(row).map(|at| number(memory, at, view.dtype)).collect()
}

fn positions(memory: &[u8], view: &PositionView, shape: [usize; 3]) -> Written {
    let values = view.elements(shape).map(|(_, at)| number(memory, at, view.dtype)).collect();
    let [axes, rows, tokens] = shape;
    Written { dtype: view.dtype, shape: [axes, rows, tokens, 1], values, inputs: Vec::new() }
}

impl<'a> Recorder<'a> {
    pub(super) fn new(backend: &'a mut dyn Backend) -> Self {
        Recorder { backend, bytes: 0, calls: Vec::new(), elements: 0 }
    }

    /// What was recorded; `None` if that is more than is kept.
    pub(super) fn calls(self) -> Option<Calls> {
        (self.elements <= MOST_ELEMENTS).then_some(self.calls)
    }

    /// The tensors of a call, without what they hold afterwards.
    fn before(&self, call: &Call) -> Vec<(TensorView, Vec<f64>)> {
        let Some(qk) = call.qk() else { return Vec::new() };
        let memory = self.backend.memory();
        let sides = [Some((qk.q, qk.q_out)), qk.k.zip(qk.k_out)].into_iter().flatten();
        sides.map(|(input, output)| (output, tensor(memory, &input))).collect()
    }
}

impl Backend for Recorder<'_> {
    fn manifest(&self) -> &Manifest {
        self.backend.manifest()
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.bytes = bytes;
        self.backend.arena(bytes)
    }

    fn sparse_arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.bytes = bytes;
        self.backend.sparse_arena(bytes)
    }

    fn has_guards(&self) -> bool {
        self.backend.has_guards()
    }

    fn guard(&mut self, ranges: &[Range<usize>]) {
        self.backend.guard(ranges);
    }

    fn renew(&mut self) -> bool {
        self.backend.renew()
    }

    fn fault(&self) -> Option<BadAccess> {
        self.backend.fault()
    }

    fn call(&mut self, call: &Call) -> Answer {
        let count = |shape: [usize; 4]| shape.into_iter().fold(1usize, usize::saturating_mul);
        let elements = match call {
            Call::Positions { layouts, token_count, scheme, .. } => {
                count([layouts.len(), token_count + 1, scheme.axes.len(), 1])
            }
            _ => call.qk().map_or(0, |qk| count(qk.q_out.shape).saturating_add(qk.k_out.map_or(0, |k| count(k.shape)))),
        };
        self.elements = self.elements.saturating_add(elements);
        if self.elements > MOST_ELEMENTS {
            return self.backend.call(call);
        }
        let before = self.before(call);
        let answer = self.backend.call(call);
        if answer == Answer::Ok {
            let memory = self.backend.memory();
            let written = match call {
                Call::Positions { scheme, layouts, token_count, out, next, .. } => {
                    let (axes, rows) = (scheme.axes.len(), layouts.len());
                    vec![positions(memory, out, [axes, rows, *token_count]), positions(memory, next, [axes, rows, 1])]
                }
                _ => before
                    .into_iter()
                    .map(|(view, inputs)| Written {
                        dtype: view.dtype,
                        shape: view.shape,
                        values: tensor(memory, &view),
                        inputs,
                    })
                    .collect(),
            };
            self.calls.push(written);
        }
        answer
    }

    fn memory(&self) -> &[u8] {
        self.backend.memory()
    }

    fn float_environment(&self) -> Option<FloatEnvironment> {
        self.backend.float_environment()
    }

    fn device(&self) -> Option<&str> {
        self.backend.device()
    }
}

/// Whether two values are the same, bit by bit. Of a NaN it only matters whether it was written.
pub(super) fn same(dtype: DType, one: f64, other: f64) -> bool {
    if one.is_nan() && other.is_nan() {
        return is_poison(dtype, one) == is_poison(dtype, other);
    }
    one.to_bits() == other.to_bits()
}
