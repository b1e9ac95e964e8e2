//! Many elements at once, in the byte order of the machine.

use super::DType;
use super::dtype::{narrow, widen_f16};

impl DType {
    /// Decodes as many elements as both sides have; returns how many.
    pub fn decode_slice(self, bytes: &[u8], values: &mut [f64]) -> usize {
        macro_rules! each {
            ($int:ty, $decode:expr) => {{
                let (chunks, _) = bytes.as_chunks::<{ size_of::<$int>() }>();
                for (value, chunk) in values.iter_mut().zip(chunks) {
                    *value = $decode(<$int>::from_ne_bytes(*chunk));
                }
                chunks.len().min(values.len())
            }};
        }
        match self {
            Self::F32 => each!(u32, |b| f64::from(f32::from_bits(b))),
            Self::F16 => each!(u16, widen_f16),
            Self::BF16 => each!(u16, |b| f64::from(f32::from_bits(u32::from(b) << 16))),
            Self::F64 => each!(u64, f64::from_bits),
            Self::I32 => each!(i32, f64::from),
            Self::I64 => each!(i64, |b| b as f64),
        }
    }

    /// Encodes as many elements as both sides have, each with one rounding; returns how many.
    pub fn encode_slice(self, values: &[f64], bytes: &mut [u8]) -> usize {
        macro_rules! each {
            ($int:ty, $encode:expr) => {{
                let (chunks, _) = bytes.as_chunks_mut::<{ size_of::<$int>() }>();
                let count = chunks.len().min(values.len());
                for (value, chunk) in values.iter().zip(chunks) {
                    *chunk = <$int>::to_ne_bytes($encode(*value));
                }
                count
            }};
        }
        match self {
            Self::F32 => each!(u32, |v| (v as f32).to_bits()),
            Self::F16 => each!(u16, narrow::<10, 15>),
            Self::BF16 => each!(u16, narrow::<7, 127>),
            Self::F64 => each!(u64, f64::to_bits),
            Self::I32 => each!(u32, |v| Self::I32.encode(v) as u32),
            Self::I64 => each!(u64, |v| Self::I64.encode(v)),
        }
    }

    /// Decodes the element at `index`, or NaN beyond the end.
    #[inline]
    #[must_use]
    pub fn decode_at(self, bytes: &[u8], index: usize) -> f64 {
        let size = self.size();
        let start = index.saturating_mul(size);
        let Some(element) = bytes.get(start..start.saturating_add(size)) else {
            return f64::NAN;
        };
        self.decode(bits(element))
    }

    /// The raw bits of the element at `index`, or `None` beyond the end.
    #[inline]
    #[must_use]
    pub fn bits_at(self, bytes: &[u8], index: usize) -> Option<u64> {
        let size = self.size();
        let start = index.checked_mul(size)?;
        bytes.get(start..start.checked_add(size)?).map(bits)
    }

    /// Writes raw bits to the element at `index`; false beyond the end.
    #[inline]
    pub fn put_bits(self, bytes: &mut [u8], index: usize, bits: u64) -> bool {
        let size = self.size();
        let start = index.saturating_mul(size);
        let Some(element) = bytes.get_mut(start..start.saturating_add(size)) else {
            return false;
        };
        match size {
            2 => element.copy_from_slice(&(bits as u16).to_ne_bytes()),
            4 => element.copy_from_slice(&(bits as u32).to_ne_bytes()),
            _ => element.copy_from_slice(&bits.to_ne_bytes()),
        }
        true
    }
}

#[inline]
fn bits(element: &[u8]) -> u64 {
    match *element {
        [a, b] => u64::from(u16::from_ne_bytes([a, b])),
        [a, b, c, d] => u64::from(u32::from_ne_bytes([a, b, c, d])),
        [a, b, c, d, e, f, g, h] => u64::from_ne_bytes([a, b, c, d, e, f, g, h]),
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_do_what_single_elements_do() {
        let values = [0.0, -0.0, 1.0, -2.5, 65519.9, 65520.0, 3e-8, 1e-41, f64::INFINITY, 0.1, -7.0, 1e300];
        for t in DType::ALL {
            let mut bytes = vec![0u8; values.len() * t.size()];
            assert_eq!(t.encode_slice(&values, &mut bytes), values.len());
            let mut back = [f64::NAN; 12];
            assert_eq!(t.decode_slice(&bytes, &mut back), values.len());
            for (i, v) in values.iter().enumerate() {
                assert_eq!(t.bits_at(&bytes, i), Some(t.encode(*v)), "{t} {v}");
                assert_eq!(t.decode_at(&bytes, i).to_bits(), t.round(*v).to_bits(), "{t} {v}");
                assert_eq!(back[i].to_bits(), t.round(*v).to_bits(), "{t} {v}");
            }
            assert!(t.put_bits(&mut bytes, 11, t.encode(-4.0)));
            assert_eq!(t.decode_at(&bytes, 11), -4.0);
            assert!(
                !t.put_bits(&mut bytes, 12, 0)
                    && t.bits_at(&bytes, 12).is_none()
                    && t.decode_at(&bytes, usize::MAX).is_nan()
            );
            assert_eq!(t.decode_slice(&bytes[..t.size() * 2 + 1], &mut back), 2);
        }
    }
}
