// device_memory.cpp: calls a library as ropecheck does when it owns the device memory: buffers from ropecheck_alloc with
// poison and guards around them, upload, a rotation, sync, download. Level rotate, f32.
//
//     c++ -std=c++17 -O2 -Iinclude -o device_memory tests/kernels/device_memory.cpp -ldl
//     ./device_memory LIBRARY [device|touch]
//
// `device`: prints what the library says of its device. `touch`: reads device memory from the host, which must be fatal.
#include <dlfcn.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <vector>

#include "ropecheck.h"

static void *library;
template <typename F>
static F *symbol(const char *name) {
  F *found = reinterpret_cast<F *>(dlsym(library, name));
  if (found == NULL) {
    printf("%s is not exported\n", name);
    exit(1);
  }
  return found;
}
#define CALL(name, ...) symbol<decltype(ropecheck_##name)>("ropecheck_" #name)(__VA_ARGS__)

static char err[1024];
static void ok(ropecheck_status status, const char *what) {
  if (status == ROPECHECK_OK) return;
  printf("%s returned %d: %s\n", what, (int)status, err);
  exit(1);
}
static void must(bool holds, const char *what) {
  if (holds) return;
  printf("%s\n", what);
  exit(1);
}
#define OK(name, ...) ok(CALL(name, __VA_ARGS__, err, sizeof err), #name)

// A device buffer between two guards of 256 bytes, all filled with 0xff first. `shift` moves it off its alignment.
struct Buffer {
  void *handle, *block;
  size_t bytes, shift;
  Buffer(void *handle, const void *from, size_t bytes, size_t shift) : handle(handle), bytes(bytes), shift(shift) {
    OK(alloc, handle, all(), &block);
    must(reinterpret_cast<uintptr_t>(block) % 256 == 0, "an allocation is not aligned to 256");
    OK(fill, handle, block, 0xff, all());
    if (from != NULL) OK(upload, handle, at(), from, bytes);
  }
  size_t all() const { return bytes + 512 + shift; }
  char *at() const { return static_cast<char *>(block) + 256 + shift; }
  std::vector<char> back() const { // and the guards must be as they were
    std::vector<char> whole(all());
    OK(download, handle, whole.data(), block, all());
    for (size_t i = 0; i < whole.size(); i++)
      must((i >= 256 + shift && i < 256 + shift + bytes) || whole[i] == '\xff', "a guard was written");
    return std::vector<char>(whole.begin() + 256 + (long)shift, whole.begin() + 256 + (long)(shift + bytes));
  }
  void give_back() { OK(free, handle, block); }
};

// So many tokens that rope.cu goes around its grid on the shim.
enum { TOKENS = 300, Q = 3, K = 1, DIM = 128, R = DIM / 2, AXES = 2 };

static void rotate(void *handle, bool in_place, size_t shift, bool bad_axis) {
  std::vector<float> q(TOKENS * Q * DIM), k(TOKENS * K * DIM);
  std::vector<int64_t> positions(AXES * TOKENS);
  std::vector<uint8_t> axis_of_pair(R);
  std::vector<double> inv_freq(R);
  unsigned seed = 1;
  for (std::vector<float> *x : {&q, &k})
    for (float &v : *x) seed = seed * 1664525u + 1013904223u, v = (float)(seed >> 8) * 0x1p-23f - 1.0f;
  for (int t = 0; t < TOKENS; t++) positions[t] = t, positions[TOKENS + t] = TOKENS - 1 - t;
  for (int i = 0; i < R; i++) axis_of_pair[i] = (uint8_t)(i % AXES), inv_freq[i] = pow(10000.0, -i / (double)R);
  if (bad_axis) axis_of_pair[5] = AXES;

  Buffer d_q(handle, q.data(), q.size() * 4, shift), d_k(handle, k.data(), k.size() * 4, shift);
  Buffer o_q(handle, NULL, q.size() * 4, shift), o_k(handle, NULL, k.size() * 4, shift);
  Buffer d_positions(handle, positions.data(), positions.size() * 8, 0), d_axes(handle, axis_of_pair.data(), R, 0),
      d_freq(handle, inv_freq.data(), R * 8, 0);

  const char *names[] = {"a", "b"};
  ropecheck_rotate_call call;
  memset(&call, 0, sizeof call);
  call.struct_size = sizeof call;
  call.scheme = {sizeof call.scheme, AXES, "any", "default", names, NULL, 0};
  call.plan.struct_size = sizeof call.plan;
  call.plan.head_dim = call.plan.rotary_dim = DIM;
  call.plan.direction = 1;
  call.plan.attention_scaling = 1.0;
  call.plan.axis_of_pair = reinterpret_cast<const uint8_t *>(d_axes.at());
  call.plan.inv_freq = reinterpret_cast<const double *>(d_freq.at());
  call.plan.base = 10000.0;
  call.qk.struct_size = sizeof call.qk;
  call.qk.batch = 1, call.qk.tokens = TOKENS, call.qk.q_heads = Q, call.qk.k_heads = K;
  call.qk.q = {sizeof call.qk.q, ROPECHECK_F32, d_q.at(), {TOKENS * Q * DIM, Q * DIM, DIM, 1}};
  call.qk.k = {sizeof call.qk.k, ROPECHECK_F32, d_k.at(), {TOKENS * K * DIM, K * DIM, DIM, 1}};
  call.qk.q_out = call.qk.q, call.qk.k_out = call.qk.k;
  if (!in_place) call.qk.q_out.data = o_q.at(), call.qk.k_out.data = o_k.at();
  call.positions = {sizeof call.positions, ROPECHECK_I64, d_positions.at(), TOKENS, 0, 1};
  call.stream = CALL(stream, handle);

  ropecheck_status status = CALL(rotate, handle, &call, err, sizeof err);
  if (status == ROPECHECK_OK) status = CALL(sync, handle, err, sizeof err);
  if (bad_axis) {
    must(status == ROPECHECK_BAD_ARGUMENT && err[0] != '\0', "a bad axis in the table was not refused");
    OK(sync, handle); // and that is over
    for (char byte : o_q.back()) must(byte == '\xff', "a call that was refused has written");
  } else {
    ok(status, "rotate or sync");
    // An angle below TOKENS errs by two roundings to f32, TOKENS * 2^-23; inputs are below 1, so outputs err by sqrt 2 times
    // that, and by a few roundings of sine, products and sum, each below 2^-23.
    const double allowed = sqrt(2.0) * TOKENS * 0x1p-23 + 8 * 0x1p-23;
    for (int part = 0; part < 2; part++) {
      const std::vector<float> &x = part == 0 ? q : k;
      const int heads = part == 0 ? Q : K;
      const std::vector<char> bytes = (in_place ? (part == 0 ? d_q : d_k) : (part == 0 ? o_q : o_k)).back();
      for (int row = 0; row < TOKENS * heads; row++) {
        for (int i = 0; i < R; i++) {
          const double angle = (double)positions[i % AXES * TOKENS + row / heads] * inv_freq[i];
          const double a = x[row * DIM + i], b = x[row * DIM + R + i];
          float y[2];
          memcpy(&y[0], &bytes[(size_t)(row * DIM + i) * 4], 4), memcpy(&y[1], &bytes[(size_t)(row * DIM + R + i) * 4], 4);
          must(fabs(y[0] - (a * cos(angle) - b * sin(angle))) <= allowed, "a first channel is wrong");
          must(fabs(y[1] - (b * cos(angle) + a * sin(angle))) <= allowed, "a second channel is wrong");
        }
      }
    }
    if (!in_place) must(memcmp(d_q.back().data(), q.data(), q.size() * 4) == 0, "the input was written");
    must(memcmp(d_positions.back().data(), positions.data(), positions.size() * 8) == 0, "the positions were written");
  }
  for (Buffer *buffer : {&d_q, &d_k, &o_q, &o_k, &d_positions, &d_axes, &d_freq}) buffer->give_back();
}

int main(int count, char **arguments) {
  const char *what = count > 2 ? arguments[2] : "";
  library = count > 1 ? dlopen(arguments[1], RTLD_NOW) : NULL;
  must(library != NULL, "usage: device_memory LIBRARY [device|touch]");
  void *handle = NULL;
  const ropecheck_status opened = CALL(open, &handle, err, sizeof err);
  if (opened == ROPECHECK_NO_DEVICE) {
    printf("%s\n", err);
    return 6;
  }
  ok(opened, "open");
  if (strcmp(what, "device") == 0) {
    printf("%s\n", CALL(device, handle));
  } else if (strcmp(what, "touch") == 0) {
    Buffer buffer(handle, NULL, 64, 0);
    printf("read %d from device memory\n", *static_cast<volatile char *>(buffer.at()));
  } else {
    for (size_t shift : {0, 4}) {
      rotate(handle, false, shift, false);
      rotate(handle, true, shift, false);
    }
    rotate(handle, false, 0, true);
    rotate(handle, false, 0, false);
    // The functions of bench.
    const char text[] = "from here to there";
    Buffer from(handle, text, sizeof text, 0), to(handle, NULL, sizeof text, 0);
    double seconds = -1.0;
    OK(timer_start, handle);
    OK(copy, handle, to.at(), from.at(), sizeof text);
    OK(timer_stop, handle, &seconds);
    must(seconds >= 0.0 && memcmp(to.back().data(), text, sizeof text) == 0, "copy or timer");
    from.give_back(), to.give_back();
    printf("device memory works\n");
  }
  CALL(close, handle);
  return 0;
}
