//! How a [`Call`] becomes a struct of the C ABI.
use std::ffi::{CString, c_char, c_void};
use std::mem::size_of;
use std::ptr;

use super::ffi::{
    ApplyCall, CParameter, CScheme, CSegment, CTensor, CosSin, CosSinCache, FusedCall, LayoutStruct, Plan,
    PositionTensor, PositionsCall, Qk, RotateCall,
};
use crate::case::call::{Call, CosSinView, PlanView, PositionView, QkView, SchemeRef, SegmentRef, TensorView};
use crate::numeric::DType;
use crate::spec::model::Pairing;

#[allow(clippy::cast_possible_truncation)]
const fn size<T>() -> u32 {
    size_of::<T>() as u32
}

fn long(value: usize) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

pub(super) fn dtype_code(dtype: DType) -> i32 {
    match dtype {
        DType::F32 => 0,
        DType::F16 => 1,
        DType::BF16 => 2,
        DType::F64 => 3,
        DType::I32 => 4,
        DType::I64 => 5,
    }
}

/// Owns everything that the pointers in a C struct point to, apart from the arena itself.
#[derive(Default)]
pub(super) struct Keep {
    strings: Vec<CString>,
    axes: Vec<*const c_char>,
    parameters: Vec<CParameter>,
    segments: Vec<Vec<CSegment>>,
    layouts: Vec<LayoutStruct>,
}

/// Turns offsets into pointers, which only the library follows.
#[derive(Clone, Copy)]
pub(super) struct MappedArena {
    /// First byte, where the kernel works: on the device, if the library has one.
    pub(super) base: *mut u8,
    /// First byte in host memory, for what the ABI keeps there.
    pub(super) host: *mut u8,
    /// Bytes of either.
    pub(super) len: usize,
    /// Stream of the calls; NULL without a device.
    pub(super) stream: *mut c_void,
}

impl MappedArena {
    /// A pointer into the arena; null if the offset lies outside (a library then gets a null it can refuse).
    fn at(self, offset: usize) -> *mut c_void {
        if offset < self.len { self.base.wrapping_add(offset).cast() } else { ptr::null_mut() }
    }

    /// The same in host memory.
    fn on_host(self, offset: usize) -> *mut c_void {
        if offset < self.len { self.host.wrapping_add(offset).cast() } else { ptr::null_mut() }
    }

    fn tensor(self, view: Option<&TensorView>) -> CTensor {
        match view {
            Some(v) => CTensor {
                struct_size: size::<CTensor>(),
                dtype: dtype_code(v.dtype),
                data: self.at(v.offset),
                stride: v.stride.map(|stride| i64::try_from(stride).unwrap_or(i64::MAX)),
            },
            None => CTensor { struct_size: size::<CTensor>(), dtype: 0, data: ptr::null_mut(), stride: [0; 4] },
        }
    }

    fn positions(self, v: &PositionView) -> PositionTensor {
        PositionTensor {
            struct_size: size::<PositionTensor>(),
            dtype: dtype_code(v.dtype),
            data: self.at(v.offset),
            stride: v.stride.map(long),
        }
    }

    fn cos_sin(self, view: Option<&CosSinView>) -> CosSin {
        let (dtype, cos, sin, stride) = match view {
            Some(v) => (dtype_code(v.dtype), self.at(v.cos), self.at(v.sin), v.stride.map(long)),
            None => (0, ptr::null_mut(), ptr::null_mut(), [0; 2]),
        };
        let full = view.map_or(0, |v| i32::from(v.full));
        CosSin { struct_size: size::<CosSin>(), dtype, cos, sin, stride, full, reserved: 0 }
    }

    fn cache(self, view: Option<&(CosSinView, usize)>) -> CosSinCache {
        let (dtype, data, rows, stride_row) = match view {
            Some((v, rows)) => (dtype_code(v.dtype), self.at(v.cos), long(*rows), long(v.stride[1])),
            None => (0, ptr::null_mut(), 0, 0),
        };
        CosSinCache { struct_size: size::<CosSinCache>(), dtype, data, rows, stride_row }
    }

    fn plan(self, v: &PlanView) -> Plan {
        let (sections, n_sections) = match v.sections {
            Some((offset, count)) => (self.on_host(offset).cast_const().cast(), i32::try_from(count).unwrap_or(0)),
            None => (ptr::null(), 0),
        };
        Plan {
            struct_size: size::<Plan>(),
            pairing: match v.pairing {
                Pairing::Half => 0,
                Pairing::Adjacent => 1,
            },
            head_dim: long(v.head_dim),
            rotary_dim: long(v.rotary_dim),
            rotary_offset: long(v.rotary_offset),
            direction: v.direction,
            reserved: 0,
            attention_scaling: v.attention_scaling,
            axis_of_pair: self.at(v.axis_of_pair.offset).cast_const().cast(),
            axis_head_stride: long(v.axis_of_pair.head_stride),
            inv_freq: self.at(v.inv_freq.offset).cast_const().cast(),
            inv_freq_head_stride: long(v.inv_freq.head_stride),
            base: v.base,
            sections,
            n_sections,
            interleaved: i32::from(v.interleaved),
        }
    }

    /// First tokens of packed sequences, and how many there are.
    fn sequences(self, v: &QkView) -> (*const i64, i64) {
        v.sequences.map_or((ptr::null(), 0), |(offset, count)| (self.at(offset).cast_const().cast(), long(count)))
    }

    fn qk(self, v: &QkView) -> Qk {
        Qk {
            struct_size: size::<Qk>(),
            reserved: 0,
            batch: long(v.batch),
            tokens: long(v.tokens),
            q_heads: long(v.q_heads),
            k_heads: long(v.k_heads),
            q: self.tensor(Some(&v.q)),
            k: self.tensor(v.k.as_ref()),
            q_out: self.tensor(Some(&v.q_out)),
            k_out: self.tensor(v.k_out.as_ref()),
        }
    }
}

impl Keep {
    fn string(&mut self, text: &str) -> *const c_char {
        // A NUL cannot occur: names come from specs, whose grammar has none.
        let owned = CString::new(text).unwrap_or_default();
        let pointer = owned.as_ptr();
        self.strings.push(owned);
        pointer
    }

    fn scheme(&mut self, v: &SchemeRef) -> CScheme {
        let (scheme, profile) = (self.string(&v.scheme), self.string(&v.profile));
        self.axes = v.axes.iter().map(|a| self.string(a)).collect();
        self.parameters = v
            .parameters
            .iter()
            .map(|p| CParameter {
                struct_size: size::<CParameter>(),
                reserved: 0,
                name: self.string(&p.name),
                value: p.value,
                num: p.num,
                den: p.den,
            })
            .collect();
        CScheme {
            struct_size: size::<CScheme>(),
            n_axes: i32::try_from(v.axes.len()).unwrap_or(0),
            scheme,
            profile,
            axes: self.axes.as_ptr(),
            parameters: self.parameters.as_ptr(),
            n_parameters: long(self.parameters.len()),
        }
    }

    fn layouts(&mut self, layouts: &[Vec<SegmentRef>]) -> *const LayoutStruct {
        self.segments = layouts
            .iter()
            .map(|row| {
                row.iter()
                    .map(|s| CSegment {
                        struct_size: size::<CSegment>(),
                        kind: s.kind,
                        grid: s.grid,
                        tokens: s.tokens,
                        seconds: s.seconds,
                    })
                    .collect()
            })
            .collect();
        self.layouts = self
            .segments
            .iter()
            .map(|row| LayoutStruct {
                struct_size: size::<LayoutStruct>(),
                reserved: 0,
                segments: row.as_ptr(),
                n_segments: long(row.len()),
            })
            .collect();
        self.layouts.as_ptr()
    }
}

/// A call as the library sees it. Valid while the `Keep` and the arena it was made from live.
pub(super) enum CCall {
    Positions(PositionsCall),
    Rotate(RotateCall),
    Fused(FusedCall),
    Apply(ApplyCall),
}

/// Builds the C struct for a call.
pub(super) fn c_call(call: &Call, arena: MappedArena, keep: &mut Keep) -> CCall {
    let stream = arena.stream;
    match call {
        Call::Positions { scheme, layouts, token_start, token_count, out, next } => CCall::Positions(PositionsCall {
            struct_size: size::<PositionsCall>(),
            reserved: 0,
            scheme: keep.scheme(scheme),
            batch: long(layouts.len()),
            layouts: keep.layouts(layouts),
            token_start: long(*token_start),
            token_count: long(*token_count),
            out: arena.positions(out),
            next: arena.positions(next),
            stream,
        }),
        Call::Rotate { scheme, plan, qk, positions, cos_sin, cache } => CCall::Rotate(RotateCall {
            struct_size: size::<RotateCall>(),
            reserved: 0,
            scheme: keep.scheme(scheme),
            plan: arena.plan(plan),
            qk: arena.qk(qk),
            positions: arena.positions(positions),
            cu_seqlens: arena.sequences(qk).0,
            n_sequences: arena.sequences(qk).1,
            cos_sin: arena.cos_sin(cos_sin.as_ref()),
            cache: arena.cache(cache.as_ref()),
            stream,
        }),
        Call::Fused { scheme, plan, qk, layouts, token_start } => CCall::Fused(FusedCall {
            struct_size: size::<FusedCall>(),
            reserved: 0,
            scheme: keep.scheme(scheme),
            plan: arena.plan(plan),
            qk: arena.qk(qk),
            layouts: keep.layouts(layouts),
            token_start: long(*token_start),
            stream,
            cu_seqlens: arena.sequences(qk).0,
            n_sequences: arena.sequences(qk).1,
        }),
        Call::Apply { plan, qk, cos_sin } => CCall::Apply(ApplyCall {
            struct_size: size::<ApplyCall>(),
            reserved: 0,
            plan: arena.plan(plan),
            qk: arena.qk(qk),
            cos_sin: arena.cos_sin(Some(cos_sin)),
            stream,
            cu_seqlens: arena.sequences(qk).0,
            n_sequences: arena.sequences(qk).1,
        }),
    }
}
