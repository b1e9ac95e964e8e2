// broken_race.cu: wrong on purpose. One thread an element, which writes its own channel and then reads its partner's. With
// outputs of their own that is right; in place the partner may be gone, or half done. Real kernels of this form exist.
// Threads of a warp store before any of them loads, so on a GPU it fails every time, not only under load. ropecheck must
// find it.
#include "common.cuh"
#include "rotate_manifest.h"

ROPECHECK_CUDA_MANIFEST(ROTATE_MANIFEST("broken_race.cu"))

template <typename T>
__global__ void rotate_elements(const __grid_constant__ Rotation r, const __grid_constant__ PositionView positions) {
  const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  const int64_t row = n / r.head_dim / r.heads;
  if (row >= r.rows || !axes_exist(r)) return;
  const int d = (int)(n % r.head_dim), head = (int)(n / r.head_dim % r.heads);
  const int64_t batch = row / r.tokens, token = row % r.tokens;

  const bool is_q = head < r.q_heads;
  const View in = is_q ? r.q : r.k, out = is_q ? r.q_out : r.k_out;
  const int64_t h = is_q ? head : head - r.q_heads;
  const T *x = static_cast<const T *>(in.data) + batch * in.batch + token * in.token + h * in.head;
  T *y = static_cast<T *>(out.data) + batch * out.batch + token * out.token + h * out.head;

  const int turned = d - r.offset;
  if (turned < 0 || turned >= 2 * r.pairs) {
    y[d * out.channel] = x[d * in.channel];
    return;
  }
  const int pair = r.half ? turned % r.pairs : turned / 2;
  const bool first = r.half ? turned < r.pairs : turned % 2 == 0;
  const int partner = d + (r.half ? r.pairs : 1) * (first ? 1 : -1);
  const int axis = axis_at(r, head, pair);
  const bool turns = axis != ROPECHECK_AXIS_NONE;
  float c, s;
  cos_sin(r, turns ? position_at(positions, axis, batch, token) : 0.0f, turns ? frequency_at(r, head, pair) : 0.0f, &c,
          &s);
  const float own = widen(x[d * in.channel]) * c;
  y[d * out.channel] = narrow<T>(own);
  const float other = widen(x[partner * in.channel]) * s; // the defect: in place this is y[partner], perhaps written
  y[d * out.channel] = narrow<T>(first ? own - other : own + other);
}

extern "C" ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  Rotation r;
  PositionView positions;
  ropecheck_dtype dtype = ROPECHECK_F32;
  const Note to = {err, err_len};
  TRY(flatten(handle, *call, &r, &positions, &dtype, to));
  const int64_t blocks = (r.rows * r.heads * r.head_dim + 255) / 256;
  if (blocks > INT_MAX) return UNSUPPORTED(to, "more than 2^31 - 1 blocks");
  TRY(with_type(dtype, [&](auto zero) {
    return ropecheck_cuda_launch(call->stream, err, err_len, rotate_elements<decltype(zero)>, dim3((unsigned)blocks),
                                 dim3(256), r, positions);
  }));
  return ropecheck_cuda_refused(handle, err, err_len);
}
