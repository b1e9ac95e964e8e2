// shim_launch.h: launches of the shim. Included by cuda_runtime.h.
#ifndef SHIM_LAUNCH_H
#define SHIM_LAUNCH_H

struct cudaLaunchConfig_t {
  dim3 gridDim, blockDim;
  size_t dynamicSmemBytes;
  cudaStream_t stream;
  void *attrs;
  unsigned numAttrs;
};

// The numbers 0 .. n-1 in a shuffled order: i -> (start + i * step) mod n with a step that has no divisor in common with
// n. That needs no memory, and neighbours are neither next to one another nor in ascending order.
struct shim_order {
  uint64_t n, start, step;

  static uint64_t mixed(uint64_t x) { // SplitMix64's finaliser
    x = (x ^ (x >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ (x >> 27)) * UINT64_C(0x94d049bb133111eb);
    return x ^ (x >> 31);
  }
  static uint64_t common(uint64_t a, uint64_t b) {
    while (b != 0) {
      const uint64_t rest = a % b;
      a = b, b = rest;
    }
    return a;
  }
  shim_order(uint64_t count, uint64_t seed) : n(count), start(0), step(1) {
    if (n < 2) return;
    start = mixed(seed) % n;
    step = n / 2 + mixed(seed + 1) % (n - n / 2); // from the upper half: long strides, often backwards
    while (common(step, n) != 1) step = step % n + 1;
  }
  uint64_t operator[](uint64_t i) const { return (start + i % n * (step % n)) % n; } // n < 2^32: no overflow
};

static inline uint64_t shim_seed() {
  const char *text = getenv("ROPECHECK_SHIM_SEED");
  return text == NULL ? 1 : strtoull(text, NULL, 10);
}

template <typename... Parameters, typename... Arguments>
static inline cudaError_t cudaLaunchKernelEx(const cudaLaunchConfig_t *shape, void (*kernel)(Parameters...),
                                             Arguments &&...arguments) {
  const dim3 grid = shape->gridDim, block = shape->blockDim;
  const uint64_t threads = (uint64_t)block.x * block.y * block.z;
  // The limits of every GPU since compute capability 3.0.
  if (grid.x == 0 || grid.y == 0 || grid.z == 0 || grid.x > 2147483647u || grid.y > 65535 || grid.z > 65535)
    return cudaErrorInvalidConfiguration;
  if (threads == 0 || threads > 1024 || block.z > 64) return cudaErrorInvalidConfiguration;

  const shim_access access;
  const uint64_t seed = shim_order::mixed(shim_seed() * 3 + grid.x * UINT64_C(0x9e3779b97f4a7c15) + grid.y);
  const shim_order xs(grid.x, seed), ys((uint64_t)grid.y * grid.z, seed + 1), inside(threads, seed + 2);
  gridDim = grid, blockDim = block;
  for (uint64_t i = 0; i < xs.n; i++) {
    for (uint64_t j = 0; j < ys.n; j++) {
      blockIdx = dim3((unsigned)xs[i], (unsigned)(ys[j] % grid.y), (unsigned)(ys[j] / grid.y));
      for (uint64_t k = 0; k < threads; k++) {
        const uint64_t t = inside[k];
        threadIdx = dim3((unsigned)(t % block.x), (unsigned)(t / block.x % block.y), (unsigned)(t / block.x / block.y));
        kernel(arguments...);
      }
    }
  }
  return cudaSuccess;
}

#endif
