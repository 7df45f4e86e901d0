"""CustomJob: a real process on this machine, in place of the machines that the job asks for.

A job of our trainer's image is a process of the trainer. Any other image runs in a container of its own where an engine
is present, and is refused where there is none; it is never run as our trainer.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from tuneline.local import containers
from tuneline.local.pipelines.python_tasks import image_name
from tuneline.local.resources.behaviour import ApiError, behaviour, invalid
from tuneline.local.resources.names import id_of, part
from tuneline.local.stand_in import stand_in
from tuneline.local.training_jobs import LONGEST_S, TrainingJobs

TRAINER_IMAGE = "tuneline-trainer"
MODULE = ["-m", "tuneline.trainer"]


@behaviour
class CustomJobs(TrainingJobs):
    """Runs custom jobs of the trainer, and those of other images in containers."""

    kind = "CustomJob"
    folder = "jobs"
    what = "custom job"

    def creating(self, service: Any, resource: Any, request: Any) -> None:
        """Refuse what cannot be run here, before anything is stored."""
        if not resource.job_spec.worker_pool_specs:
            raise invalid("customJob.jobSpec.workerPoolSpecs", "At least one worker pool is needed.")
        if is_trainers(resource):
            trainer_command(resource)
        else:
            _check_for_container(resource)
        resource.state = "JOB_STATE_PENDING"

    def command(self, service: Any, job: Any) -> list[str]:
        """The trainer's command with this machine's interpreter, or the process that stands for the container."""
        if is_trainers(job):
            return trainer_command(job)
        folder = self.folder_of(service, job.name)
        folder.mkdir(parents=True, exist_ok=True)
        environment = self.environment(service, job)
        spec = job.job_spec.worker_pool_specs[0].container_spec
        return containers.command(
            folder,
            containers.for_use(service.data),
            data=service.data,
            image=spec.image_uri,
            entrypoint=list(spec.command),
            arguments=list(spec.args),
            environment=containers.environment(environment, _own(job)),
            certificate=environment["SSL_CERT_FILE"],
        )

    def resumes(self, job: Any) -> bool:
        """Only the trainer asks to be started again."""
        return is_trainers(job)

    def timeout_s(self, job: Any) -> float:
        """`scheduling.timeout`."""
        return float(job.job_spec.scheduling.timeout.ToTimedelta().total_seconds() or LONGEST_S)

    def environment(self, service: Any, job: Any) -> dict[str, str]:
        """What the job's process sees: the container's own variables over ours, and who it is."""
        spec = job.job_spec
        found = {**service.environment("trainer", name=job.name), **_own(job)}
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
        if not is_trainers(job):
            return f"a container on this machine stands in for {machine}"
        return (
            f"a process on this machine stands in for {machine}; {stand_in()} stands in for a base model that the "
            "local object store does not hold (the job's result.json names it)"
        )


def _own(job: Any) -> dict[str, str]:
    """The variables that the job's author gives the container."""
    return {each.name: each.value for each in job.job_spec.worker_pool_specs[0].container_spec.env}


def is_trainers(job: Any) -> bool:
    """Whether the job's image is our trainer's."""
    image = job.job_spec.worker_pool_specs[0].container_spec.image_uri
    return str(image_name(image)).startswith(TRAINER_IMAGE)


def _check_for_container(job: Any) -> None:
    """Refuse what no container here can do, and everything where there is no engine."""
    pools = job.job_spec.worker_pool_specs
    if pools[0].WhichOneof("task") != "container_spec":
        raise ApiError(
            "UNIMPLEMENTED", "customJob.jobSpec.workerPoolSpecs[0]: only a containerSpec is run by the local Vertex AI."
        )
    image = pools[0].container_spec.image_uri
    if not image:
        raise invalid("customJob.jobSpec.workerPoolSpecs[0].containerSpec.imageUri", "Required field is not set.")
    if len(pools) > 1 or pools[0].replica_count > 1:
        raise ApiError("UNIMPLEMENTED", f"The image '{image}' on several machines: the local Vertex AI is one machine.")
    try:
        containers.find()
    except ApiError as error:
        raise ApiError(
            "UNIMPLEMENTED",
            f"The image '{image}' needs a container engine: {error.message}. Without one, only the trainer is run, in "
            f"an image named {TRAINER_IMAGE}….",
            reason="IMAGE_NOT_RUN_LOCALLY",
            metadata={"image": image},
        ) from None


def trainer_command(job: Any) -> list[str]:
    """The trainer's process; raises ApiError where the command of the trainer's image is not the trainer's."""
    container = job.job_spec.worker_pool_specs[0].container_spec
    line = [*container.command, *container.args]
    if line[1:3] != MODULE or not Path(line[0]).name.startswith("python"):
        raise invalid(
            "customJob.jobSpec.workerPoolSpecs[0].containerSpec.command",
            f"'{' '.join(line[:3])}' is not how the trainer starts: python -m tuneline.trainer --config … --output …",
        )
    return [sys.executable, *line[1:]]
