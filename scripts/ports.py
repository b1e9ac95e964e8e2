"""Judges ports against what is known of them, and makes docs/ports.md of the reports.

    ports.py judge NAME [OPTION OF CHECK...]     what ports/run calls
    ports.py page                                prints docs/ports.md
"""

import json
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "target/ports/reports"


def judge(name, options):
    ok = True
    folder = ROOT / "ports" / name
    REPORTS.mkdir(parents=True, exist_ok=True)
    for function in json.loads((folder / "port.json").read_text())["functions"]:
        place = REPORTS / f"{name}.{function}.json"
        command = [os.environ["ROPECHECK"], "check", f"ports/{name}/port.py:{function}", "--config", f"ports/{name}/ropecheck.yaml",
                   "--no-corpus", "--format", "json", "--output", str(place), *options]
        done = subprocess.run(command, cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            said = json.loads(place.read_text())["verdict"]
        except (OSError, ValueError, KeyError):
            said = done.stderr.strip() or f"no report: exit code {done.returncode}"
        ok = ok and done.returncode == 0
        print(f"{name} {function}: {'' if done.returncode == 0 else 'NOT as expected: '}{said}", flush=True)
    return ok


def rows(function, report):
    """A line for each scheme and storage type."""
    by_group = {}
    for result in report["results"]:
        by_group.setdefault((result["scheme"], result["level"], result["dtype"]), []).append(result)
    grades = {(grade["level"], grade["dtype"]): grade for grade in report.get("grades", [])}
    for (scheme, level, dtype), results in by_group.items():
        bands = [band for result in results for band in result["bands"].values()]
        cases, failed = sum(band["cases"] for band in bands), sum(band["failed"] for band in bands)
        checks = sorted({result["check"] for result in results if result["failures"]})
        few = ", ".join(checks[:4]) + (f" and {len(checks) - 4} more" if len(checks) > 4 else "")
        verdict = f"{failed} of {cases} cases fail: {few}" if failed else f"{sum(b['passed'] for b in bands)} cases hold"
        worst = max((band.get("worst", 0) or 0 for result in results if result["check"] == "accuracy" for band in result["bands"].values()), default=0)
        grade = grades.get((level, dtype), {})
        contract = next((c["contract"] for c in report["contracts"] if (c["level"], c["dtype"]) == (level, dtype)), None)
        declared = grade.get("declared") or (f"{contract['class']}/{contract['frequencies']}" if isinstance(contract, dict) else contract) or "-"
        supplied = any(given["level"] == level and given["angles"] for given in report["not_judged"])
        scheme = "(cos and sin given)" if supplied else scheme
        yield f"| `{function}` | {level} | {scheme} | {dtype} | {verdict} | {f'{worst:.2f}' if worst else '-'} | {grade.get('class', '-')} | {declared} |"


def port_page(name):
    port = json.loads((ROOT / "ports" / name / "port.json").read_text())
    yield f"## {port['title']}\n\n{port['about']} `ports/run {name}`.\n"
    yield "| function | level | scheme | dtype | verdict | error/bound | grade | contract |\n|---|---|---|---|---|---|---|---|"
    notes = []
    for function in port["functions"]:
        report = json.loads((REPORTS / f"{name}.{function}.json").read_text())
        if report["exit_code"] != 0:
            raise SystemExit(f"{name} {function}: {report['verdict']}")
        yield from rows(function, report)
        for known in (one for one in report.get("expectations", []) if one["failing"]):
            where = " ".join([*known.get("schemes", []), *known.get("dtypes", [])])
            notes.append(f"- `{function}`, {', '.join(known.get('checks', ['any check']))}{' (' + where + ')' if where else ''}: {known['reason']}.")
        given = [", ".join(s["parts"]) for s in report["not_judged"]]
        judged = {result["check"] for result in report["results"] if sum(b["passed"] + b["failed"] for b in result["bands"].values())}
        idle = sorted({result["check"] for result in report["results"]} - judged)
        within = report["verdict"].split("within ")[1].split("; ")[0] if "within " in report["verdict"] else ""
        notes.append(f"- `{function}`, not judged: {'; '.join(given) + ', as given' if given else 'nothing was given'}"
                     + (f"; checks {', '.join(idle)}" if idle else "") + (f". Within {within}" if within else ""))
    yield ""
    yield from notes
    yield ""


def page():
    yield (ROOT / "ports/head.md").read_text().rstrip() + "\n"
    for folder in sorted((ROOT / "ports").iterdir()):
        if (folder / "port.json").exists():
            yield from port_page(folder.name)
        elif (folder / "notes.md").exists():
            yield (folder / "notes.md").read_text().rstrip() + "\n"


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["judge", name, *options]:
            sys.exit(0 if judge(name, options) else 1)
        case ["page"]:
            print("\n".join(page()).rstrip())
        case _:
            sys.exit(__doc__)
