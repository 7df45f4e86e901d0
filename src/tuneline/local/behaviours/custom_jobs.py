"""CustomJob: a real process of the trainer on this machine, in place of the machines that the job asks for.

Only our trainer's image is run: the program in any other image is not on this machine, so such a job is refused.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuneline.local.resources.behaviour import ApiError, behaviour, invalid
from tuneline.local.resources.names import id_of, part
from tuneline.local.training_jobs import LONGEST_S, TrainingJobs

TRAINER_IMAGE = "tuneline-trainer"
MODULE = ["-m", "tuneline.trainer"]


@behaviour
class CustomJobs(TrainingJobs):
    """Runs custom jobs of the trainer."""

    kind = "CustomJob"
    folder = "jobs"
    what = "custom job"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """Refuse what cannot be run here, before anything is stored."""
        if not resource.job_spec.worker_pool_specs:
            raise invalid("customJob.jobSpec.workerPoolSpecs", "At least one worker pool is needed.")
        command(resource)
        resource.state = "JOB_STATE_PENDING"

    def command(self, service: Any, job: Any) -> list[str]:
        """The container's command, with this machine's interpreter."""
        return command(job)

    def timeout_s(self, job: Any) -> float:
        """`scheduling.timeout`."""
        return float(job.job_spec.scheduling.timeout.ToTimedelta().total_seconds() or LONGEST_S)

    def environment(self, service: Any, job: Any) -> dict[str, str]:
        """What the job's process sees: the container's own variables over ours, and who it is."""
        spec = job.job_spec
        own = {each.name: each.value for each in spec.worker_pool_specs[0].container_spec.env}
        found = {**service.environment("trainer", name=job.name), **own}
        found["TUNELINE_LOCAL_URL"] = found["STORAGE_EMULATOR_HOST"] = service.url
        found["CLOUD_ML_JOB_ID"] = id_of(job.name)
        found["CLOUD_ML_PROJECT_ID"] = part(job.name, "projects")
        found["TUNELINE_JOB_NAME"] = job.name
        output = spec.base_output_directory.output_uri_prefix.rstrip("/")
        if output:
            # What Vertex AI sets with baseOutputDirectory: cloud.google.com/vertex-ai/docs/training/code-requirements.
            found["AIP_MODEL_DIR"] = f"{output}/model/"
            found["AIP_CHECKPOINT_DIR"] = f"{output}/checkpoints/"
            found["AIP_TENSORBOARD_LOG_DIR"] = f"{output}/logs/"
        return found

    def stand_in(self, job: Any) -> str:
        """Which machines the job asked for and what it runs on, in words."""
        machine = job.job_spec.worker_pool_specs[0].machine_spec.machine_type or "the machine asked for"
        return (
            f"a process on this machine stands in for {machine}; builtin:tiny stands in for a base model that the "
            "local object store does not hold (the job's result.json names it)"
        )


def command(job: Any) -> list[str]:
    """The process that stands in for the job's container; raises ApiError where the container is not our trainer's."""
    pool = job.job_spec.worker_pool_specs[0]
    if pool.WhichOneof("task") != "container_spec":
        raise ApiError(
            "UNIMPLEMENTED", "The local Vertex AI runs custom jobs with a containerSpec of tuneline's trainer only."
        )
    image = pool.container_spec.image_uri
    basename = image.rpartition("/")[2].partition("@")[0].partition(":")[0]
    line = [*pool.container_spec.command, *pool.container_spec.args]
    if not basename.startswith(TRAINER_IMAGE):
        raise ApiError(
            "UNIMPLEMENTED",
            f"The local Vertex AI does not run the image '{image}': its program is not on this machine, and no other "
            f"is run in its place. What it runs is the trainer, in an image named {TRAINER_IMAGE}….",
            reason="IMAGE_NOT_RUN_LOCALLY",
            metadata={"image": image},
        )
    if line[1:3] != MODULE or not Path(line[0]).name.startswith("python"):
        raise invalid(
            "customJob.jobSpec.workerPoolSpecs[0].containerSpec.command",
            f"'{' '.join(line[:3])}' is not how the trainer starts: python -m tuneline.trainer --config … --output …",
        )
    return [sys.executable, *line[1:]]
