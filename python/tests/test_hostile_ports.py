"""A port that does not start, answers nonsense, or disturbs the protocol: each its own message."""

import os
import subprocess
import sys

import pytest

from ropecheck.pytest_plugin import program


def test_what_does_not_start(check, example):
    for text, says in [
        ("import numpy as np\n", "has no function with @ropecheck.backend"),
        ("import ropecheck\n1 / 0\n", "ZeroDivisionError: division by zero"),
        ("import a_module_that_is_not_there\n", "No module named 'a_module_that_is_not_there'"),
        ("def rotate(:\n", "SyntaxError"),
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("import os\nos._exit(3)\n", "exit status 3"),
        (example + example.replace("def rotate", "def other"), "has several backends; say which"),
    ]:
        done = check(text, code=6)
        assert says in done.stderr, done.stderr
        assert "panicked" not in done.stderr
    done = check("import time\ntime.sleep(60)\n", "--start-timeout", "1", code=6)
    assert "did not load and open within 1s" in done.stderr
    done = check(example, code=6, spec="{}:other")
    assert "has no function 'other' with @ropecheck.backend; it has rotate" in done.stderr
    assert "there is no file" in check(example, code=6, spec="{}_missing.py").stderr


@pytest.mark.parametrize("module", ["numpy", "ml_dtypes"])
def test_a_python_without_what_ropecheck_needs(module, check, example, tmp_path):
    (tmp_path / f"{module}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{module}'\")\n")
    done = check(example, code=6)
    assert f"{sys.executable} cannot import what ropecheck needs: No module named '{module}'" in done.stderr, done.stderr
    assert f"{sys.executable} -m pip install numpy ml_dtypes" in done.stderr and "Traceback" not in done.stderr


def test_a_framework_that_is_not_there(check, example, tmp_path):
    for name, title in [("torch", "PyTorch"), ("jax", "JAX")]:
        (tmp_path / f"{name}.py").write_text(f"raise ModuleNotFoundError(\"No module named '{name}'\")\n")
        done = check(example.replace('"eager/table"', f'"eager/table", framework="{name}"'), code=6)
        says = f'framework="{name}" needs {title} in this Python ({sys.executable}): No module named \'{name}\''
        assert says in done.stderr and "could not be imported" not in done.stderr, done.stderr
        # A port that imports it itself shows where.
        done = check(example.replace("import numpy as np\n", f"import numpy as np\nimport {name}\n"), code=6)
        assert f"No module named '{name}'" in done.stderr and "port.py\", line 2" in done.stderr, done.stderr


def test_no_python(example, tmp_path):
    (tmp_path / "port.py").write_text(example)
    for python, says in [("no-such-python", "no-such-python could not be started"), ("true", "it died while it was loaded")]:
        environment = {**os.environ, "ROPECHECK_PYTHON": python}
        done = subprocess.run([*program(), "check", "port.py"], cwd=tmp_path, env=environment, capture_output=True, text=True)
        assert done.returncode == 6 and says in done.stderr and "panicked" not in done.stderr, done.stderr


def test_a_traceback_shows_its_last_frames(check, failing, example):
    deep = example + "\n\ndef deep(n):\n    return deep(n - 1) if n else 1 / 0\n"
    found = failing(deep.replace("    half = plan", "    deep(90)\n    half = plan"), "--scheme", "m-rope@default", "--check", "accuracy",
                    whole=True)["accuracy"]
    assert "ZeroDivisionError" in found and "in deep" in found, found
    assert found.count("in deep") <= 10, found


@pytest.mark.parametrize("answer, says", [
    ("None", "the function returned None: expected (q_out, k_out)"),
    ("turn(q)", "the function returned ndarray: expected (q_out, k_out)"),
    ("turn(q)[:, :, :, :-1], turn(k)", "q_out has the shape"),
    ("turn(q).astype(np.float64), turn(k)", "q_out is of type float64"),
    ("turn(q), None", "the function returned None for k_out"),
    ("turn(q), turn(undefined_name)", "NameError: name 'undefined_name' is not defined"),
])
def test_what_an_answer_may_not_be(answer, says, failing, example):
    found = failing(example.replace("return turn(q), turn(k)", f"return {answer}"), "--scheme", "m-rope@default",
                    "--check", "accuracy")
    assert says in found["accuracy"], found


@pytest.mark.parametrize("habit, code, says", [
    ("print('{}', flush=True)", 0, "CONFORMANT"),
    ("import os; os.write(1, b'garbage\\n')", 0, "CONFORMANT"),
    ("import os; os.fork() == 0 and os._exit(0)", 0, "CONFORMANT"),
    ("import os; os.fork()", 0, "CONFORMANT"),
    ("import os; os.kill(os.getpid(), 11)", 6, "SIGSEGV"),
    ("import time; time.sleep(60)", 6, "hung"),
    ("raise NotImplementedError('later')", 1, "UNSUPPORTED"),
])
def test_habits(habit, code, says, check, example):
    text = example.replace("    half = plan", f"    {habit}\n    half = plan")
    done = check(text, "--timeout", "2", "--scheme", "m-rope@default", "--dtype", "f32", "--check", "axis-map-probe",
                 "--threads", "1", code=code)
    assert says in done.stdout, done.stdout
