"""Judges ports against what is known of them, and makes docs/ports.md of the reports.

    ports.py judge NAME [OPTION OF CHECK...]     what ports/run calls
    ports.py page                                prints docs/ports.md
"""

import json
import os
import subprocess
import sys
from fnmatch import fnmatch
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
REPORTS = ROOT / "target/ports/reports"
UNIT = ("check", "scheme", "dtype")


def failing(report):
    """Check, scheme and storage type of everything that fails."""
    return sorted({tuple(result[key] for key in UNIT) for result in report["results"] if result["failures"]})


def unlike(expected, report):
    """Where a report is not what was expected of it."""
    known = expected.get("fails", [])
    fits = lambda entry, unit: all(fnmatch(value, entry.get(key, "*")) for key, value in zip(UNIT, unit))
    found = failing(report)
    wrong = [f"fails and is not known to: {' '.join(unit)}" for unit in found if not any(fits(entry, unit) for entry in known)]
    wrong += [f"is known to fail and does not: {entry}" for entry in known if not any(fits(entry, unit) for unit in found)]
    if report["exit_code"] != (1 if found else 0):
        wrong.append(f"exit code {report['exit_code']}: {report.get('error') or report['verdict']}")
    return wrong


def judge(name, options):
    ok = True
    expected = json.loads((ROOT / "ports" / name / "expected.json").read_text())
    REPORTS.mkdir(parents=True, exist_ok=True)
    for function, about in expected["functions"].items():
        place = REPORTS / f"{name}.{function}.json"
        port = f"ports/{name}/port.py:{function}"
        command = [os.environ["ROPECHECK"], "check", port, "--depth", "quick", "--format", "json", "--output", str(place)]
        done = subprocess.run([*command, *about.get("options", []), *options], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        try:
            wrong = unlike(about, json.loads(place.read_text()))
        except (OSError, ValueError, KeyError):
            wrong = [done.stderr.strip() or f"no report: exit code {done.returncode}"]
        ok = ok and not wrong
        known = sorted({entry["check"] for entry in about.get("fails", [])})
        said = f"as expected, {', '.join(known) + ' fails' if known else 'everything judged holds'}"
        print(f"{name} {function}: {said}" if not wrong else "\n  ".join([f"{name} {function}: NOT as expected:", *wrong]), flush=True)
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
    expected = json.loads((ROOT / "ports" / name / "expected.json").read_text())
    yield f"## {expected['title']}\n\n{expected['about']} `ports/run {name}`.\n"
    yield "| function | level | scheme | dtype | verdict | error/bound | grade | contract |\n|---|---|---|---|---|---|---|---|"
    notes = []
    for function, about in expected["functions"].items():
        report = json.loads((REPORTS / f"{name}.{function}.json").read_text())
        wrong = unlike(about, report)
        if wrong:
            raise SystemExit(f"{name} {function}: {'; '.join(wrong)}")
        yield from rows(function, report)
        reasons = {}
        for entry in about.get("fails", []):
            where = " ".join(entry[key] for key in UNIT[1:] if entry.get(key, "*") != "*")
            reasons.setdefault(entry["why"], []).append(f"{entry['check']}{' (' + where + ')' if where else ''}")
        notes += [f"- `{function}`, {', '.join(where)}: {why}." for why, where in reasons.items()]
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
        if (folder / "expected.json").exists():
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
