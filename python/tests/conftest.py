import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ropecheck.pytest_plugin import program

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def check(tmp_path):
    """Runs `ropecheck check` on the text of a port."""

    def run(text, *options, name="port.py", code=None, spec=None):
        path = tmp_path / name
        path.write_text(text)
        done = subprocess.run(
            [*program(), "check", spec.format(path) if spec else str(path), "--depth", "quick", *options],
            capture_output=True, text=True, cwd=tmp_path, env={**os.environ, "ROPECHECK_PYTHON": sys.executable},
        )
        assert code is None or done.returncode == code, done.stdout + done.stderr
        return done

    return run


@pytest.fixture
def failing(check):
    """Ids of the checks that fail on the text of a port, with the first line of the first failure of each, or all of them."""

    def run(text, *options, whole=False):
        report = json.loads(check(text, "--format", "json", *options, code=1).stdout)
        found = {}
        for result in report["results"]:
            for failure in result["failures"]:
                found.setdefault(result["check"], "\n".join(failure["message"]) if whole else failure["message"][0])
        return found

    return run


@pytest.fixture
def example():
    return (ROOT / "examples/python/port.py").read_text()
