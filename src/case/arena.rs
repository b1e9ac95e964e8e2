//! Where the tensors and tables of a call lie, and how values get in and out.

use std::ops::Range;

use super::call::TensorView;
use super::data::Tensor;
use super::{Memory, Order};
use crate::numeric::DType;

pub(super) fn write_tensor(arena: &mut [u8], view: &TensorView, tensor: &Tensor) {
    debug_assert_eq!(tensor.shape(), view.shape);
    let mut values = tensor.values();
    for range in view.ranges() {
        let written = view.dtype.encode_slice(values, &mut arena[range]);
        values = &values[written..];
    }
}

pub(super) fn read_tensor(memory: &[u8], view: &TensorView) -> Tensor {
    let mut tensor = Tensor::zeros(view.shape);
    let mut values = tensor.values_mut();
    for range in view.ranges() {
        let read = view.dtype.decode_slice(&memory[range], values);
        values = &mut values[read..];
    }
    tensor
}

/// Bytes of a guard band: a multiple of every page size that Linux has, so that a band is whole pages anywhere.
pub(super) const GUARD_BYTES: usize = 1 << 16;
/// Far strides begin here: an element index beyond it does not fit in 32 bits with a sign.
const FAR: usize = 1 << 31;

/// One buffer that a call is handed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Buffer {
    /// The field of the ABI, such as `q_out`.
    pub name: &'static str,
    /// Byte offset in the arena.
    pub offset: usize,
    /// Bytes, gaps between strides included.
    pub bytes: usize,
    /// Bytes of an element.
    pub element: usize,
}

impl Buffer {
    /// The byte after the last.
    #[must_use]
    pub fn end(&self) -> usize {
        self.offset + self.bytes
    }
}

/// Hands out places in the arena: on 64-byte boundaries with 64 bytes of slack behind each buffer, or, where the case asks
/// for guards, each buffer alone in its pages with guard bands around them.
pub(super) struct Arena {
    pub(super) bytes: usize,
    pub(super) tables: Vec<(usize, Vec<u8>)>,
    pub(super) buffers: Vec<Buffer>,
    pub(super) guards: Vec<Range<usize>>,
    memory: Memory,
    alignment: usize,
}

impl Arena {
    /// An empty one. `alignment` is a power of two.
    pub(super) fn new(memory: Memory, alignment: usize) -> Self {
        Arena { bytes: 0, tables: Vec::new(), buffers: Vec::new(), guards: Vec::new(), memory, alignment }
    }

    fn guard(&mut self) {
        self.guards.push(self.bytes..self.bytes + GUARD_BYTES);
        self.bytes += GUARD_BYTES;
    }

    pub(super) fn reserve(&mut self, name: &'static str, bytes: usize, element: usize) -> usize {
        let guarded = matches!(self.memory, Memory::GuardEnd | Memory::GuardStart);
        let offset = if guarded {
            if self.guards.is_empty() {
                self.guard();
            }
            let start = self.bytes;
            self.bytes = start + bytes.max(1).next_multiple_of(GUARD_BYTES);
            let at = if self.memory == Memory::GuardEnd {
                // As near to the band as alignment allows; what is left between them is slack.
                let boundary = self.alignment.max(element).max(1);
                (self.bytes - bytes) / boundary * boundary
            } else {
                start
            };
            self.guard();
            at
        } else {
            let boundary = self.alignment.max(64);
            let offset = self.bytes.next_multiple_of(boundary);
            self.bytes = (offset + bytes + 64).next_multiple_of(boundary);
            offset
        };
        self.buffers.push(Buffer { name, offset, bytes, element });
        offset
    }

    pub(super) fn put(&mut self, name: &'static str, bytes: Vec<u8>, element: usize) -> usize {
        let offset = self.reserve(name, bytes.len(), element);
        self.tables.push((offset, bytes));
        offset
    }

    /// Room for a tensor. `output`: one in memory of its own.
    pub(super) fn tensor(&mut self, name: &'static str, dtype: DType, shape: [usize; 4], output: bool) -> TensorView {
        let [batch, tokens, heads, channels] = shape;
        let size = dtype.size();
        // Strides that are free keep rows aligned as the manifest asks for.
        let up = |elements: usize| elements.next_multiple_of((self.alignment / size).max(1));
        let packed: [usize; 4] = [tokens * heads * channels, heads * channels, channels, 1];
        let signed = |strides: [usize; 4]| strides.map(usize::cast_signed);
        let row = packed[0];
        let packed = signed(packed);
        // Odd paddings, so that nothing stays aligned by accident.
        let padded = || {
            let head = up(channels + 3);
            let token = up(heads * head + 5);
            signed([up(tokens * token + 7), token, head, 1])
        };
        let ordered = |order: Order| match order {
            Order::Packed => (0, 0, packed),
            Order::Padded => (0, 8, padded()),
            Order::Reversed => (0, 8, padded().map(|stride| if stride == 1 { 1 } else { -stride })),
            Order::Mirrored => (0, 8, padded().map(|stride| -stride)),
            // Free strides, so rows keep to the alignment; without one there are no gaps.
            Order::HeadsFirst => {
                let token = up(channels);
                (0, 0, signed([heads * tokens * token, token, tokens * token, 1]))
            }
            Order::HeadsFirstPadded => {
                let token = up(channels + 1);
                let head = up(tokens * token + 3);
                (0, 4, signed([up(heads * head + 5), token, head, 1]))
            }
            Order::TokensFirst => {
                let head = up(channels);
                (0, 0, signed([heads * head, batch * heads * head, head, 1]))
            }
            Order::Spread => {
                let head = up(2 * channels + 1);
                let token = up(heads * head + 3);
                (0, 4, signed([up(tokens * token + 9), token, head, 2]))
            }
        };
        let (lead, pad, stride) = match self.memory {
            Memory::GuardEnd | Memory::GuardStart | Memory::Packed => ordered(Order::Packed),
            Memory::Padded => ordered(Order::Padded),
            Memory::HeadsFirst => ordered(Order::HeadsFirstPadded),
            Memory::Spread => ordered(Order::Spread),
            Memory::Each { out, .. } if output => ordered(out),
            Memory::Each { q, .. } if name == "q" => ordered(q),
            Memory::Each { k, .. } => ordered(k),
            // Outputs of their own are packed: a kernel that takes the strides of one side for the other is wrong.
            Memory::Sliced if output => (0, 0, packed),
            Memory::Sliced => {
                let lead = up(channels);
                let token = up(lead + (heads + 1) * channels);
                (lead, token, signed([tokens * token, token, channels, 1]))
            }
            // Apart by more than 2^31, and by something more: a truncated index then lands in a gap, not on another row.
            Memory::FarRows => (0, 0, signed([up(FAR + row + 4096), heads * channels, channels, 1])),
            Memory::FarTokens => {
                let token = up(FAR + heads * channels + 4096);
                (0, 0, signed([tokens * token, token, channels, 1]))
            }
        };
        let mut view = TensorView { dtype, offset: 0, shape, stride };
        // What runs backwards begins at its end.
        let back = TensorView { stride: stride.map(|stride| stride.min(0)), ..view }.span();
        let lead = lead + up(back);
        let elements = lead + view.span() - back + 1 + pad;
        view.offset = self.reserve(name, size * elements, size) + size * lead;
        view
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(memory: Memory, alignment: usize) -> (Arena, TensorView) {
        let mut arena = Arena::new(memory, alignment);
        arena.put("axis_of_pair", vec![0; 5], 1);
        let view = arena.tensor("q", DType::BF16, [2, 3, 2, 5], false);
        (arena, view)
    }

    #[test]
    fn guarded_buffers_touch_a_band_on_the_side_that_is_asked_for() {
        for (memory, end) in [(Memory::GuardEnd, true), (Memory::GuardStart, false)] {
            let (arena, view) = place(memory, 1);
            assert_eq!(arena.guards.len(), 3, "one band more than buffers");
            for buffer in &arena.buffers {
                let touched =
                    arena.guards.iter().any(|g| if end { g.start == buffer.end() } else { g.end == buffer.offset });
                assert!(touched, "{memory:?} {buffer:?} {:?}", arena.guards);
                assert!(arena.guards.iter().all(|g| g.end <= buffer.offset || g.start >= buffer.end()));
            }
            assert!(arena.guards.iter().all(|g| g.start % GUARD_BYTES == 0 && g.len() == GUARD_BYTES));
            // The last element of the tensor is the last of its buffer.
            assert_eq!(view.at(1, 2, 1, 4) + 2, arena.buffers[1].end());
        }
    }

    #[test]
    fn alignment_is_kept_with_as_little_slack_as_can_be() {
        for alignment in [1, 2, 16, 64, 4096] {
            let mirrored = Memory::Each { q: Order::Mirrored, k: Order::Mirrored, out: Order::Mirrored };
            let others = [Memory::Packed, Memory::Padded, Memory::Sliced, mirrored];
            for memory in [Memory::GuardEnd, Memory::GuardStart].into_iter().chain(others) {
                let (arena, view) = place(memory, alignment);
                assert_eq!(view.offset % alignment, 0, "{memory:?} {alignment}");
                assert!(arena.buffers.iter().all(|b| b.offset % alignment == 0 && b.end() <= arena.bytes));
                if memory == Memory::Padded {
                    assert!(
                        view.stride[..3].iter().all(|s| s * 2 % alignment.cast_signed() == 0),
                        "{alignment}: {:?}",
                        view.stride
                    );
                }
                if memory == Memory::GuardEnd {
                    let slack =
                        |b: &Buffer| arena.guards.iter().map(|g| g.start).find(|s| *s >= b.end()).map(|s| s - b.end());
                    assert!(arena.buffers.iter().all(|b| slack(b).is_some_and(|s| s < alignment.max(2))));
                }
            }
        }
    }

    #[test]
    fn elements_lie_where_strides_say_and_nothing_else_is_touched() {
        let each = Order::ALL.map(|(_, order)| Memory::Each { q: order, k: order, out: order });
        for memory in each.into_iter().chain([Memory::Sliced]) {
            let (arena, view) = place(memory, 1);
            let mut tensor = Tensor::zeros(view.shape);
            tensor.values_mut().iter_mut().zip(1u8..).for_each(|(value, n)| *value = f64::from(n));
            let mut bytes = vec![0xff; arena.bytes];
            write_tensor(&mut bytes, &view, &tensor);
            assert_eq!(read_tensor(&bytes, &view), tensor, "{memory:?}");
            for (b, t, h, d) in ndarray::indices(view.shape) {
                let element = &mut bytes[view.at(b, t, h, d)..][..2];
                assert_eq!(DType::BF16.decode_at(element, 0), tensor.row(b, t, h)[d], "{memory:?} {b} {t} {h} {d}");
                element.fill(0xff);
            }
            assert!(bytes.iter().all(|byte| *byte == 0xff), "{memory:?}");
        }
    }

    #[test]
    fn far_rows_lie_where_32_bits_do_not_reach() {
        for (memory, dimension) in [(Memory::FarRows, 0), (Memory::FarTokens, 1)] {
            let mut arena = Arena::new(memory, 1);
            let view = arena.tensor("q", DType::F32, [3, 3, 1, 2], false);
            let step = view.stride[dimension].unsigned_abs();
            assert!(step > i32::MAX as usize && 2 * step > u32::MAX as usize, "{step}");
            // Cut to 32 bits, an offset lands on no other row.
            assert!((2 * step) as u32 as usize > 64 && (2 * step) as u32 as usize <= 1 << 20);
            assert!(arena.bytes > view.at(2, 2, 0, 1));
        }
    }
}
