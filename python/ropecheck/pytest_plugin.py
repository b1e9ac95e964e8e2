"""pytest collects functions with `@ropecheck.backend`: one item for each check that `ropecheck check` makes of them.

Each process of a run judges a backend once, with the checks that are selected there (`-k` and the like), so that pytest-xdist
works as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("ropecheck")
    group.addoption("--ropecheck-depth", default="quick", choices=("quick", "default", "deep"),
                    help="how much of what a backend offers is reached (default: quick)")
    group.addoption("--ropecheck-scheme", action="append", default=[], metavar="SCHEME", help="only this scheme (repeatable)")
    group.addoption("--ropecheck-seed", default="1", metavar="N|fresh", help="seed of everything that is random")


def program() -> List[str]:
    """The command that runs ropecheck."""
    named = os.environ.get("ROPECHECK")
    beside = os.path.join(os.path.dirname(sys.executable), "ropecheck")
    found = named or (beside if os.path.exists(beside) else shutil.which("ropecheck"))
    if found is None:
        raise pytest.UsageError("the program `ropecheck` is not installed beside this Python")
    return [found]


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> Optional[pytest.Collector]:
    if file_path.suffix != ".py":
        return None
    patterns = parent.config.getini("python_files")
    named = parent.session.isinitpath(file_path)
    if not named and not any(file_path.match(pattern) for pattern in patterns):
        return None
    # A file is imported only if it may have a backend.
    if "ropecheck" not in file_path.read_text(encoding="utf-8", errors="replace"):
        return None
    return RopecheckFile.from_parent(parent, path=file_path)


class RopecheckFile(pytest.File):
    """A file that may have backends."""

    def collect(self) -> Iterator[pytest.Item]:
        from ._backend import backends
        from ._serve import NotFound, find, last_frames

        try:
            find(str(self.path))
        except NotFound:
            pass  # None, or several: all of them are judged.
        except Exception as error:
            raise self.CollectError(f"{self.path}: {last_frames(error)}") from error
        for name, backend in backends(sys.modules[self.path.stem]).items():
            for check in checks(backend.level):
                item = CheckItem.from_parent(self, name=f"{name}[{check}]", backend=name, level=backend.level, check=check)
                for mark in getattr(backend.function, "pytestmark", []):
                    item.add_marker(getattr(pytest.mark, mark.name)(*mark.args, **mark.kwargs))
                yield item


_checks: List[Tuple[str, List[str]]] = []


def checks(level: str) -> List[str]:
    """Ids of the checks and invariants that are judged on a level."""
    if not _checks:
        for what in ("checks", "invariants"):
            listed = subprocess.run([*program(), "list", what], capture_output=True, text=True, check=True)
            for line in listed.stdout.splitlines():
                words = line.split()
                if what == "invariants":
                    _checks.append((words[0], ["positions"]))
                elif "[" in line:
                    levels = line[line.index("[") + 1 : line.index("]")].split()
                    _checks.append((words[0], levels))
    return list(dict.fromkeys(check for check, levels in _checks if level in levels))


class Failed(Exception):
    """What ropecheck says of a check."""


class CheckItem(pytest.Item):
    """A check of a backend."""

    def __init__(self, *, backend: str, level: str, check: str, **more: object) -> None:
        super().__init__(**more)  # type: ignore[arg-type]
        self.backend = backend
        self.level = level
        self.check = check

    def runtest(self) -> None:
        report = judged(self)
        results = [result for result in report["results"] if result["check"] == self.check]
        failures = [failure for result in results for failure in result["failures"]]
        known = [failure["expected"] for failure in failures if "expected" in failure]
        failures = [failure for failure in failures if "expected" not in failure]
        wrong = [problem for one in report.get("expectations", []) for problem in one.get("problems", [])]
        if failures:
            groups = sum(1 for result in results if result["failures"])
            first = failures[0]
            lines = [f"FAIL {self.check}: {first['message'][0]}", *(f"     {line}" for line in first["message"][1:])]
            lines += [f"     case   {first['id']}", f"     replay {first['replay']}"]
            if groups > 1:
                lines.append(f"     and in {groups - 1} more groups")
            raise Failed("\n".join(lines))
        lines = [f"ropecheck.yaml:{problem['line']}: {problem['kind']}" for problem in wrong if self.check in problem.get("checks", [])]
        if lines:
            raise Failed("\n".join(lines))
        if known:
            pytest.xfail(known[0]["reason"])
        if sum(band["passed"] for result in results for band in result["bands"].values()) == 0:
            if report["exit_code"] not in (0, 1, 4):
                raise Failed(report.get("error") or report["verdict"])
            reasons = [why for result in results for band in result["bands"].values() for why in band["reasons"]]
            reasons += [gap for result in results for gap in result["gaps"]]
            pytest.skip("not judged: " + ("; ".join(dict.fromkeys(reasons)) or "it has no cases here"))

    def repr_failure(self, excinfo: pytest.ExceptionInfo, style: Optional[str] = None) -> object:  # type: ignore[override]
        if isinstance(excinfo.value, Failed):
            return str(excinfo.value)
        return super().repr_failure(excinfo)

    def reportinfo(self) -> Tuple[Path, int, str]:
        return self.path, 0, f"{self.backend}: {self.check}"


_reports: Dict[Tuple[str, str], dict] = {}


def judged(item: CheckItem) -> dict:
    """The report about a backend, with the checks of it that are selected."""
    key = (str(item.path), item.backend)
    if key not in _reports:
        option = item.config.getoption
        command = [*program(), "check", f"{item.path}:{item.backend}", "--no-corpus", "--format", "json", "--depth", option("--ropecheck-depth"),
                   "--seed", option("--ropecheck-seed")]
        for scheme in option("--ropecheck-scheme"):
            command += ["--scheme", scheme]
        wanted = [i.check for i in item.session.items if isinstance(i, CheckItem) and (str(i.path), i.backend) == key]
        if len(set(wanted)) < len(checks(item.level)):
            for check in dict.fromkeys(wanted):
                command += ["--check", check]
        environment = {**os.environ, "ROPECHECK_PYTHON": sys.executable}
        run = subprocess.run(command, capture_output=True, text=True, env=environment)
        try:
            _reports[key] = json.loads(run.stdout)
        except ValueError:
            raise Failed(run.stderr.strip() or f"ropecheck ended with exit code {run.returncode}") from None
    return _reports[key]
