// vllm_like.cpp: a kernel with the interface of vLLM's rotary_embedding, and the whole adapter that has it judged.
#include <cstdint>

#include "rope_storage.h"
#include "ropecheck.h"

// ---- the kernel. Turns query and key in place: [tokens, heads * head_size], the first rot_dim channels of each head, by
// row positions[token] of a cache of rot_dim numbers a row, cosines first. key may be null.
static void rotary_embedding(const int64_t *positions, void *query, void *key, int64_t tokens, int64_t heads,
                             int64_t kv_heads, int64_t head_size, const void *cos_sin_cache, int64_t rot_dim,
                             bool is_neox, ropecheck_dtype dtype) {
  const int64_t size = storage_size(dtype), half = rot_dim / 2;
  for (int64_t n = 0; n < tokens * (heads + kv_heads); n++) {
    const bool is_key = n >= tokens * heads;
    const int64_t at = is_key ? n - tokens * heads : n, count = is_key ? kv_heads : heads;
    char *head = (char *)(is_key ? key : query) + at * head_size * size;
    const char *row = (const char *)cos_sin_cache + positions[at / count] * rot_dim * size;
    for (int64_t i = 0; i < half; i++) {
      char *x = head + (is_neox ? i : 2 * i) * size, *y = head + (is_neox ? i + half : 2 * i + 1) * size;
      const float a = load(dtype, x), b = load(dtype, y);
      const float cos = load(dtype, row + i * size), sin = load(dtype, row + (half + i) * size);
      store(dtype, x, a * cos - b * sin);
      store(dtype, y, b * cos + a * sin);
    }
  }
}

// ---- the adapter
extern "C" {
uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }
const char *ropecheck_describe(void) {
  return R"({"name": "vllm-like", "version": "1",
    "levels": {"rotate": {"consumes": ["positions", "cos_sin_cache"], "schemes": ["rope"],
                          "contract": {"class": "fused"}}},
    "dtypes": ["f32", "f16", "bf16"], "pairings": ["half", "adjacent"], "partial_rotary": true,
    "head_dims": [64, 80, 128], "q_heads": {"min": 1, "max": 64}, "k_heads": {"min": 0, "max": 64},
    "alias": ["in"], "max_position": 32767})";
}
ropecheck_status ropecheck_open(void **, char *, size_t) { return ROPECHECK_OK; }
void ropecheck_close(void *) {}
ropecheck_status ropecheck_rotate(void *, const ropecheck_rotate_call *call, char *, size_t) {
  const ropecheck_qk &qk = call->qk;
  const ropecheck_plan &plan = call->plan;
  if (plan.rotary_dim < 0 || plan.rotary_dim % 2 || plan.rotary_offset + plan.rotary_dim > plan.head_dim ||
      storage_size(qk.q.dtype) == 0)
    return ROPECHECK_BAD_ARGUMENT;
  for (int64_t b = 0; b < qk.batch; b++) // the kernel knows no batch
    rotary_embedding((const int64_t *)call->positions.data + b * call->positions.stride_batch,
                     (char *)qk.q_out.data + b * qk.q_out.stride[0] * storage_size(qk.q.dtype),
                     qk.k_heads ? (char *)qk.k_out.data + b * qk.k_out.stride[0] * storage_size(qk.q.dtype) : nullptr,
                     qk.tokens, qk.q_heads, qk.k_heads, plan.head_dim, call->cache.data, plan.rotary_dim,
                     plan.pairing == ROPECHECK_PAIRING_HALF, qk.q.dtype);
  return ROPECHECK_OK;
}
}
