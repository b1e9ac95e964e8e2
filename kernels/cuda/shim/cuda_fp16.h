// cuda_fp16.h of the shim: f16 by integers, to nearest with ties to even, with subnormals, infinities and NaN.
#ifndef SHIM_CUDA_FP16_H
#define SHIM_CUDA_FP16_H

#include "cuda_runtime.h"

struct __half {
  unsigned short bits;
};
struct alignas(4) __half2 {
  __half x, y;
};

static inline unsigned short __half_as_ushort(__half x) { return x.bits; }
static inline __half __ushort_as_half(unsigned short bits) { return __half{bits}; }

// v / 2^shift to nearest, ties to even; 1 <= shift <= 31.
static inline unsigned shim_shift_rounded(unsigned v, unsigned shift) {
  const unsigned kept = v >> shift, lost = v & ((1u << shift) - 1), middle = 1u << (shift - 1);
  return kept + (lost > middle || (lost == middle && (kept & 1)) ? 1u : 0u);
}

static inline __half __float2half_rn(float x) {
  const unsigned bits = __float_as_uint(x), sign = bits >> 16 & 0x8000, magnitude = bits & 0x7fffffff;
  const int exponent = (int)(magnitude >> 23) - 127;
  unsigned half;
  if (magnitude > 0x7f800000) return __half{0x7fff}; // NaN, as the hardware makes it
  if (exponent >= 16) {
    half = 0x7c00; // 65536 and above, infinity among them
  } else if (exponent >= -14) {
    half = shim_shift_rounded(magnitude - (112u << 23), 13); // a carry moves into the exponent, up to infinity
  } else if (exponent >= -25) {
    half = shim_shift_rounded((magnitude & 0x7fffff) | 0x800000, (unsigned)(-1 - exponent)); // units of 2^-24
  } else {
    half = 0;
  }
  return __half{(unsigned short)(sign | half)};
}

static inline float __half2float(__half x) {
  const unsigned sign = (x.bits & 0x8000u) << 16, exponent = x.bits >> 10 & 31u, fraction = x.bits & 0x3ffu;
  if (exponent == 31) return __uint_as_float(fraction == 0 ? sign | 0x7f800000u : 0x7fffffffu); // one NaN for all
  if (exponent != 0) return __uint_as_float(sign | (exponent + 112) << 23 | fraction << 13);
  const float magnitude = (float)fraction * 0x1p-24f; // exact
  return sign ? -magnitude : magnitude;
}

static inline __half2 __floats2half2_rn(float x, float y) { return __half2{__float2half_rn(x), __float2half_rn(y)}; }

#endif
