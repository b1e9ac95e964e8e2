// rope.cu: a rotary position embedding for video language models on CUDA, behind the ropecheck ABI.
//
//     nvcc -arch=sm_90 -O2 -Xcompiler -fPIC -shared -Iinclude -Ikernels/cuda -o librope_cuda.so kernels/cuda/rope.cu
//
// Levels, as in kernels/c/rope.c:
//     positions   M-RoPE (Qwen2-VL) and VRoPE (its official code), from a layout of text, images and videos
//     rotate      any scheme at all: the caller says which axis turns a pair, how fast, and where each token is
//     fused       both at once: the kernel finds the positions itself, and there is no position tensor
//
// Arithmetic is f32 throughout, with a single rounding at the store: the contract class "fused". All frequencies are f64
// rounded to f32 once: "table"; those of level fused are computed on the host from the base.
#include <cmath>

#include "common.cuh"
#include "layout.cuh"
#include "rotate.cuh"

ROPECHECK_CUDA_MANIFEST(R"({
  "name": "rope.cu", "version": "1",
  "levels": {
    "positions": {"consumes": ["layout"], "schemes": ["m-rope@default", "vrope@official"]},
    "rotate": {"consumes": ["positions", "axis_of_pair", "inv_freq"], "schemes": ["*"],
               "contract": {"class": "fused", "frequencies": "table"}},
    "fused": {"consumes": ["layout", "base"], "schemes": ["m-rope@default", "vrope@official"],
              "contract": {"class": "fused", "frequencies": "table"}}
  },
  "dtypes": ["f32", "f16", "bf16"], "position_dtypes": ["i32", "i64", "f32", "f64"],
  "pairings": ["half", "adjacent"], "head_dims": {"min": 2, "max": 512, "multiple": 2},
  "partial_rotary": true, "rotary_offsets": {"min": 0, "max": 512},
  "q_heads": {"min": 1, "max": 1024}, "k_heads": {"min": 0, "max": 1024},
  "alias": ["out", "in"], "strides": "any", "position_strides": "any", "max_position": 2147483647, "token_ranges": true,
  "varlen": true, "directions": [1, -1], "attention_scaling": true, "per_head": true
})")

// ------------------------------------------------------------------------------------------------------- positions

struct PositionsOut {
  void *data;
  int dtype;
  int64_t axis, batch, token;
};

__device__ __forceinline__ void store_position(const PositionsOut &x, int64_t axis, int64_t batch, int64_t token,
                                               int64_t value) {
  const int64_t element = axis * x.axis + batch * x.batch + token * x.token;
  switch (x.dtype) {
    case ROPECHECK_I32: static_cast<int32_t *>(x.data)[element] = (int32_t)value; break;
    case ROPECHECK_I64: static_cast<int64_t *>(x.data)[element] = value; break;
    case ROPECHECK_F32: static_cast<float *>(x.data)[element] = (float)value; break;
    default: static_cast<double *>(x.data)[element] = (double)value; break;
  }
}

// One thread a token. The token `end` of a row lies behind it, where text would go on: that is `next`.
__global__ void __launch_bounds__(THREADS)
    write_positions(const __grid_constant__ Runs runs, const __grid_constant__ PositionsOut out,
                    const __grid_constant__ PositionsOut next, int n_axes, int64_t rows, int64_t count) {
  const int64_t stride = (int64_t)gridDim.x * blockDim.x, each = count + 1;
  for (int64_t n = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; n < rows * each; n += stride) {
    const int64_t row = n / each, i = n % each;
    const bool last = i == count;
    if (last && next.data == NULL) continue;
    int64_t position[MAX_SCHEME_AXES];
    positions_of(runs, row, last ? runs.runs[runs.first[row + 1] - 1].token : runs.token_start + i, position);
#pragma unroll
    for (int axis = 0; axis < MAX_SCHEME_AXES; axis++) {
      if (axis >= n_axes) continue;
      store_position(last ? next : out, axis, row, last ? 0 : i, position[axis]);
    }
  }
}

// -------------------------------------------------------------------------------------------------- what they need

// Tables that go to the device together, in the handle's workspace.
struct Tables {
  std::vector<Run> runs;
  std::vector<int64_t> first;
  std::vector<double> inv_freq;
  std::vector<uint8_t> axis_of_pair;
  // Where they are there.
  const Run *device_runs;
  const int64_t *device_first;
  const double *device_inv_freq;
  const uint8_t *device_axis_of_pair;
};

template <typename T>
static void append(std::vector<char> *bytes, const std::vector<T> &table) {
  const char *from = reinterpret_cast<const char *>(table.data());
  bytes->insert(bytes->end(), from, from + table.size() * sizeof(T));
}

// The copy is ordered in the stream: behind the kernels that still read the old tables, before those that read the new.
// From pageable memory the runtime takes the bytes before it returns, so they may go out of scope here.
static ropecheck_status upload(void *handle, Tables *tables, void *stream, Note to) {
  std::vector<char> bytes;
  append(&bytes, tables->runs);
  append(&bytes, tables->first);
  append(&bytes, tables->inv_freq);
  append(&bytes, tables->axis_of_pair);
  void *workspace = NULL;
  TRY(ropecheck_cuda_workspace(handle, bytes.size(), &workspace, to.text, to.size));
  ROPECHECK_CUDA_TRY(cudaMemcpyAsync(workspace, bytes.data(), bytes.size(), cudaMemcpyHostToDevice,
                                     static_cast<cudaStream_t>(stream)), to.text, to.size);
  tables->device_runs = static_cast<const Run *>(workspace);
  tables->device_first = reinterpret_cast<const int64_t *>(tables->device_runs + tables->runs.size());
  tables->device_inv_freq = reinterpret_cast<const double *>(tables->device_first + tables->first.size());
  tables->device_axis_of_pair = reinterpret_cast<const uint8_t *>(tables->device_inv_freq + tables->inv_freq.size());
  return ROPECHECK_OK;
}

// ------------------------------------------------------------------------------------------------ what is exported

extern "C" ropecheck_status ropecheck_positions(void *handle, const ropecheck_positions_call *call, char *err,
                                                size_t err_len) {
  const Note to = {err, err_len};
  if (call->struct_size < sizeof *call) return BAD(to, "call.struct_size is too small");
  if (call->scheme.struct_size < sizeof call->scheme) return BAD(to, "scheme.struct_size is too small");
  int scheme = 0;
  TRY(find_scheme(call->scheme, &scheme, to));
  Tables tables;
  TRY(runs_of(scheme, call->layouts, call->batch, call->token_start, call->token_count, &tables.runs, &tables.first, to));
  const ropecheck_position_tensor &out = call->out, &next = call->next;
  if (call->batch > 0 && call->token_count > 0 && out.data == NULL) return BAD(to, "out has no data");
  const bool narrow_type = out.dtype == ROPECHECK_I32 || (next.data != NULL && next.dtype == ROPECHECK_I32);
  for (int64_t row = 0; row < call->batch && narrow_type; row++) {
    if (tables.runs[tables.first[row + 1] - 1].position > INT32_MAX)
      return UNSUPPORTED(to, "the positions do not fit an i32");
  }
  if (call->batch == 0) return ROPECHECK_OK;
  TRY(upload(handle, &tables, call->stream, to));

  const Runs runs = {tables.device_runs, tables.device_first, call->token_start, scheme};
  const PositionsOut to_out = {out.data, out.dtype, out.stride_axis, out.stride_batch, out.stride_token};
  const PositionsOut to_next = {next.data, next.dtype, next.stride_axis, next.stride_batch, 0};
  const int64_t threads = call->batch * (call->token_count + 1), blocks = (threads + THREADS - 1) / THREADS;
  const int64_t enough = (int64_t)ropecheck_cuda_handle(handle)->multiprocessors * 8;
  return ropecheck_cuda_launch(call->stream, err, err_len, write_positions, dim3((unsigned)(blocks < enough ? blocks : enough)),
                               dim3(THREADS), runs, to_out, to_next, call->scheme.n_axes, call->batch, call->token_count);
}

extern "C" ropecheck_status ropecheck_rotate(void *handle, const ropecheck_rotate_call *call, char *err, size_t err_len) {
  const Note to = {err, err_len};
  Rotation r;
  GivenPositions positions;
  ropecheck_dtype dtype = ROPECHECK_F32;
  TRY(flatten(handle, *call, &r, &positions.view, &dtype, to));
  if (r.rows == 0 || r.heads == 0) return ROPECHECK_OK;
  TRY(rotate_all(handle, r, positions, dtype, call->stream, to));
  return ropecheck_cuda_refused(handle, err, err_len);
}

extern "C" ropecheck_status ropecheck_fused(void *handle, const ropecheck_fused_call *call, char *err, size_t err_len) {
  const Note to = {err, err_len};
  if (call->struct_size < sizeof *call) return BAD(to, "call.struct_size is too small");
  Rotation r;
  ropecheck_dtype dtype = ROPECHECK_F32;
  int scheme = 0;
  TRY(flatten(handle, call->scheme, call->plan, call->qk, &r, &dtype, to));
  TRY(find_scheme(call->scheme, &scheme, to));
  Tables tables;
  if (call->cu_seqlens != NULL) {
    if (call->qk.batch != 1 || call->token_start != 0) return BAD(to, "packed sequences are one row, from its first token");
    TRY(runs_of_packed(scheme, call->layouts, call->n_sequences, call->qk.tokens, &tables.runs, &tables.first, to));
  } else {
    TRY(runs_of(scheme, call->layouts, call->qk.batch, call->token_start, call->qk.tokens, &tables.runs, &tables.first, to));
  }
  if (std::isnan(call->plan.base)) return UNSUPPORTED(to, "the frequencies are no powers of one base");
  if (call->plan.base <= 0) return BAD(to, "base is not positive");
  if (r.rows == 0 || r.heads == 0) return ROPECHECK_OK;

  for (int i = 0; i < r.pairs; i++) {
    tables.axis_of_pair.push_back((uint8_t)scheme_axis(scheme, i, r.pairs));
    tables.inv_freq.push_back(std::pow(call->plan.base, -2.0 * i / (2.0 * r.pairs)));
  }
  TRY(upload(handle, &tables, call->stream, to));
  r.axis_of_pair = tables.device_axis_of_pair, r.axis_head = 0;
  r.inv_freq = tables.device_inv_freq, r.inv_freq_head = 0;
  const LayoutPositions positions = {{tables.device_runs, tables.device_first, call->token_start, scheme}};
  return rotate_all(handle, r, positions, dtype, call->stream, to);
}
