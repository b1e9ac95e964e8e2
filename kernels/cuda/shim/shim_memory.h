// shim_memory.h: device memory, streams and events of the shim. Included by cuda_runtime.h.
#ifndef SHIM_MEMORY_H
#define SHIM_MEMORY_H

#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include <map>

// Every allocation, by address. One thread uses the library, as the ABI promises, so there is no lock.
static std::map<char *, size_t> shim_allocations;
// Opened more than once by nested use: device memory is accessible while this is above 0.
static int shim_open_depth = 0;

static inline size_t shim_pages(size_t bytes) { return (bytes + 4095) / 4096 * 4096; }

static inline void shim_protect(int protection) {
  for (const auto &block : shim_allocations) {
    if (mprotect(block.first, shim_pages(block.second), protection) != 0) abort();
  }
}

// Device memory is accessible as long as one of these lives.
struct shim_access {
  shim_access() {
    if (shim_open_depth++ == 0) shim_protect(PROT_READ | PROT_WRITE);
  }
  ~shim_access() {
    if (--shim_open_depth == 0) shim_protect(PROT_NONE);
  }
};

// ROPECHECK_SHIM_NO_DEVICE makes the shim a machine without a GPU.
static inline cudaError_t cudaGetDeviceCount(int *count) {
  *count = getenv("ROPECHECK_SHIM_NO_DEVICE") == NULL ? 1 : 0;
  return *count == 0 ? cudaErrorNoDevice : cudaSuccess;
}
static inline cudaError_t cudaGetDevice(int *device) { return *device = 0, cudaSuccess; }
static inline cudaError_t cudaDriverGetVersion(int *version) { return *version = 0, cudaSuccess; }
static inline cudaError_t cudaGetLastError() { return cudaSuccess; }

struct cudaDeviceProp {
  char name[256];
  int major, minor, multiProcessorCount;
};
// One multiprocessor: so few that a kernel that fits its grid to the device goes around with small tensors already.
static inline cudaError_t cudaGetDeviceProperties(cudaDeviceProp *properties, int) {
  *properties = {"launch shim on the CPU, no GPU", 0, 0, 1};
  return cudaSuccess;
}

static inline cudaError_t cudaMalloc(void **device, size_t bytes) {
  void *block = mmap(NULL, shim_pages(bytes == 0 ? 1 : bytes), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (block == MAP_FAILED) return cudaErrorMemoryAllocation;
  shim_allocations[static_cast<char *>(block)] = bytes == 0 ? 1 : bytes;
  *device = block;
  return cudaSuccess;
}
static inline cudaError_t cudaFree(void *device) {
  if (device == NULL) return cudaSuccess;
  const auto found = shim_allocations.find(static_cast<char *>(device));
  if (found == shim_allocations.end()) return cudaErrorInvalidValue;
  munmap(found->first, shim_pages(found->second));
  shim_allocations.erase(found);
  return cudaSuccess;
}

// Whether [device, device + bytes) lies inside one allocation.
static inline bool shim_is_device(const void *device, size_t bytes) {
  const char *from = static_cast<const char *>(device);
  auto block = shim_allocations.upper_bound(const_cast<char *>(from));
  if (block == shim_allocations.begin()) return false;
  --block;
  const size_t offset = (size_t)(from - block->first);
  return offset <= block->second && bytes <= block->second - offset;
}

enum { cudaHostAllocMapped = 2 };
static inline cudaError_t cudaHostAlloc(void **host, size_t bytes, unsigned) {
  *host = malloc(bytes);
  return *host == NULL ? cudaErrorMemoryAllocation : cudaSuccess;
}
static inline cudaError_t cudaFreeHost(void *host) { return free(host), cudaSuccess; }

typedef struct shim_stream *cudaStream_t;
enum { cudaStreamNonBlocking = 1 };
static inline cudaError_t cudaStreamCreateWithFlags(cudaStream_t *stream, unsigned) {
  *stream = static_cast<cudaStream_t>(malloc(1));
  return *stream == NULL ? cudaErrorMemoryAllocation : cudaSuccess;
}
static inline cudaError_t cudaStreamDestroy(cudaStream_t stream) { return free(stream), cudaSuccess; }
static inline cudaError_t cudaStreamSynchronize(cudaStream_t) { return cudaSuccess; } // a launch returns when it is done

enum cudaMemcpyKind { cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3 };
static inline cudaError_t cudaMemcpyAsync(void *to, const void *from, size_t bytes, cudaMemcpyKind kind, cudaStream_t) {
  const bool to_device = kind != cudaMemcpyDeviceToHost, from_device = kind != cudaMemcpyHostToDevice;
  if (to_device != shim_is_device(to, bytes) || from_device != shim_is_device(from, bytes)) return cudaErrorInvalidValue;
  const shim_access access;
  memcpy(to, from, bytes);
  return cudaSuccess;
}
static inline cudaError_t cudaMemsetAsync(void *device, int byte, size_t bytes, cudaStream_t) {
  if (!shim_is_device(device, bytes)) return cudaErrorInvalidValue;
  const shim_access access;
  memset(device, byte, bytes);
  return cudaSuccess;
}

typedef struct shim_event {
  timespec at;
} *cudaEvent_t;
static inline cudaError_t cudaEventCreate(cudaEvent_t *event) {
  *event = static_cast<cudaEvent_t>(calloc(1, sizeof(shim_event)));
  return *event == NULL ? cudaErrorMemoryAllocation : cudaSuccess;
}
static inline cudaError_t cudaEventDestroy(cudaEvent_t event) { return free(event), cudaSuccess; }
static inline cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t) {
  return clock_gettime(CLOCK_MONOTONIC, &event->at), cudaSuccess;
}
static inline cudaError_t cudaEventSynchronize(cudaEvent_t) { return cudaSuccess; }
static inline cudaError_t cudaEventElapsedTime(float *milliseconds, cudaEvent_t begin, cudaEvent_t end) {
  const double seconds = (double)(end->at.tv_sec - begin->at.tv_sec) + 1e-9 * (double)(end->at.tv_nsec - begin->at.tv_nsec);
  return *milliseconds = (float)(seconds * 1e3), cudaSuccess;
}

#endif
