"""Holds reports of `check` to the published schemas of their forms.

    formats.py SARIF_SCHEMA JUNIT_XSD REPORT...     exit code 1 if a report (.sarif or .junit) is not as its schema says
"""

import json
import sys
from pathlib import Path

import jsonschema
import xmlschema


def main(sarif_schema, junit_xsd, *reports):
    sarif = jsonschema.Draft4Validator(json.loads(Path(sarif_schema).read_text()))
    junit = xmlschema.XMLSchema(junit_xsd)
    wrong = 0
    for report in map(Path, reports):
        if report.suffix == ".sarif":
            errors = [f"{'/'.join(map(str, e.path))}: {e.message}" for e in sarif.iter_errors(json.loads(report.read_text()))]
        else:
            errors = [f"{e.path}: {e.reason}" for e in junit.iter_errors(str(report))]
        for error in errors:
            print(f"{report}: {error[:300]}")
        wrong += len(errors)
        print(f"{report}: {len(errors)} errors")
    return int(wrong > 0 or not reports)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
