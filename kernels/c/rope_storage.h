/* rope_storage.h: numbers as tensors store them. f16 and bf16 are converted by hand, so that the kernel needs no
 * compiler extension and rounds the same way everywhere: to nearest, ties to even, with subnormals, overflow to
 * infinity, and NaN kept NaN. Elements are read and written with memcpy: a view may have any alignment. */
#ifndef ROPE_STORAGE_H
#define ROPE_STORAGE_H

#include <stdint.h>
#include <string.h>

#include "ropecheck.h"

/* v / 2^shift, rounded to nearest, ties to even. 1 <= shift <= 24 and v < 2^31. */
static inline uint32_t shift_right_rounded(uint32_t v, uint32_t shift) {
  return (v + ((UINT32_C(1) << (shift - 1)) - 1) + ((v >> shift) & 1)) >> shift;
}

static inline uint16_t f16_from_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff, exponent = magnitude >> 23;
  uint32_t half;
  if (magnitude > 0x7f800000) {
    half = 0x7e00; /* NaN */
  } else if (magnitude >= 0x477ff000) {
    half = 0x7c00; /* 65520 and above: nearer to 2^16 than to 65504, or the tie that goes to even */
  } else if (exponent >= 113) {
    half = shift_right_rounded(magnitude - (UINT32_C(112) << 23), 13); /* normal; a carry moves into the exponent */
  } else if (exponent >= 102) {
    half = shift_right_rounded((magnitude & 0x7fffff) | 0x800000, 126 - exponent); /* subnormal, in units of 2^-24 */
  } else {
    half = 0; /* below 2^-25 */
  }
  return (uint16_t)(sign | half);
}

static inline float f32_from_f16(uint16_t half) {
  const uint32_t sign = (half & 0x8000u) << 16, exponent = (half >> 10) & 31u, fraction = half & 0x3ffu;
  if (exponent == 0) {
    const float x = (float)fraction * 0x1p-24f; /* exact */
    return sign ? -x : x;
  }
  const uint32_t bits = sign | ((exponent == 31 ? UINT32_C(255) : exponent + 112) << 23) | (fraction << 13);
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

static inline uint16_t bf16_from_f32(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  const uint32_t sign = (bits >> 16) & 0x8000, magnitude = bits & 0x7fffffff;
  const uint32_t top = magnitude > 0x7f800000 ? 0x7fc0 : shift_right_rounded(magnitude, 16);
  return (uint16_t)(sign | top);
}

static inline float f32_from_bf16(uint16_t top) {
  const uint32_t bits = (uint32_t)top << 16;
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Bytes of an element of q, k and their outputs; 0 for a dtype that this kernel does not take. */
static inline int64_t storage_size(ropecheck_dtype dtype) {
  switch (dtype) {
    case ROPECHECK_F32: return 4;
    case ROPECHECK_F16: return 2;
    case ROPECHECK_BF16: return 2;
    default: return 0;
  }
}

static inline float load(ropecheck_dtype dtype, const char *from) {
  if (dtype == ROPECHECK_F32) {
    float x;
    memcpy(&x, from, sizeof x);
    return x;
  }
  uint16_t bits;
  memcpy(&bits, from, sizeof bits);
  return dtype == ROPECHECK_F16 ? f32_from_f16(bits) : f32_from_bf16(bits);
}

static inline void store(ropecheck_dtype dtype, char *to, float x) {
  if (dtype == ROPECHECK_F32) {
    memcpy(to, &x, sizeof x);
    return;
  }
  const uint16_t bits = dtype == ROPECHECK_F16 ? f16_from_f32(x) : bf16_from_f32(x);
  memcpy(to, &bits, sizeof bits);
}

/* Bytes of a position; 0 for a dtype that positions cannot have. */
static inline int64_t position_size(ropecheck_dtype dtype) {
  switch (dtype) {
    case ROPECHECK_I32: return 4;
    case ROPECHECK_I64: return 8;
    case ROPECHECK_F32: return 4;
    case ROPECHECK_F64: return 8;
    default: return 0;
  }
}

static inline char *position_address(const ropecheck_position_tensor *x, int64_t axis, int64_t row, int64_t token) {
  const int64_t element = axis * x->stride_axis + row * x->stride_batch + token * x->stride_token;
  return (char *)x->data + element * position_size(x->dtype);
}

/* A position as the angle needs it: rounded to f32 once, whatever it was stored in. */
static inline float load_position(const ropecheck_position_tensor *x, int64_t axis, int64_t row, int64_t token) {
  const char *from = position_address(x, axis, row, token);
  int32_t i32;
  int64_t i64;
  float f32;
  double f64;
  switch (x->dtype) {
    case ROPECHECK_I32: return memcpy(&i32, from, sizeof i32), (float)i32;
    case ROPECHECK_I64: return memcpy(&i64, from, sizeof i64), (float)i64;
    case ROPECHECK_F32: return memcpy(&f32, from, sizeof f32), f32;
    default: return memcpy(&f64, from, sizeof f64), (float)f64;
  }
}

/* The caller has made sure that an I32 can hold the value. */
static inline void store_position(const ropecheck_position_tensor *x, int64_t axis, int64_t row, int64_t token,
                                  int64_t value) {
  char *to = position_address(x, axis, row, token);
  const int32_t i32 = (int32_t)value;
  const float f32 = (float)value;
  const double f64 = (double)value;
  switch (x->dtype) {
    case ROPECHECK_I32: memcpy(to, &i32, sizeof i32); break;
    case ROPECHECK_I64: memcpy(to, &value, sizeof value); break;
    case ROPECHECK_F32: memcpy(to, &f32, sizeof f32); break;
    default: memcpy(to, &f64, sizeof f64); break;
  }
}

#endif /* ROPE_STORAGE_H */
