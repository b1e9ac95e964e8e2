/* offers.c: kernels that take less than everything, or make frequencies of their own, and say so. Built with one of
 * -DKIND=PREFIX, OWN_BASE, GIVEN_BASE, RECURRENCE, TABLES, CACHE or FUSED; each is right, and wrong with -DBUG. MANIFEST holds
 * what is to be said beside the common keys. */
#include <math.h>
#include <stddef.h>
#include <stdint.h>

#include "rope_storage.h"
#include "ropecheck.h"

#define PREFIX 1     /* rotates the first channels of a head, whatever rotary_offset says */
#define OWN_BASE 2   /* YaRN with one base, built in */
#define GIVEN_BASE 3 /* YaRN from plan.base */
#define RECURRENCE 4 /* the frequency of a pair from that of the pair before it, anew on each axis */
#define TABLES 5     /* level apply: tables of any type and width */
#define CACHE 6      /* a cache with fewer rows than tokens is refused */
#define FUSED 7      /* M-RoPE from the layout, base 1e6 */
#ifndef BUG
#define BUG 0
#endif
#define MAX_PAIRS 256

#ifdef WHOLE
static const char manifest[] = MANIFEST;
#else
static const char manifest[] =
    "{\"name\":\"offers\",\"version\":\"1\",\"dtypes\":[\"f32\",\"bf16\"],\"position_dtypes\":[\"i64\"],"
    "\"head_dims\":{\"min\":2,\"max\":512,\"multiple\":2},\"q_heads\":{\"min\":1,\"max\":64},"
    "\"k_heads\":{\"min\":0,\"max\":64},\"alias\":[\"out\",\"in\"],\"strides\":\"rows\"," MANIFEST "}";
#endif

uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }
const char *ropecheck_describe(void) { return manifest; }
ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  (void)err, (void)err_len, *handle = NULL;
  return ROPECHECK_OK;
}
void ropecheck_close(void *handle) { (void)handle; }

static char *element(const ropecheck_tensor *x, int64_t b, int64_t t, int64_t h, int64_t d) {
  const int64_t at = b * x->stride[0] + t * x->stride[1] + h * x->stride[2] + d * x->stride[3];
  return (char *)x->data + at * storage_size(x->dtype);
}

/* Turns every head of one token by R cosines and sines, from channel `offset` on. */
static void turn(const ropecheck_plan *p, const ropecheck_qk *qk, int64_t b, int64_t t, int64_t offset, const float *c,
                 const float *s) {
  const int64_t R = p->rotary_dim / 2, half = p->pairing == ROPECHECK_PAIRING_HALF;
  for (int64_t h = 0; h < qk->q_heads + qk->k_heads; h++) {
    const int64_t q = h < qk->q_heads, head = q ? h : h - qk->q_heads;
    const ropecheck_tensor *in = q ? &qk->q : &qk->k, *out = q ? &qk->q_out : &qk->k_out;
    for (int64_t i = 0; i < R; i++) {
      const int64_t m = offset + (half ? i : 2 * i), n = m + (half ? R : 1);
      const float x = load(in->dtype, element(in, b, t, head, m)), y = load(in->dtype, element(in, b, t, head, n));
      const float sin = p->direction < 0 ? -s[i] : s[i];
      store(in->dtype, element(out, b, t, head, m), x * c[i] - y * sin);
      store(in->dtype, element(out, b, t, head, n), y * c[i] + x * sin);
    }
    for (int64_t d = 0; d < p->head_dim; d++)
      if (d < offset || d >= offset + 2 * R)
        memmove(element(out, b, t, head, d), element(in, b, t, head, d), (size_t)storage_size(in->dtype));
  }
}

static int bad(const ropecheck_plan *p, const ropecheck_qk *qk) {
  return p->rotary_dim < 0 || p->rotary_dim % 2 != 0 || p->rotary_offset + p->rotary_dim > p->head_dim ||
         p->rotary_dim > 2 * MAX_PAIRS || storage_size(qk->q.dtype) == 0;
}

static int bad_axes(const ropecheck_plan *p, int n_axes) {
  for (int64_t i = 0; i < p->rotary_dim / 2; i++)
    if (p->axis_of_pair[i] >= n_axes && p->axis_of_pair[i] != ROPECHECK_AXIS_NONE) return 1;
  return 0;
}

/* YaRN as transformers computes it, for the defaults of the scheme: factor 4, 32768 tokens, 32 and 1 turns. */
static double yarn(double base, int64_t i, int64_t d) {
  const double pi = 3.14159265358979323846, length = 32768;
  const double low = fmax(floor((double)d * log(length / (32 * 2 * pi)) / (2 * log(base))), 0);
  const double high = fmin(ceil((double)d * log(length / (2 * pi)) / (2 * log(base))), (double)d - 1);
  const double ramp = fmin(fmax(((double)i - low) / (high == low ? 0.001 : high - low), 0), 1);
  return pow(base, -2.0 * (double)i / (double)d) * (1 - ramp * 0.75);
}

#if KIND == PREFIX || KIND == OWN_BASE || KIND == GIVEN_BASE || KIND == RECURRENCE
static float frequency(const ropecheck_plan *p, int64_t i) {
#if KIND == PREFIX
  return (float)p->inv_freq[BUG && p->rotary_dim < p->head_dim ? i / 2 : i];
#elif KIND == OWN_BASE
  return (float)yarn(BUG ? 1e6 : 5e5, i, p->rotary_dim);
#elif KIND == GIVEN_BASE
  return (float)(BUG ? pow(p->base, -2.0 * (double)i / (double)p->rotary_dim) : yarn(p->base, i, p->rotary_dim));
#else
  /* Blocks of h and w, each with frequencies from 1 on: base^(-2j / width of the block). */
  const int64_t R = p->rotary_dim / 2, of_h = (R + 1) / 2, j = i < of_h ? i : i - of_h, n = i < of_h ? of_h : R - of_h;
  const float step = (float)pow(10000.0, -1.0 / (double)n);
  float found = 1;
  for (int64_t k = 0; k < j + (BUG && j > 2); k++) found *= step;
  return found;
#endif
}

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *p = &call->plan;
  const ropecheck_position_tensor *x = &call->positions;
  if (bad(p, &call->qk)) return ROPECHECK_BAD_ARGUMENT;
  if (KIND == PREFIX && bad_axes(p, call->scheme.n_axes)) return ROPECHECK_BAD_ARGUMENT;
  const float m = (float)p->attention_scaling;
  for (int64_t b = 0; b < call->qk.batch; b++)
    for (int64_t t = 0; t < call->qk.tokens; t++) {
      float c[MAX_PAIRS], s[MAX_PAIRS];
      for (int64_t i = 0; i < p->rotary_dim / 2; i++) {
        const int64_t axis = KIND == RECURRENCE ? i >= (p->rotary_dim / 2 + 1) / 2 : 0;
        const int64_t at = axis * x->stride_axis + b * x->stride_batch + t * x->stride_token;
        const float angle = (float)((const int64_t *)x->data)[at] * frequency(p, i);
        c[i] = m * cosf(angle), s[i] = m * sinf(angle);
      }
      turn(p, &call->qk, b, t, KIND == PREFIX ? 0 : p->rotary_offset, c, s);
    }
  return ROPECHECK_OK;
}
#elif KIND == TABLES
ropecheck_status ropecheck_apply(void *handle, const ropecheck_apply_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *p = &call->plan;
  const ropecheck_cos_sin *x = &call->cos_sin;
  if (bad(p, &call->qk)) return ROPECHECK_BAD_ARGUMENT;
  const ropecheck_dtype dtype = BUG == 1 ? call->qk.q.dtype : x->dtype;
  const int64_t size = storage_size(dtype), adjacent = p->pairing == ROPECHECK_PAIRING_ADJACENT;
  for (int64_t b = 0; b < call->qk.batch; b++)
    for (int64_t t = 0; t < call->qk.tokens; t++) {
      float c[MAX_PAIRS], s[MAX_PAIRS];
      for (int64_t i = 0; i < p->rotary_dim / 2; i++) {
        const int64_t cell = x->full && adjacent && BUG != 2 ? 2 * i : i;
        const int64_t at = b * x->stride_batch + t * x->stride_token + cell;
        c[i] = load(dtype, (const char *)x->cos + at * size), s[i] = load(dtype, (const char *)x->sin + at * size);
        if (BUG == 3) s[i] = -s[i];
      }
      turn(p, &call->qk, b, t, p->rotary_offset, c, s);
    }
  return ROPECHECK_OK;
}
#elif KIND == FUSED
ropecheck_status ropecheck_fused(void *handle, const ropecheck_fused_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *p = &call->plan;
  if (bad(p, &call->qk) || bad_axes(p, 3) || call->token_start != 0) return ROPECHECK_BAD_ARGUMENT;
  for (int64_t b = 0; b < call->qk.batch; b++) {
    const char *row = (const char *)call->layouts + b * (int64_t)call->layouts->struct_size;
    const ropecheck_layout *layout = (const ropecheck_layout *)row;
    int64_t t = 0, start = 0;
    for (int64_t n = 0; n < layout->n_segments; n++) {
      const char *at = (const char *)layout->segments + n * (int64_t)layout->segments->struct_size;
      const ropecheck_segment *x = (const ropecheck_segment *)at;
      const int64_t text = x->T == 0, H = text ? 1 : x->H, W = text ? 1 : x->W, T = text ? x->tokens : x->T;
      if (t + x->tokens > call->qk.tokens) return ROPECHECK_BAD_ARGUMENT;
      for (int64_t k = 0; k < x->tokens; k++, t++) {
        const int64_t frame = k / (H * W), h = k / W % H, w = k % W;
        const int64_t place[3] = {start + frame, start + (text ? k : h), start + (text ? k : BUG ? h : w)};
        float c[MAX_PAIRS], s[MAX_PAIRS];
        for (int64_t i = 0; i < p->rotary_dim / 2; i++) {
          const uint8_t axis = p->axis_of_pair[i];
          const float f = powf(1e6f, -2.0f * (float)i / (float)p->rotary_dim);
          const float angle = axis == ROPECHECK_AXIS_NONE ? 0.0f : (float)place[axis] * f;
          c[i] = cosf(angle), s[i] = sinf(angle);
        }
        turn(p, &call->qk, b, t, p->rotary_offset, c, s);
      }
      start += text ? x->tokens : T > H && T > W ? T : H > W ? H : W;
    }
    if (t < call->qk.tokens) return ROPECHECK_BAD_ARGUMENT;
  }
  return ROPECHECK_OK;
}
#else
ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  (void)handle, (void)err, (void)err_len;
  const ropecheck_plan *p = &call->plan;
  const ropecheck_position_tensor *x = &call->positions;
  const ropecheck_cos_sin_cache *cache = &call->cache;
  if (bad(p, &call->qk) || bad_axes(p, call->scheme.n_axes)) return ROPECHECK_BAD_ARGUMENT;
  if (cache->rows < call->qk.tokens) return ROPECHECK_UNSUPPORTED;
  const int64_t R = p->rotary_dim / 2, size = storage_size(cache->dtype);
  for (int64_t b = 0; b < call->qk.batch; b++)
    for (int64_t t = 0; t < call->qk.tokens; t++) {
      float c[MAX_PAIRS], s[MAX_PAIRS], row[3][2 * MAX_PAIRS];
      for (int64_t axis = 0; axis < call->scheme.n_axes && axis < 3; axis++) {
        const int64_t at = axis * x->stride_axis + b * x->stride_batch + t * x->stride_token;
        const int64_t position = ((const int64_t *)x->data)[at] - (BUG && t > 4);
        for (int64_t i = 0; i < 2 * R; i++)
          row[axis][i] = load(cache->dtype, (const char *)cache->data + (position * cache->stride_row + i) * size);
      }
      /* A select by products with 0 and 1, as vector code does it: every number of the rows is read. */
      for (int64_t i = 0; i < R; i++) {
        c[i] = s[i] = 0;
        for (int64_t axis = 0; axis < call->scheme.n_axes && axis < 3; axis++) {
          const float mine = p->axis_of_pair[i] == axis ? 1.0f : 0.0f;
          c[i] += mine * row[axis][i], s[i] += mine * row[axis][R + i];
        }
      }
      turn(p, &call->qk, b, t, p->rotary_offset, c, s);
    }
  return ROPECHECK_OK;
}
#endif
