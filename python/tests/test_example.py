"""The example of the README passes, and each of twelve bugs in it fails with the check that names it."""

import subprocess
from pathlib import Path

import pytest

from ropecheck.pytest_plugin import program

BUGS = {
    "sine-sign": ("b * cos + a * sin", "b * cos - a * sin", "pairing-probe", "0.999950"),
    "frequencies-backwards": ("plan.inv_freq.astype", "plan.inv_freq[::-1].astype", "frequency-probe", "the scheme says 1.0"),
    "axes-backwards": ("[plan.axis_of_pair]", "[plan.axis_of_pair[::-1]]", "axis-map-probe", "turns with w, the scheme says t"),
    "first-axis-alone": ("[plan.axis_of_pair]", "[plan.axis_of_pair * 0]", "axis-map-probe", "the scheme says w"),
    "one-position-late": ("positions[plan.axis_of_pair]", "(positions[plan.axis_of_pair] + 1)", "axis-map-probe", "at positions off by +1"),
    "positions-in-f16": ("[plan.axis_of_pair]", "[plan.axis_of_pair].astype(np.float16)", "accuracy", "at position"),
    "k-left-alone": ("return turn(q), turn(k)", "return turn(q), k", "controls", "k comes back as it was"),
    "first-row-for-all": (
        "angle.transpose(1, 2, 0)[:, :, None, :]",
        "angle.transpose(1, 2, 0)[:1, :, None, :] + 0 * angle.transpose(1, 2, 0)[:, :, None, :]",
        "batch-independence", "rows of equal input",
    ),
    "adjacent-pairs": ("a, b = x[..., :half], x[..., half:]", "a, b = x[..., ::2], x[..., 1::2]", "pairing-probe", "its partner is channel"),
    "frequency-off-by-a-thousandth": ("plan.inv_freq.astype", "(plan.inv_freq * 1.001).astype", "frequency-probe", "1.001000"),
    "stale-cache": (
        "    half = plan", "    positions = CACHE.setdefault(positions.shape, positions.copy())\n    half = plan",
        "no-sticky-state", "",
    ),
    "halves-swapped": ("[a * cos - b * sin, b * cos + a * sin]", "[b * cos + a * sin, a * cos - b * sin]", "pairing-probe", "1.000000"),
}


def test_it_is_that_of_the_readme_and_passes(check, example):
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text()
    assert f"```python\n{example}```" in readme
    assert len(example.splitlines()) <= 30
    done = check(example, code=0)
    assert "CONFORMANT" in done.stdout


@pytest.mark.parametrize("bug", BUGS)
def test_a_bug_fails_with_the_check_that_names_it(bug, failing, example):
    right, wrong, check, says = BUGS[bug]
    assert example.count(right) == 1
    text = example.replace(right, wrong).replace("import ropecheck\n", "import ropecheck\n\nCACHE = {}\n")
    found = failing(text, "--scheme", "m-rope@default", "--check", check)
    assert check in found, found
    assert says in found[check], found[check]


def in_torch(example):
    return (
        example.replace("import numpy as np", "import torch")
        .replace('contract="eager/table"', 'contract="eager/table", framework="torch"')
        .replace(".astype(np.float32)", ".float()")
        .replace("positions[plan.axis_of_pair]", "positions[plan.axis_of_pair.long()]")
        .replace(".transpose(1, 2, 0)", ".permute(1, 2, 0)")
        .replace("np.cos(angle).astype(x.dtype), np.sin(angle).astype(x.dtype)", "angle.cos().to(x.dtype), angle.sin().to(x.dtype)")
        .replace("np.concatenate(", "torch.cat(").replace("axis=-1", "dim=-1")
    )


def in_jax(example):
    # XLA on a CPU makes subnormal numbers zero, which has to be said. It compiles each operation for each shape that it meets: with
    # all heads and widths most of the minutes, and most of those of shrinking, went there.
    few = ", q_heads=[2], k_heads=[1], head_dims=[16], max_tokens=128"
    return example.replace("import numpy as np", "import jax.numpy as np").replace(
        '"eager/table"', '"eager/table,flushes=true", framework="jax"' + few)


FEW = ["--scheme", "m-rope@default", "--cases", "1", "--check", "accuracy", "--check", "pairing-probe"]


@pytest.mark.parametrize("framework, port, part", [("torch", in_torch, []), ("jax", in_jax, FEW)])
def test_the_same_in_a_framework(framework, port, part, check, failing, example):
    pytest.importorskip(framework)
    text = port(example)
    assert f'framework="{framework}"' in text and len(text.splitlines()) <= 30
    done = check(text, *part, "--require", "dtypes=f32,bf16", code=0)
    assert "CONFORMANT" in done.stdout
    for right, wrong, names in [
        ("b * cos + a * sin", "b * cos - a * sin", "pairing-probe"),
        ("return turn(q), turn(k)", "return turn(q), k", "controls"),
        (")[:, None, None]\n", ")[:, None, None] * 1.001\n", "frequency-probe"),
    ]:
        broken = text.replace(right, wrong)
        assert broken != text, right
        assert names in failing(broken, "--scheme", "m-rope@default", "--check", names)


def test_a_port_to_begin_with_passes_until_a_line_is_changed(check, failing, tmp_path):
    written = tmp_path / "new" / "mine.py"
    init = [*program(), "init", "python", "--output", str(written)]
    assert str(written) in subprocess.run(init, capture_output=True, text=True, check=True).stdout
    text = written.read_text()
    assert "CONFORMANT" in check(text, code=0).stdout
    assert "pairing-probe" in failing(text.replace("a * cos - b * sin", "a * cos + b * sin"), "--check", "pairing-probe")
    again = subprocess.run(init, capture_output=True, text=True)
    assert again.returncode == 2 and "exists already" in again.stderr and written.read_text() == text
