"""The plugin shows what `ropecheck check` shows."""

import os
import subprocess
import sys


def run(folder, *options):
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options], cwd=folder, capture_output=True, text=True,
        env=os.environ,
    )


def test_items_failures_selection_and_xfail(tmp_path, example):
    (tmp_path / "port.py").write_text(example)
    done = run(tmp_path, "port.py")
    assert done.returncode == 0, done.stdout + done.stderr
    assert " passed" in done.stdout and " skipped" in done.stdout
    # Only files that are named, or match the pattern of test files, are collected.
    assert "no tests ran" in run(tmp_path).stdout
    broken = example.replace("b * cos + a * sin", "b * cos - a * sin")
    (tmp_path / "test_port.py").write_text(broken)
    done = run(tmp_path, "-k", "pairing or accuracy", "--ropecheck-scheme", "m-rope@default")
    assert done.returncode == 1 and "2 failed" in done.stdout, done.stdout
    for text in ["FAIL pairing-probe: a 1 on channel 1 comes back as", "the sine has the wrong sign", "replay ropecheck replay '"]:
        assert text in done.stdout, done.stdout
    marked = broken.replace("import ropecheck\n", "import pytest\nimport ropecheck\n").replace(
        "\n\n@ropecheck", "\n\n@pytest.mark.xfail(reason='known')\n@ropecheck")
    (tmp_path / "test_port.py").write_text(marked)
    done = run(tmp_path, "-k", "pairing", "--ropecheck-scheme", "m-rope@default")
    assert done.returncode == 0 and "1 xfailed" in done.stdout, done.stdout


def test_known_failures_of_a_configuration_are_xfailed_and_unexpected_passes_fail(tmp_path, example):
    (tmp_path / "ropecheck.yaml").write_text("expectations: [{check: pairing-probe, reason: the sign is known}]\n")
    (tmp_path / "test_port.py").write_text(example.replace("b * cos + a * sin", "b * cos - a * sin"))
    selected = ["-k", "pairing or accuracy", "--ropecheck-scheme", "m-rope@default", "-rx"]
    done = run(tmp_path, *selected)
    assert done.returncode == 1 and "1 failed, 1 xfailed" in done.stdout and "the sign is known" in done.stdout, done.stdout
    (tmp_path / "test_port.py").write_text(example)
    done = run(tmp_path, *selected)
    assert done.returncode == 1 and "1 failed, 1 passed" in done.stdout, done.stdout
    assert "ropecheck.yaml:1: unexpected-pass" in done.stdout, done.stdout
