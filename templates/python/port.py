"""A rotary position embedding, for `ropecheck check`. It passes as it is: call your own kernel in `rotate`."""

import numpy as np
import ropecheck


# Other levels, types, shapes and contracts: docs/python.md. What is given here is everything that ropecheck will ask for.
@ropecheck.backend(level="rotate", schemes=["m-rope"], dtypes=["f32"], contract="fused/table")
def rotate(q, k, positions, plan):
    """q, k: [batch, tokens, heads, head_dim]; positions: [axes, batch, tokens]; plan.axis_of_pair, plan.inv_freq: [pairs].

    Returns q and k, rotated. Channel i turns with channel i + rotary_dim / 2.
    """
    # The angle of each pair: the position on its axis, times its frequency.
    position = positions[plan.axis_of_pair].transpose(1, 2, 0)
    angle = position.astype(np.float32) * plan.inv_freq.astype(np.float32)
    cos, sin = np.cos(angle)[:, :, None, :], np.sin(angle)[:, :, None, :]

    def turn(x):
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    return turn(q), turn(k)
