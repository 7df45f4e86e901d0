"""A report as SARIF 2.1.0, which code hosts and editors show beside the lines."""

from __future__ import annotations

from typing import Any

from tuneline._version import __version__
from tuneline.datasets.catalogue import CHECKS
from tuneline.datasets.report import Report

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def render_sarif(report: Report) -> dict[str, Any]:
    """The report as a SARIF log of one run, as JSON values."""
    rules = [check for check in CHECKS.values() if check.code in report.counts]
    places = {check.code: index for index, check in enumerate(rules)}
    results = []
    for item in report.findings:
        location: dict[str, Any] = {"physicalLocation": {"artifactLocation": {"uri": report.uri}}}
        if item.line:
            region = {"startLine": item.line} | ({"startColumn": item.column} if item.column else {})
            location["physicalLocation"]["region"] = region
        if item.path:
            location["logicalLocations"] = [{"fullyQualifiedName": item.path}]
        results.append(
            {
                "ruleId": item.code,
                "ruleIndex": places[item.code],
                "level": item.severity,
                "message": {"text": item.message + (f" → {item.hint}" if item.hint else "")},
                "locations": [location],
            }
        )
    return {
        "$schema": _SCHEMA,
        "version": "2.1.0",
        "runs": [
            {
                "tool": {
                    "driver": {
                        "name": "tuneline",
                        "version": __version__,
                        "rules": [
                            {
                                "id": check.code,
                                "name": check.name,
                                "shortDescription": {"text": check.meaning},
                                "help": {"text": check.hint},
                                "defaultConfiguration": {"level": check.severity},
                            }
                            for check in rules
                        ],
                    }
                },
                # Columns of SARIF count UTF-16 units unless said otherwise; ours count characters.
                "columnKind": "unicodeCodePoints",
                "results": results,
            }
        ],
    }
