//! A backend that answers one call with outputs that were made elsewhere.

use crate::backend::{Answer, Backend, Call, Manifest, StartError};
use crate::case::call::{PositionView, TensorView};
use crate::case::tensor_file::TensorFile;

/// Outputs of one case, given as the answer to its call.
pub(super) struct Recorded<'a> {
    manifest: &'a Manifest,
    memory: Vec<u8>,
    /// Until they are given.
    outputs: Option<TensorFile>,
}

impl<'a> Recorded<'a> {
    pub(super) fn new(manifest: &'a Manifest, outputs: Option<TensorFile>) -> Recorded<'a> {
        Recorded { manifest, memory: Vec::new(), outputs }
    }
}

/// Puts the packed bytes of a tensor where a call wants them. Their number was held against the call before.
fn put(memory: &mut [u8], view: &TensorView, bytes: &[u8]) {
    let mut rest = bytes;
    for range in view.ranges() {
        let (now, later) = rest.split_at(range.len());
        memory[range].copy_from_slice(now);
        rest = later;
    }
}

fn put_positions(memory: &mut [u8], view: &PositionView, shape: [usize; 3], bytes: &[u8]) {
    let size = view.dtype.size();
    for ((_, at), value) in view.elements(shape).zip(bytes.chunks_exact(size)) {
        memory[at..at + size].copy_from_slice(value);
    }
}

impl Backend for Recorded<'_> {
    fn manifest(&self) -> &Manifest {
        self.manifest
    }

    fn arena(&mut self, bytes: usize) -> Result<&mut [u8], StartError> {
        self.memory.resize(bytes, 0);
        Ok(&mut self.memory[..bytes])
    }

    fn call(&mut self, call: &Call) -> Answer {
        let Some(outputs) = self.outputs.take() else {
            return Answer::Internal("an exported case is one call, and this check makes more".into());
        };
        let bytes = |name: &str| outputs.tensors.get(name).map_or(&[][..], |stored| &stored.bytes);
        if let Some(qk) = call.qk() {
            put(&mut self.memory, &qk.q_out, bytes("q"));
            if let Some(k) = &qk.k_out {
                put(&mut self.memory, k, bytes("k"));
            }
        }
        if let Call::Positions { scheme, layouts, token_count, out, next, .. } = call {
            let (axes, rows) = (scheme.axes.len(), layouts.len());
            put_positions(&mut self.memory, out, [axes, rows, *token_count], bytes("positions"));
            put_positions(&mut self.memory, next, [axes, rows, 1], bytes("next"));
        }
        Answer::Ok
    }

    fn memory(&self) -> &[u8] {
        &self.memory
    }
}
