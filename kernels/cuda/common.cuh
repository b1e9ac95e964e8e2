// common.cuh: what the kernels of this folder share: a call made flat for the device, numbers as tensors store them,
// and the cosine and sine of a pair. Nothing here writes to q or k.
#ifndef ROPE_COMMON_CUH
#define ROPE_COMMON_CUH

#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#include <limits.h>
#include <stdint.h>

#include "ropecheck_cuda.h"

// Returns from the calling function unless `call` is OK.
#define TRY(call)                                            \
  do {                                                       \
    const ropecheck_status try_status = (call);              \
    if (try_status != ROPECHECK_OK) return try_status;       \
  } while (0)

// Where a message goes.
struct Note {
  char *text;
  size_t size;
};

#define BAD(to, ...) ropecheck_cuda_fail(ROPECHECK_BAD_ARGUMENT, (to).text, (to).size, __VA_ARGS__)
#define UNSUPPORTED(to, ...) ropecheck_cuda_fail(ROPECHECK_UNSUPPORTED, (to).text, (to).size, __VA_ARGS__)

// ---------------------------------------------------------------------------------------------- a call made flat

// One of q, k and their outputs. Strides count elements.
struct View {
  void *data;
  int64_t batch, token, head, channel;
};

// Positions as given: element [axis][batch][token].
struct PositionView {
  const void *data;
  int dtype;
  int64_t axis, batch, token;
};

// All that a kernel needs but the positions. Passed by value: about 350 bytes of kernel parameters.
struct Rotation {
  View q, k, q_out, k_out;
  int64_t rows, tokens;                // rows = batch * tokens
  int q_heads, heads;                  // heads = q heads, then k heads
  int head_dim, pairs, offset, half;   // pairs = rotary_dim / 2; half: the pairing
  int n_axes;
  float sign, scale;                   // of the sine; attention_scaling
  const uint8_t *axis_of_pair;         // [head][pair]
  const double *inv_freq;
  int64_t axis_head, inv_freq_head;    // 0: one row for all heads
  int *refused;                        // set to 1 if an axis does not exist
};

static inline View view_of(const ropecheck_tensor &x) {
  return View{x.data, x.stride[0], x.stride[1], x.stride[2], x.stride[3]};
}

static inline ropecheck_status check_tensors(const char *name, const ropecheck_tensor &in, const ropecheck_tensor &out,
                                      ropecheck_dtype dtype, Note to) {
  if (in.data == NULL || out.data == NULL) return BAD(to, "%s has no data", name);
  if (in.dtype != out.dtype) return BAD(to, "%s and its output differ in dtype", name);
  if (in.dtype != dtype) return UNSUPPORTED(to, "%s has another dtype than q", name);
  if (dtype != ROPECHECK_F32 && dtype != ROPECHECK_F16 && dtype != ROPECHECK_BF16)
    return UNSUPPORTED(to, "dtype %d of %s", (int)dtype, name);
  return ROPECHECK_OK;
}

// Checks all that can be checked without looking at device memory, and flattens the call. `dtype` is that of q and k.
// With no rows or no heads there is nothing to do.
static inline ropecheck_status flatten(void *handle, const ropecheck_scheme &scheme, const ropecheck_plan &plan,
                                const ropecheck_qk &qk, Rotation *r, ropecheck_dtype *dtype, Note to) {
  if (scheme.struct_size < sizeof scheme) return BAD(to, "scheme.struct_size is too small");
  if (plan.struct_size < sizeof plan) return BAD(to, "plan.struct_size is too small");
  if (qk.struct_size < sizeof qk) return BAD(to, "qk.struct_size is too small");
  if (scheme.n_axes < 1 || scheme.n_axes > ROPECHECK_AXIS_NONE) return BAD(to, "n_axes is not in 1..255");
  if (plan.pairing != ROPECHECK_PAIRING_HALF && plan.pairing != ROPECHECK_PAIRING_ADJACENT)
    return BAD(to, "unknown pairing");
  if (plan.direction != 1 && plan.direction != -1) return BAD(to, "direction is neither 1 nor -1");
  if (plan.head_dim < 1) return BAD(to, "head_dim is not positive");
  if (plan.head_dim > 65536) return UNSUPPORTED(to, "head_dim above 65536");
  if (plan.rotary_dim < 0 || plan.rotary_dim % 2 != 0) return BAD(to, "rotary_dim is odd or negative");
  if (plan.rotary_offset < 0) return BAD(to, "rotary_offset is negative");
  if (plan.rotary_dim > plan.head_dim || plan.rotary_offset > plan.head_dim - plan.rotary_dim)
    return BAD(to, "rotary_offset + rotary_dim is above head_dim");
  if (qk.batch < 0 || qk.tokens < 0 || qk.q_heads < 0 || qk.k_heads < 0) return BAD(to, "a size is negative");
  if (qk.tokens > 0 && qk.batch > INT64_MAX / qk.tokens) return BAD(to, "batch * tokens overflows");
  if (qk.q_heads > 65536 || qk.k_heads > 65536) return UNSUPPORTED(to, "more than 65536 heads");
  const bool empty = qk.batch == 0 || qk.tokens == 0;
  *dtype = qk.q_heads > 0 ? qk.q.dtype : qk.k.dtype;
  if (!empty && qk.q_heads > 0) TRY(check_tensors("q", qk.q, qk.q_out, *dtype, to));
  if (!empty && qk.k_heads > 0) TRY(check_tensors("k", qk.k, qk.k_out, *dtype, to));

  *r = Rotation();
  r->q = view_of(qk.q), r->q_out = view_of(qk.q_out);
  r->k = view_of(qk.k), r->k_out = view_of(qk.k_out);
  r->rows = qk.batch * qk.tokens, r->tokens = qk.tokens;
  r->q_heads = (int)qk.q_heads, r->heads = (int)(qk.q_heads + qk.k_heads);
  r->head_dim = (int)plan.head_dim, r->pairs = (int)(plan.rotary_dim / 2), r->offset = (int)plan.rotary_offset;
  r->half = plan.pairing == ROPECHECK_PAIRING_HALF;
  r->n_axes = scheme.n_axes;
  r->sign = plan.direction < 0 ? -1.0f : 1.0f;
  r->scale = (float)plan.attention_scaling;
  r->axis_of_pair = plan.axis_of_pair, r->axis_head = plan.axis_head_stride;
  r->inv_freq = plan.inv_freq, r->inv_freq_head = plan.inv_freq_head_stride;
  r->refused = ropecheck_cuda_handle(handle)->refused;
  return ROPECHECK_OK;
}

// What ropecheck_rotate takes, flat.
static inline ropecheck_status flatten(void *handle, const ropecheck_rotate_call &call, Rotation *r, PositionView *positions,
                                ropecheck_dtype *dtype, Note to) {
  if (call.struct_size < sizeof call) return BAD(to, "call.struct_size is too small");
  TRY(flatten(handle, call.scheme, call.plan, call.qk, r, dtype, to));
  const ropecheck_position_tensor &p = call.positions;
  *positions = PositionView{p.data, p.dtype, p.stride_axis, p.stride_batch, p.stride_token};
  if (r->rows == 0 || r->heads == 0) return ROPECHECK_OK;
  if (r->pairs > 0 && (r->axis_of_pair == NULL || r->inv_freq == NULL)) return BAD(to, "the plan has no tables");
  if (p.dtype != ROPECHECK_I32 && p.dtype != ROPECHECK_I64 && p.dtype != ROPECHECK_F32 && p.dtype != ROPECHECK_F64)
    return UNSUPPORTED(to, "dtype %d of positions", (int)p.dtype);
  if (p.data == NULL) return BAD(to, "positions has no data");
  return ROPECHECK_OK;
}

// Calls `run` with a value of the C++ type that `dtype` names.
template <typename Run>
static inline ropecheck_status with_type(ropecheck_dtype dtype, Run run) {
  if (dtype == ROPECHECK_F16) return run(__half());
  if (dtype == ROPECHECK_BF16) return run(__nv_bfloat16());
  return run(float());
}

// ------------------------------------------------------------------------------------------ numbers on the device

__device__ __forceinline__ float widen(float x) { return x; }
__device__ __forceinline__ float widen(__half x) { return __half2float(x); }
__device__ __forceinline__ float widen(__nv_bfloat16 x) { return __bfloat162float(x); }

// To nearest, ties to even: the one rounding to the storage type.
template <typename T>
__device__ __forceinline__ T narrow(float x);
template <>
__device__ __forceinline__ float narrow<float>(float x) {
  return x;
}
template <>
__device__ __forceinline__ __half narrow<__half>(float x) {
  return __float2half_rn(x);
}
template <>
__device__ __forceinline__ __nv_bfloat16 narrow<__nv_bfloat16>(float x) {
  return __float2bfloat16_rn(x);
}

// A position as the angle needs it: rounded to f32 once, whatever it was stored in.
__device__ __forceinline__ float position_at(const PositionView &x, int axis, int64_t batch, int64_t token) {
  const int64_t element = axis * x.axis + batch * x.batch + token * x.token;
  switch (x.dtype) {
    case ROPECHECK_I32: return (float)static_cast<const int32_t *>(x.data)[element];
    case ROPECHECK_I64: return (float)static_cast<const int64_t *>(x.data)[element];
    case ROPECHECK_F32: return static_cast<const float *>(x.data)[element];
    default: return (float)static_cast<const double *>(x.data)[element];
  }
}

// Whether the table names only axes that exist. Every thread looks at all of it before it writes anything: then all of them
// agree, without a barrier, and a call that is refused leaves its outputs as they were. Where heads share a row that is one
// cached byte a pair; with a row per head it is slow, and rare.
__device__ __forceinline__ bool axes_exist(const Rotation &r) {
  const int rows = r.axis_head == 0 ? 1 : r.heads;
  bool all = true;
  for (int head = 0; head < rows; head++) {
    for (int pair = 0; pair < r.pairs; pair++) {
      const int axis = r.axis_of_pair[head * r.axis_head + pair];
      all = all && (axis < r.n_axes || axis == ROPECHECK_AXIS_NONE);
    }
  }
  if (!all) *r.refused = 1;
  return all;
}

__device__ __forceinline__ int axis_at(const Rotation &r, int head, int pair) {
  return r.axis_of_pair[head * r.axis_head + pair];
}

__device__ __forceinline__ float frequency_at(const Rotation &r, int head, int pair) {
  return (float)r.inv_freq[head * r.inv_freq_head + pair];
}

// The product is rounded by itself, never fused into what comes after. sincosf without fast math reduces any f32 angle
// with as many bits of pi as it takes (2 ulp by NVIDIA's table): nothing here bounds the position.
__device__ __forceinline__ void cos_sin(const Rotation &r, float position, float frequency, float *c, float *s) {
  const float angle = __fmul_rn(position, frequency);
  sincosf(angle, s, c);
  *c = r.scale * *c;
  *s = r.scale * (r.sign * *s);
}

#endif
