/* rope.c: a rotary position embedding for video language models, in plain C11, behind the ropecheck ABI.
 *
 *     cc -O2 -shared -fPIC -Iinclude -o librope.so kernels/c/rope.c -lm
 *
 * It has three of the four levels, so that each can be copied alone:
 *     positions   M-RoPE (Qwen2-VL) and VRoPE (its official code), from a layout of text, images and videos
 *     rotate      any scheme at all: the caller says which axis turns a pair, how fast, and where each token is
 *     fused       both at once, with no position tensor in between
 *
 * Arithmetic is f32 throughout, with a single rounding at the store: the contract class that ropecheck calls "fused".
 * The kernel keeps no state, allocates nothing and validates everything before it writes.
 *
 * Order of this file: manifest, errors, layouts and positions, rotation, the exported functions. */
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "ropecheck.h"
#include "rope_storage.h"

#define MAX_HEAD_DIM 512
#define MAX_PAIRS (MAX_HEAD_DIM / 2)
#define MAX_SCHEME_AXES 4

static const char MANIFEST[] =
    "{\"name\":\"rope.c\",\"version\":\"1\","
    "\"levels\":{"
    "\"positions\":{\"consumes\":[\"layout\"],\"schemes\":[\"m-rope@default\",\"vrope@official\"]},"
    "\"rotate\":{\"consumes\":[\"positions\",\"axis_of_pair\",\"inv_freq\"],\"schemes\":[\"*\"],"
    "\"contract\":{\"class\":\"fused\",\"frequencies\":\"table\"}},"
    "\"fused\":{\"consumes\":[\"layout\",\"base\"],\"schemes\":[\"m-rope@default\",\"vrope@official\"],"
    "\"contract\":{\"class\":\"fused\",\"frequencies\":\"pow-reciprocal\"}}},"
    "\"dtypes\":[\"f32\",\"f16\",\"bf16\"],\"position_dtypes\":[\"i32\",\"i64\",\"f32\",\"f64\"],"
    "\"pairings\":[\"half\",\"adjacent\"],\"head_dims\":{\"min\":2,\"max\":512,\"multiple\":2},"
    "\"partial_rotary\":true,\"rotary_offsets\":{\"min\":0,\"max\":512},"
    "\"q_heads\":{\"min\":1,\"max\":1024},\"k_heads\":{\"min\":0,\"max\":1024},"
    "\"alias\":[\"out\",\"in\"],\"strides\":\"any\",\"position_strides\":\"any\","
    "\"max_position\":2147483647,\"token_ranges\":true,"
    "\"varlen\":true,\"bit_stable\":true,"
    "\"directions\":[1,-1],\"attention_scaling\":true,\"per_head\":true}";

/* ---------------------------------------------------------------------------------------------------------- errors */

/* Where a message goes. */
typedef struct {
  char *text;
  size_t size;
} note;

static ropecheck_status fail(note to, ropecheck_status status, const char *format, ...) {
  if (to.text != NULL && to.size > 0) {
    va_list args;
    va_start(args, format);
    vsnprintf(to.text, to.size, format, args);
    va_end(args);
  }
  return status;
}

#define BAD(to, ...) fail(to, ROPECHECK_BAD_ARGUMENT, __VA_ARGS__)
#define UNSUPPORTED(to, ...) fail(to, ROPECHECK_UNSUPPORTED, __VA_ARGS__)

/* Returns from the calling function unless `call` is OK. */
#define TRY(call)                                      \
  do {                                                 \
    const ropecheck_status try_status = (call);        \
    if (try_status != ROPECHECK_OK) return try_status; \
  } while (0)

/* ------------------------------------------------------------------------------------------- layouts and positions */

typedef enum { M_ROPE, VROPE } scheme_id;

static ropecheck_status find_scheme(const ropecheck_scheme *scheme, scheme_id *id, note to) {
  if (scheme->scheme == NULL || scheme->profile == NULL) return BAD(to, "the scheme has no name");
  int axes;
  if (strcmp(scheme->scheme, "m-rope") == 0 && strcmp(scheme->profile, "default") == 0) {
    *id = M_ROPE, axes = 3;
  } else if (strcmp(scheme->scheme, "vrope") == 0 && strcmp(scheme->profile, "official") == 0) {
    *id = VROPE, axes = 4;
  } else {
    return UNSUPPORTED(to, "no positions for %s@%s", scheme->scheme, scheme->profile);
  }
  return scheme->n_axes == axes ? ROPECHECK_OK : BAD(to, "%s has %d axes", scheme->scheme, axes);
}

/* Arrays of structs are stepped through by the size that the caller knows, which a newer header may have raised. */
static const ropecheck_layout *layout_at(const ropecheck_layout *first, int64_t row) {
  return (const ropecheck_layout *)((const char *)first + row * (int64_t)first->struct_size);
}

static const ropecheck_segment *segment_at(const ropecheck_layout *layout, int64_t index) {
  const ropecheck_segment *first = layout->segments;
  return (const ropecheck_segment *)((const char *)first + index * (int64_t)first->struct_size);
}

/* Every position of these schemes is below the number of tokens before it plus those of its own segment
 * (W + H - 1 <= W * H, max(T, H, W) <= T * H * W), so no sum below can overflow once the tokens are counted here. */
static ropecheck_status check_layout(const ropecheck_layout *layout, int64_t *tokens, note to) {
  if (layout->struct_size < sizeof(ropecheck_layout)) return BAD(to, "layout.struct_size is too small");
  if (layout->n_segments < 0) return BAD(to, "n_segments is negative");
  if (layout->n_segments > 0 && layout->segments == NULL) return BAD(to, "segments is NULL");
  *tokens = 0;
  for (int64_t i = 0; i < layout->n_segments; i++) {
    const ropecheck_segment *s = segment_at(layout, i);
    if (s->struct_size < sizeof(ropecheck_segment)) return BAD(to, "segment.struct_size is too small");
    if (s->kind != ROPECHECK_TEXT) {
      if (s->kind != ROPECHECK_IMAGE && s->kind != ROPECHECK_VIDEO) return BAD(to, "unknown kind of segment");
      if (s->T < 1 || s->H < 1 || s->W < 1) return BAD(to, "a grid needs T, H and W of at least 1");
      if (s->kind == ROPECHECK_IMAGE && s->T != 1) return BAD(to, "an image has T = 1");
      const int64_t rows = s->tokens / s->W;
      if (s->tokens % s->W != 0 || rows % s->H != 0 || rows / s->H != s->T) return BAD(to, "tokens is not T*H*W");
    } else if (s->tokens < 0) {
      return BAD(to, "tokens is negative");
    }
    if (s->tokens > INT64_MAX - *tokens) return BAD(to, "too many tokens");
    *tokens += s->tokens;
  }
  return ROPECHECK_OK;
}

/* All rows must hold the tokens [start, start + count). */
static ropecheck_status check_rows(const ropecheck_layout *layouts, int64_t batch, int64_t start, int64_t count,
                                   note to) {
  if (batch < 0 || start < 0 || count < 0) return BAD(to, "a size is negative");
  if (batch > 0 && layouts == NULL) return BAD(to, "layouts is NULL");
  for (int64_t row = 0; row < batch; row++) {
    int64_t tokens = 0;
    TRY(check_layout(layout_at(layouts, row), &tokens, to));
    if (start > tokens || count > tokens - start) return BAD(to, "the token range ends after the row");
  }
  return ROPECHECK_OK;
}

/* Packed sequences follow one another in row 0, each with a layout of its own. */
static ropecheck_status check_packed(const ropecheck_fused_call *call, note to) {
  const int64_t *starts = call->cu_seqlens;
  if (call->qk.batch != 1) return BAD(to, "packed sequences need a batch of 1");
  if (call->n_sequences < 1) return BAD(to, "n_sequences is not positive");
  if (call->token_start != 0) return BAD(to, "packed sequences have no token range");
  if (starts[0] != 0 || starts[call->n_sequences] != call->qk.tokens) return BAD(to, "cu_seqlens is not 0 .. tokens");
  for (int64_t i = 0; i < call->n_sequences; i++) {
    int64_t tokens = 0;
    if (call->layouts == NULL) return BAD(to, "layouts is NULL");
    TRY(check_layout(layout_at(call->layouts, i), &tokens, to));
    if (starts[i + 1] - starts[i] != tokens) return BAD(to, "cu_seqlens and layouts differ");
  }
  return ROPECHECK_OK;
}

/* How far a segment moves the running position. */
static int64_t advance(scheme_id scheme, const ropecheck_segment *s) {
  if (s->kind == ROPECHECK_TEXT) return s->tokens;
  if (scheme == VROPE) return s->T * (s->W + s->H - 1);
  const int64_t rows_or_columns = s->H > s->W ? s->H : s->W;
  return s->T > rows_or_columns ? s->T : rows_or_columns;
}

/* Positions of token n of a segment that starts at running position p. */
static void token_position(scheme_id scheme, const ropecheck_segment *segment, int64_t p, int64_t n,
                           int64_t *position) {
  if (segment->kind == ROPECHECK_TEXT) {
    for (int axis = 0; axis < MAX_SCHEME_AXES; axis++) position[axis] = p + n;
    return;
  }
  const int64_t H = segment->H, W = segment->W;
  const int64_t t = n / (H * W), h = n / W % H, w = n % W;
  if (scheme == M_ROPE) {
    position[0] = p + t;
    position[1] = p + h;
    position[2] = p + w;
    return;
  }
  const int64_t s = p + t * (W + H - 1); /* frames follow one another */
  const int64_t m = W + H - 2;           /* largest rotated coordinate */
  const int64_t u = w + h, v = w - h + H - 1;
  position[0] = s + u;     /* u_pos */
  position[1] = s + m - v; /* v_neg */
  position[2] = s + v;     /* v_pos */
  position[3] = s + m - u; /* u_neg */
}

/* A place in a row: token `n` of segment `index`, whose running position is `p`. */
typedef struct {
  scheme_id scheme;
  const ropecheck_layout *layout;
  int64_t index, n, p;
} cursor;

/* Steps over the segments that lie before the token. Past the last token, p is the position of the next text token. */
static void settle(cursor *c) {
  while (c->index < c->layout->n_segments && c->n >= segment_at(c->layout, c->index)->tokens) {
    const ropecheck_segment *segment = segment_at(c->layout, c->index);
    c->n -= segment->tokens;
    c->p += advance(c->scheme, segment);
    c->index++;
  }
}

static cursor cursor_at(scheme_id scheme, const ropecheck_layout *layout, int64_t token) {
  cursor c = {scheme, layout, 0, token, 0};
  settle(&c);
  return c;
}

/* The position of a text token after the whole row. */
static int64_t end_of_row(scheme_id scheme, const ropecheck_layout *layout) {
  return cursor_at(scheme, layout, INT64_MAX).p;
}

static void next_position(cursor *c, int64_t *position) {
  token_position(c->scheme, segment_at(c->layout, c->index), c->p, c->n, position);
  c->n++;
  settle(c);
}

/* -------------------------------------------------------------------------------------------------------- rotation */

/* What one pair does. A pair that no axis turns has frequency 0. */
typedef struct {
  int axis;
  float inv_freq;
} pair;

static ropecheck_status check_tensors(const char *name, const ropecheck_tensor *in, const ropecheck_tensor *out,
                                      note to) {
  if (in->data == NULL || out->data == NULL) return BAD(to, "%s has no data", name);
  if (in->dtype != out->dtype) return BAD(to, "%s and its output differ in dtype", name);
  if (storage_size(in->dtype) == 0) return UNSUPPORTED(to, "dtype %d of %s", (int)in->dtype, name);
  return ROPECHECK_OK;
}

/* Checks all that rotate and fused share. */
static ropecheck_status check_rotation(const ropecheck_scheme *scheme, const ropecheck_plan *plan,
                                       const ropecheck_qk *qk, note to) {
  if (scheme->struct_size < sizeof *scheme) return BAD(to, "scheme.struct_size is too small");
  if (plan->struct_size < sizeof *plan) return BAD(to, "plan.struct_size is too small");
  if (qk->struct_size < sizeof *qk) return BAD(to, "qk.struct_size is too small");
  if (scheme->n_axes < 1 || scheme->n_axes > ROPECHECK_AXIS_NONE) return BAD(to, "n_axes is not in 1..255");
  if (plan->pairing != ROPECHECK_PAIRING_HALF && plan->pairing != ROPECHECK_PAIRING_ADJACENT)
    return BAD(to, "unknown pairing");
  if (plan->direction != 1 && plan->direction != -1) return BAD(to, "direction is neither 1 nor -1");
  if (plan->head_dim < 1) return BAD(to, "head_dim is not positive");
  if (plan->head_dim > MAX_HEAD_DIM) return UNSUPPORTED(to, "head_dim above %d", MAX_HEAD_DIM);
  if (plan->rotary_dim < 0 || plan->rotary_dim % 2 != 0) return BAD(to, "rotary_dim is odd or negative");
  if (plan->rotary_offset < 0) return BAD(to, "rotary_offset is negative");
  if (plan->rotary_dim > plan->head_dim || plan->rotary_offset > plan->head_dim - plan->rotary_dim)
    return BAD(to, "rotary_offset + rotary_dim is above head_dim");
  if (qk->batch < 0 || qk->tokens < 0 || qk->q_heads < 0 || qk->k_heads < 0) return BAD(to, "a size is negative");
  if (qk->batch == 0 || qk->tokens == 0) return ROPECHECK_OK; /* empty: no data needed */
  if (qk->q_heads > 0) TRY(check_tensors("q", &qk->q, &qk->q_out, to));
  if (qk->k_heads > 0) TRY(check_tensors("k", &qk->k, &qk->k_out, to));
  return ROPECHECK_OK;
}

/* Rotates one head of one token. Both channels of a pair are read before either is written: x may be y. */
static void rotate_head(const ropecheck_plan *plan, const ropecheck_tensor *in, const ropecheck_tensor *out,
                        int64_t row, int64_t token, int64_t head, const float *c, const float *s) {
  const ropecheck_dtype dtype = in->dtype;
  const int64_t size = storage_size(dtype), R = plan->rotary_dim / 2, offset = plan->rotary_offset;
  const int half = plan->pairing == ROPECHECK_PAIRING_HALF;
  const int64_t *i_stride = in->stride, *o_stride = out->stride;
  const char *x = (const char *)in->data + (row * i_stride[0] + token * i_stride[1] + head * i_stride[2]) * size;
  char *y = (char *)out->data + (row * o_stride[0] + token * o_stride[1] + head * o_stride[2]) * size;
  const int64_t x_step = i_stride[3] * size, y_step = o_stride[3] * size;

  for (int64_t i = 0; i < R; i++) {
    const int64_t first = offset + (half ? i : 2 * i), second = first + (half ? R : 1);
    const float a = load(dtype, x + first * x_step);
    const float b = load(dtype, x + second * x_step);
    store(dtype, y + first * y_step, a * c[i] - b * s[i]);
    store(dtype, y + second * y_step, b * c[i] + a * s[i]);
  }
  for (int64_t d = 0; d < plan->head_dim && x != y; d++) {
    if (d >= offset && d < offset + 2 * R) continue;
    memcpy(y + d * y_step, x + d * x_step, (size_t)size); /* the bits themselves: NaN and -0 go through unchanged */
  }
}

/* Rotates heads [first, last) of one token, q heads counted before k heads. They share cosines and sines. */
static void rotate_token(const ropecheck_plan *plan, const pair *pairs, const float *position, const ropecheck_qk *qk,
                         int64_t row, int64_t token, int64_t first, int64_t last) {
  float c[MAX_PAIRS], s[MAX_PAIRS];
  const float scaling = (float)plan->attention_scaling;
  const float sign = plan->direction < 0 ? -1.0f : 1.0f;
  for (int64_t i = 0; i < plan->rotary_dim / 2; i++) {
    const float angle = position[pairs[i].axis] * pairs[i].inv_freq;
    c[i] = scaling * cosf(angle);
    s[i] = scaling * (sign * sinf(angle));
  }
  for (int64_t head = first; head < last; head++) {
    if (head < qk->q_heads)
      rotate_head(plan, &qk->q, &qk->q_out, row, token, head, c, s);
    else
      rotate_head(plan, &qk->k, &qk->k_out, row, token, head - qk->q_heads, c, s);
  }
}

/* The axis of pair i of R, as these two schemes lay their axes over the frequencies. */
static int scheme_axis(scheme_id scheme, int64_t i, int64_t R) {
  if (scheme == VROPE) return (int)(i % 4);
  const int64_t spatial = 3 * R / 8; /* pairs of h and of w; t has the others: 16, 24, 24 of 64 */
  const int64_t temporal = R - 2 * spatial;
  return i < temporal ? 0 : i < temporal + spatial ? 1 : 2;
}

/* ------------------------------------------------------------------------------------------------ what is exported */

uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }

const char *ropecheck_describe(void) { return MANIFEST; }

ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  (void)err, (void)err_len;
  *handle = NULL;
  return ROPECHECK_OK;
}

void ropecheck_close(void *handle) { (void)handle; }

ropecheck_status ropecheck_positions(void *handle, const ropecheck_positions_call *call, char *err, size_t err_len) {
  (void)handle;
  const note to = {err, err_len};
  if (call->struct_size < sizeof *call) return BAD(to, "call.struct_size is too small");
  if (call->scheme.struct_size < sizeof call->scheme) return BAD(to, "scheme.struct_size is too small");
  scheme_id scheme;
  TRY(find_scheme(&call->scheme, &scheme, to));
  TRY(check_rows(call->layouts, call->batch, call->token_start, call->token_count, to));
  const ropecheck_position_tensor *out = &call->out, *next = &call->next;
  if (call->batch > 0 && call->token_count > 0) {
    if (out->data == NULL) return BAD(to, "out has no data");
    if (position_size(out->dtype) == 0) return UNSUPPORTED(to, "dtype %d of out", (int)out->dtype);
  }
  if (next->data != NULL && position_size(next->dtype) == 0)
    return UNSUPPORTED(to, "dtype %d of next", (int)next->dtype);
  const int narrow = out->dtype == ROPECHECK_I32 || (next->data != NULL && next->dtype == ROPECHECK_I32);
  for (int64_t row = 0; row < call->batch && narrow; row++) {
    if (end_of_row(scheme, layout_at(call->layouts, row)) > INT32_MAX)
      return UNSUPPORTED(to, "the positions do not fit an i32");
  }

  for (int64_t row = 0; row < call->batch; row++) {
    const ropecheck_layout *layout = layout_at(call->layouts, row);
    cursor c = cursor_at(scheme, layout, call->token_start);
    for (int64_t token = 0; token < call->token_count; token++) {
      int64_t position[MAX_SCHEME_AXES];
      next_position(&c, position);
      for (int axis = 0; axis < call->scheme.n_axes; axis++) store_position(out, axis, row, token, position[axis]);
    }
    if (next->data == NULL) continue;
    for (int axis = 0; axis < call->scheme.n_axes; axis++)
      store_position(next, axis, row, 0, end_of_row(scheme, layout)); /* whatever the range was */
  }
  return ROPECHECK_OK;
}

ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  (void)handle;
  const note to = {err, err_len};
  if (call->struct_size < sizeof *call) return BAD(to, "call.struct_size is too small");
  const ropecheck_plan *plan = &call->plan;
  const ropecheck_qk *qk = &call->qk;
  const ropecheck_position_tensor *positions = &call->positions;
  TRY(check_rotation(&call->scheme, plan, qk, to));
  const int64_t R = plan->rotary_dim / 2, heads = qk->q_heads + qk->k_heads;
  if (R > 0 && (plan->axis_of_pair == NULL || plan->inv_freq == NULL)) return BAD(to, "the plan has no tables");
  const int shared = plan->axis_head_stride == 0 && plan->inv_freq_head_stride == 0;
  for (int64_t head = 0; head < (shared ? 1 : heads); head++) {
    for (int64_t i = 0; i < R; i++) {
      const int axis = plan->axis_of_pair[head * plan->axis_head_stride + i];
      if (axis >= call->scheme.n_axes && axis != ROPECHECK_AXIS_NONE)
        return BAD(to, "pair %d is on axis %d of %d", (int)i, axis, (int)call->scheme.n_axes);
    }
  }
  if (qk->batch == 0 || qk->tokens == 0) return ROPECHECK_OK;
  if (position_size(positions->dtype) == 0) return UNSUPPORTED(to, "dtype %d of positions", (int)positions->dtype);
  if (positions->data == NULL) return BAD(to, "positions has no data");

  float position[ROPECHECK_AXIS_NONE + 1] = {0};
  pair pairs[MAX_PAIRS];
  for (int64_t head = 0; head < heads; head = shared ? heads : head + 1) { /* heads with one table go together */
    for (int64_t i = 0; i < R; i++) {
      pairs[i].axis = plan->axis_of_pair[head * plan->axis_head_stride + i];
      const double inv_freq = plan->inv_freq[head * plan->inv_freq_head_stride + i];
      pairs[i].inv_freq = pairs[i].axis == ROPECHECK_AXIS_NONE ? 0.0f : (float)inv_freq;
    }
    for (int64_t row = 0; row < qk->batch; row++) {
      for (int64_t token = 0; token < qk->tokens; token++) {
        for (int axis = 0; axis < call->scheme.n_axes; axis++)
          position[axis] = load_position(positions, axis, row, token);
        rotate_token(plan, pairs, position, qk, row, token, head, shared ? heads : head + 1);
      }
    }
  }
  return ROPECHECK_OK;
}

ropecheck_status ropecheck_fused(void *handle, const ropecheck_fused_call *call, char *err, size_t err_len) {
  (void)handle;
  const note to = {err, err_len};
  /* Callers with an older header know no cu_seqlens. */
  if (call->struct_size < offsetof(ropecheck_fused_call, cu_seqlens)) return BAD(to, "call.struct_size is too small");
  const ropecheck_plan *plan = &call->plan;
  const ropecheck_qk *qk = &call->qk;
  const int64_t *starts = call->struct_size < sizeof *call ? NULL : call->cu_seqlens;
  const int64_t rows = starts != NULL ? call->n_sequences : qk->batch;
  scheme_id scheme;
  TRY(check_rotation(&call->scheme, plan, qk, to));
  TRY(find_scheme(&call->scheme, &scheme, to));
  if (starts != NULL)
    TRY(check_packed(call, to));
  else
    TRY(check_rows(call->layouts, qk->batch, call->token_start, qk->tokens, to));
  if (isnan(plan->base)) return UNSUPPORTED(to, "the frequencies are no powers of one base");
  if (plan->base <= 0) return BAD(to, "base is not positive");

  const int64_t R = plan->rotary_dim / 2;
  const float base = (float)plan->base;
  pair pairs[MAX_PAIRS];
  for (int64_t i = 0; i < R; i++) {
    pairs[i].axis = scheme_axis(scheme, i, R);
    pairs[i].inv_freq = 1.0f / powf(base, (float)(2 * i) / (float)plan->rotary_dim);
  }
  for (int64_t row = 0; row < rows; row++) {
    const int64_t first = starts != NULL ? starts[row] : 0;
    const int64_t tokens = starts != NULL ? starts[row + 1] - first : qk->tokens;
    cursor c = cursor_at(scheme, layout_at(call->layouts, row), call->token_start);
    for (int64_t token = 0; token < tokens; token++) {
      int64_t exact[MAX_SCHEME_AXES];
      float position[MAX_SCHEME_AXES];
      next_position(&c, exact);
      for (int axis = 0; axis < call->scheme.n_axes; axis++) position[axis] = (float)exact[axis];
      rotate_token(plan, pairs, position, qk, starts != NULL ? 0 : row, first + token, 0, qk->q_heads + qk->k_heads);
    }
  }
  return ROPECHECK_OK;
}
