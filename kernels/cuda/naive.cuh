// naive.cuh: the simplest right kernel: one thread for a pair, one for every channel that is not rotated.
#ifndef ROPE_NAIVE_CUH
#define ROPE_NAIVE_CUH

#include "common.cuh"

template <typename T>
__global__ void rotate_pairs(const __grid_constant__ Rotation r,
                             const __grid_constant__ PositionView positions) {
  const int lanes = r.head_dim - r.pairs; // a head has `pairs` threads that rotate, then those that copy
  const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  const int64_t row = n / lanes / r.heads;
  if (row >= r.rows || !axes_exist(r)) return;
  const int lane = (int)(n % lanes), head = (int)(n / lanes % r.heads);
  const int64_t batch = row / r.tokens, token = row % r.tokens;

  const bool is_q = head < r.q_heads;
  const View in = is_q ? r.q : r.k, out = is_q ? r.q_out : r.k_out;
  const int64_t h = is_q ? head : head - r.q_heads;
  const T *x = static_cast<const T *>(in.data) + batch * in.batch + token * in.token + h * in.head;
  T *y = static_cast<T *>(out.data) + batch * out.batch + token * out.token + h * out.head;

  if (lane >= r.pairs) {
    const int before = lane - r.pairs, d = before < r.offset ? before : before + 2 * r.pairs;
    y[d * out.channel] = x[d * in.channel];
    return;
  }
  const int axis = axis_at(r, head, lane);
  const bool turns = axis != ROPECHECK_AXIS_NONE;
  float c, s;
  cos_sin(r, turns ? position_at(positions, axis, batch, token) : 0.0f, turns ? frequency_at(r, head, lane) : 0.0f, &c,
          &s);
  const int64_t first = r.offset + (r.half ? lane : 2 * lane), second = first + (r.half ? r.pairs : 1);
  const float a = widen(x[first * in.channel]), b = widen(x[second * in.channel]); // both, before either is written
  y[first * out.channel] = narrow<T>(a * c - b * s);
  y[second * out.channel] = narrow<T>(b * c + a * s);
}

// Blocks of 256 threads for all of it.
static inline int64_t naive_threads(const Rotation &r) { return r.rows * r.heads * (r.head_dim - r.pairs); }

#endif
