/* rope.c: a rotary position embedding, for `ropecheck check`. It passes as it is: call your own kernel in ropecheck_rotate.
 *
 *     cc -O2 -shared -fPIC -o librope.so rope.c -lm
 */
#include <math.h>
#include <stdint.h>

#include "ropecheck.h"

/* What this library takes. ropecheck asks for nothing else, and shows every mistake in it. */
static const char MANIFEST[] =
    "{\"name\":\"my-rope\",\"version\":\"1\","
    "\"levels\":{\"rotate\":{\"consumes\":[\"positions\",\"axis_of_pair\",\"inv_freq\"],\"schemes\":[\"m-rope\"],"
    "\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\"}}},"
    "\"dtypes\":[\"f32\"],\"position_dtypes\":[\"i64\"],\"pairings\":[\"half\"],"
    "\"head_dims\":[64,128],\"q_heads\":{\"min\":1,\"max\":64},\"k_heads\":{\"min\":1,\"max\":64},"
    "\"alias\":[\"out\",\"in\"],\"strides\":\"any\",\"max_position\":1048576}";

uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }

const char *ropecheck_describe(void) { return MANIFEST; }

ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  (void)err, (void)err_len;
  *handle = NULL;
  return ROPECHECK_OK;
}

void ropecheck_close(void *handle) { (void)handle; }

/* Turns every head of x (q or k) of one token. */
static void turn(const ropecheck_rotate_call *call, const ropecheck_tensor *in, const ropecheck_tensor *out, int64_t heads,
                 int64_t row, int64_t token) {
  const ropecheck_position_tensor *at = &call->positions;
  const int64_t pairs = call->plan.rotary_dim / 2;
  for (int64_t pair = 0; pair < pairs; pair++) {
    const int64_t place = call->plan.axis_of_pair[pair] * at->stride_axis + row * at->stride_batch + token * at->stride_token;
    const float angle = (float)((const int64_t *)at->data)[place] * (float)call->plan.inv_freq[pair];
    const float c = cosf(angle), s = sinf(angle);
    for (int64_t head = 0; head < heads; head++) {
      const float *x = (const float *)in->data + row * in->stride[0] + token * in->stride[1] + head * in->stride[2];
      float *y = (float *)out->data + row * out->stride[0] + token * out->stride[1] + head * out->stride[2];
      const float a = x[pair * in->stride[3]], b = x[(pair + pairs) * in->stride[3]];
      y[pair * out->stride[3]] = a * c - b * s;
      y[(pair + pairs) * out->stride[3]] = b * c + a * s;
    }
  }
}

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *plan = &call->plan;
  const ropecheck_qk *qk = &call->qk;
  if (plan->rotary_dim != plan->head_dim || plan->rotary_offset != 0 || plan->rotary_dim % 2 != 0) return ROPECHECK_BAD_ARGUMENT;
  if (plan->pairing != ROPECHECK_PAIRING_HALF || plan->direction != 1) return ROPECHECK_UNSUPPORTED;
  if (qk->q.dtype != ROPECHECK_F32 || call->positions.dtype != ROPECHECK_I64) return ROPECHECK_UNSUPPORTED;
  for (int64_t pair = 0; pair < plan->rotary_dim / 2; pair++) {
    if (plan->axis_of_pair[pair] >= call->scheme.n_axes) return ROPECHECK_BAD_ARGUMENT;
  }
  for (int64_t row = 0; row < qk->batch; row++) {
    for (int64_t token = 0; token < qk->tokens; token++) {
      turn(call, &qk->q, &qk->q_out, qk->q_heads, row, token);
      turn(call, &qk->k, &qk->k_out, qk->k_heads, row, token);
    }
  }
  return ROPECHECK_OK;
}
