"""mx.fast.rope of mlx, on the CPU."""

import mlx.core as mx
import numpy as np
import ropecheck


@ropecheck.backend(
    level="fused", schemes=["rope@default"], dtypes=["f32", "f16"], consumes=["layout"],
    pairings=["half", "adjacent"], head_dims=[64, 128], max_position=65535, max_tokens=65536,
    contract="eager/exp,trig_error=1e-8",
)
def fast_rope(q, k, segments, scheme, plan):
    def turn(x):
        y = mx.fast.rope(
            mx.array(x.transpose(0, 2, 1, 3)), plan.rotary_dim, traditional=plan.pairing == "adjacent",
            base=float(scheme.parameters["base"]), scale=1.0, offset=0,
        )
        return np.array(y).transpose(0, 2, 1, 3)

    return turn(q), turn(k)
