// cuda_runtime.h of the shim: as much of CUDA as the kernels of kernels/cuda use, on the CPU. See README.md beside it.
//
// A launch runs every thread of the grid to its end, one after the other, in an order that is shuffled (the same order for
// the same grid: ROPECHECK_SHIM_SEED changes it). So a kernel whose threads depend on each other without a barrier gives a
// wrong result. There is no __syncthreads, no shared memory and no warp function: what needs them does not compile.
//
// Memory from cudaMalloc can be touched only while a kernel runs and by the runtime's own functions. A host function that
// reads or writes it ends in SIGSEGV, as it would with a GPU.
#ifndef SHIM_CUDA_RUNTIME_H
#define SHIM_CUDA_RUNTIME_H

#include <math.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define SHIM_CUDA 1

#define __global__
#define __device__
#define __host__
#define __constant__ static const
#define __forceinline__ inline
#define __launch_bounds__(...)
#define __grid_constant__

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x = 1, unsigned y = 1, unsigned z = 1) : x(x), y(y), z(z) {}
};

struct alignas(16) uint4 {
  unsigned x, y, z, w;
};
struct alignas(8) uint2 {
  unsigned x, y;
};

// Where the running thread is. One thread of the CPU runs them all.
static dim3 gridDim, blockDim, blockIdx, threadIdx;

// ------------------------------------------------------------------------------------------------------ arithmetic

static inline float __fmul_rn(float a, float b) {
  volatile float product = a * b; // rounded by itself, even where the compiler may fuse
  return product;
}
static inline float __uint_as_float(unsigned x) {
  float y;
  memcpy(&y, &x, sizeof y);
  return y;
}
static inline unsigned __float_as_uint(float x) {
  unsigned y;
  memcpy(&y, &x, sizeof y);
  return y;
}

#ifdef USE_FAST_MATH
// What --use_fast_math makes of sincosf: one multiplication by 1/(2 pi) in f32 instead of a reduction, then a table with
// an absolute error of about 2^-21.4 (NVIDIA states 2^-21.41 for __sinf and 2^-21.19 for __cosf, on [-pi, pi]).
static inline float shim_fast(double turns, double shift) {
  const double exact = sin((turns - floor(turns)) * 6.283185307179586476925 + shift);
  return (float)(nearbyint(exact * 0x1p21) * 0x1p-21);
}
static inline void shim_sincosf(float x, float *s, float *c) {
  const float turns = x * 0.15915494309189535f;
  *s = shim_fast(turns, 0.0);
  *c = shim_fast(turns, 1.57079632679489661923);
}
#define sincosf shim_sincosf
#endif

// ------------------------------------------------------------------------------------------------------- statuses

enum cudaError_t {
  cudaSuccess = 0,
  cudaErrorInvalidValue = 1,
  cudaErrorMemoryAllocation = 2,
  cudaErrorInvalidConfiguration = 9,
  cudaErrorStubLibrary = 34,
  cudaErrorInsufficientDriver = 35,
  cudaErrorNoDevice = 100,
  cudaErrorInvalidResourceHandle = 400
};

static inline const char *cudaGetErrorName(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "cudaSuccess";
    case cudaErrorInvalidValue: return "cudaErrorInvalidValue";
    case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
    case cudaErrorInvalidConfiguration: return "cudaErrorInvalidConfiguration";
    case cudaErrorStubLibrary: return "cudaErrorStubLibrary";
    case cudaErrorInsufficientDriver: return "cudaErrorInsufficientDriver";
    case cudaErrorNoDevice: return "cudaErrorNoDevice";
    case cudaErrorInvalidResourceHandle: return "cudaErrorInvalidResourceHandle";
  }
  return "unknown";
}

static inline const char *cudaGetErrorString(cudaError_t error) {
  switch (error) {
    case cudaSuccess: return "no error";
    case cudaErrorInvalidValue: return "invalid argument";
    case cudaErrorMemoryAllocation: return "out of memory";
    case cudaErrorInvalidConfiguration: return "invalid configuration argument";
    case cudaErrorStubLibrary: return "CUDA driver is a stub library";
    case cudaErrorInsufficientDriver: return "CUDA driver version is insufficient for CUDA runtime version";
    case cudaErrorNoDevice: return "no CUDA-capable device is detected";
    case cudaErrorInvalidResourceHandle: return "invalid resource handle";
  }
  return "unrecognized error code";
}

#include "shim_memory.h"
#include "shim_launch.h"

#endif
