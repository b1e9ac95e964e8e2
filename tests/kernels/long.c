/* long.c: level fused of tests/kernels/long.yaml, whose frequencies depend on the length of the sequences of a call: the
 * largest position of the call's layouts plus 1, one for all rows and all packed sequences. f32, half pairing, packed
 * tensors. Each macro is a way to get the length wrong:
 *
 *   AT_THE_LENGTH   a sequence of exactly the original length has the long factors already
 *   OWN_LENGTH      each row, or packed sequence, has a length of its own
 *   OF_THE_RANGE    the length ends with the tokens that are asked for
 *   NEVER_LONG      the short factors whatever the length
 */
#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "ropecheck.h"

#define PAIRS 8
#define ORIGINAL 64

static const char MANIFEST[] =
    "{\"name\":\"long\",\"version\":\"1\",\"levels\":{\"fused\":{\"consumes\":[\"layout\"],\"schemes\":[\"long\"],"
    "\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\",\"roundings\":2}}},\"dtypes\":[\"f32\"],"
    "\"head_dims\":[16],\"q_heads\":{\"min\":1,\"max\":8},\"k_heads\":{\"min\":0,\"max\":8},"
    "\"varlen\":true,\"token_ranges\":true,\"max_position\":399,\"max_tokens\":400}";

uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }
const char *ropecheck_describe(void) { return MANIFEST; }
ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  (void)err, (void)err_len;
  *handle = NULL;
  return ROPECHECK_OK;
}
void ropecheck_close(void *handle) { (void)handle; }

static int64_t tokens_of(const ropecheck_layout *layouts, int64_t row) {
  const ropecheck_layout *layout =
      (const ropecheck_layout *)((const char *)layouts + row * (int64_t)layouts->struct_size);
  int64_t tokens = 0;
  for (int64_t i = 0; i < layout->n_segments; i++) {
    const char *segments = (const char *)layout->segments;
    tokens += ((const ropecheck_segment *)(segments + i * (int64_t)layout->segments->struct_size))->tokens;
  }
  return tokens;
}

static double base_of(const ropecheck_scheme *scheme) {
  for (int64_t i = 0; i < scheme->n_parameters; i++) {
    const char *first = (const char *)scheme->parameters;
    const ropecheck_parameter *one =
        (const ropecheck_parameter *)(first + i * (int64_t)scheme->parameters->struct_size);
    if (strcmp(one->name, "base") == 0) return one->value;
  }
  return 10000;
}

static void turn(const ropecheck_tensor *in, const ropecheck_tensor *out, int64_t heads, int64_t row, int64_t token,
                 int sign, int64_t position, double base, int is_long) {
  for (int64_t head = 0; head < heads; head++) {
    const int64_t at[2] = {row * in->stride[0] + token * in->stride[1] + head * in->stride[2],
                           row * out->stride[0] + token * out->stride[1] + head * out->stride[2]};
    const float *x = (const float *)in->data + at[0];
    float *y = (float *)out->data + at[1];
    for (int i = 0; i < PAIRS; i++) {
      const double factor = is_long ? 4 + i : 1 + i / 8.0;
      const float frequency = (float)(pow(base, -i / (double)PAIRS) / factor), angle = (float)position * frequency;
      const float c = cosf(angle), s = (float)sign * sinf(angle), a = x[i], b = x[i + PAIRS];
      y[i] = a * c - b * s;
      y[i + PAIRS] = b * c + a * s;
    }
  }
}

ropecheck_status ropecheck_fused(void *handle, const ropecheck_fused_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_qk *qk = &call->qk;
  const ropecheck_plan *plan = &call->plan;
  const int64_t sequences = call->cu_seqlens ? call->n_sequences : qk->batch;
  if (plan->rotary_dim != 2 * PAIRS || plan->rotary_offset != 0 || plan->head_dim != 2 * PAIRS ||
      qk->q.dtype != ROPECHECK_F32)
    return ROPECHECK_BAD_ARGUMENT;
  if (qk->batch == 0 || qk->tokens == 0) return ROPECHECK_OK;
  const double base = base_of(&call->scheme);
  int64_t longest = 0;
  for (int64_t i = 0; i < sequences; i++) {
    const int64_t tokens = tokens_of(call->layouts, i);
    if (!call->cu_seqlens && call->token_start + qk->tokens > tokens) return ROPECHECK_BAD_ARGUMENT;
    if (tokens > longest) longest = tokens;
  }
  for (int64_t i = 0; i < sequences; i++) {
    const int64_t row = call->cu_seqlens ? 0 : i;
    const int64_t first = call->cu_seqlens ? call->cu_seqlens[i] : 0;
    const int64_t end = call->cu_seqlens ? call->cu_seqlens[i + 1] : qk->tokens;
    int64_t length = longest;
#ifdef OWN_LENGTH
    length = tokens_of(call->layouts, i);
#endif
#ifdef OF_THE_RANGE
    if (!call->cu_seqlens) length = call->token_start + qk->tokens;
#endif
    int is_long = length > ORIGINAL;
#ifdef AT_THE_LENGTH
    is_long = length >= ORIGINAL;
#endif
#ifdef NEVER_LONG
    is_long = 0;
#endif
    for (int64_t token = first; token < end; token++) {
      const int64_t position = call->token_start + token - first;
      turn(&qk->q, &qk->q_out, qk->q_heads, row, token, plan->direction, position, base, is_long);
      turn(&qk->k, &qk->k_out, qk->k_heads, row, token, plan->direction, position, base, is_long);
    }
  }
  return ROPECHECK_OK;
}
