"""B3 without ropecheck: positions are counted in the tensor's type, and cached. Fails where the bug is gone."""

import torch
from rotary_embedding_torch import RotaryEmbedding

x = torch.zeros(1, 1, 3000, 8)
x[..., 0] = 1
right = RotaryEmbedding(8).rotate_queries_or_keys(x)[0, 0, :, 0]


def first_wrong(found, tolerance):
    """The first position at which the cosine of the first pair, whose frequency is 1, is not that of f32."""
    wrong = ((found[0, 0, :, 0].float() - right).abs() > tolerance).nonzero()
    return wrong[0].item() if len(wrong) else None


for dtype, position in [(torch.bfloat16, 257), (torch.float16, 2049)]:
    rope = RotaryEmbedding(8)
    # A cosine in bf16 errs by 0.002; one at the next position differs by more, save near its turning points.
    own = first_wrong(rope.rotate_queries_or_keys(x.to(dtype)), 0.02)
    after = first_wrong(rope.rotate_queries_or_keys(x), 0.02)
    print(f"{dtype}: first wrong position {own}; float32 from the same object after it: {after}")
    assert own == after == position, "the bug is gone, or another one"
