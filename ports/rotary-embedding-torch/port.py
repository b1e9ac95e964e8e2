"""rotate_queries_or_keys of rotary-embedding-torch, one object for each width and base, as a model has it."""

import functools

import ropecheck
import torch
from rotary_embedding_torch import RotaryEmbedding


@functools.lru_cache(maxsize=None)
def embedding(dim, base):
    return RotaryEmbedding(dim, theta=base)


@ropecheck.backend(
    level="fused", framework="torch", schemes=["rope@default"], dtypes=["f32", "f16", "bf16"], consumes=["layout"],
    pairings=["adjacent"], head_dims=[64, 128], max_position=65535, max_tokens=16384,
    contract={"f32": "fused/pow-reciprocal", "f16": "eager/pow-reciprocal", "bf16": "eager/pow-reciprocal"},
)
def rotate_queries_or_keys(q, k, segments, scheme, plan):
    rope = embedding(plan.rotary_dim, float(scheme.parameters["base"]))
    with torch.no_grad():
        return tuple(rope.rotate_queries_or_keys(x.transpose(1, 2)).transpose(1, 2) for x in (q, k))
