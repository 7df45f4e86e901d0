"""The engine `custom_training`: our trainer in a Vertex AI CustomJob, on the slice that the plan names."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from tuneline import errors, objects
from tuneline.jobs.engines import Claim, Request
from tuneline.jobs.model import Job
from tuneline.jobs.predictions import Prediction
from tuneline.jobs.training_request import request
from tuneline.jobs.vertex_jobs import VertexJobs

__all__ = ["CustomTraining", "request"]


class CustomTraining(VertexJobs):
    """CustomJobs of our trainer."""

    name = "custom_training"
    collection = "customJobs"
    # `labels.key=value`: google.cloud.aiplatform.v1.ListCustomJobsRequest.filter.
    filters_labels = True

    def stamped(self, request: Request, claim: Claim) -> dict[str, Any]:
        """The CustomJob to send: the request's body with names, labels, the claim's marks and the attempt's output.

        The trainer finds in its environment whose job it is (`TUNELINE_NONCE`) and where that is decided
        (`TUNELINE_CLAIM`): it trains only if it is the job named there.
        """
        body = copy.deepcopy(dict(request.body))
        body["displayName"] = request.display_name
        body["labels"] = {**request.labels, **claim.labels}
        spec = body["jobSpec"]
        spec["baseOutputDirectory"] = {"outputUriPrefix": claim.output_uri}
        for pool in spec["workerPoolSpecs"]:
            container = pool["containerSpec"]
            container["args"] = [*container["args"], "--output", claim.output_uri]
            container["env"] = [
                *container.get("env", []),
                {"name": "TUNELINE_NONCE", "value": claim.nonce},
                {"name": "TUNELINE_CLAIM", "value": claim.judge_uri},
            ]
        return body

    def intact(self, job: Job) -> bool:
        """See `Engine.intact`."""
        return objects.exists(_result_uri(job.output_uri))

    def result(self, name: str, *, output_uri: str = "") -> dict[str, object]:
        """See `Engine.result`; the trainer's `result.json`, which it writes last."""
        uri = _result_uri(output_uri or self.get(name).output_uri)
        try:
            return objects.read_json(uri)
        except errors.NotFound as error:
            raise errors.NotFound(
                f"{name} has left no result at {uri}: it did not run to its end, or its output was deleted", status=404
            ) from error

    def logs(self, name: str, *, output_uri: str = "") -> Iterator[str]:
        """See `Engine.logs`; the training metrics, a JSON object a line. What else it prints is in Cloud Logging."""
        uri = objects.join(output_uri or self.get(name).output_uri, "metrics.jsonl")
        try:
            yield from objects.read_text(uri).splitlines()
        except errors.NotFound:
            return  # not begun to train yet

    def predict(self, wanted: Prediction) -> str:
        """See `Engine.predict`; by the trainer in a CustomJob on the plan's slice, made exactly once like any job."""
        from tuneline.jobs import prediction_job  # it needs this engine

        return prediction_job.predict(self, wanted)


def _result_uri(output_uri: str) -> str:
    return objects.join(output_uri, "result.json")
