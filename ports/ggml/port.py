"""ggml_rope_multi and ggml_rope_ext of ggml, on the CPU, from the library that xllamacpp brings."""

import ctypes as c
import os

import numpy as np
import ropecheck
import xllamacpp

folder = os.path.dirname(xllamacpp.__file__)
ggml = c.CDLL(next(os.path.join(folder, name) for name in os.listdir(folder) if name.endswith(".so")))


class Parameters(c.Structure):
    _fields_ = [("mem_size", c.c_size_t), ("mem_buffer", c.c_void_p), ("no_alloc", c.c_bool)]


pointer, integer, number = c.c_void_p, c.c_int, c.c_float
TAIL = [integer, number, number, number, number, number, number]  # n_ctx_orig, base, scale, ext, attn, beta_fast, beta_slow
for name, result, arguments in [
    ("ggml_init", pointer, [Parameters]), ("ggml_free", None, [pointer]), ("ggml_get_data", pointer, [pointer]),
    ("ggml_new_tensor_4d", pointer, [pointer, integer] + 4 * [c.c_int64]), ("ggml_new_graph", pointer, [pointer]),
    ("ggml_build_forward_expand", None, [pointer, pointer]),
    ("ggml_graph_compute_with_ctx", integer, [pointer, pointer, integer]),
    ("ggml_rope_multi", pointer, 4 * [pointer] + [integer, c.POINTER(integer), integer] + TAIL),
    ("ggml_rope_ext", pointer, 4 * [pointer] + [integer, integer] + TAIL),
]:
    getattr(ggml, name).restype, getattr(ggml, name).argtypes = result, arguments

F32, F16, I32 = 0, 1, 26
NORMAL, NEOX, MROPE, IMROPE = 0, 2, 8, 40


def tensor(context, kind, array):
    """Copies [a, b, c, d] into a tensor of ggml, whose first dimension is the fastest."""
    shape = array.shape[::-1] + (1,) * (4 - array.ndim)
    made = ggml.ggml_new_tensor_4d(context, kind, *shape)
    c.memmove(ggml.ggml_get_data(made), np.ascontiguousarray(array).ctypes.data, array.nbytes)
    return made


def turn(x, rows, plan, mode):  # x: [tokens, heads, head_dim]; rows: i32 [1 or 4, tokens]
    context = ggml.ggml_init(Parameters(4 * x.nbytes + rows.nbytes + (16 << 20), None, False))
    try:
        a, b = tensor(context, F16 if x.dtype == np.float16 else F32, x), tensor(context, I32, rows.reshape(-1))
        tail = [plan.rotary_dim], [0, plan.base, 1.0, 0.0, 1.0, 32.0, 1.0]
        if mode in (MROPE, IMROPE):
            sections = (integer * 4)(*plan.sections, 0)
            y = ggml.ggml_rope_multi(context, a, b, None, *tail[0], sections, mode, *tail[1])
        else:
            y = ggml.ggml_rope_ext(context, a, b, None, *tail[0], mode, *tail[1])
        graph = ggml.ggml_new_graph(context)
        ggml.ggml_build_forward_expand(graph, y)
        assert ggml.ggml_graph_compute_with_ctx(context, graph, 1) == 0
        return np.frombuffer(c.string_at(ggml.ggml_get_data(y), x.nbytes), x.dtype).reshape(x.shape)
    finally:
        ggml.ggml_free(context)


def rotated(q, k, positions, plan, mode):
    if q.size == 0:
        return q, k
    rows = np.zeros((4 if mode in (MROPE, IMROPE) else 1, *positions.shape[1:]), np.int32)
    rows[: len(positions)] = positions
    each = lambda x: np.stack([turn(x[b], rows[:, b], plan, mode) for b in range(len(x))])
    return each(q), each(k)


ROTATION = dict(
    level="rotate", dtypes=["f32", "f16"], position_dtypes=["i32"], max_position=1 << 20, max_tokens=8192, head_dims=[128],
    contract="fused/recurrence",
)


@ropecheck.backend(schemes=["m-rope@default", "qwen2.5-vl@default"], consumes=["positions", "base", "sections"], **ROTATION)
def mrope(q, k, positions, plan):
    return rotated(q, k, positions, plan, MROPE)


@ropecheck.backend(schemes=["qwen3-vl"], consumes=["positions", "base", "sections"], **ROTATION)
def imrope(q, k, positions, plan):
    return rotated(q, k, positions, plan, IMROPE)


@ropecheck.backend(schemes=["rope@default"], consumes=["positions", "base"], pairings=["half", "adjacent"], **ROTATION)
def rope(q, k, positions, plan):
    return rotated(q, k, positions, plan, NEOX if plan.pairing == "half" else NORMAL)
