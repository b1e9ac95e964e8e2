//! Loads and stores of f32, f16 and bf16 for the embedded kernel. Each type's store rounds once, to nearest even.

use half::{bf16, f16};

/// A storage type of q, k and the outputs.
pub(super) trait Storage {
    /// Bytes per element.
    const SIZE: usize;
    /// Exact.
    fn load(bytes: &[u8]) -> f32;
    /// One rounding.
    fn store(bytes: &mut [u8], value: f32);
}

pub(super) struct F32;
pub(super) struct F16;
pub(super) struct Bf16;

impl Storage for F32 {
    const SIZE: usize = 4;
    #[inline]
    fn load(bytes: &[u8]) -> f32 {
        f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])
    }
    #[inline]
    fn store(bytes: &mut [u8], value: f32) {
        bytes[..4].copy_from_slice(&value.to_le_bytes());
    }
}

impl Storage for F16 {
    const SIZE: usize = 2;
    #[inline]
    fn load(bytes: &[u8]) -> f32 {
        f16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
    #[inline]
    fn store(bytes: &mut [u8], value: f32) {
        bytes[..2].copy_from_slice(&f16::from_f32(value).to_le_bytes());
    }
}

impl Storage for Bf16 {
    const SIZE: usize = 2;
    #[inline]
    fn load(bytes: &[u8]) -> f32 {
        bf16::from_le_bytes([bytes[0], bytes[1]]).to_f32()
    }
    #[inline]
    fn store(bytes: &mut [u8], value: f32) {
        bytes[..2].copy_from_slice(&bf16::from_f32(value).to_le_bytes());
    }
}
