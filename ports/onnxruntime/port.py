"""RotaryEmbedding of onnxruntime: the operator of opset 23, and that of com.microsoft, on the CPU."""

import functools

import onnxruntime
import ropecheck
from onnx import TensorProto, helper

TYPES = {"float32": TensorProto.FLOAT, "float16": TensorProto.FLOAT16}


@functools.lru_cache(maxsize=64)
def session(domain, dtype, interleaved, rotary_dim, head_dim):
    kind = TYPES[dtype]
    if domain == "":
        inputs, attributes = ["x", "cos", "sin", "ids"], {"rotary_embedding_dim": rotary_dim}
    else:
        inputs, attributes = ["x", "ids", "cos", "sin"], {}
    node = helper.make_node("RotaryEmbedding", inputs, ["y"], domain=domain, interleaved=interleaved, **attributes)
    value = lambda name, kind, rank: helper.make_tensor_value_info(name, kind, [f"{name}{i}" for i in range(rank)])
    inputs = [value("x", kind, 4), value("cos", kind, 2), value("sin", kind, 2), value("ids", TensorProto.INT64, 2)]
    graph = helper.make_graph([node], "rope", inputs, [value("y", kind, 4)])
    opsets = [helper.make_opsetid("", 23)] + ([helper.make_opsetid(domain, 1)] if domain else [])
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    model = helper.make_model(graph, opset_imports=opsets, ir_version=11).SerializeToString()
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


ROTATION = dict(
    level="rotate", schemes=["rope@default"], dtypes=["f32", "f16"], consumes=["positions", "cos_sin_cache"],
    table_dtypes=["storage"], position_dtypes=["i64"], pairings=["half", "adjacent"], head_dims=[64, 128],
    max_position=32767, max_tokens=32768, contract="fused/table",
)


def rotated(domain, q, k, positions, plan, cache):
    cos, sin = (part.copy() for part in (cache[:, : plan.rotary_dim // 2], cache[:, plan.rotary_dim // 2 :]))
    run = session(domain, q.dtype.name, int(plan.pairing == "adjacent"), plan.rotary_dim, plan.head_dim)

    def turn(x):  # [batch, heads, tokens, head_dim]
        given = {"x": x.transpose(0, 2, 1, 3).copy(), "cos": cos, "sin": sin, "ids": positions[0].copy()}
        return run.run(None, given)[0].transpose(0, 2, 1, 3)

    return turn(q), turn(k)


@ropecheck.backend(**ROTATION)
def opset23(q, k, positions, plan, cos_sin_cache):
    return rotated("", q, k, positions, plan, cos_sin_cache)


@ropecheck.backend(**ROTATION)
def contrib(q, k, positions, plan, cos_sin_cache):
    return rotated("com.microsoft", q, k, positions, plan, cos_sin_cache)
