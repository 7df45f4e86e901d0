"""Google's own SDK, unmodified, submits a pipeline to the local service and waits for it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.local.pipelines import corpus
from tests.local.pipelines.conftest import ROOT, Service
from tuneline.local import redirect

SCRIPT = """
import sys
from google.cloud import aiplatform

aiplatform.init(project="tuneline-local", location="us-central1")
job = aiplatform.PipelineJob(
    display_name="by the SDK", template_path=sys.argv[1], job_id=sys.argv[2], pipeline_root=sys.argv[3],
    parameter_values={"word": "sdk"}, enable_caching=False,
)
job.submit()
job.wait()
names = sorted(task.task_name for task in job.gca_resource.job_detail.task_details)
print(job.state.name, ",".join(names))
"""


def test_the_sdk_submits_and_waits(
    shared: Service, compile_pipeline: Callable[[Any], dict[str, Any]], tmp_path: Path
) -> None:
    """`PipelineJob(...).submit()` and `.wait()` by environment alone, and the tasks are read back."""
    compile_pipeline(corpus.linear)
    (template,) = tmp_path.glob("*.yaml")
    environment = {
        **{name: value for name, value in os.environ.items() if name not in redirect.UNSET},
        **redirect.environment(shared.url, shared.data),
    }
    answer = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(template), "by-sdk", ROOT],
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert answer.returncode == 0, answer.stderr[-3000:]
    assert answer.stdout.splitlines()[-1] == "PIPELINE_STATE_SUCCEEDED add,join,join-2,linear"
