// adapter.cu: a kernel as it may stand in any project, and all that it takes to have it checked. docs/cuda.md shows this file.
#include <cuda_bf16.h>

#include "ropecheck_cuda.h"

// ---- the kernel: bf16, pairs (i, i + dim/2), in place, cosines and sines from a cache by position. One block a token.
__global__ void rope_in_place(__nv_bfloat16 *x, const int *positions, const __nv_bfloat16 *cache, int heads, int dim) {
  const int half = dim / 2;
  const __nv_bfloat16 *cos = cache + (long long)positions[blockIdx.x] * dim, *sin = cos + half;
  __nv_bfloat16 *token = x + (long long)blockIdx.x * heads * dim;
  for (int n = threadIdx.x; n < heads * half; n += blockDim.x) {
    const int i = n % half;
    __nv_bfloat16 *low = token + n / half * dim + i, *high = low + half;
    const float a = __bfloat162float(*low), b = __bfloat162float(*high);
    const float c = __bfloat162float(cos[i]), s = __bfloat162float(sin[i]);
    *low = __float2bfloat16_rn(a * c - b * s);
    *high = __float2bfloat16_rn(b * c + a * s);
  }
}

// ---- what it is, and what it takes from ropecheck. Every call that is to be computed lies inside this.
ROPECHECK_CUDA_MANIFEST(R"({
  "name": "rope_in_place", "version": "1",
  "levels": {"rotate": {"consumes": ["positions", "cos_sin_cache"], "schemes": ["rope"],
                        "contract": {"class": "cached", "frequencies": "table"}}},
  "dtypes": ["bf16"], "position_dtypes": ["i32"], "head_dims": [64, 128],
  "q_heads": {"min": 1, "max": 64}, "k_heads": {"min": 0, "max": 64},
  "alias": ["in"], "max_position": 131071
})")

// ---- the launch. All pointers are device memory that ropecheck owns. The first test is against calls that make no sense.
extern "C" ropecheck_status ropecheck_rotate(void *, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  const ropecheck_qk &qk = call->qk;
  const int dim = (int)call->plan.head_dim;
  if (call->plan.rotary_dim != dim || call->plan.rotary_offset != 0 || qk.q.dtype != ROPECHECK_BF16)
    return ropecheck_cuda_fail(ROPECHECK_UNSUPPORTED, err, err_len, "only whole heads of bf16");
  for (int64_t b = 0; b < qk.batch; b++) { // the kernel knows no batch
    const int *positions = (const int *)call->positions.data + b * call->positions.stride_batch;
    for (const ropecheck_tensor *x : {&qk.q_out, &qk.k_out}) {
      const int heads = (int)(x == &qk.q_out ? qk.q_heads : qk.k_heads);
      if (heads == 0) continue;
      const ropecheck_status status = ropecheck_cuda_launch(
          call->stream, err, err_len, rope_in_place, dim3((unsigned)qk.tokens), dim3(128),
          (__nv_bfloat16 *)x->data + b * x->stride[0], positions, (const __nv_bfloat16 *)call->cache.data, heads, dim);
      if (status != ROPECHECK_OK) return status;
    }
  }
  return ROPECHECK_OK;
}
