// naive.cu: the simplest right kernel, level rotate. To be compared with rope.cu, and to show how little an adapter is.
//
//     nvcc -arch=sm_90 -O2 -Xcompiler -fPIC -shared -Iinclude -Ikernels/cuda -o libnaive_cuda.so kernels/cuda/naive.cu
#include "naive.cuh"
#include "rotate_manifest.h"

ROPECHECK_CUDA_MANIFEST(ROTATE_MANIFEST("naive.cu"))

extern "C" ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  Rotation r;
  PositionView positions;
  ropecheck_dtype dtype = ROPECHECK_F32;
  const Note to = {err, err_len};
  TRY(flatten(handle, *call, &r, &positions, &dtype, to));
  const int64_t blocks = (naive_threads(r) + 255) / 256;
  if (blocks > INT_MAX) return UNSUPPORTED(to, "more than 2^31 - 1 blocks");
  TRY(with_type(dtype, [&](auto zero) {
    return ropecheck_cuda_launch(call->stream, err, err_len, rotate_pairs<decltype(zero)>, dim3((unsigned)blocks),
                                 dim3(256), r, positions);
  }));
  return ropecheck_cuda_refused(handle, err, err_len);
}
