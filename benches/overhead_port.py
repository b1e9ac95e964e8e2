"""A port that says how long it computed: its last call's seconds, in the file that OVERHEAD_SPENT names."""

import os
import time

import numpy as np
import ropecheck


@ropecheck.backend(level="rotate", schemes=["m-rope"], dtypes=["f32"], contract="fused/table")
def rotate(q, k, positions, plan):
    start = time.perf_counter()
    position = positions[plan.axis_of_pair].transpose(1, 2, 0)
    angle = position.astype(np.float32) * plan.inv_freq.astype(np.float32)
    cos, sin = np.cos(angle)[:, :, None, :], np.sin(angle)[:, :, None, :]

    def turn(x):
        a, b = np.split(x, 2, axis=-1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1)

    answer = turn(q), turn(k)
    seconds = time.perf_counter() - start
    with open(os.environ["OVERHEAD_SPENT"], "w") as file:
        file.write(f"{seconds:.9f}")
    return answer
