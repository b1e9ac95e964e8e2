//! Numbers in the arena as numbers in Rust.

use half::{bf16, f16};

use crate::numeric::DType;

/// A storage type of q, k and the outputs.
pub trait Element: Copy + Default + Send + Sync + 'static {
    /// Its name in ropecheck.
    const DTYPE: DType;
    /// Reads one from the start of little-endian bytes.
    fn read(bytes: &[u8]) -> Self;
    /// Writes one to the start of little-endian bytes.
    fn write(self, bytes: &mut [u8]);
    /// The same number, exactly.
    fn to_f32(self) -> f32;
    /// The nearest number of this type, ties to even.
    fn from_f32(value: f32) -> Self;
}

impl Element for f32 {
    const DTYPE: DType = DType::F32;

    fn read(bytes: &[u8]) -> f32 {
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }

    fn write(self, bytes: &mut [u8]) {
        bytes[..4].copy_from_slice(&self.to_le_bytes());
    }

    fn to_f32(self) -> f32 {
        self
    }

    fn from_f32(value: f32) -> f32 {
        value
    }
}

macro_rules! half_element {
    ($type:ty, $dtype:expr) => {
        impl Element for $type {
            const DTYPE: DType = $dtype;

            fn read(bytes: &[u8]) -> $type {
                <$type>::from_le_bytes([bytes[0], bytes[1]])
            }

            fn write(self, bytes: &mut [u8]) {
                bytes[..2].copy_from_slice(&self.to_le_bytes());
            }

            fn to_f32(self) -> f32 {
                <$type>::to_f32(self)
            }

            fn from_f32(value: f32) -> $type {
                <$type>::from_f32(value)
            }
        }
    };
}

half_element!(f16, DType::F16);
half_element!(bf16, DType::BF16);
