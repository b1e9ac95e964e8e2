"""RotaryEmbedding and apply_rotary_pos_emb of x-transformers."""

import ropecheck
from x_transformers.x_transformers import RotaryEmbedding, apply_rotary_pos_emb


@ropecheck.backend(
    level="rotate", framework="torch", schemes=["rope@default"], dtypes=["f32", "f16", "bf16"], consumes=["positions"],
    pairings=["adjacent"], head_dims=[64, 128], max_position=1 << 20,
    contract={"f32": "fused/pow-reciprocal", "f16": "fused/pow-reciprocal", "bf16": "fused/pow-reciprocal"},
)
def rotary(q, k, positions, plan, scheme):
    freqs, scale = RotaryEmbedding(plan.rotary_dim, base=float(scheme.parameters["base"]))(positions[0])
    return tuple(apply_rotary_pos_emb(x.transpose(1, 2), freqs, scale).transpose(1, 2) for x in (q, k))
