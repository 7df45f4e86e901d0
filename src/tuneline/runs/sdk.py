"""Submitting from Python: the checked request as the SDK's own PipelineJob, to wait for, schedule or clone."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from tuneline.errors import UsageError
from tuneline.runs import templates
from tuneline.runs.request import job_id

if TYPE_CHECKING:
    from google.cloud.aiplatform import PipelineJob


def submit(
    template: str,
    parameters: Mapping[str, object],
    *,
    project: str,
    region: str,
    pipeline_root: str,
    image: str | None = None,
    display_name: str = "",
    service_account: str | None = None,
    network: str | None = None,
    labels: Mapping[str, str] | None = None,
) -> PipelineJob:
    """Submits a template and returns at once, with a `google.cloud.aiplatform.PipelineJob` that `.wait()` works on.

    Everything that can be known without network and data is checked first. The call goes where the SDK goes: to
    Vertex AI, or to the local one under `tuneline local run`.

    Args:
        parameters: of the template; what is left out has its default. `project` is filled in.
        pipeline_root: `gs://` folder for the run's artifacts.
        image: of the steps; None: the one compiled in.

    Raises:
        UsageError: every reason against the request, at once; nothing was made.
        OverCostLimit: `max_cost_usd` is given, and nobody knows the price.
    """
    from google.cloud import aiplatform

    from tuneline.planning import check_cost, check_request

    given = {"project": project, **parameters}
    problems = check_request(template, given, given=set(given), region=region)
    if problems:
        raise UsageError(problems)
    check_cost(template, given)
    name = job_id(template)
    key = str(given.get("encryption_spec_key_name") or "") or None
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"{template}.json"
        path.write_text(json.dumps(templates.spec(template, image=image)))
        job = aiplatform.PipelineJob(
            display_name=display_name or name,
            template_path=str(path),
            job_id=name,
            pipeline_root=pipeline_root,
            parameter_values=given,
            project=project,
            location=region,
            encryption_spec_key_name=key,
            labels={"tuneline-template": template, **(labels or {})},
        )
    job.submit(service_account=service_account, network=network)
    return job
