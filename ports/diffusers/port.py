"""apply_rotary_emb of diffusers by cosines and sines that are given: that of Flux and CogVideoX, and that of CogView4 and Cosmos.
WanRotaryPosEmbed with what WanAttnProcessor does by it: that is asked for attention, and its queries and keys are taken before it."""

from functools import cache
from types import SimpleNamespace
from unittest import mock

import ropecheck
import torch
from diffusers.models.embeddings import apply_rotary_emb
from diffusers.models.transformers import transformer_wan as wan_model

APPLY = dict(
    level="apply", framework="torch", dtypes=["f32", "f16", "bf16"], table_dtypes=["f32"], table_widths=["full"],
    head_dims=[64, 128], batch_layouts=False, contract="fused/table",
)


def applied(dim, q, k, cos, sin):
    rotate = lambda x: apply_rotary_emb(x, (cos[0], sin[0]), use_real_unbind_dim=dim, sequence_dim=1)
    return rotate(q), rotate(k)


@ropecheck.backend(pairings=["adjacent"], **APPLY)
def flux(q, k, cos, sin, plan):
    return applied(-1, q, k, cos, sin)


@ropecheck.backend(pairings=["half"], **APPLY)
def cogview4(q, k, cos, sin, plan):
    return applied(-2, q, k, cos, sin)


def of_attention(x, tables):
    """What attention would be asked with, where x is projected already and there is nothing to normalise."""
    asked = []
    attention = lambda query, key, value, **_: asked.append(query) or query
    same = lambda x: x
    module = SimpleNamespace(add_k_proj=None, norm_q=same, norm_k=same, heads=x.shape[2], to_out=[same, same])
    projected = x.flatten(2)
    with mock.patch.multiple(
        wan_model, _get_qkv_projections=lambda *_: (projected,) * 3, dispatch_attention_fn=attention,
    ):
        wan_model.WanAttnProcessor()(module, projected, rotary_emb=tables)
    return asked[0]


@cache
def embedding(width, base):
    return wan_model.WanRotaryPosEmbed(width, (1, 1, 1), 1024, theta=base)


@ropecheck.backend(
    level="fused", framework="torch", schemes=["wan2.1"], dtypes=["f32", "f16", "bf16"], consumes=["layout"],
    pairings=["adjacent"], head_dims=[64, 96, 128], max_position=1023, max_tokens=32768, batch_layouts=False,
    layouts={"kinds": ["video"], "segments": 1}, contract="fused/table",
)
def wan(q, k, segments, scheme, plan):
    grid = [(video.T, video.H, video.W) for video in segments] or [(0, 0, 0)]
    tables = embedding(plan.rotary_dim, float(scheme.parameters["base"]))(torch.empty(1, 1, *grid[0]))
    return of_attention(q, tables), of_attention(k, tables)
