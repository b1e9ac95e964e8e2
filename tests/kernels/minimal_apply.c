/* minimal_apply.c: the smallest adapter there is. Level "apply": somebody else made the cosines and sines, and this
 * only rotates by them; f32, half pairing.
 *
 *     cc -O2 -shared -fPIC -Iinclude -o libminimal.so tests/kernels/minimal_apply.c
 */
#include <stddef.h>
#include <stdint.h>

#include "ropecheck.h"

static const char MANIFEST[] =
    "{\"name\":\"minimal-apply\",\"version\":\"1\","
    "\"levels\":{\"apply\":{\"consumes\":[\"cos_sin\"],\"schemes\":[\"*\"],"
    "\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\"}}},"
    "\"dtypes\":[\"f32\"],\"position_dtypes\":[\"i32\"],\"pairings\":[\"half\"],"
    "\"head_dims\":{\"min\":2,\"max\":512,\"multiple\":2},"
    "\"partial_rotary\":true,\"rotary_offsets\":{\"min\":0,\"max\":512},"
    "\"q_heads\":{\"min\":1,\"max\":1024},\"k_heads\":{\"min\":0,\"max\":1024},"
    "\"alias\":[\"out\",\"in\"],\"strides\":\"any\",\"max_position\":2147483647,\"token_ranges\":false,"
    "\"directions\":[1,-1],\"attention_scaling\":true,\"per_head\":false}";

uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }

const char *ropecheck_describe(void) { return MANIFEST; }

ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  (void)err, (void)err_len;
  *handle = NULL;
  return ROPECHECK_OK;
}

void ropecheck_close(void *handle) { (void)handle; }

/* Rotates every head of x (q or k) of one token. */
static void rotate(const ropecheck_plan *plan, const ropecheck_tensor *in, const ropecheck_tensor *out, int64_t heads,
                   int64_t row, int64_t token, const float *c, const float *s) {
  const int64_t R = plan->rotary_dim / 2, offset = plan->rotary_offset;
  for (int64_t head = 0; head < heads; head++) {
    const float *x = (const float *)in->data + row * in->stride[0] + token * in->stride[1] + head * in->stride[2];
    float *y = (float *)out->data + row * out->stride[0] + token * out->stride[1] + head * out->stride[2];
    for (int64_t d = 0; d < plan->head_dim; d++) {
      if (d >= offset && d < offset + R) { /* the first channel of pair i; the second lies R further */
        const int64_t i = d - offset;
        const float sine = plan->direction < 0 ? -s[i] : s[i];
        const float a = x[d * in->stride[3]], b = x[(d + R) * in->stride[3]];
        y[d * out->stride[3]] = a * c[i] - b * sine;
        y[(d + R) * out->stride[3]] = b * c[i] + a * sine;
      } else if (d < offset || d >= offset + 2 * R) {
        y[d * out->stride[3]] = x[d * in->stride[3]];
      }
    }
  }
}

ropecheck_status ropecheck_apply(void *handle, const ropecheck_apply_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *plan = &call->plan;
  const ropecheck_qk *qk = &call->qk;
  const ropecheck_cos_sin *table = &call->cos_sin;
  if (plan->rotary_dim < 0 || plan->rotary_dim % 2 != 0 || plan->rotary_offset < 0) return ROPECHECK_BAD_ARGUMENT;
  if (plan->rotary_offset + plan->rotary_dim > plan->head_dim) return ROPECHECK_BAD_ARGUMENT;
  if (plan->pairing != ROPECHECK_PAIRING_HALF || qk->q.dtype != ROPECHECK_F32) return ROPECHECK_UNSUPPORTED;
  if (table->dtype != ROPECHECK_F32) return ROPECHECK_UNSUPPORTED;
  for (int64_t row = 0; row < qk->batch; row++) {
    for (int64_t token = 0; token < qk->tokens; token++) {
      const int64_t start = row * table->stride_batch + token * table->stride_token;
      const float *c = (const float *)table->cos + start; /* in half pairing a full table begins with the half one */
      const float *s = (const float *)table->sin + start;
      rotate(plan, &qk->q, &qk->q_out, qk->q_heads, row, token, c, s);
      rotate(plan, &qk->k, &qk->k_out, qk->k_heads, row, token, c, s);
    }
  }
  return ROPECHECK_OK;
}
