"""CreatePipelineJob with the `templateUri` of an uploaded pipeline: the pipeline is put into the request.

Addresses of hosted templates are not here: those are stood in for, which the behaviour of the job does and says.
"""

from __future__ import annotations

from typing import Any

from tuneline.local.resources import standard
from tuneline.local.resources.behaviour import Call, method


@method("google.cloud.aiplatform.{v}.PipelineService.CreatePipelineJob")
def create_pipeline_job(service: Any, request: Any, call: Call) -> Any:
    """The standard create, with the spec that the address names."""
    job = request.pipeline_job
    if job.template_uri and not job.HasField("pipeline_spec"):
        content = service.registry.content(job.template_uri)
        if content is not None:
            import yaml

            spec = next(iter(yaml.safe_load_all(content)))
            service.api.from_json(spec, job.pipeline_spec)
            job.template_metadata.version = job.template_uri.rpartition("/")[2]
    return standard.create(service, service.api.methods[call.method], request, call)
