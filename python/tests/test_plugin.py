"""The plugin shows what `ropecheck check` shows."""

import os
import subprocess
import sys

from test_example import BUGS


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


def test_each_bug_of_the_example_is_an_item_that_fails(tmp_path, example):
    items = []
    for bug, (right, wrong, check, _) in BUGS.items():
        name = f"port_{bug.replace('-', '_')}.py"
        text = example.replace(right, wrong).replace("import ropecheck\n", "import ropecheck\n\nCACHE = {}\n")
        (tmp_path / name).write_text(text)
        items.append(f"{name}::rotate[{check}]")
    (tmp_path / "port_right.py").write_text(example)
    right = [f"port_right.py::rotate[{check}]" for check in dict.fromkeys(check for _, _, check, _ in BUGS.values())]
    done = run(tmp_path, "-rA", "--ropecheck-scheme", "m-rope@default", *items, *right)
    failed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("FAILED ")}
    passed = {line.split()[1] for line in done.stdout.splitlines() if line.startswith("PASSED ")}
    assert failed == set(items), done.stdout
    assert passed == set(right), done.stdout
    for bug, (_, _, check, says) in BUGS.items():
        assert f"FAIL {check}: " in done.stdout and says in done.stdout, bug


def test_known_failures_of_a_configuration_are_xfailed_and_unexpected_passes_fail(tmp_path, example):
    (tmp_path / "ropecheck.yaml").write_text("expectations: [{check: pairing-probe, reason: the sign is known}]\n")
    (tmp_path / "test_port.py").write_text(example.replace("b * cos + a * sin", "b * cos - a * sin"))
    selected = ["-k", "pairing or accuracy", "--ropecheck-scheme", "m-rope@default", "-rx"]
    done = run(tmp_path, *selected)
    assert done.returncode == 1 and "1 failed" in done.stdout and "1 xfailed" in done.stdout and "the sign is known" in done.stdout, done.stdout
    (tmp_path / "test_port.py").write_text(example)
    done = run(tmp_path, *selected)
    assert done.returncode == 1 and "1 failed" in done.stdout and "1 passed" in done.stdout, done.stdout
    assert "ropecheck.yaml:1: unexpected-pass" in done.stdout, done.stdout
