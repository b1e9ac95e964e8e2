// cuda_bf16.h of the shim: bf16 by integers, to nearest with ties to even.
#ifndef SHIM_CUDA_BF16_H
#define SHIM_CUDA_BF16_H

#include "cuda_runtime.h"

struct __nv_bfloat16 {
  unsigned short bits;
};
struct alignas(4) __nv_bfloat162 {
  __nv_bfloat16 x, y;
};

static inline unsigned short __bfloat16_as_ushort(__nv_bfloat16 x) { return x.bits; }
static inline __nv_bfloat16 __ushort_as_bfloat16(unsigned short bits) { return __nv_bfloat16{bits}; }

static inline __nv_bfloat16 __float2bfloat16_rn(float x) {
  const unsigned bits = __float_as_uint(x);
  if ((bits & 0x7fffffff) > 0x7f800000) return __nv_bfloat16{0x7fff}; // NaN, as the hardware makes it
  const unsigned kept = bits >> 16, lost = bits & 0xffff;
  const unsigned up = lost > 0x8000 || (lost == 0x8000 && (kept & 1)) ? 1 : 0;
  return __nv_bfloat16{(unsigned short)(kept + up)}; // a carry moves into the exponent, up to infinity
}

static inline float __bfloat162float(__nv_bfloat16 x) { return __uint_as_float((unsigned)x.bits << 16); }

static inline __nv_bfloat162 __floats2bfloat162_rn(float x, float y) {
  return __nv_bfloat162{__float2bfloat16_rn(x), __float2bfloat16_rn(y)};
}

#endif
