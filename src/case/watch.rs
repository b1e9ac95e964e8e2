//! What a call did to its memory: which bytes may change, which did, and what lies at an address.

use std::ops::Range;

use super::arena::{Buffer, GUARD_BYTES};
use super::call::{Call, TensorView};
use super::data::Tensor;
use super::prepare::Prepared;
use schemars::JsonSchema;
use serde::Serialize;

/// What a byte that changed belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Part {
    /// An input: an element of q or k, or anywhere in a table.
    Input,
    /// Between the elements of a tensor, where its strides leave gaps.
    Gap,
    /// Outside of every buffer.
    Outside,
}

/// A byte that changed and must not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What it belongs to.
    pub part: Part,
    /// Byte offset in the arena.
    pub at: usize,
    /// Where that is.
    pub place: MemoryPlace,
}

/// An element of a tensor in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
pub struct TensorElement {
    /// Batch row.
    pub row: usize,
    /// Token of the row.
    pub token: usize,
    /// Head of the tensor.
    pub head: usize,
    /// Channel of the head.
    pub channel: usize,
}

/// What lies at an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(tag = "relation", rename_all = "kebab-case")]
pub enum MemoryPlace {
    /// An element of a tensor.
    Element {
        /// Name of the buffer, such as `q_out`.
        buffer: &'static str,
        /// Which element.
        element: TensorElement,
    },
    /// The gap after an element of a tensor, where its strides leave one.
    GapAfter {
        /// Name of the buffer.
        buffer: &'static str,
        /// The element before it.
        element: TensorElement,
    },
    /// In a tensor's buffer, before its first element.
    BeforeFirst {
        /// Name of the buffer.
        buffer: &'static str,
    },
    /// An entry of a buffer that is no tensor.
    Entry {
        /// Name of the buffer, such as `inv_freq`.
        buffer: &'static str,
        /// Its index.
        index: usize,
    },
    /// So many elements before a buffer.
    Before {
        /// Name of the buffer.
        buffer: &'static str,
        /// How many, rounded up.
        elements: i64,
    },
    /// So many elements after the end of a buffer.
    After {
        /// Name of the buffer.
        buffer: &'static str,
        /// How many, rounded up.
        elements: i64,
    },
    /// Near no buffer.
    Nowhere {
        /// Byte of the arena.
        byte: usize,
    },
}

impl Prepared {
    /// The arena as it is before the call. Not for sparse memory.
    #[must_use]
    pub fn image(&self, q: &Tensor, k: &Tensor) -> Vec<u8> {
        let mut image = vec![0; self.bytes];
        self.write(&mut image, q, k);
        image
    }

    /// Runs `each` on the byte range of every element that the call must write.
    pub fn output_bytes(&self, each: impl FnMut(Range<usize>)) {
        match &self.call {
            Call::Positions { scheme, layouts, token_count, out, next, .. } => {
                let (axes, batch) = (scheme.axes.len(), layouts.len());
                let elements = out.elements([axes, batch, *token_count]).chain(next.elements([axes, batch, 1]));
                elements.map(|(_, at)| at..at + out.dtype.size()).for_each(each);
            }
            Call::Rotate { qk, .. } | Call::Fused { qk, .. } | Call::Apply { qk, .. } => {
                [Some(&qk.q_out), qk.k_out.as_ref()].into_iter().flatten().flat_map(TensorView::ranges).for_each(each);
            }
        }
    }

    /// What changed from `before` to `after` apart from outputs: the first byte of each part.
    #[must_use]
    pub fn changes(&self, mut before: Vec<u8>, after: &[u8]) -> Vec<Change> {
        let Some(after) = after.get(..before.len()) else { return Vec::new() };
        self.output_bytes(|range| before[range.clone()].copy_from_slice(&after[range]));
        let mut found: Vec<Change> = Vec::new();
        if before == after {
            return found;
        }
        let mut elements = vec![false; before.len()];
        if let Some(qk) = self.call.qk() {
            let inputs = [Some(&qk.q), qk.k.as_ref()].into_iter().flatten();
            inputs.flat_map(TensorView::ranges).for_each(|range| elements[range].fill(true));
        }
        for at in (0..before.len()).filter(|at| before[*at] != after[*at]) {
            let part = match self.buffers.iter().find(|b| b.offset <= at && at < b.end()) {
                None => Part::Outside,
                Some(b) if matches!(b.name, "q" | "k" | "q_out" | "k_out" | "out" | "next") && !elements[at] => {
                    Part::Gap
                }
                Some(_) => Part::Input,
            };
            if found.iter().all(|c| c.part != part) {
                found.push(Change { part, at, place: self.place_of(at) });
                if found.len() == 3 {
                    break;
                }
            }
        }
        found.sort_by_key(|c| c.part);
        found
    }

    /// What lies at a byte of the arena.
    #[must_use]
    pub fn place_of(&self, at: usize) -> MemoryPlace {
        i64::try_from(at).ok().and_then(|at| self.place(at)).unwrap_or(MemoryPlace::Nowhere { byte: at })
    }

    /// What lies at an offset inside a buffer.
    fn inside(&self, inner: &Buffer, at: usize) -> MemoryPlace {
        let buffer = inner.name;
        let qk = self.call.qk();
        let view = match buffer {
            "q" => qk.map(|qk| qk.q),
            "k" => qk.and_then(|qk| qk.k),
            "q_out" => qk.map(|qk| qk.q_out),
            "k_out" => qk.and_then(|qk| qk.k_out),
            _ => None,
        };
        let Some(view) = view else {
            return MemoryPlace::Entry { buffer, index: (at - inner.offset) / inner.element.max(1) };
        };
        let channels = view.shape[3];
        let rows = view.rows().map(|(row, _)| row);
        let all = rows.flat_map(|(row, token, head)| {
            (0..channels)
                .map(move |channel| (view.at(row, token, head, channel), TensorElement { row, token, head, channel }))
        });
        // The last element that begins at or before the byte.
        match all.filter(|(start, _)| *start <= at).max_by_key(|(start, _)| *start) {
            None => MemoryPlace::BeforeFirst { buffer },
            Some((start, element)) if at < start + inner.element => MemoryPlace::Element { buffer, element },
            Some((_, element)) => MemoryPlace::GapAfter { buffer, element },
        }
    }

    /// What lies at a byte offset of the arena: in a buffer, or so many elements before or after the nearest one. `None` if
    /// nothing is near.
    #[must_use]
    pub fn place(&self, at: i64) -> Option<MemoryPlace> {
        let signed = |n: usize| i64::try_from(n).unwrap_or(i64::MAX);
        let mut nearest: Option<(i64, MemoryPlace)> = None;
        for inner in &self.buffers {
            let (start, end, size) = (signed(inner.offset), signed(inner.end()), signed(inner.element.max(1)));
            let buffer = inner.name;
            let (distance, place) = if start <= at && at < end {
                return Some(self.inside(inner, usize::try_from(at).unwrap_or(0)));
            } else if at < start {
                let far = start - at;
                (far, MemoryPlace::Before { buffer, elements: (far - 1) / size + 1 })
            } else {
                let far = at - end;
                (far + 1, MemoryPlace::After { buffer, elements: far / size + 1 })
            };
            if nearest.as_ref().is_none_or(|(d, _)| distance < *d) {
                nearest = Some((distance, place));
            }
        }
        nearest.filter(|(d, _)| *d <= signed(GUARD_BYTES)).map(|(_, place)| place)
    }
}
