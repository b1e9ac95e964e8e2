"""A port that does not start, answers nonsense, or disturbs the protocol: each its own message."""

import pytest


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
    done = check(text, "--timeout", "2", "--scheme", "m-rope@default", "--dtype", "f32", "--check", "accuracy", "--threads", "1", code=code)
    assert says in done.stdout, done.stdout
