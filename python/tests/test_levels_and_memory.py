"""Every level, real views of the arena, and what the decorator refuses."""

import pytest

import ropecheck

HEAD = "import numpy as np\nimport ropecheck\n\n\n"

VIEWS = HEAD + '''@ropecheck.backend(level="rotate", schemes=["m-rope@default"], dtypes=["f32", "f16", "bf16"], alias=["out", "in"],
                   strides="any", k_heads={"min": 0, "max": 8})
def rotate(q, k, positions, plan, q_out, k_out):
    half = plan.rotary_dim // 2
    angle = positions[plan.axis_of_pair].astype(np.float32) * plan.inv_freq.astype(np.float32)[:, None, None]
    angle = angle.transpose(1, 2, 0)[:, :, None, :]
    for x, out in ((q, q_out), (k, k_out)):
        if x is None:
            continue
        cos, sin = np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)
        a, b = x[..., :half].copy(), x[..., half:].copy()
        out[..., :half] = a * cos - b * sin
        out[..., half:] = b * cos + a * sin
'''


def test_views_are_memory(check, failing):
    done = check(VIEWS, code=0)
    assert "guards: the library works on copies" not in done.stdout
    # Overlapping halves are read after they were written: wrong in place alone.
    in_place = failing(VIEWS.replace("x[..., :half].copy()", "x[..., :half]"), "--check", "in-place")
    assert "in-place" in in_place, in_place
    last = failing(VIEWS.replace("out[..., half:] = b", "out[..., half:-1] = (b")
                   .replace("* cos + a * sin\n", "* cos + a * sin)[..., :-1]\n"), "--check", "fully-written")
    assert "fully-written" in last, last
    input_ = failing(VIEWS.replace("        cos, sin", "        x[..., 0] *= 1 if x is out else 2\n        cos, sin"), "--check", "inputs-untouched")
    assert "inputs-untouched" in input_, input_


def test_positions_apply_and_fused(check, failing):
    positions = HEAD + '''@ropecheck.backend(level="positions", schemes=["rope"])
def positions(segments, scheme):
    n = sum(segment.tokens for segment in segments)
    return np.arange(n)[None], np.array([n])
'''
    check(positions, code=0)
    assert "positions-exact" in failing(positions.replace("np.arange(n)", "np.arange(n) + (n > 4)"), "--check", "positions-exact")
    apply = HEAD + '''@ropecheck.backend(level="apply", dtypes=["f32"], table_widths=["full"])
def apply(q, k, cos, sin, plan):
    def rotate_half(x):
        half = x.shape[-1] // 2
        return np.concatenate([-x[..., half:], x[..., :half]], -1)

    return tuple(x * cos[:, :, None] + rotate_half(x) * sin[:, :, None] for x in (q, k))
'''
    check(apply, code=0)
    assert "accuracy" in failing(apply.replace("* sin", "* -sin"), "--check", "accuracy")
    fused = HEAD + '''@ropecheck.backend(level="fused", schemes=["rope@default"], dtypes=["f32"])
def fused(q, k, segments, scheme, plan):
    assert q.shape[0] == 1
    angle = np.arange(q.shape[1], dtype=np.float32)[:, None] * plan.inv_freq.astype(np.float32)
    cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]

    def turn(x):
        a, b = np.split(x, 2, -1)
        return np.concatenate([a * cos - b * sin, b * cos + a * sin], -1)

    return turn(q), turn(k)
'''
    check(fused, code=0)
    assert "accuracy" in failing(fused.replace("np.arange(q.shape[1]", "1 + np.arange(q.shape[1]"), "--check", "accuracy")


def test_the_decorator_refuses_what_makes_no_sense():
    for wrong, says in [
        (dict(level="rotat"), "expected one of positions, rotate, fused, apply"),
        (dict(framework="tensorflow"), "expected one of numpy, torch, jax"),
        (dict(contract="eager/table,trig_ulps"), "expected KEY=VALUE"),
    ]:
        with pytest.raises(ValueError, match=says):
            ropecheck.backend(**wrong)(lambda q, k, positions, plan: None)
    with pytest.raises(TypeError, match="unknown key 'head_dim'"):
        ropecheck.backend(head_dim=64)


def test_mistakes_in_a_manifest_are_listed(check):
    text = VIEWS.replace('schemes=["m-rope@default"]', 'schemes=["mrope"]').replace('"bf16"]', '"bf17"]')
    done = check(text, code=6)
    assert "2 mistakes in the manifest" in done.stderr
    assert 'did you mean "m-rope"?' in done.stderr
