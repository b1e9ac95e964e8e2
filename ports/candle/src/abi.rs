//! What level `apply` needs of `include/ropecheck.h`.

use std::ffi::c_void;

pub const ABI_VERSION: u32 = 1;

pub const OK: i32 = 0;
pub const UNSUPPORTED: i32 = 1;
pub const BAD_ARGUMENT: i32 = 2;
pub const INTERNAL: i32 = 3;

pub const F32: i32 = 0;
pub const F16: i32 = 1;
pub const BF16: i32 = 2;

pub const PAIRING_HALF: i32 = 0;

#[repr(C)]
pub struct Plan {
    pub struct_size: u32,
    pub pairing: i32,
    pub head_dim: i64,
    pub rotary_dim: i64,
    pub rotary_offset: i64,
    pub direction: i32,
    pub reserved: i32,
    pub attention_scaling: f64,
    pub axis_of_pair: *const u8,
    pub axis_head_stride: i64,
    pub inv_freq: *const f64,
    pub inv_freq_head_stride: i64,
    pub base: f64,
    pub sections: *const i64,
    pub n_sections: i32,
    pub interleaved: i32,
}

#[repr(C)]
pub struct Tensor {
    pub struct_size: u32,
    pub dtype: i32,
    pub data: *mut c_void,
    /// Of batch, token, head and channel, in elements.
    pub stride: [i64; 4],
}

#[repr(C)]
pub struct Qk {
    pub struct_size: u32,
    pub reserved: i32,
    pub batch: i64,
    pub tokens: i64,
    pub q_heads: i64,
    pub k_heads: i64,
    pub q: Tensor,
    pub k: Tensor,
    pub q_out: Tensor,
    pub k_out: Tensor,
}

#[repr(C)]
pub struct CosSin {
    pub struct_size: u32,
    pub dtype: i32,
    pub cos: *const c_void,
    pub sin: *const c_void,
    pub stride_batch: i64,
    pub stride_token: i64,
    pub full: i32,
    pub reserved: i32,
}

#[repr(C)]
pub struct ApplyCall {
    pub struct_size: u32,
    pub reserved: i32,
    pub plan: Plan,
    pub qk: Qk,
    pub cos_sin: CosSin,
    pub stream: *mut c_void,
}

// The sizes that the header asserts.
const _: () = {
    assert!(size_of::<Plan>() == 104);
    assert!(size_of::<Tensor>() == 48);
    assert!(size_of::<Qk>() == 232);
    assert!(size_of::<CosSin>() == 48);
    assert!(size_of::<ApplyCall>() == 400);
};
