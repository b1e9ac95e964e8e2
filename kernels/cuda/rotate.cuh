// rotate.cuh: the rotation itself. A thread takes P pairs of a token, finds their cosines and sines once, and turns them
// in several heads. With P = 16 bytes / element size all memory is read and written in vectors of 16 bytes.
#ifndef ROPE_ROTATE_CUH
#define ROPE_ROTATE_CUH

#include "common.cuh"
#include "layout.cuh"

#define THREADS 256

// ------------------------------------------------------------------------------- where the positions come from

// Each source gives, for a token, something with at(axis).
struct GivenPositions {
  static constexpr bool given = true; // and with them a table of axes, which may be wrong
  PositionView view;
  struct Here {
    const PositionView &view;
    int64_t batch, token;
    __device__ __forceinline__ float at(int axis) const { return position_at(view, axis, batch, token); }
  };
  __device__ __forceinline__ Here here(int64_t batch, int64_t token) const { return Here{view, batch, token}; }
};

struct LayoutPositions {
  static constexpr bool given = false;
  Runs runs;
  struct Here {
    float p0, p1, p2, p3;
    // No array: an index that is known only at run time would put it into local memory.
    __device__ __forceinline__ float at(int axis) const { return axis < 2 ? (axis == 0 ? p0 : p1) : (axis == 2 ? p2 : p3); }
  };
  __device__ __forceinline__ Here here(int64_t batch, int64_t token) const {
    int64_t p[MAX_SCHEME_AXES];
    positions_of(runs, batch, runs.token_start + token, p);
    return Here{(float)p[0], (float)p[1], (float)p[2], (float)p[3]};
  }
};

// -------------------------------------------------------------------------------------------- elements in packs

// P elements that lie together. One element, at any alignment of its own; or 16 bytes, aligned.
template <typename T, int P>
struct Pack {
  T element[P];
};
template <>
struct Pack<float, 4> {
  uint4 word;
};
template <>
struct Pack<__half, 8> {
  uint4 word;
};
template <>
struct Pack<__nv_bfloat16, 8> {
  uint4 word;
};

template <typename T>
__device__ __forceinline__ void unpack(const Pack<T, 1> &pack, float *x) {
  x[0] = widen(pack.element[0]);
}
__device__ __forceinline__ void unpack(const Pack<float, 4> &pack, float *x) {
  x[0] = __uint_as_float(pack.word.x), x[1] = __uint_as_float(pack.word.y);
  x[2] = __uint_as_float(pack.word.z), x[3] = __uint_as_float(pack.word.w);
}
__device__ __forceinline__ void unpack_word(__half, unsigned word, float *x) {
  x[0] = __half2float(__ushort_as_half((unsigned short)(word & 0xffff)));
  x[1] = __half2float(__ushort_as_half((unsigned short)(word >> 16)));
}
__device__ __forceinline__ void unpack_word(__nv_bfloat16, unsigned word, float *x) {
  x[0] = __uint_as_float(word << 16);
  x[1] = __uint_as_float(word & 0xffff0000u);
}
template <typename T>
__device__ __forceinline__ void unpack(const Pack<T, 8> &pack, float *x) {
  unpack_word(T(), pack.word.x, x), unpack_word(T(), pack.word.y, x + 2);
  unpack_word(T(), pack.word.z, x + 4), unpack_word(T(), pack.word.w, x + 6);
}

template <typename T>
__device__ __forceinline__ void pack(const float *x, Pack<T, 1> *to) {
  to->element[0] = narrow<T>(x[0]);
}
__device__ __forceinline__ void pack(const float *x, Pack<float, 4> *to) {
  to->word.x = __float_as_uint(x[0]), to->word.y = __float_as_uint(x[1]);
  to->word.z = __float_as_uint(x[2]), to->word.w = __float_as_uint(x[3]);
}
__device__ __forceinline__ unsigned pack_word(__half, const float *x) {
  const __half2 two = __floats2half2_rn(x[0], x[1]);
  return __half_as_ushort(two.x) | (unsigned)__half_as_ushort(two.y) << 16;
}
__device__ __forceinline__ unsigned pack_word(__nv_bfloat16, const float *x) {
  const __nv_bfloat162 two = __floats2bfloat162_rn(x[0], x[1]);
  return __bfloat16_as_ushort(two.x) | (unsigned)__bfloat16_as_ushort(two.y) << 16;
}
template <typename T>
__device__ __forceinline__ void pack(const float *x, Pack<T, 8> *to) {
  to->word.x = pack_word(T(), x), to->word.y = pack_word(T(), x + 2);
  to->word.z = pack_word(T(), x + 4), to->word.w = pack_word(T(), x + 6);
}

// ------------------------------------------------------------------------------------------------------ the kernel

// The addresses of one head of one token. `channel` is 1 wherever P is not.
template <typename T>
struct Head {
  const T *x;
  T *y;
  int64_t x_step, y_step;
};

template <typename T>
__device__ __forceinline__ Head<T> head_at(const Rotation &r, int64_t batch, int64_t token, int head) {
  const bool is_q = head < r.q_heads;
  const View &in = is_q ? r.q : r.k, &out = is_q ? r.q_out : r.k_out;
  const int64_t h = is_q ? head : head - r.q_heads;
  return Head<T>{static_cast<const T *>(in.data) + batch * in.batch + token * in.token + h * in.head,
                 static_cast<T *>(out.data) + batch * out.batch + token * out.token + h * out.head, in.channel, out.channel};
}

// Turns P pairs, whose first channels begin at `first` and `second`, in N heads from `head` on. All of the N heads are
// read before the first is written: that keeps more loads in flight, and it is what makes in place right.
template <typename T, int P, int N>
__device__ __forceinline__ void turn(const Rotation &r, bool half, int64_t batch, int64_t token, int head, int64_t first,
                                     int64_t second, const float *c, const float *s) {
  Head<T> at[N];
  Pack<T, P> low[N], high[N];
#pragma unroll
  for (int n = 0; n < N; n++) {
    at[n] = head_at<T>(r, batch, token, head + n);
    low[n] = *reinterpret_cast<const Pack<T, P> *>(at[n].x + first * at[n].x_step);
    high[n] = *reinterpret_cast<const Pack<T, P> *>(at[n].x + second * at[n].x_step);
  }
#pragma unroll
  for (int n = 0; n < N; n++) {
    float x[2 * P], y[2 * P];
    unpack(low[n], x);
    unpack(high[n], x + P);
#pragma unroll
    for (int i = 0; i < P; i++) {
      // The two channels of pair i: apart by P in the two packs, or side by side in them.
      const float a = half ? x[i] : x[2 * i], b = half ? x[P + i] : x[2 * i + 1];
      const float ya = a * c[i] - b * s[i], yb = b * c[i] + a * s[i];
      if (half) {
        y[i] = ya, y[P + i] = yb;
      } else {
        y[2 * i] = ya, y[2 * i + 1] = yb;
      }
    }
    pack(y, &low[n]);
    pack(y + P, &high[n]);
    *reinterpret_cast<Pack<T, P> *>(at[n].y + first * at[n].y_step) = low[n];
    *reinterpret_cast<Pack<T, P> *>(at[n].y + second * at[n].y_step) = high[n];
  }
}

// The channels beside the rotated ones: the bits themselves, so that NaN and -0 go through unchanged.
template <typename T, int P>
__device__ __forceinline__ void copy(const Rotation &r, int64_t batch, int64_t token, int head, int lane) {
  const Head<T> at = head_at<T>(r, batch, token, head);
  const int before = lane * P, d = before < r.offset ? before : before + 2 * r.pairs;
  *reinterpret_cast<Pack<T, P> *>(at.y + d * at.y_step) = *reinterpret_cast<const Pack<T, P> *>(at.x + d * at.x_step);
}

// One block takes blockDim.y tokens and `heads_each` heads at a time; lanes (threadIdx.x) share the pairs of a head among
// them, then the channels that are only copied. In packs the pairing is known when compiled, so that no register is
// indexed at run time; alone, it only moves addresses.
template <typename T, int P, bool HALF, typename Positions>
__global__ void __launch_bounds__(THREADS)
    rotate_rows(const __grid_constant__ Rotation r, const __grid_constant__ Positions positions, int heads_each,
                int copied, bool per_head) {
  if (Positions::given && !axes_exist(r)) return;
  const bool half = P > 1 ? HALF : r.half != 0;
  const int from = (int)blockIdx.y * heads_each, to = from + heads_each < r.heads ? from + heads_each : r.heads;
  const int turning = r.pairs / P, lanes = turning + copied;
  const int64_t stride = (int64_t)gridDim.x * blockDim.y;
  for (int64_t row = (int64_t)blockIdx.x * blockDim.y + threadIdx.y; row < r.rows; row += stride) {
    const int64_t batch = row / r.tokens, token = row - batch * r.tokens;
    const auto here = positions.here(batch, token);
    for (int lane = (int)threadIdx.x; lane < lanes; lane += (int)blockDim.x) {
      if (lane >= turning) {
        for (int head = from; head < to; head++) copy<T, P>(r, batch, token, head, lane - turning);
        continue;
      }
      const int pair = lane * P;
      const int64_t first = r.offset + (half ? pair : 2 * pair), second = first + (half ? r.pairs : P);
      float c[P], s[P];
      for (int head = from; head < to;) {
        if (per_head || head == from) {
#pragma unroll
          for (int i = 0; i < P; i++) {
            const int axis = axis_at(r, head, pair + i);
            const bool turns = axis != ROPECHECK_AXIS_NONE;
            cos_sin(r, turns ? here.at(axis) : 0.0f, turns ? frequency_at(r, head, pair + i) : 0.0f, &c[i], &s[i]);
          }
        }
        if (!per_head && head + 1 < to) {
          turn<T, P, 2>(r, half, batch, token, head, first, second, c, s);
          head += 2;
        } else {
          turn<T, P, 1>(r, half, batch, token, head, first, second, c, s);
          head += 1;
        }
      }
    }
  }
}

// ------------------------------------------------------------------------------------------------------ the launch

// Whether a tensor can be read and written in packs of 16 bytes.
static inline bool takes_packs(const View &x, int64_t bytes) {
  const int64_t per_pack = 16 / bytes;
  return x.channel == 1 && x.head % per_pack == 0 && x.token % per_pack == 0 && x.batch % per_pack == 0 &&
         reinterpret_cast<uintptr_t>(x.data) % 16 == 0;
}

static inline bool takes_packs(const Rotation &r, int64_t bytes) {
  const int per_pack = (int)(16 / bytes);
  if (r.pairs % per_pack != 0 || r.offset % per_pack != 0 || r.head_dim % per_pack != 0) return false;
  const bool q = r.q_heads == 0 || (takes_packs(r.q, bytes) && takes_packs(r.q_out, bytes));
  const bool k = r.heads == r.q_heads || (takes_packs(r.k, bytes) && takes_packs(r.k_out, bytes));
  return q && k;
}

template <typename T, int P, bool HALF, typename Positions>
static inline ropecheck_status launch_packs(int multiprocessors, const Rotation &r, const Positions &positions, void *stream,
                                            Note to) {
  const bool in_place = (r.q_heads == 0 || r.q.data == r.q_out.data) &&
                        (r.heads == r.q_heads || r.k.data == r.k_out.data);
  const int copied = in_place ? 0 : (r.head_dim - 2 * r.pairs) / P;
  const int lanes = r.pairs / P + copied;
  if (lanes == 0) return ROPECHECK_OK; // in place, and nothing is rotated
  const bool per_head = r.axis_head != 0 || r.inv_freq_head != 0;
  const int x = lanes < THREADS ? lanes : THREADS, y = THREADS / x;

  // More heads to a thread save sines; fewer fill the device. By Little's law an H200 (4.8 TB/s, about 700 ns) needs
  // 25 KB on the way to each of its 132 multiprocessors; 512 threads with 64 bytes each are 32 KB. Not measured yet.
  int heads_each = 8;
  const double threads_per_head = (double)r.rows * lanes;
  while (heads_each > 1 && threads_per_head * ((r.heads + heads_each - 1) / heads_each) < 512.0 * multiprocessors)
    heads_each /= 2;
  while ((r.heads + heads_each - 1) / heads_each > 65535) heads_each *= 2; // grid.y ends there

  // grid.x could hold any number of rows, but 8 blocks fill a multiprocessor and more only wait: the kernel goes around.
  const int64_t enough = (int64_t)multiprocessors * 8, blocks = (r.rows + y - 1) / y;
  const dim3 grid((unsigned)(blocks < enough ? blocks : enough), (unsigned)((r.heads + heads_each - 1) / heads_each));
  return ropecheck_cuda_launch(stream, to.text, to.size, rotate_rows<T, P, HALF, Positions>, grid, dim3(x, y), r, positions,
                               heads_each, copied, per_head);
}

// Rotates; there is something to do. The workspace that `positions` may lie in stays as it is until the stream is done.
template <typename Positions>
static inline ropecheck_status rotate_all(void *handle, const Rotation &r, const Positions &positions,
                                          ropecheck_dtype dtype, void *stream, Note to) {
  const int multiprocessors = ropecheck_cuda_handle(handle)->multiprocessors;
  return with_type(dtype, [&](auto zero) {
    typedef decltype(zero) T;
    const int P = (int)(16 / sizeof(T));
    if (!takes_packs(r, sizeof(T))) return launch_packs<T, 1, true>(multiprocessors, r, positions, stream, to);
    if (r.half) return launch_packs<T, P, true>(multiprocessors, r, positions, stream, to);
    return launch_packs<T, P, false>(multiprocessors, r, positions, stream, to);
  });
}

#endif
