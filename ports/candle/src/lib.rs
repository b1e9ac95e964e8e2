//! candle-nn's rotary embedding behind the C ABI of ropecheck, level `apply`: copies q, k and the tables into tensors of candle,
//! calls `rope`, `rope_i` or `rope_thd`, and copies the result back. What it does not list in its manifest (other strides,
//! partial rotation, the transpose) candle does not do, and it is not made up for here.

mod abi;

use std::any::Any;
use std::ffi::{CStr, c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use abi::ApplyCall;
use candle_core::{Device, Tensor, WithDType};
use candle_nn::rotary_emb;

/// candle multiplies and adds in the storage type, one rounding each, and takes tables of that type only: `eager`. Each
/// element is the same four operations wherever it lies, hence `bit_stable`.
macro_rules! manifest {
    ($name:literal, $pairings:literal) => {
        concat!(
            r#"{"name":"candle-nn "#,
            $name,
            r#"","version":"0.11.1","levels":{"apply":{"consumes":["cos_sin"],"schemes":["*"],"#,
            r#""contract":{"class":"eager"}}},"dtypes":["f32","f16","bf16"],"pairings":"#,
            $pairings,
            r#","head_dims":{"min":2,"max":512,"multiple":2},"q_heads":{"min":1,"max":1024},"#,
            r#""k_heads":{"min":0,"max":1024},"alias":["out"],"strides":"packed","#,
            r#""partial_rotary":false,"directions":[1],"attention_scaling":true,"bit_stable":true,"copies":true}"#,
            "\0"
        )
    };
}

#[cfg(not(any(feature = "thd", feature = "long-tables")))]
const MANIFEST: &str = manifest!("rope and rope_i", r#"["half","adjacent"]"#);
#[cfg(all(feature = "thd", not(feature = "long-tables")))]
const MANIFEST: &str = manifest!("rope_thd", r#"["half"]"#);
#[cfg(all(not(feature = "thd"), feature = "long-tables"))]
const MANIFEST: &str = manifest!("rope and rope_i, tables longer than the sequence", r#"["half","adjacent"]"#);
#[cfg(all(feature = "thd", feature = "long-tables"))]
const MANIFEST: &str = manifest!("rope_thd, tables longer than the sequence", r#"["half"]"#);

/// Rows of a table behind those of the tokens. They hold NaN: whoever reads one is seen.
const EXTRA_ROWS: usize = if cfg!(feature = "long-tables") { 3 } else { 0 };

/// Whether heads come before tokens in the tensors that candle's function takes.
const HEADS_FIRST: bool = !cfg!(feature = "thd");

/// What went wrong: a status of the ABI, and why.
type Failure = (i32, String);

fn internal(error: candle_core::Error) -> Failure {
    (abi::INTERNAL, error.to_string())
}

/// Batch, tokens, heads, channels.
type Shape = [usize; 4];

/// Offsets, in elements, of a tensor of the caller in the order that candle wants.
fn offsets([batch, tokens, heads, channels]: Shape, stride: [i64; 4]) -> impl Iterator<Item = isize> {
    let (outer, inner) = if HEADS_FIRST { (heads, tokens) } else { (tokens, heads) };
    let [of_batch, of_token, of_head, of_channel] = stride.map(|s| s as isize);
    let (of_outer, of_inner) = if HEADS_FIRST { (of_head, of_token) } else { (of_token, of_head) };
    (0..batch as isize).flat_map(move |b| {
        (0..outer as isize).flat_map(move |o| {
            (0..inner as isize).flat_map(move |i| {
                (0..channels as isize).map(move |c| b * of_batch + o * of_outer + i * of_inner + c * of_channel)
            })
        })
    })
}

/// One of the two tables, a row per row of the batch.
///
/// # Safety
/// `data` holds elements of type T at every offset that the strides give for batch, tokens and pairs.
unsafe fn table<T: WithDType>(
    data: *const c_void,
    strides: (i64, i64),
    (batch, tokens, pairs): (usize, usize, usize),
) -> Vec<Vec<T>> {
    let data = data.cast::<T>();
    let mut rows = Vec::with_capacity(batch);
    for b in 0..batch {
        let mut row = Vec::with_capacity((tokens + EXTRA_ROWS) * pairs);
        for t in 0..tokens {
            let start = b as isize * strides.0 as isize + t as isize * strides.1 as isize;
            // SAFETY: b < batch, t < tokens and the pair is below pairs: the caller vouches for these offsets.
            row.extend((0..pairs as isize).map(|pair| unsafe { *data.offset(start + pair) }));
        }
        row.resize((tokens + EXTRA_ROWS) * pairs, T::from_f64(f64::NAN));
        rows.push(row);
    }
    rows
}

/// The table as candle takes it: `[tokens, pairs]`, or `[batch, tokens, pairs]`.
fn table_tensor<T: WithDType>(
    mut rows: Vec<Vec<T>>,
    batched: bool,
    tokens: usize,
    pairs: usize,
) -> Result<Tensor, Failure> {
    let batch = rows.len();
    let tensor = if batched {
        Tensor::from_vec(rows.concat(), (batch, tokens + EXTRA_ROWS, pairs), &Device::Cpu)
    } else {
        Tensor::from_vec(rows.swap_remove(0), (tokens + EXTRA_ROWS, pairs), &Device::Cpu)
    };
    tensor.map_err(internal)
}

/// Rotates q or k.
///
/// # Safety
/// `from` and `to` hold elements of type T at every offset that their strides give for the shape, `to` may be written, and
/// nobody else uses either.
unsafe fn rotate<T: WithDType>(
    half: bool,
    from: &abi::Tensor,
    to: &abi::Tensor,
    shape: Shape,
    cos: &Tensor,
    sin: &Tensor,
) -> Result<(), Failure> {
    let [batch, tokens, heads, channels] = shape;
    let data = from.data.cast::<T>();
    // SAFETY: the offsets are those of the shape, and the caller vouches for them.
    let values: Vec<T> = offsets(shape, from.stride).map(|at| unsafe { *data.offset(at) }).collect();
    let dims = if HEADS_FIRST { (batch, heads, tokens, channels) } else { (batch, tokens, heads, channels) };
    let x = Tensor::from_vec(values, dims, &Device::Cpu).map_err(internal)?;
    let rotated = match (half, cfg!(feature = "thd")) {
        (true, false) => rotary_emb::rope(&x, cos, sin),
        (false, false) => rotary_emb::rope_i(&x, cos, sin),
        (true, true) => rotary_emb::rope_thd(&x, cos, sin),
        (false, true) => return Err((abi::UNSUPPORTED, "rope_thd pairs halves".to_owned())),
    };
    let values: Vec<T> = rotated.and_then(|y| y.flatten_all()?.to_vec1()).map_err(internal)?;
    if values.len() != batch * tokens * heads * channels {
        return Err((abi::INTERNAL, format!("candle returned {} elements", values.len())));
    }
    let data = to.data.cast::<T>();
    for (at, value) in offsets(shape, to.stride).zip(values) {
        // SAFETY: as above, and `to` may be written.
        unsafe { *data.offset(at) = value };
    }
    Ok(())
}

/// # Safety
/// The call is as `include/ropecheck.h` says, with elements of type T.
unsafe fn apply_as<T: WithDType>(call: &ApplyCall) -> Result<(), Failure> {
    let (plan, qk, tables) = (&call.plan, &call.qk, &call.cos_sin);
    let size = |n: i64| usize::try_from(n).map_err(|_| (abi::BAD_ARGUMENT, format!("a size of {n}")));
    let (batch, tokens, channels) = (size(qk.batch)?, size(qk.tokens)?, size(plan.head_dim)?);
    let pairs = channels / 2;
    let strides = (tables.stride_batch, tables.stride_token);
    // SAFETY: the header says that the tables hold these elements.
    let (cos, sin) = unsafe {
        let sizes = (batch, tokens, pairs);
        (table::<T>(tables.cos, strides, sizes), table::<T>(tables.sin, strides, sizes))
    };
    // Candle takes one table for all rows, or one for each. Compared as numbers: a NaN makes rows differ, which costs nothing but the shorter form.
    let used = tokens * pairs;
    let differ = |rows: &[Vec<T>]| rows.iter().any(|row| row[..used] != rows[0][..used]);
    let batched = batch == 0 || differ(&cos) || differ(&sin);
    let (cos, sin) = (table_tensor(cos, batched, tokens, pairs)?, table_tensor(sin, batched, tokens, pairs)?);
    let half = plan.pairing == abi::PAIRING_HALF;
    for (from, to, heads) in [(&qk.q, &qk.q_out, qk.q_heads), (&qk.k, &qk.k_out, qk.k_heads)] {
        if heads > 0 {
            // SAFETY: the header says that both tensors have these sizes, and that they are ours during the call.
            unsafe { rotate::<T>(half, from, to, [batch, tokens, size(heads)?, channels], &cos, &sin)? };
        }
    }
    Ok(())
}

/// # Safety
/// The call is as `include/ropecheck.h` says.
unsafe fn apply(call: &ApplyCall) -> Result<(), Failure> {
    let (plan, qk) = (&call.plan, &call.qk);
    if plan.rotary_dim != plan.head_dim || plan.rotary_offset != 0 || plan.direction != 1 {
        return Err((abi::UNSUPPORTED, "candle rotates whole heads, forwards".to_owned()));
    }
    let same = |tensor: &abi::Tensor| tensor.dtype == qk.q.dtype;
    if !(same(&qk.q_out) && call.cos_sin.dtype == qk.q.dtype && (qk.k_heads == 0 || same(&qk.k) && same(&qk.k_out))) {
        return Err((abi::UNSUPPORTED, "candle takes one type for inputs, outputs and tables".to_owned()));
    }
    // SAFETY: the types are those that the call names.
    unsafe {
        match qk.q.dtype {
            abi::F32 => apply_as::<f32>(call),
            abi::F16 => apply_as::<half::f16>(call),
            abi::BF16 => apply_as::<half::bf16>(call),
            other => Err((abi::UNSUPPORTED, format!("type {other}"))),
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("?")
}

#[unsafe(no_mangle)]
extern "C" fn ropecheck_abi_version() -> u32 {
    abi::ABI_VERSION
}

#[unsafe(no_mangle)]
extern "C" fn ropecheck_describe() -> *const c_char {
    CStr::from_bytes_with_nul(MANIFEST.as_bytes()).map_or(std::ptr::null(), CStr::as_ptr)
}

/// # Safety
/// As `include/ropecheck.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn ropecheck_open(handle: *mut *mut c_void, _err: *mut c_char, _err_len: usize) -> i32 {
    if !handle.is_null() {
        // SAFETY: a handle that is not null may be written.
        unsafe { *handle = std::ptr::null_mut() };
    }
    abi::OK
}

#[unsafe(no_mangle)]
extern "C" fn ropecheck_close(_handle: *mut c_void) {}

/// # Safety
/// As `include/ropecheck.h` says.
#[unsafe(no_mangle)]
unsafe extern "C" fn ropecheck_apply(
    _handle: *mut c_void,
    call: *const ApplyCall,
    err: *mut c_char,
    err_len: usize,
) -> i32 {
    // SAFETY: a call that is not null is one.
    let Some(call) = (unsafe { call.as_ref() }) else {
        return abi::BAD_ARGUMENT;
    };
    // SAFETY: it is as the header says. A panic must not leave Rust.
    let result = catch_unwind(AssertUnwindSafe(|| unsafe { apply(call) }));
    let (status, why) = match result {
        Ok(Ok(())) => return abi::OK,
        Ok(Err(failure)) => failure,
        Err(panic) => (abi::INTERNAL, format!("candle panicked: {}", message(panic.as_ref()))),
    };
    if !err.is_null() && err_len > 0 {
        let length = why.len().min(err_len - 1);
        // SAFETY: err has room for err_len bytes.
        unsafe {
            std::ptr::copy_nonoverlapping(why.as_ptr(), err.cast::<u8>(), length);
            *err.add(length) = 0;
        }
    }
    status
}
