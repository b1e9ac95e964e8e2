"""Runs the commands of pages in docs/ as a reader would, and holds their output against what the page shows.

    walk.py PAGE...             exit code 1 if a command, its exit code or its output is not as on the page
    walk.py --update PAGE...    writes the output into the page instead

A page is walked in an empty folder of its own, from top to bottom:
  ```LANGUAGE file=NAME      is written to the file NAME
  ```sh                      every command must end with exit code 0; what it prints is not looked at
  ```console                 lines after `$ ` are commands, what follows is what they print; the last line is
                             [exit code N] where N is not 0. A line that is only `...` stands for any lines.
  ```sh not-run: REASON      is not run
  <!-- walk: COMMAND -->     is run, and readers do not see it: it makes what the page takes to be there
  <!-- walk: spans -->       every command between two backquotes in the rest of the page is run, such as `ropecheck list`, but for
                             those with names in capitals for what is to be put there
Numbers and hashes are not compared in output: they depend on compilers and on the C library's sines.
The binary is target/release/ropecheck ($WALK_BIN names another folder than target/release); $ROPECHECK_CHECKOUT is the checkout; target/python, if there, is the Python in use.
"""

import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BLOCK = re.compile(r"^```(?P<info>\w+[^\n]*)\n(?P<body>.*?)^```$|^<!-- walk: (?P<hidden>.*?) -->$|`(?P<span>ropecheck [^`\n]+)`",
                   re.M | re.S)
PLACEHOLDER = re.compile(r"\b[A-Z]+\b|[.]{3}|\|")
BIN = ROOT / os.environ.get("WALK_BIN", "target/release")
VARIES = re.compile(r"[0-9a-f]{8,}|[-+]?\d[\d.,]*(?:e[-+]?\d+)?")


def environment():
    path = [str(BIN), str(ROOT / "target/python/bin"), os.environ["PATH"]]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GITHUB_", "ROPECHECK"))}
    return kept | {"PATH": os.pathsep.join(path), "COLUMNS": "100", "ROPECHECK_CHECKOUT": str(ROOT)}


def run(command, folder):
    done = subprocess.run(["bash", "-e", "-o", "pipefail", "-c", command], cwd=folder, env=environment(), text=True,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
    return done.returncode, done.stdout


def as_shown(command, folder):
    code, output = run(command, folder)
    if output and not output.endswith("\n"):
        output += "\n"
    return output + (f"[exit code {code}]\n" if code else "")


def commands(body):
    """Commands of a console block, each with the output that follows it."""
    found = []
    for line in body.splitlines(keepends=True):
        if line.startswith("$ "):
            found.append([line[2:].rstrip("\n"), ""])
        elif found and found[-1][0].endswith("\\"):
            found[-1][0] += "\n" + line.rstrip("\n")
        elif found:
            found[-1][1] += line
    return found


def fits(shown, printed):
    blur = lambda text: VARIES.sub("N", text)
    parts = re.split(r"^\.\.\.\n", shown, flags=re.M)
    return re.fullmatch("(?:.*\n)*".join(re.escape(blur(part)) for part in parts), blur(printed)) is not None


def walk(page, update):
    text = page.read_text()
    wrong, new, spans = [], [], False
    with tempfile.TemporaryDirectory() as folder:
        for block in BLOCK.finditer(text):
            line = text.count("\n", 0, block.start()) + 1
            if not block["info"]:
                command = block["hidden"] or block["span"]
                spans = spans or command == "spans"
                if command != "spans" and (block["hidden"] or spans and not PLACEHOLDER.search(command)):
                    code, output = run(command, folder)
                    if code:
                        wrong.append(f"{page}:{line}: $ {command}\nexit code {code}\n{output}")
                continue
            info, body = block["info"], block["body"]
            language, _, rest = info.partition(" ")
            if rest.startswith("file="):
                Path(folder, rest.removeprefix("file=")).write_text(body)
            elif info == "sh":
                code, output = run(body, folder)
                if code:
                    wrong.append(f"{page}:{line}: exit code {code}\n{output}")
            elif info == "console":
                shown = ""
                for command, expected in commands(body):
                    printed = as_shown(command, folder)
                    if not fits(expected, printed):
                        wrong.append(f"{page}:{line}: $ {command}\nis shown to print\n{expected}and prints\n{printed}")
                    kept = expected if fits(expected, printed) and "\n...\n" in "\n" + expected else printed
                    shown += f"$ {command}\n{kept}"
                new.append((block.start("body"), block.end("body"), shown))
            elif language == "sh" and not rest.startswith("not-run: "):
                wrong.append(f"{page}:{line}: a block of commands is `sh`, or `sh not-run: REASON`, found `{info}`")
    if update:
        for start, end, shown in reversed(new):
            text = text[:start] + shown + text[end:]
        page.write_text(text)
        wrong = [one for one in wrong if "is shown to print" not in one]
    return wrong


def main(arguments):
    update = "--update" in arguments
    pages = [Path(argument) for argument in arguments if argument != "--update"]
    failed = False
    for page in pages:
        begun = time.monotonic()
        wrong = walk(page, update)
        failed |= bool(wrong)
        print("\n".join(wrong + [f"{page}: {time.monotonic() - begun:.1f} s"]), flush=True)
    return int(failed or not pages)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
