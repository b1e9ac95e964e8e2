//! Where the tensors and tables of a call lie, and how values get in and out.

use super::Memory;
use super::call::TensorView;
use super::data::Tensor;
use crate::numeric::DType;

pub(super) fn write_tensor(arena: &mut [u8], view: &TensorView, tensor: &Tensor) {
    let [batch, tokens, heads, channels] = view.shape;
    let size = view.dtype.size();
    for b in 0..batch {
        for t in 0..tokens {
            for h in 0..heads {
                let row = tensor.row(b, t, h);
                let start = view.at(b, t, h, 0);
                if view.stride[3] == 1 {
                    view.dtype.encode_slice(row, &mut arena[start..start + size * channels]);
                } else {
                    for (d, value) in row.iter().enumerate() {
                        view.dtype.encode_slice(&[*value], &mut arena[view.at(b, t, h, d)..]);
                    }
                }
            }
        }
    }
}

pub(super) fn read_tensor(memory: &[u8], view: &TensorView) -> Tensor {
    let [batch, tokens, heads, channels] = view.shape;
    let size = view.dtype.size();
    let mut tensor = Tensor::zeros(view.shape);
    for b in 0..batch {
        for t in 0..tokens {
            for h in 0..heads {
                let start = view.at(b, t, h, 0);
                let row = tensor.row_mut(b, t, h);
                if view.stride[3] == 1 {
                    view.dtype.decode_slice(&memory[start..start + size * channels], row);
                } else {
                    for (d, value) in row.iter_mut().enumerate() {
                        let at = view.at(b, t, h, d);
                        view.dtype.decode_slice(&memory[at..at + size], std::slice::from_mut(value));
                    }
                }
            }
        }
    }
    tensor
}

/// Hands out places in the arena, each on a 64-byte boundary with 64 bytes of slack behind it.
#[derive(Default)]
pub(super) struct Arena {
    pub(super) bytes: usize,
    pub(super) tables: Vec<(usize, Vec<u8>)>,
}

impl Arena {
    pub(super) fn reserve(&mut self, bytes: usize) -> usize {
        let offset = self.bytes;
        self.bytes = (offset + bytes + 64).next_multiple_of(64);
        offset
    }

    pub(super) fn put(&mut self, bytes: Vec<u8>) -> usize {
        let offset = self.reserve(bytes.len());
        self.tables.push((offset, bytes));
        offset
    }

    pub(super) fn tensor(&mut self, dtype: DType, shape: [usize; 4], memory: Memory) -> TensorView {
        let [_, tokens, heads, channels] = shape;
        let (pad, stride) = match memory {
            Memory::Packed => (0, [tokens * heads * channels, heads * channels, channels, 1]),
            // Odd paddings, so that nothing stays aligned by accident.
            Memory::Padded => {
                let head = channels + 3;
                let token = heads * head + 5;
                (8, [tokens * token + 7, token, head, 1])
            }
            Memory::HeadsFirst => {
                let token = channels + 1;
                let head = tokens * token + 3;
                (4, [heads * head + 5, token, head, 1])
            }
            Memory::Spread => {
                let head = 2 * channels + 1;
                let token = heads * head + 3;
                (4, [tokens * token + 9, token, head, 2])
            }
        };
        let elements: usize = shape.iter().zip(stride).map(|(n, s)| (n.max(&1) - 1) * s).sum::<usize>() + 1;
        TensorView { dtype, offset: self.reserve(dtype.size() * (elements + pad)), shape, stride }
    }
}
