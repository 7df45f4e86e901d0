"""Stages the datasets where the engine reads them, under the digest of their content."""

from __future__ import annotations

import json
from typing import NamedTuple

from tuneline.planning import Plan
from tuneline.steps import staging
from tuneline.steps.artifacts import Artifact
from tuneline.steps.record import recorded

SENT = {"vertex_tuning": ("train", "evaluation"), "gemini_api": ("train",)}
"""Managed engine → the sets that it is given, in the format that it takes; the others are ours to read."""


class Outputs(NamedTuple):
    staged: str


def run(*, plan: str, dataset: Artifact, pipeline_root: str, pipeline_job_name: str, compiled_for: str) -> Outputs:
    """Stages training, evaluation and test set; a set that is there already is not sent again.

    Raises:
        DatasetError: a set is not what was validated any more, or holds what the engine's format has no place for.
    """
    with recorded(
        "upload_dataset",
        pipeline_root=pipeline_root,
        pipeline_job_name=pipeline_job_name,
        compiled_for=compiled_for,
        inputs={},
    ) as record:
        decided = Plan.from_dict(json.loads(plan))
        sets = {"train": decided.train, "evaluation": decided.evaluation, "test": decided.test}
        staged = {name: staging.stage(data, decided.staging_uri) for name, data in sets.items() if data}
        for name in SENT.get(decided.engine, ()):
            if name in staged:
                staged[name] = staging.convert(staged[name], decided.staging_uri, _taken(decided))
        train = staged["train"]
        dataset.uri = train["uri"]
        dataset.metadata.update({"sha256": train["digest"], "examples": train["examples"], "format": train["format"]})
        record.result["staged"] = staged
        return Outputs(staged=json.dumps(staged))


def _taken(plan: Plan) -> str:
    """The format that a managed engine takes."""
    if plan.engine == "gemini_api":
        return "gemini-api"
    return "preference" if plan.managed and plan.managed.preference else "gemini"
