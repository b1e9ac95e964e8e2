/* ropecheck_cuda.h: everything of the ropecheck ABI that is the same for every CUDA kernel, so that an adapter is a
 * manifest and a launch.
 *
 *     #include "ropecheck_cuda.h"
 *     ROPECHECK_CUDA_MANIFEST(R"({"name": ...})")
 *     extern "C" ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
 *       return ropecheck_cuda_launch(call->stream, err, err_len, my_kernel, grid, block, (const float *)call->qk.q.data, ...);
 *     }
 *
 * Include it in exactly one .cu file of the library. It defines ropecheck_abi_version, ropecheck_open and
 * ropecheck_close, the six functions of device memory, and those that `ropecheck bench` uses. It needs the CUDA runtime
 * and C++14, nothing else. docs/cuda.md shows a whole adapter.
 *
 * The handle is a ropecheck_cuda. Its stream is a non-blocking one, so work that a kernel by mistake leaves in the default
 * stream is not waited for. Its `refused` is an int that kernels may set, for what can only be found on the device. */
#ifndef ROPECHECK_CUDA_H
#define ROPECHECK_CUDA_H

#include <cuda_runtime.h>
#include <stdarg.h>
#include <stdio.h>

#include "ropecheck.h"

/* What ropecheck_open makes. Zero or NULL means "not made yet", so close can be called at any point of open. */
struct ropecheck_cuda {
  cudaStream_t stream;
  cudaEvent_t begin, end;      /* of the bench timer */
  int *refused;                /* host memory that kernels can write: not 0 after a sync means BAD_ARGUMENT */
  void *workspace;             /* device memory of the adapter's own; see ropecheck_cuda_workspace */
  size_t workspace_bytes;
  int multiprocessors;
  char device[320];            /* for reports */
};

/* ---------------------------------------------------------------------------------------------------------- errors */

/* Writes a message and returns `status`. */
#if defined(__GNUC__)
__attribute__((format(printf, 4, 5)))
#endif
static inline ropecheck_status ropecheck_cuda_fail(ropecheck_status status, char *err, size_t err_len,
                                                   const char *format, ...) {
  if (err != NULL && err_len > 0) {
    va_list args;
    va_start(args, format);
    vsnprintf(err, err_len, format, args);
    va_end(args);
  }
  return status;
}

/* A status of CUDA as one of ropecheck, with what was tried, what CUDA says, and the name of the error. */
static inline ropecheck_status ropecheck_cuda_status(cudaError_t error, const char *what, char *err, size_t err_len) {
  if (error == cudaSuccess) return ROPECHECK_OK;
  return ropecheck_cuda_fail(ROPECHECK_INTERNAL, err, err_len, "%s: %s (%s)", what, cudaGetErrorString(error),
                             cudaGetErrorName(error));
}

/* Returns from the calling function unless the CUDA call succeeds; its text is the "what was tried" of the message. */
#define ROPECHECK_CUDA_TRY(call, err, err_len)                                                                  \
  do {                                                                                                          \
    const ropecheck_status ropecheck_cuda_tried = ropecheck_cuda_status((call), #call, (err), (err_len));       \
    if (ropecheck_cuda_tried != ROPECHECK_OK) return ropecheck_cuda_tried;                                      \
  } while (0)

/* ------------------------------------------------------------------------------------------------- for the adapter */

static inline ropecheck_cuda *ropecheck_cuda_handle(void *handle) { return static_cast<ropecheck_cuda *>(handle); }

/* Puts a kernel into the stream of a call. The arguments are those of the kernel, converted as in any call. Shapes that
 * leave nothing to do (a grid of 0) are a success. */
template <typename... Parameters, typename... Arguments>
static inline ropecheck_status ropecheck_cuda_launch(void *stream, char *err, size_t err_len,
                                                     void (*kernel)(Parameters...), dim3 grid, dim3 block,
                                                     Arguments &&...arguments) {
  if (grid.x == 0 || grid.y == 0 || grid.z == 0) return ROPECHECK_OK;
  cudaLaunchConfig_t shape = cudaLaunchConfig_t();
  shape.gridDim = grid;
  shape.blockDim = block;
  shape.stream = static_cast<cudaStream_t>(stream);
  const cudaError_t error = cudaLaunchKernelEx(&shape, kernel, static_cast<Parameters>(arguments)...);
  if (error == cudaSuccess) return ROPECHECK_OK;
  return ropecheck_cuda_fail(ROPECHECK_INTERNAL, err, err_len, "launch of %u x %u blocks of %u x %u threads: %s (%s)",
                             grid.x, grid.y, block.x, block.y, cudaGetErrorString(error), cudaGetErrorName(error));
}

/* After a launch with <<<...>>>: whether it was taken. */
static inline ropecheck_status ropecheck_cuda_launched(char *err, size_t err_len) {
  return ropecheck_cuda_status(cudaGetLastError(), "launch", err, err_len);
}

/* Device memory of the adapter's own, kept until close and grown when needed: for tables that a kernel wants and
 * ropecheck does not hand over. Growing waits for the stream; what it held is lost. */
static inline ropecheck_status ropecheck_cuda_workspace(void *handle, size_t bytes, void **device, char *err,
                                                        size_t err_len) {
  ropecheck_cuda *h = ropecheck_cuda_handle(handle);
  if (bytes > h->workspace_bytes) {
    ROPECHECK_CUDA_TRY(cudaStreamSynchronize(h->stream), err, err_len);
    if (h->workspace != NULL) ROPECHECK_CUDA_TRY(cudaFree(h->workspace), err, err_len);
    h->workspace = NULL;
    h->workspace_bytes = 0;
    const size_t grown = bytes < 65536 ? 65536 : bytes;
    ROPECHECK_CUDA_TRY(cudaMalloc(&h->workspace, grown), err, err_len);
    h->workspace_bytes = grown;
  }
  *device = h->workspace;
  return ROPECHECK_OK;
}

/* Defines ropecheck_describe. `json` is a string literal, a raw one (R"(...)") for preference. */
#define ROPECHECK_CUDA_MANIFEST(json) \
  extern "C" const char *ropecheck_describe(void) { return json; }

/* ------------------------------------------------------------------------------------------------ what is exported */

extern "C" uint32_t ropecheck_abi_version(void) { return ROPECHECK_ABI_VERSION; }

extern "C" void ropecheck_close(void *handle) {
  ropecheck_cuda *h = ropecheck_cuda_handle(handle);
  if (h == NULL) return;
  /* Nobody can be told of an error here; the process ends soon after. */
  if (h->stream != NULL) (void)cudaStreamSynchronize(h->stream);
  if (h->workspace != NULL) (void)cudaFree(h->workspace);
  if (h->refused != NULL) (void)cudaFreeHost(h->refused);
  if (h->begin != NULL) (void)cudaEventDestroy(h->begin);
  if (h->end != NULL) (void)cudaEventDestroy(h->end);
  if (h->stream != NULL) (void)cudaStreamDestroy(h->stream);
  delete h;
}

static inline ropecheck_status ropecheck_cuda_start(ropecheck_cuda *h, char *err, size_t err_len) {
  int count = 0, device = 0, driver = 0;
  const cudaError_t error = cudaGetDeviceCount(&count);
  if (error == cudaErrorNoDevice || error == cudaErrorInsufficientDriver || error == cudaErrorStubLibrary ||
      (error == cudaSuccess && count == 0)) {
    const cudaError_t shown = error == cudaSuccess ? cudaErrorNoDevice : error;
    return ropecheck_cuda_fail(ROPECHECK_NO_DEVICE, err, err_len, "no CUDA device: %s (%s)", cudaGetErrorString(shown),
                               cudaGetErrorName(shown));
  }
  ROPECHECK_CUDA_TRY(error, err, err_len);
  ROPECHECK_CUDA_TRY(cudaGetDevice(&device), err, err_len);
  cudaDeviceProp properties;
  ROPECHECK_CUDA_TRY(cudaGetDeviceProperties(&properties, device), err, err_len);
  ROPECHECK_CUDA_TRY(cudaDriverGetVersion(&driver), err, err_len);
  snprintf(h->device, sizeof h->device, "%s, compute capability %d.%d, driver for CUDA %d.%d", properties.name,
           properties.major, properties.minor, driver / 1000, driver % 1000 / 10);
  h->multiprocessors = properties.multiProcessorCount;
  ROPECHECK_CUDA_TRY(cudaStreamCreateWithFlags(&h->stream, cudaStreamNonBlocking), err, err_len);
  ROPECHECK_CUDA_TRY(cudaEventCreate(&h->begin), err, err_len);
  ROPECHECK_CUDA_TRY(cudaEventCreate(&h->end), err, err_len);
  void *refused = NULL;
  ROPECHECK_CUDA_TRY(cudaHostAlloc(&refused, sizeof *h->refused, cudaHostAllocMapped), err, err_len);
  h->refused = static_cast<int *>(refused);
  *h->refused = 0;
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_open(void **handle, char *err, size_t err_len) {
  ropecheck_cuda *h = new ropecheck_cuda();
  *handle = NULL;
  const ropecheck_status status = ropecheck_cuda_start(h, err, err_len);
  if (status != ROPECHECK_OK) {
    ropecheck_close(h);
    return status;
  }
  *handle = h;
  return ROPECHECK_OK;
}

extern "C" void *ropecheck_stream(void *handle) { return ropecheck_cuda_handle(handle)->stream; }

extern "C" const char *ropecheck_device(void *handle) { return ropecheck_cuda_handle(handle)->device; }

extern "C" ropecheck_status ropecheck_alloc(void *, size_t bytes, void **device, char *err, size_t err_len) {
  const cudaError_t error = cudaMalloc(device, bytes);
  if (error == cudaSuccess) return ROPECHECK_OK;
  (void)cudaGetLastError(); /* running out of memory is no fault of the next call */
  return ropecheck_cuda_fail(ROPECHECK_INTERNAL, err, err_len, "cudaMalloc of %zu bytes: %s (%s)", bytes,
                             cudaGetErrorString(error), cudaGetErrorName(error));
}

extern "C" ropecheck_status ropecheck_free(void *, void *device, char *err, size_t err_len) {
  return ropecheck_cuda_status(cudaFree(device), "cudaFree", err, err_len);
}

extern "C" ropecheck_status ropecheck_upload(void *handle, void *device, const void *host, size_t bytes, char *err,
                                             size_t err_len) {
  const cudaStream_t stream = ropecheck_cuda_handle(handle)->stream;
  ROPECHECK_CUDA_TRY(cudaMemcpyAsync(device, host, bytes, cudaMemcpyHostToDevice, stream), err, err_len);
  ROPECHECK_CUDA_TRY(cudaStreamSynchronize(stream), err, err_len); /* the caller may reuse `host` at once */
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_download(void *handle, void *host, const void *device, size_t bytes, char *err,
                                               size_t err_len) {
  const cudaStream_t stream = ropecheck_cuda_handle(handle)->stream;
  ROPECHECK_CUDA_TRY(cudaMemcpyAsync(host, device, bytes, cudaMemcpyDeviceToHost, stream), err, err_len);
  ROPECHECK_CUDA_TRY(cudaStreamSynchronize(stream), err, err_len);
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_fill(void *handle, void *device, uint8_t byte, size_t bytes, char *err,
                                           size_t err_len) {
  const cudaStream_t stream = ropecheck_cuda_handle(handle)->stream;
  ROPECHECK_CUDA_TRY(cudaMemsetAsync(device, byte, bytes, stream), err, err_len);
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_sync(void *handle, char *err, size_t err_len) {
  ropecheck_cuda *h = ropecheck_cuda_handle(handle);
  ROPECHECK_CUDA_TRY(cudaStreamSynchronize(h->stream), err, err_len);
  ROPECHECK_CUDA_TRY(cudaGetLastError(), err, err_len); /* a launch whose status nobody looked at */
  const int refused = *static_cast<volatile int *>(h->refused);
  if (refused == 0) return ROPECHECK_OK;
  *h->refused = 0;
  return ropecheck_cuda_fail(ROPECHECK_BAD_ARGUMENT, err, err_len, "the kernel refused its arguments (code %d)", refused);
}

/* At the end of a level's function: the refusal of a kernel that has already run, or OK at once. Only the sync is sure to
 * see it. */
static inline ropecheck_status ropecheck_cuda_refused(void *handle, char *err, size_t err_len) {
  const volatile int *refused = ropecheck_cuda_handle(handle)->refused;
  return *refused == 0 ? ROPECHECK_OK : ropecheck_sync(handle, err, err_len);
}

extern "C" ropecheck_status ropecheck_copy(void *handle, void *to, const void *from, size_t bytes, char *err,
                                           size_t err_len) {
  const cudaStream_t stream = ropecheck_cuda_handle(handle)->stream;
  ROPECHECK_CUDA_TRY(cudaMemcpyAsync(to, from, bytes, cudaMemcpyDeviceToDevice, stream), err, err_len);
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_timer_start(void *handle, char *err, size_t err_len) {
  const ropecheck_cuda *h = ropecheck_cuda_handle(handle);
  ROPECHECK_CUDA_TRY(cudaEventRecord(h->begin, h->stream), err, err_len);
  return ROPECHECK_OK;
}

extern "C" ropecheck_status ropecheck_timer_stop(void *handle, double *seconds, char *err, size_t err_len) {
  const ropecheck_cuda *h = ropecheck_cuda_handle(handle);
  float milliseconds = 0.0f;
  ROPECHECK_CUDA_TRY(cudaEventRecord(h->end, h->stream), err, err_len);
  ROPECHECK_CUDA_TRY(cudaEventSynchronize(h->end), err, err_len);
  ROPECHECK_CUDA_TRY(cudaEventElapsedTime(&milliseconds, h->begin, h->end), err, err_len);
  *seconds = milliseconds * 1e-3;
  return ROPECHECK_OK;
}

#endif /* ROPECHECK_CUDA_H */
