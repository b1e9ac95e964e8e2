"""B2 without ropecheck: text after a video lies beside its frames, decoding behind. Fails where it is gone."""

from types import MethodType, SimpleNamespace

import torch
from transformers.models.qwen2_vl.modeling_qwen2_vl import Qwen2VLModel

# All that the two methods read of a model.
vision = SimpleNamespace(spatial_merge_size=2, tokens_per_second=2)
model = SimpleNamespace(config=SimpleNamespace(vision_config=vision))
model.get_vision_position_ids = MethodType(Qwen2VLModel.get_vision_position_ids, model)

# 3 tokens of text, 16 frames of 2 x 2 tokens, 4 tokens of text.
kinds = torch.tensor([[0] * 3 + [2] * 64 + [0] * 4])
grid = torch.tensor([[16, 4, 4]])
positions, delta = Qwen2VLModel.get_rope_index(model, torch.zeros_like(kinds), kinds, None, grid)
frame, text, decoded = positions[0, 0, 66].item(), positions[0, 0, 67].item(), kinds.shape[1] + delta.item()
print(f"last frame at t = {frame}, the text after it at {text}, the first decoded token at {decoded}")
assert text < frame < decoded, "the bug is gone"
