"""Rotation and positions of Qwen2-VL, Qwen2.5-VL and Qwen3-VL, as transformers computes them."""

import functools
import types

import ropecheck
import torch
from transformers.models.qwen2_5_vl import modeling_qwen2_5_vl as qwen2_5
from transformers.models.qwen2_vl import modeling_qwen2_vl as qwen2
from transformers.models.qwen3_vl import modeling_qwen3_vl as qwen3

ROTATION = dict(
    level="rotate", framework="torch", dtypes=["f32", "f16", "bf16"], consumes=["positions"], head_dims=[128],
    max_position=1 << 24,
    contract={"f32": "fused/pow-reciprocal", "f16": "eager/pow-reciprocal", "bf16": "eager/pow-reciprocal"},
)


@functools.lru_cache(maxsize=None)
def rotary(embedding, base, section):
    parameters = {"rope_type": "default", "rope_theta": base, "mrope_section": list(section)}
    return embedding(types.SimpleNamespace(max_position_embeddings=1 << 20, rope_parameters=parameters, head_dim=128))


def rotated(module, embedding, section, q, k, positions, scheme):
    base = float(scheme.parameters["base"])
    cos, sin = rotary(embedding, base, section)(q, positions.long())
    return module.apply_rotary_pos_emb(q, k, cos, sin, unsqueeze_dim=2)


@ropecheck.backend(schemes=["m-rope"], **ROTATION)
def qwen2_vl(q, k, positions, plan, scheme):
    return rotated(qwen2, qwen2.Qwen2VLRotaryEmbedding, (16, 24, 24), q, k, positions, scheme)


@ropecheck.backend(schemes=["qwen2.5-vl"], **ROTATION)
def qwen2_5_vl(q, k, positions, plan, scheme):
    return rotated(qwen2_5, qwen2_5.Qwen2_5_VLRotaryEmbedding, (16, 24, 24), q, k, positions, scheme)


@ropecheck.backend(schemes=["qwen3-vl"], **ROTATION)
def qwen3_vl(q, k, positions, plan, scheme):
    return rotated(qwen3, qwen3.Qwen3VLTextRotaryEmbedding, (24, 20, 20), q, k, positions, scheme)


POSITIONS = dict(level="positions", framework="torch", batch_layouts=False)
#: get_rope_index takes a run of tokens of one type for one image or video.
APART = {"text_before": False, "text_between": True}


def indexed(model, segments, **more):
    """What get_rope_index of a model says of one row, and where decoding goes on."""
    vision = types.SimpleNamespace(spatial_merge_size=1, tokens_per_second=more.pop("tokens_per_second", 2))
    self = types.SimpleNamespace(config=types.SimpleNamespace(vision_config=vision))
    self.get_vision_position_ids = types.MethodType(model.get_vision_position_ids, self)
    kinds = torch.tensor([[("text", "image", "video").index(s.kind) for s in segments for _ in range(s.tokens)]])
    grids = {kind: [[s.T, s.H, s.W] for s in segments if s.kind == kind] for kind in ("image", "video")}
    grids = {kind: torch.tensor(grid) if grid else None for kind, grid in grids.items()}
    found, delta = model.get_rope_index(self, torch.zeros_like(kinds), kinds, grids["image"], grids["video"], **more)
    after = kinds.shape[1] + delta.item()
    return found[:, 0], torch.tensor([after] * 3)


@ropecheck.backend(schemes=["m-rope@transformers-5.23"], layouts=APART, **POSITIONS)
def qwen2_vl_index(segments, scheme):
    return indexed(qwen2.Qwen2VLModel, segments)


@ropecheck.backend(schemes=["m-rope@default"], layouts=APART, **POSITIONS)
def qwen2_vl_index_default(segments, scheme):
    return indexed(qwen2.Qwen2VLModel, segments)


def seconds(segments, scheme):
    each = [float(s.seconds) for s in segments if s.kind == "video"]
    more = {"second_per_grid_ts": torch.tensor(each)} if each else {}
    return {**more, "tokens_per_second": float(scheme.parameters.get("tokens_per_second", 2))}


@ropecheck.backend(schemes=["qwen2.5-vl@transformers-5.23"], layouts=APART, **POSITIONS)
def qwen2_5_vl_index(segments, scheme):
    return indexed(qwen2_5.Qwen2_5_VLModel, segments, **seconds(segments, scheme))


@ropecheck.backend(schemes=["qwen3-vl"], layouts={**APART, "frames": 1}, **POSITIONS)
def qwen3_vl_index(segments, scheme):
    return indexed(qwen3.Qwen3VLModel, segments)
