//! Elements of tensors in the memory of a call, as bits.

use crate::case::call::TensorView;
use crate::numeric::DType;

/// Writes the bits of an element at a byte.
pub(super) fn put(memory: &mut [u8], at: usize, dtype: DType, bits: u64) -> Result<(), String> {
    let element = memory.get_mut(at..at + dtype.size());
    let element = element.ok_or_else(|| format!("byte {at} is outside of the memory of the call"))?;
    dtype.put_bits(element, 0, bits);
    Ok(())
}

/// The bits of an element.
pub(super) fn get(
    memory: &[u8],
    view: &TensorView,
    [row, token, head]: [usize; 3],
    channel: usize,
) -> Result<u64, String> {
    let at = view.at(row, token, head, channel);
    let element = memory.get(at..at + view.dtype.size()).and_then(|bytes| view.dtype.bits_at(bytes, 0));
    element.ok_or_else(|| format!("byte {at} is outside of the memory of the call"))
}
