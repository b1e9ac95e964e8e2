"""`python -m ropecheck serve PORT`: what `ropecheck check PORT` starts. Anything else is handed to the program."""

import json
import os
import shutil
import sys


def main() -> int:
    arguments = sys.argv[1:]
    if len(arguments) == 2 and arguments[0] == "serve":
        try:
            from ._serve import serve
        except ImportError as error:
            needs = f"{sys.executable} cannot import what ropecheck needs: {error}; run {sys.executable} -m pip install numpy ml_dtypes"
            print(json.dumps({"refused": {"why": needs}}), flush=True)
            return 1
        return serve(arguments[1])
    beside = os.path.join(os.path.dirname(sys.executable), "ropecheck")
    program = beside if os.path.exists(beside) else shutil.which("ropecheck")
    if program is None:
        print("error: the program `ropecheck` is not installed beside this Python", file=sys.stderr)
        return 2
    os.execv(program, [program, *arguments])


if __name__ == "__main__":
    sys.exit(main())
