"""Reads every dataset of the request and says all that is wrong with it, as a report for people and facts for planning.

What is wrong here fails in `plan_tuning`, together with what is wrong with the request: one error tells it all.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

from tuneline import datasets, planning
from tuneline.errors import DatasetError, NotFound, NotPermitted, Problem, UsageError
from tuneline.steps.artifacts import Artifact, log_metrics, write_page
from tuneline.steps.record import recorded

if TYPE_CHECKING:
    from tuneline.datasets import Report

SETS = {"train": "dataset_uri", "evaluation": "evaluation_data_uri", "test": "test_data_uri"}
"""Set → the parameter that names it."""

FACTS_BYTES = 7_000
"""Facts travel as a string parameter, which must stay below 8 KB; all findings are in the report."""

_KEPT = (
    "valid",
    "format",
    "container",
    "examples",
    "counts",
    "duplicates",
    "contradictions",
    "leakage",
    "tokens",
    "author_fields",
    "digest",
    "crc32c",
    "bytes",
)
_MESSAGE = 240


class Outputs(NamedTuple):
    facts: str


def run(
    *,
    dataset_uri: str,
    evaluation_data_uri: str,
    test_data_uri: str,
    large_model_reference: str,
    default_context: str,
    fail_on: str,
    report: Artifact,
    metrics: Artifact,
    pipeline_root: str,
    pipeline_job_name: str,
    compiled_for: str,
) -> Outputs:
    """Reads each set once; fails only where `fail_on` names a severity that was found.

    Raises:
        DatasetError: `fail_on` is `error` or `warning`, and there is one; every one is told.
        UsageError: `fail_on` is something else.
    """
    parameters = {
        "dataset_uri": dataset_uri,
        "evaluation_data_uri": evaluation_data_uri,
        "test_data_uri": test_data_uri,
        "large_model_reference": large_model_reference,
        "default_context": default_context,
    }
    with recorded(
        "validate_dataset",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={**parameters, "fail_on": fail_on},
    ) as record:
        if fail_on not in ("", "error", "warning"):
            raise UsageError([Problem(where="fail_on", what=f"`{fail_on}`", fix="error, warning, or nothing")])
        reports, unread = _check_all(parameters)
        found = _facts(reports, unread)
        record.result["facts"] = found
        write_page(report, datasets.render_html(list(reports.values())))
        log_metrics(metrics, _metrics(found))
        for name, entry in found.items():
            state = entry.get("error") or f"{entry['examples']} examples, {entry['errors']} errors"
            print(f"{SETS[name]}: {state}", file=sys.stderr)
        if fail_on:
            _refuse(reports, unread, fail_on)
        return Outputs(facts=json.dumps(found))


def facts(parameters: Mapping[str, Any], *, template: str = "tune-large-model") -> dict[str, dict[str, Any]]:
    """What planning needs to know of the data of a request to a template, below 8 KB as JSON.

    For each set that the parameters name (`train`, `evaluation`, `test`): `uri` and the report's own `format`,
    `container`, `examples`, `counts`, `duplicates`, `contradictions`, `leakage`, `tokens`, `digest`, `crc32c`, `bytes`;
    the number of `errors`; the first `findings`. A set that cannot be read has `error` alone: why.
    """
    names = planning.names(template)
    own = {SETS[which]: parameters.get(name) for which, name in names.sets.items()}
    own |= {"large_model_reference": parameters.get(names.model), "default_context": parameters.get("default_context")}
    return _facts(*_check_all(own))


def _check_all(parameters: Mapping[str, Any]) -> tuple[dict[str, Report], dict[str, str]]:
    """Set → report, for those that could be read; set → why not, for the others."""
    reports: dict[str, Report] = {}
    unread: dict[str, str] = {}
    for name, parameter in SETS.items():
        uri = str(parameters.get(parameter) or "")
        if not uri:
            continue
        try:
            reports[name] = _check(name, uri, parameters, against="train" in reports)
        except DatasetError as error:
            unread[name] = "; ".join(f"{problem.where}: {problem.what}" for problem in error.problems)
        except (NotFound, NotPermitted) as error:
            # A fact of the data, told with all others; a service that is down is none, and ends this step.
            unread[name] = str(error)
    return reports, unread


def _check(name: str, uri: str, parameters: Mapping[str, Any], *, against: bool) -> Report:
    """One set's report; the model's limits are those of its training set, and leakage is that of the other sets."""
    context = str(parameters.get("default_context") or "")
    if name != "train":
        train = str(parameters["dataset_uri"]) if against else None
        return datasets.check(uri, against=train, default_context=context, digest=True)
    model = str(parameters.get("large_model_reference") or "")
    try:
        return datasets.check(uri, model=model or None, default_context=context, digest=True)
    except UsageError:
        # A model that nobody knows is planning's to tell; the data can be read without its limits.
        return datasets.check(uri, default_context=context, digest=True)


def _facts(reports: Mapping[str, Report], unread: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    whole = {name: report.to_dict() for name, report in reports.items()}
    for keep in (12, 6, 3, 1, 0):
        found: dict[str, dict[str, Any]] = {name: {"error": why[: 4 * _MESSAGE]} for name, why in unread.items()}
        found |= {name: _entry(reports[name], told, keep) for name, told in whole.items()}
        if len(json.dumps(found)) <= FACTS_BYTES:
            break
    return {name: found[name] for name in SETS if name in found}


def _entry(report: Report, told: Mapping[str, Any], keep: int) -> dict[str, Any]:
    """One set's facts: its report, the findings cut to the first few errors."""
    return {
        "uri": report.uri,
        **{key: told[key] for key in _KEPT},
        "errors": report.errors,
        "findings": [
            {
                "code": finding["code"],
                "severity": finding["severity"],
                "line": finding["line"],
                "message": finding["message"][:_MESSAGE],
            }
            for finding in [each for each in told["findings"] if each["severity"] == "error"][:keep]
        ],
    }


def _metrics(found: Mapping[str, Mapping[str, Any]]) -> dict[str, float | int | str | None]:
    flat: dict[str, float | int | str | None] = {}
    for name, entry in found.items():
        if entry.get("error"):
            continue
        flat[f"{name}_examples"] = entry["examples"]
        flat[f"{name}_errors"] = entry["errors"]
        flat[f"{name}_duplicates"] = entry["duplicates"].get("exact", 0)
        if name != "train":
            flat[f"{name}_leaked_examples"] = entry["leakage"].get("examples", 0)
    return flat


def _refuse(reports: Mapping[str, Report], unread: Mapping[str, str], fail_on: str) -> None:
    """Raises with every finding of that severity or a worse one."""
    severities = {"error"} if fail_on == "error" else {"error", "warning"}
    problems = [Problem(where=SETS[name], what=why, fix="check the URI") for name, why in unread.items()]
    for name, report in reports.items():
        problems += [
            Problem(where=f"{SETS[name]} ({report.uri}), line {each.line}", what=each.message, fix=each.hint)
            for each in report.findings
            if each.severity in severities
        ]
    if problems:
        raise DatasetError(problems)
