//! Parts of a case: some of its tokens, some of its bytes, a few tokens more.

use super::failure::Stop;
use super::harness::Harness;
use crate::case::call::{Call, TensorView};
use crate::case::{Case, Level, Prepared, Tensor};
use crate::positions::{Layout, Segment};

/// Tokens `start..start + count` of every row.
pub(super) fn tokens_of(tensor: &Tensor, start: usize, count: usize) -> Tensor {
    let [batch, tokens, heads, channels] = tensor.shape();
    let count = count.min(tokens.saturating_sub(start));
    let mut part = Tensor::zeros([batch, count, heads, channels]);
    for (b, t, h) in places([batch, count, heads]) {
        part.row_mut(b, t, h).copy_from_slice(tensor.row(b, start + t, h));
    }
    part
}

/// Every combination of three indices, the last one fastest.
pub(super) fn places([a, b, c]: [usize; 3]) -> impl Iterator<Item = (usize, usize, usize)> {
    (0..a).flat_map(move |i| (0..b).flat_map(move |j| (0..c).map(move |k| (i, j, k))))
}

/// The case with tokens `start..start + count` only.
pub(super) fn window(case: &Case, start: u64, count: u64) -> Case {
    Case { window: Some((start, count)), ..case.clone() }
}

/// The layout with one more text token at its end: a longer last text, or a new one.
pub(super) fn one_more(layout: &Layout) -> Result<Layout, Stop> {
    let mut segments = layout.segments().to_vec();
    match segments.last_mut() {
        Some(Segment::Text(n)) => *n = n.saturating_add(1),
        _ => segments.push(Segment::Text(1)),
    }
    Layout::new(segments).map_err(Stop::broken)
}

/// The layout with `n` more text tokens at its start.
pub(super) fn pushed_back(layout: &Layout, n: u32) -> Result<Layout, Stop> {
    let mut segments = layout.segments().to_vec();
    match segments.first_mut() {
        Some(Segment::Text(first)) => *first = first.saturating_add(n),
        _ => segments.insert(0, Segment::Text(n)),
    }
    Layout::new(segments).map_err(Stop::broken)
}

/// Whether both calls have the same frequencies and scaling: those of some schemes depend on the length of the sequence,
/// and then nothing follows from one call for another.
pub(super) fn one_plan(near: &Prepared, far: &Prepared) -> Result<(), Stop> {
    let plans = near.truth.as_ref().map(|truth| &truth.plan).zip(far.truth.as_ref().map(|truth| &truth.plan));
    match plans {
        Some((a, b)) if a.inv_freq != b.inv_freq || a.attention_scaling != b.attention_scaling => {
            Err(Stop::not_judged(OTHER_LENGTH))
        }
        _ => Ok(()),
    }
}

/// Why two calls cannot be compared.
pub(super) const OTHER_LENGTH: &str = "the scheme gives sequences of these two lengths other frequencies";

/// The bytes of every output element of the last call, in order.
pub(super) fn output_bytes(harness: &Harness, prepared: &Prepared) -> Vec<u8> {
    let memory = harness.backend.memory();
    let mut bytes = Vec::new();
    match &prepared.call {
        Call::Positions { out, next, token_count, scheme, layouts, .. } => {
            let size = out.dtype.size();
            for (axis, row, token) in places([scheme.axes.len(), layouts.len(), *token_count + 1]) {
                // One past the last token stands for `next`.
                let at = if token < *token_count { out.at(axis, row, token) } else { next.at(axis, row, 0) };
                bytes.extend_from_slice(memory.get(at..at + size).unwrap_or_default());
            }
        }
        call => {
            let Some(qk) = call.qk() else { return bytes };
            for range in [Some(&qk.q_out), qk.k_out.as_ref()].into_iter().flatten().flat_map(TensorView::ranges) {
                bytes.extend_from_slice(memory.get(range).unwrap_or_default());
            }
        }
    }
    bytes
}

/// How many elements differ between two runs' output bytes.
pub(super) fn elements_that_differ(a: &[u8], b: &[u8], size: usize) -> usize {
    a.chunks(size.max(1)).zip(b.chunks(size.max(1))).filter(|(a, b)| a != b).count()
}

/// Bytes of an output element of a case.
pub(super) fn element_size(case: &Case) -> usize {
    if case.level == Level::Positions { case.position_dtype.size() } else { case.dtype.size() }
}

/// Whether the backend claims that the bits of an output row depend on that row's inputs and position alone.
pub(super) fn claims_bits(harness: &Harness) -> bool {
    harness.backend.manifest().bit_stable == Some(true)
}
