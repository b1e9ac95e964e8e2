"""apply_rotary_emb of diffusers by cosines and sines that are given: that of Flux and CogVideoX, and that of CogView4 and Cosmos."""

import ropecheck
from diffusers.models.embeddings import apply_rotary_emb

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
