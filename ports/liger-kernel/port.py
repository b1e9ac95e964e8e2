"""qwen2vl_mrope of Liger-Kernel: its Triton kernel, in Triton's interpreter."""

import os

os.environ["TRITON_INTERPRET"] = "1"

import ropecheck
import torch
from liger_kernel.transformers.qwen2vl_mrope import liger_multimodal_rotary_pos_emb


@ropecheck.backend(
    level="rotate", framework="torch", schemes=["m-rope@default"], dtypes=["f32", "f16"],
    consumes=["positions", "inv_freq", "sections"], head_dims=[128], q_heads=[4, 12], k_heads=[2, 4],
    max_position=1 << 20, max_tokens=1024, contract="eager/table",
)
def qwen2vl_mrope(q, k, positions, plan):
    angle = positions[..., None].float() * plan.inv_freq.float()
    angle = torch.cat([angle, angle], dim=-1)  # [3, batch, tokens, head_dim]
    cos, sin = angle.cos().to(q.dtype), angle.sin().to(q.dtype)
    q, k = (x.transpose(1, 2).contiguous() for x in (q, k))
    q, k = liger_multimodal_rotary_pos_emb(q, k, cos.contiguous(), sin.contiguous(), plan.sections)
    return q.transpose(1, 2), k.transpose(1, 2)
