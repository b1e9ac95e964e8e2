import numpy as np
import ropecheck


@ropecheck.backend(level="rotate", schemes=["vrope", "m-rope"], dtypes=["f32", "bf16"], contract="eager/table")
def rotate(q, k, positions, plan):     # [batch, tokens, heads, head_dim]; [axes, batch, tokens]
    half = plan.rotary_dim // 2
    angle = positions[plan.axis_of_pair].astype(np.float32) * plan.inv_freq.astype(np.float32)[:, None, None]
    angle = angle.transpose(1, 2, 0)[:, :, None, :]

    def turn(x):
        cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
        a, b = x[..., :half], x[..., half:]
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    return turn(q), turn(k)
