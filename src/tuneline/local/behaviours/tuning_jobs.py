"""TuningJob: supervised and preference tuning, real training of the small built-in base that stands in for Gemini or an
open model.

The data is read from the object store; curves are there while the job runs; a checkpoint is kept for each epoch, each
with an endpoint of its own that answers.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from pathlib import Path
from typing import Any

from tuneline.local.folder import write_json
from tuneline.local.processes import Exit
from tuneline.local.resources.behaviour import behaviour
from tuneline.local.resources.names import part
from tuneline.local.stand_in import stand_in
from tuneline.local.training_jobs import TrainingJobs, state_of
from tuneline.local.tuning import curves, results
from tuneline.local.tuning.request import base_model_of, check, fill
from tuneline.local.tuning.spec import spec_of

log = logging.getLogger("tuneline.local")


@behaviour
class TuningJobs(TrainingJobs):
    """Runs tuning jobs."""

    kind = "TuningJob"
    folder = "tuning"
    what = "tuning job"

    def creating(self, service: Any, resource: Any, request: Any) -> dict[str, Any]:
        """The rules of the request, and the project's quota where it refuses.

        Without a name of its own, what is made of a tuned model is a version of it.
        """
        named = bool(resource.tuned_model_display_name)
        check(service, resource)
        project = part(resource.name, "projects")
        others = service.store.list(self.kind, f"projects/{project}/locations/-")
        service.quotas.check(service, resource.name, live=sum(map(self.is_live, others)))
        fill(resource, base=stand_in(), today=service.now().date())
        resource.state = "JOB_STATE_PENDING"
        return {"same_model": not named}

    def reading(self, service: Any, resource: Any) -> None:
        """What it is doing now, in detail; the endpoint of what is the model's default checkpoint now."""
        resource.ClearField("tuning_job_state")
        detail = self._detail(service, resource)
        if detail:
            resource.tuning_job_state = f"TUNING_JOB_STATE_{detail}"
        if resource.tuned_model.checkpoints:
            resource.tuned_model.endpoint = results.default_endpoint(service, resource)

    def _detail(self, service: Any, job: Any) -> str:
        state = state_of(job)
        if state == "JOB_STATE_PENDING":
            return "WAITING_FOR_QUOTA" if service.quotas.waits(service, job.name) else "WAITING_FOR_CAPACITY"
        if state != "JOB_STATE_RUNNING":
            return ""
        folder = self.folder_of(service, job.name)
        if (folder / "output" / "result.json").exists():
            return "POST_PROCESSING"
        return "TUNING" if (folder / "config.json").exists() else "PROCESSING_DATASET"

    def command(self, service: Any, job: Any) -> list[str]:
        """Write down what the process is to do, and name it."""
        folder = self.folder_of(service, job.name)
        folder.mkdir(parents=True, exist_ok=True)
        spec, private = spec_of(job), service.store.private(job.name)
        request = {
            "model": base_model_of(job),
            "training": spec.training,
            "validation": spec.validation,
            "epochs": spec.epochs,
            "multiplier": spec.multiplier,
            "learning_rate": spec.learning_rate,
            "adapter_size": spec.adapter_size,
            "batch_size": spec.batch_size,
            "preference": spec.preference,
            "beta": spec.beta,
            "legacy": private.get("legacy", False),
            "output": private.get("artifacts", "") or job.output_uri,
            "base": stand_in(),
            "initial_adapter": "",
        }
        if job.HasField("pre_tuned_model"):
            before = service.store.private(job.pre_tuned_model.tuned_model_name)
            request["initial_adapter"] = before["checkpoints"][job.pre_tuned_model.checkpoint_id]
            request |= {"adapter_size": before["adapter_size"], "base": before["base"]}
        write_json(folder / "request.json", request)
        return [sys.executable, "-m", "tuneline.local.tuning", str(folder)]

    def stand_in(self, job: Any) -> str:
        """The base that is really trained."""
        return f"{stand_in()} stands in for {base_model_of(job)}"

    def succeeded(self, service: Any, job: Any, folder: Path) -> None:
        """Register the model, an endpoint for each checkpoint, and the statistics."""
        results.register(service, job, folder, same_endpoint=service.store.private(job.name).get("endpoint", ""))

    def failure(self, outcome: Exit, tail: str) -> str:
        """The sentence with which the process ended: a managed job shows no log."""
        return tail.rstrip().rpartition("\n")[2] or f"The tuning process ended with {outcome} and wrote no log."

    def mark_running(self, service: Any, job: Any) -> datetime:
        """The experiment is there as soon as the job runs."""
        job.experiment = curves.begin(service, job)
        return super().mark_running(service, job)

    def mark_ended(self, service: Any, job: Any, how: str, code: str = "", message: str = "") -> None:
        """The experiment's run ends with the job."""
        super().mark_ended(service, job, how, code, message)
        curves.ended(service, job, how)

    def cancel(self, service: Any, resource: Any) -> None:
        """Also of a job that waits for the quota, whose place is free then."""
        super().cancel(service, resource)
        service.quotas.look_again()

    def room(self, service: Any, name: str) -> AbstractAsyncContextManager[None]:
        """A place within the project's quota."""

        def wanted() -> bool:
            job = service.store.find(name)
            return job is not None and self.is_live(job)

        return service.quotas.room(service, name, wanted)

    def _start(self, service: Any, name: str) -> None:
        service.quotas.enter(name)
        super()._start(service, name)

    async def _once(self, service: Any, job: Any, folder: Path) -> Exit | None:
        """One process, its curve carried into the TensorBoard as it grows."""
        following = asyncio.create_task(curves.follow(service, job.name, folder))
        try:
            return await super()._once(service, job, folder)
        finally:
            following.cancel()
            (how,) = await asyncio.gather(following, return_exceptions=True)
            if not isinstance(how, asyncio.CancelledError):
                log.error("the curves of %s were not followed to the end", job.name, exc_info=how)

    def _conclude(self, service: Any, job: Any, outcome: Exit, folder: Path) -> None:
        """The curve is whole before the job has ended, also where its process ended while no service was there."""
        curves.copy(service, job.name, folder)
        super()._conclude(service, job, outcome, folder)
