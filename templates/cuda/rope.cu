// rope.cu: a rotary position embedding in CUDA, for `ropecheck check`. It passes as it is: put your kernel in.
//
//     nvcc -std=c++17 -arch=native -O2 -Xcompiler -fPIC -shared -o librope.so rope.cu
#include "ropecheck_cuda.h"

// A tensor [batch, tokens, heads, channels] on the device. Strides count elements.
struct View {
  float *data;
  int64_t batch, token, head, channel;
};

struct Shape {
  int64_t batch, tokens;
  int heads, pairs, axes;
};

struct Positions {
  const int64_t *data;
  int64_t axis, batch, token;
};

// One thread a pair: channels i and i + pairs turn together. Both are read before either is written, so that it
// may work in place.
__global__ void rotate(const View in, const View out, const Shape s, const Positions at, const uint8_t *axis_of_pair,
                       const double *inv_freq, int *refused) {
  const int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x;
  const int64_t row = n / s.pairs / s.heads;
  if (row >= s.batch * s.tokens) return;
  // The table is on the device, so the host cannot look. Where an axis is not there no thread writes.
  for (int i = 0; i < s.pairs; i++) {
    if (axis_of_pair[i] >= s.axes) {
      *refused = 1;
      return;
    }
  }
  const int64_t pair = n % s.pairs, head = n / s.pairs % s.heads, batch = row / s.tokens, token = row % s.tokens;

  const int64_t position = at.data[axis_of_pair[pair] * at.axis + batch * at.batch + token * at.token];
  const float angle = (float)position * (float)inv_freq[pair];
  const float c = cosf(angle), sn = sinf(angle);
  const float *x = in.data + batch * in.batch + token * in.token + head * in.head;
  float *y = out.data + batch * out.batch + token * out.token + head * out.head;
  const float a = x[pair * in.channel], b = x[(pair + s.pairs) * in.channel];
  y[pair * out.channel] = a * c - b * sn;
  y[(pair + s.pairs) * out.channel] = b * c + a * sn;
}

// What this library takes. ropecheck asks for nothing else, and shows every mistake in it.
ROPECHECK_CUDA_MANIFEST(R"({
  "name": "my-rope", "version": "1",
  "levels": {"rotate": {"consumes": ["positions", "axis_of_pair", "inv_freq"], "schemes": ["m-rope"],
                        "contract": {"class": "fused", "frequencies": "table"}}},
  "dtypes": ["f32"], "position_dtypes": ["i64"], "pairings": ["half"], "head_dims": [64, 128],
  "q_heads": {"min": 1, "max": 64}, "k_heads": {"min": 0, "max": 64},
  "alias": ["out", "in"], "strides": "any", "max_position": 1048576
})")

static View view(const ropecheck_tensor &t) {
  return {(float *)t.data, t.stride[0], t.stride[1], t.stride[2], t.stride[3]};
}

// Launches the kernel for q, then for k. All pointers are memory of the device; work goes into the call's stream.
extern "C" ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err,
                                             size_t err_len) {
  const ropecheck_qk &qk = call->qk;
  const ropecheck_plan &plan = call->plan;
  if (plan.rotary_dim != plan.head_dim || plan.rotary_offset != 0 || plan.rotary_dim % 2 != 0)
    return ropecheck_cuda_fail(ROPECHECK_BAD_ARGUMENT, err, err_len, "only whole heads of an even width");
  if (plan.pairing != ROPECHECK_PAIRING_HALF || plan.direction != 1 || qk.q.dtype != ROPECHECK_F32 ||
      call->positions.dtype != ROPECHECK_I64)
    return ropecheck_cuda_fail(ROPECHECK_UNSUPPORTED, err, err_len, "only f32, halves, forward, positions of i64");
  const Positions at = {(const int64_t *)call->positions.data, call->positions.stride_axis, call->positions.stride_batch,
                        call->positions.stride_token};
  const int heads[2] = {(int)qk.q_heads, (int)qk.k_heads};
  const ropecheck_tensor *in[2] = {&qk.q, &qk.k}, *out[2] = {&qk.q_out, &qk.k_out};
  for (int i = 0; i < 2; i++) {
    const Shape shape = {qk.batch, qk.tokens, heads[i], (int)(plan.rotary_dim / 2), (int)call->scheme.n_axes};
    const int64_t blocks = (shape.batch * shape.tokens * shape.heads * shape.pairs + 255) / 256;
    if (blocks > INT32_MAX) return ropecheck_cuda_fail(ROPECHECK_UNSUPPORTED, err, err_len, "more than 2^31 - 1 blocks");
    if (blocks == 0) continue;
    const ropecheck_status status =
        ropecheck_cuda_launch(call->stream, err, err_len, rotate, dim3((unsigned)blocks), dim3(256), view(*in[i]),
                              view(*out[i]), shape, at, plan.axis_of_pair, plan.inv_freq,
                              ropecheck_cuda_handle(handle)->refused);
    if (status != ROPECHECK_OK) return status;
  }
  return ropecheck_cuda_refused(handle, err, err_len);
}
