//! The structs of `include/ropecheck.h`, field by field.

use std::ffi::{c_char, c_void};

/// The version of the ABI that this suite speaks.
pub const ABI_VERSION: u32 = 1;
/// Bytes of a message, its NUL included.
pub(super) const MESSAGE_BYTES: usize = 1024;

/// What every function of the ABI returns; 0 is well.
pub(super) type StatusCode = i32;

/// A message up to its NUL.
pub(super) fn text_of(message: &[u8]) -> String {
    let end = message.iter().position(|b| *b == 0).unwrap_or(message.len());
    String::from_utf8_lossy(&message[..end]).trim().to_owned()
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CSegment {
    pub(super) struct_size: u32,
    pub(super) kind: i32,
    pub(super) grid: [i64; 3],
    pub(super) tokens: i64,
    pub(super) seconds: [i64; 2],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct LayoutStruct {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) segments: *const CSegment,
    pub(super) n_segments: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CParameter {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) name: *const c_char,
    pub(super) value: f64,
    pub(super) num: i64,
    pub(super) den: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CScheme {
    pub(super) struct_size: u32,
    pub(super) n_axes: i32,
    pub(super) scheme: *const c_char,
    pub(super) profile: *const c_char,
    pub(super) axes: *const *const c_char,
    pub(super) parameters: *const CParameter,
    pub(super) n_parameters: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CTensor {
    pub(super) struct_size: u32,
    pub(super) dtype: i32,
    pub(super) data: *mut c_void,
    pub(super) stride: [i64; 4],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct PositionTensor {
    pub(super) struct_size: u32,
    pub(super) dtype: i32,
    pub(super) data: *mut c_void,
    pub(super) stride: [i64; 3],
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CosSin {
    pub(super) struct_size: u32,
    pub(super) dtype: i32,
    pub(super) cos: *const c_void,
    pub(super) sin: *const c_void,
    pub(super) stride: [i64; 2],
    pub(super) full: i32,
    pub(super) reserved: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct CosSinCache {
    pub(super) struct_size: u32,
    pub(super) dtype: i32,
    pub(super) data: *const c_void,
    pub(super) rows: i64,
    pub(super) stride_row: i64,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub(super) struct_size: u32,
    pub(super) pairing: i32,
    pub(super) head_dim: i64,
    pub(super) rotary_dim: i64,
    pub(super) rotary_offset: i64,
    pub(super) direction: i32,
    pub(super) reserved: i32,
    pub(super) attention_scaling: f64,
    pub(super) axis_of_pair: *const u8,
    pub(super) axis_head_stride: i64,
    pub(super) inv_freq: *const f64,
    pub(super) inv_freq_head_stride: i64,
    pub(super) base: f64,
    pub(super) sections: *const i64,
    pub(super) n_sections: i32,
    pub(super) interleaved: i32,
}

#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct Qk {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) batch: i64,
    pub(super) tokens: i64,
    pub(super) q_heads: i64,
    pub(super) k_heads: i64,
    pub(super) q: CTensor,
    pub(super) k: CTensor,
    pub(super) q_out: CTensor,
    pub(super) k_out: CTensor,
}

#[repr(C)]
pub(super) struct PositionsCall {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) scheme: CScheme,
    pub(super) batch: i64,
    pub(super) layouts: *const LayoutStruct,
    pub(super) token_start: i64,
    pub(super) token_count: i64,
    pub(super) out: PositionTensor,
    pub(super) next: PositionTensor,
    pub(super) stream: *mut c_void,
}

#[repr(C)]
pub(super) struct RotateCall {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) scheme: CScheme,
    pub(super) plan: Plan,
    pub(super) qk: Qk,
    pub(super) positions: PositionTensor,
    pub(super) cu_seqlens: *const i64,
    pub(super) n_sequences: i64,
    pub(super) cos_sin: CosSin,
    pub(super) cache: CosSinCache,
    pub(super) stream: *mut c_void,
}

#[repr(C)]
pub(super) struct FusedCall {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) scheme: CScheme,
    pub(super) plan: Plan,
    pub(super) qk: Qk,
    pub(super) layouts: *const LayoutStruct,
    pub(super) token_start: i64,
    pub(super) stream: *mut c_void,
    pub(super) cu_seqlens: *const i64,
    pub(super) n_sequences: i64,
}

#[repr(C)]
pub(super) struct ApplyCall {
    pub(super) struct_size: u32,
    pub(super) reserved: i32,
    pub(super) plan: Plan,
    pub(super) qk: Qk,
    pub(super) cos_sin: CosSin,
    pub(super) stream: *mut c_void,
    pub(super) cu_seqlens: *const i64,
    pub(super) n_sequences: i64,
}

#[cfg(test)]
mod tests {
    use std::mem::size_of;

    use super::*;

    /// The numbers are those that the static asserts of `include/ropecheck.h` state for the C side.
    #[test]
    fn the_rust_structs_have_the_sizes_that_the_header_asserts() {
        assert_eq!(size_of::<CSegment>(), 56);
        assert_eq!(size_of::<LayoutStruct>(), 24);
        assert_eq!(size_of::<CParameter>(), 40);
        assert_eq!(size_of::<CScheme>(), 48);
        assert_eq!(size_of::<CTensor>(), 48);
        assert_eq!(size_of::<PositionTensor>(), 40);
        assert_eq!(size_of::<CosSin>(), 48);
        assert_eq!(size_of::<CosSinCache>(), 32);
        assert_eq!(size_of::<Plan>(), 104);
        assert_eq!(size_of::<Qk>(), 232);
        assert_eq!(size_of::<PositionsCall>(), 176);
        assert_eq!(size_of::<RotateCall>(), 536);
        assert_eq!(size_of::<FusedCall>(), 432);
        assert_eq!(size_of::<ApplyCall>(), 416);
        assert_eq!(std::mem::offset_of!(Plan, axis_of_pair), 48);
        assert_eq!(std::mem::offset_of!(PositionsCall, out), 88);
        assert_eq!(std::mem::offset_of!(RotateCall, positions), 392);
        assert_eq!(std::mem::offset_of!(FusedCall, layouts), 392);
        assert_eq!(std::mem::offset_of!(FusedCall, cu_seqlens), 416);
        assert_eq!(std::mem::offset_of!(ApplyCall, cu_seqlens), 400);
    }
}
