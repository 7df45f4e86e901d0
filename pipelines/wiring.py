"""What the templates share: the settings of a step, and the steps that follow a plan, whatever was planned."""

from typing import NamedTuple

from google_cloud_pipeline_components.types.artifact_types import VertexModel
from kfp import dsl

from components import deploy_model as deploying
from components import evaluate_model as evaluating
from components import select_checkpoint as selecting
from components import submit_tuning_job as submitting
from components import upload_dataset as staging
from components import upload_model as uploading
from components import wait_for_tuning_job as waiting

RUN = {"pipeline_root": dsl.PIPELINE_ROOT_PLACEHOLDER, "pipeline_job_name": dsl.PIPELINE_JOB_NAME_PLACEHOLDER}
"""Where the run's folder is. An input of every step, so that no cache setting can ever revive an old result."""


def modest(task: dsl.PipelineTask, *, retries: int = 0) -> dsl.PipelineTask:
    """Gives a step little CPU and memory, since waiting lasts days, no cache, and retries where repeating is safe."""
    task.set_caching_options(False).set_cpu_limit("1").set_memory_limit("4G")
    if retries:
        task.set_retry(num_retries=retries, backoff_duration="10s", backoff_factor=2.0, backoff_max_duration="60s")
    return task


class Outputs(NamedTuple):
    """What the core hands to the pipeline that calls it."""

    model_resource_name: str
    endpoint_resource_name: str
    model: VertexModel
    metrics: dsl.Metrics


def carry_out(planned: dsl.PipelineTask, *, served: bool = False) -> Outputs:
    """Wires everything that follows planning, the task `planned`: from staging the data to the endpoint.

    Where a service serves what it has tuned (`served`), choosing and scoring ask it for answers: that may be repeated,
    and goes on where it was.
    """
    asking = 2 if served else 0
    plan = planned.outputs["plan"]
    staged = modest(staging.upload_dataset(plan=plan, **RUN), retries=2)
    submitted = modest(
        submitting.submit_tuning_job(plan=plan, staged=staged.outputs["staged"], **RUN),
        retries=2,  # the ledger makes a repeated submission adopt the first one's job
    )
    waited = modest(
        waiting.wait_for_tuning_job(
            plan=plan,
            job=submitted.outputs["job"],
            submission=submitted.outputs["submission"],
            staged=staged.outputs["staged"],
            **RUN,
        ),
        retries=2,  # for a worker that is lost in days of waiting
    )
    result = waited.outputs["result"]
    selected = modest(
        selecting.select_checkpoint(plan=plan, result=result, **RUN),
        retries=asking,
    )
    checkpoint = selected.outputs["checkpoint"]
    # The older SDK finds tuned models by this task's name, upload-model, and its output model_resource_name.
    uploaded = modest(uploading.upload_model(plan=plan, checkpoint=checkpoint, **RUN), retries=2)
    model_resource_name = uploaded.outputs["model_resource_name"]
    evaluated = modest(
        evaluating.evaluate_model(
            plan=plan, result=result, checkpoint=checkpoint, model_resource_name=model_resource_name, **RUN
        ),
        retries=asking,
    )
    deployed = modest(
        deploying.deploy_model(plan=plan, model_resource_name=model_resource_name, checkpoint=checkpoint, **RUN).after(
            evaluated
        ),
        retries=2,
    )
    return Outputs(
        model_resource_name=model_resource_name,
        endpoint_resource_name=deployed.outputs["endpoint_resource_name"],
        model=uploaded.outputs["model"],
        metrics=evaluated.outputs["metrics"],
    )
