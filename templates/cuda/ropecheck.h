/* ropecheck.h: what a shared library exports so that ropecheck can judge its rotary position embedding.
 *
 * ABI 1. Only the four call structs ever grow, and only at their end; every struct that is embedded in another one
 * or stands in an array is frozen. Every struct begins with struct_size, the size that the caller knows, so that a
 * library built against an older header still runs.
 *
 * A library exports
 *     ropecheck_abi_version, ropecheck_describe, ropecheck_open, ropecheck_close
 * and at least one of
 *     ropecheck_positions   layout            -> positions          (level "positions")
 *     ropecheck_rotate      positions + plan  -> rotated q and k    (level "rotate")
 *     ropecheck_fused       layout            -> rotated q and k    (level "fused")
 *     ropecheck_apply       cos, sin          -> rotated q and k    (level "apply")
 * and states in its manifest (the JSON of ropecheck_describe) which levels it has, which schemes, dtypes and
 * shapes it takes, and what it CONSUMES. Everything that the manifest does not list under "consumes" arrives
 * poisoned: present, but filled with values that make a result wrong. docs/abi.md describes the manifest.
 *
 * Conventions
 *   - Sizes and strides count ELEMENTS, never bytes. Strides may be negative or larger than packed.
 *   - Tensors have four dimensions: batch, token, head, channel (strides b, t, h, d).
 *   - Pair i of a head is channels (off+i, off+i+R) for ROPECHECK_PAIRING_HALF and (off+2i, off+2i+1) for
 *     ROPECHECK_PAIRING_ADJACENT, with off = rotary_offset and R = rotary_dim/2.
 *   - With (a, b) the two channels of pair i, m = attention_scaling and angle = position * inv_freq[i]:
 *         a' = m * (a*cos(angle) - b*sin(angle)),   b' = m * (b*cos(angle) + a*sin(angle))
 *     and for direction = -1 the angle is negated.
 *   - Channels outside [rotary_offset, rotary_offset + rotary_dim) are copied from input to output unchanged, bit by
 *     bit but for the payload of a NaN: a NaN comes back as some NaN.
 *   - Output may alias input exactly (q_out.data == q.data with equal strides): then the call is in place.
 *   - Every call returns a ropecheck_status; err (err_len bytes, may be NULL) takes a message when it is not OK.
 */
#ifndef ROPECHECK_H
#define ROPECHECK_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ROPECHECK_ABI_VERSION 1u

typedef int32_t ropecheck_status;
enum {
  ROPECHECK_OK = 0,
  ROPECHECK_UNSUPPORTED = 1,   /* outside what the manifest offers; inside it, this counts as a failure */
  ROPECHECK_BAD_ARGUMENT = 2,  /* the call makes no sense (odd rotary_dim, axis >= n_axes, ...) */
  ROPECHECK_INTERNAL = 3,      /* anything else that went wrong */
  ROPECHECK_NO_DEVICE = 4      /* from ropecheck_open only: the machine has no device that this library can run on */
};

typedef int32_t ropecheck_dtype;
enum {
  ROPECHECK_F32 = 0, ROPECHECK_F16 = 1, ROPECHECK_BF16 = 2, ROPECHECK_F64 = 3,
  ROPECHECK_I32 = 4, ROPECHECK_I64 = 5
};

enum { ROPECHECK_PAIRING_HALF = 0, ROPECHECK_PAIRING_ADJACENT = 1 };
enum { ROPECHECK_TEXT = 0, ROPECHECK_IMAGE = 1, ROPECHECK_VIDEO = 2 };

/* The axis of a pair that no axis rotates: its two channels get angle 0 (they are still scaled by attention_scaling). */
#define ROPECHECK_AXIS_NONE 255

/* One segment of a sequence. Text has tokens > 0 and T = H = W = 0. An image has T = 1; a video T frames of H rows
 * and W columns; both have tokens = T*H*W, in raster order (t, then h, then w). seconds_num/seconds_den: seconds per
 * frame as an exact fraction (1/1 unless the layout says otherwise). */
typedef struct {
  uint32_t struct_size;
  int32_t kind;
  int64_t T, H, W;
  int64_t tokens;
  int64_t seconds_num, seconds_den;
} ropecheck_segment;

/* The segments of one batch row. */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  const ropecheck_segment *segments;
  int64_t n_segments;
} ropecheck_layout;

/* A named scheme parameter ("delta" = 2), as the nearest double and as an exact fraction. */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  const char *name;
  double value;
  int64_t num, den;
} ropecheck_parameter;

/* Which scheme a call is about. profile is never NULL ("default" where a scheme has one profile only). */
typedef struct {
  uint32_t struct_size;
  int32_t n_axes;
  const char *scheme;
  const char *profile;
  const char *const *axes;                 /* n_axes names */
  const ropecheck_parameter *parameters;
  int64_t n_parameters;
} ropecheck_scheme;

typedef struct {
  uint32_t struct_size;
  ropecheck_dtype dtype;
  void *data;
  int64_t stride[4];                       /* b, t, h, d; below 0 only if the manifest says "negative_strides": true */
} ropecheck_tensor;

/* Positions. dtype is one that the manifest lists (I32, I64, F32 or F64). stride_token is 1, and stride_batch not 0, unless
 * the manifest says "position_strides": "any". */
typedef struct {
  uint32_t struct_size;
  ropecheck_dtype dtype;
  void *data;
  int64_t stride_axis, stride_batch, stride_token;
} ropecheck_position_tensor;

/* A cos or sin table for the tokens of the call: element [b][t][j], half width (j < R) unless full != 0
 * (then j < 2R, one for each rotated channel in the channels' order; the two of a pair are equal). dtype is one
 * that the manifest lists in table_dtypes. */
typedef struct {
  uint32_t struct_size;
  ropecheck_dtype dtype;
  const void *cos;
  const void *sin;
  int64_t stride_batch, stride_token;
  int32_t full;
  int32_t reserved;
} ropecheck_cos_sin;

/* A cos/sin cache by position, one axis (row p: R cosines, then R sines). rows positions, from 0. dtype as above. */
typedef struct {
  uint32_t struct_size;
  ropecheck_dtype dtype;
  const void *data;
  int64_t rows, stride_row;
} ropecheck_cos_sin_cache;

/* The rotation plan: what each pair does. With head strides of 0 all heads share one row. q heads come first
 * in the tables, then k heads, when a head stride is not 0. */
typedef struct {
  uint32_t struct_size;
  int32_t pairing;
  int64_t head_dim, rotary_dim, rotary_offset;
  int32_t direction;                       /* +1, or -1: the transpose, which is also the backward pass */
  int32_t reserved;
  double attention_scaling;
  const uint8_t *axis_of_pair;             /* [head][R], or ROPECHECK_AXIS_NONE */
  int64_t axis_head_stride;
  const double *inv_freq;                  /* [head][R] */
  int64_t inv_freq_head_stride;
  /* Derived copies, for adapters to kernels that take these instead: */
  double base;                             /* the scheme's parameter; the frequencies need not be base^(-2i/rotary_dim) */
  const int64_t *sections;                 /* pairs per axis, in the order of the axes; NULL where the map is no such list */
  int32_t n_sections;
  int32_t interleaved;                     /* 0: the sections are blocks; 1: they cycle (Qwen3-VL) */
} ropecheck_plan;

/* q [batch, tokens, q_heads, head_dim] and k [batch, tokens, k_heads, head_dim]; k.data may be NULL (then k_heads = 0). */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  int64_t batch, tokens, q_heads, k_heads;
  ropecheck_tensor q, k, q_out, k_out;
} ropecheck_qk;

/* level "positions": write positions of tokens [token_start, token_start + token_count) of every row, and for every row
 * and axis the position that text would go on with after the whole row, whatever the token range (next: element
 * [axis][batch]).
 * next_data may be NULL. All rows have the same number of tokens. */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  ropecheck_scheme scheme;
  int64_t batch;
  const ropecheck_layout *layouts;         /* one per batch row */
  int64_t token_start, token_count;
  ropecheck_position_tensor out;
  ropecheck_position_tensor next;          /* stride_token is not used */
  void *stream;
} ropecheck_positions_call;

/* level "rotate". */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  ropecheck_scheme scheme;
  ropecheck_plan plan;
  ropecheck_qk qk;
  ropecheck_position_tensor positions;     /* stride_batch 0: shared by all rows */
  const int64_t *cu_seqlens;               /* NULL, or n_sequences + 1 token offsets into batch row 0: batch is 1, and
                                            * sequence i is its tokens [cu_seqlens[i], cu_seqlens[i + 1]) */
  int64_t n_sequences;
  ropecheck_cos_sin cos_sin;
  ropecheck_cos_sin_cache cache;
  void *stream;
} ropecheck_rotate_call;

/* level "fused": as rotate, but the kernel computes the positions itself from the layout. The tensors hold tokens
 * [token_start, token_start + qk.tokens) of each row. */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  ropecheck_scheme scheme;
  ropecheck_plan plan;
  ropecheck_qk qk;
  const ropecheck_layout *layouts;         /* one per batch row; where sequences are packed, one per sequence */
  int64_t token_start;
  void *stream;
  const int64_t *cu_seqlens;               /* as in ropecheck_rotate_call */
  int64_t n_sequences;
} ropecheck_fused_call;

/* level "apply": rotate by the cosines and sines given. Of plan, only pairing, head_dim, rotary_dim, rotary_offset and
 * direction mean anything; attention_scaling is already in the table. */
typedef struct {
  uint32_t struct_size;
  int32_t reserved;
  ropecheck_plan plan;
  ropecheck_qk qk;
  ropecheck_cos_sin cos_sin;
  void *stream;
  const int64_t *cu_seqlens;               /* as in ropecheck_rotate_call */
  int64_t n_sequences;
} ropecheck_apply_call;

/* Must return ROPECHECK_ABI_VERSION as the library was compiled with. */
uint32_t ropecheck_abi_version(void);
/* A JSON object, NUL-terminated, valid as long as the library is loaded. See docs/abi.md. */
const char *ropecheck_describe(void);
/* One handle is opened before the first call and closed after the last. *handle may be left NULL. */
ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len);
void ropecheck_close(void *handle);

ropecheck_status ropecheck_positions(void *handle, const ropecheck_positions_call *call, char *err, size_t err_len);
ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len);
ropecheck_status ropecheck_fused(void *handle, const ropecheck_fused_call *call, char *err, size_t err_len);
ropecheck_status ropecheck_apply(void *handle, const ropecheck_apply_call *call, char *err, size_t err_len);

/* ------------------------------------------------------------------------------------ device memory (optional)
 *
 * A library whose kernels run on a device exports the six functions below, all of them or none. Then ropecheck owns
 * every device buffer, with guards and poison around and inside it, and the pointers of a call point to device memory:
 *     device: tensor data (q, k, q_out, k_out), positions.data, out.data, next.data, plan.axis_of_pair, plan.inv_freq,
 *             cos_sin.cos, cos_sin.sin, cache.data, cu_seqlens
 *     host:   the structs themselves, every name, scheme.axes, scheme.parameters, layouts, segments, plan.sections
 * All offsets, strides, poison and aliasing rules stay as they are. Without the six all memory of a call is host memory.
 *
 * Order. There is one stream, that of ropecheck_stream (NULL where it is not exported: the device's default stream). The
 * call structs carry it as `stream`. A level's function may return as soon as its work is in that stream. ropecheck
 * does, for every call: upload (or fill), the level's function, sync, download. It makes all of these calls from one thread.
 *
 * Errors. Each returns a ropecheck_status and writes a message of its own ("cudaMalloc of 512 bytes: out of memory"). A
 * status of ropecheck_sync that is not OK is the status of the calls since the sync before it: a kernel that faults late,
 * or that finds a bad axis only on the device, says so there. After a status other than OK from any of the six, the
 * process that holds the library is thrown away and a new one is started, because a device context may not survive a fault.
 * (A level's own refusal, or a sync that returns BAD_ARGUMENT or UNSUPPORTED, throws nothing away.)
 *
 * No device. ropecheck_open returns ROPECHECK_NO_DEVICE with a message that begins with what is missing ("no CUDA
 * device: ..."); ropecheck shows it and exits with code 6. */

/* Device memory of at least `bytes` >= 1 bytes, aligned to 256; what it holds is undefined. */
ropecheck_status ropecheck_alloc(void *handle, size_t bytes, void **device, char *err, size_t err_len);
/* Gives back what ropecheck_alloc returned, once. All work that uses it has been waited for. */
ropecheck_status ropecheck_free(void *handle, void *device, char *err, size_t err_len);
/* Host to device, in stream order. The host memory may be reused as soon as the function returns. `device` may lie
 * anywhere inside an allocation, at any alignment. */
ropecheck_status ropecheck_upload(void *handle, void *device, const void *host, size_t bytes, char *err, size_t err_len);
/* Device to host, in stream order. The bytes are there when the function returns. */
ropecheck_status ropecheck_download(void *handle, void *host, const void *device, size_t bytes, char *err,
                                    size_t err_len);
/* Sets every byte, in stream order. */
ropecheck_status ropecheck_fill(void *handle, void *device, uint8_t byte, size_t bytes, char *err, size_t err_len);
/* Waits until all work in the stream is done and reports what went wrong in it. */
ropecheck_status ropecheck_sync(void *handle, char *err, size_t err_len);

/* Optional, each on its own. */
/* The stream in which the handle's work is ordered (a cudaStream_t). The same for as long as the handle is open. */
void *ropecheck_stream(void *handle);
/* What the device is called, for reports ("NVIDIA H200, compute capability 9.0, driver 13.0"). Valid until close. */
const char *ropecheck_device(void *handle);

/* For `ropecheck bench`, optional, all three or none. Without them bench has only the wall clock between two
 * ropecheck_sync, and no device copy to compare with. */
/* Device to device, in stream order; the two do not overlap. */
ropecheck_status ropecheck_copy(void *handle, void *to, const void *from, size_t bytes, char *err, size_t err_len);
/* Marks a place in the stream; returns at once. */
ropecheck_status ropecheck_timer_start(void *handle, char *err, size_t err_len);
/* Marks a second place, waits for it, and gives the seconds between the two as the device measured them. */
ropecheck_status ropecheck_timer_stop(void *handle, double *seconds, char *err, size_t err_len);

#ifdef __cplusplus
}
#endif

/* Every build checks that both sides agree on the layout (LP64 and LLP64). */
#ifdef __cplusplus
#define ROPECHECK_ASSERT(c, m) static_assert(c, m)
#else
#define ROPECHECK_ASSERT(c, m) _Static_assert(c, m)
#endif
ROPECHECK_ASSERT(sizeof(void *) == 8, "ropecheck needs a 64-bit target");
ROPECHECK_ASSERT(sizeof(ropecheck_segment) == 56, "ropecheck_segment");
ROPECHECK_ASSERT(sizeof(ropecheck_layout) == 24, "ropecheck_layout");
ROPECHECK_ASSERT(sizeof(ropecheck_parameter) == 40, "ropecheck_parameter");
ROPECHECK_ASSERT(sizeof(ropecheck_scheme) == 48, "ropecheck_scheme");
ROPECHECK_ASSERT(sizeof(ropecheck_tensor) == 48, "ropecheck_tensor");
ROPECHECK_ASSERT(sizeof(ropecheck_position_tensor) == 40, "ropecheck_position_tensor");
ROPECHECK_ASSERT(sizeof(ropecheck_cos_sin) == 48, "ropecheck_cos_sin");
ROPECHECK_ASSERT(sizeof(ropecheck_cos_sin_cache) == 32, "ropecheck_cos_sin_cache");
ROPECHECK_ASSERT(sizeof(ropecheck_plan) == 104, "ropecheck_plan");
ROPECHECK_ASSERT(sizeof(ropecheck_qk) == 232, "ropecheck_qk");
ROPECHECK_ASSERT(offsetof(ropecheck_plan, axis_of_pair) == 48, "ropecheck_plan.axis_of_pair");
ROPECHECK_ASSERT(offsetof(ropecheck_positions_call, out) == 88, "ropecheck_positions_call.out");
ROPECHECK_ASSERT(offsetof(ropecheck_rotate_call, positions) == 392, "ropecheck_rotate_call.positions");
ROPECHECK_ASSERT(offsetof(ropecheck_fused_call, layouts) == 392, "ropecheck_fused_call.layouts");
ROPECHECK_ASSERT(offsetof(ropecheck_fused_call, cu_seqlens) == 416, "ropecheck_fused_call.cu_seqlens");
ROPECHECK_ASSERT(offsetof(ropecheck_apply_call, cu_seqlens) == 400, "ropecheck_apply_call.cu_seqlens");

#endif /* ROPECHECK_H */
