"""TunedModel of the Gemini API: made by a long-running operation, really trained on the built-in base.

The operation's metadata has the steps done and the loss at each, as they are; cancelling it leaves a FAILED model.
"""

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from tuneline.local.behaviours.generation import answer
from tuneline.local.folder import write_json
from tuneline.local.resources import operations, standard
from tuneline.local.resources.behaviour import ApiError, Call, behaviour, invalid, method
from tuneline.local.resources.names import new_id
from tuneline.local.serving import Source
from tuneline.local.stand_in import stand_in
from tuneline.local.training_jobs import TrainingJobs

API = "google.ai.generativelanguage.v1beta."
METADATA = API + "CreateTunedModelMetadata"
DEFAULT_EPOCHS, DEFAULT_BATCH = 5, 4
"""What the Gemini API recommends: spec/gemini-api.md."""
ADAPTER = 8
LARGEST_DATA = 4 << 20
CREATING, ACTIVE, FAILED = 1, 2, 3
_ID = re.compile(r"^[a-z]([a-z0-9-]{0,38}[a-z0-9])?$")


@behaviour
class TunedModels(TrainingJobs):
    """Tunes the models of the Gemini API."""

    kind = "TunedModel"
    folder = "tuned"
    what = "tuned model"

    def is_live(self, job: Any) -> bool:
        return bool(job.state == CREATING)

    def is_cancelling(self, job: Any) -> bool:
        return job.name in self._cancelled

    def mark_cancelling(self, service: Any, job: Any) -> None:
        self._cancelled.add(job.name)

    def mark_running(self, service: Any, job: Any) -> datetime:
        if not job.tuning_task.HasField("start_time"):
            job.tuning_task.start_time.FromDatetime(service.now())
            service.store.put(job)
        return cast(datetime, job.tuning_task.start_time.ToDatetime(tzinfo=UTC))

    def mark_ended(self, service: Any, job: Any, how: str, code: str = "", message: str = "") -> None:
        """End the model and its operation together."""
        job.state = ACTIVE if how == "SUCCEEDED" else FAILED
        job.tuning_task.complete_time.FromDatetime(service.now())
        operation = service.store.find_operation(service.store.private(job.name)["operation"])
        del job.tuning_task.snapshots[:]
        job.tuning_task.snapshots.extend(self.snapshots(service, job))
        service.store.put(job)
        if operation is not None:
            operation.metadata.Pack(self.progress(service, job))
            operation.done = True
            if how == "SUCCEEDED":
                operation.response.Pack(job)
                service.store.put_operation(operation)
            else:
                operations.fail(service, operation, ApiError(code or "INTERNAL", message or "The tuning failed."))
        self._cancelled.discard(job.name)

    def __init__(self) -> None:
        super().__init__()
        self._cancelled: set[str] = set()

    def stand_in(self, job: Any) -> str:
        """The base that is really trained."""
        return f"{stand_in()} stands in for {job.base_model or job.tuned_model_source.base_model}"

    def updating(self, service: Any, resource: Any, before: Any) -> None:
        """Names, descriptions and sampling may change; what was trained may not."""
        if resource.tuning_task != before.tuning_task or resource.base_model != before.base_model:
            raise invalid("updateMask", "The tuning task and the base model cannot be changed.")

    def command(self, service: Any, job: Any) -> list[str]:
        """The trainer, on the examples of the request."""
        folder = self.folder_of(service, job.name)
        folder.mkdir(parents=True, exist_ok=True)
        rows = job.tuning_task.training_data.examples.examples
        lines = [json.dumps({"text_input": r.text_input, "output": r.output}, ensure_ascii=False) + "\n" for r in rows]
        (folder / "train.jsonl").write_text("".join(lines), encoding="utf-8")
        hyper = job.tuning_task.hyperparameters
        batch = min(hyper.batch_size or DEFAULT_BATCH, len(rows))
        each = math.ceil(len(rows) / batch)
        before = job.tuned_model_source.tuned_model
        made = service.store.private(before) if before else {"base": stand_in(), "adapter": ""}
        write_json(
            folder / "config.json",
            {
                "version": 1,
                "base_model": made["base"],
                "train_data": str(folder / "train.jsonl"),
                "format": "gemini-api",
                "train_steps": total_steps(job),
                "batch_size": batch,
                "learning_rate": hyper.learning_rate,
                "learning_rate_multiplier": hyper.learning_rate_multiplier or 1.0,
                "adapter_size": ADAPTER,
                "initial_adapter": made["adapter"],
                "evaluation_interval": each,
                "early_stopping": False,
            },
        )
        output = str(folder / "output")
        return [sys.executable, "-m", "tuneline.trainer", "--config", str(folder / "config.json"), "--output", output]

    def succeeded(self, service: Any, job: Any, folder: Path) -> None:
        """Remember which base and adapter answer."""
        result = json.loads((folder / "output" / "result.json").read_text())
        made = {"adapter": result["checkpoints"][-1]["uri"], "base": result["base_model"]["used"]}
        service.store.remember(job.name, {**service.store.private(job.name), **made})

    def snapshots(self, service: Any, job: Any) -> list[Any]:
        """The loss at each step that the trainer has written down."""
        path = self.folder_of(service, job.name) / "output" / "metrics.jsonl"
        if not path.exists():
            return []
        rows = len(job.tuning_task.training_data.examples.examples)
        batch = min(job.tuning_task.hyperparameters.batch_size or DEFAULT_BATCH, rows)
        found = []
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if "/train_total_loss" not in row:
                continue
            snapshot = service.api.new(API + "TuningSnapshot", step=row["step"], mean_loss=row["/train_total_loss"])
            snapshot.epoch = max(1, math.ceil(row["step"] * batch / rows))
            snapshot.compute_time.FromDatetime(datetime.fromtimestamp(row["time"], UTC))
            found.append(snapshot)
        return found

    def progress(self, service: Any, job: Any) -> Any:
        """The operation's metadata as it stands."""
        metadata = service.api.new(METADATA, tuned_model=job.name, total_steps=total_steps(job))
        metadata.snapshots.extend(self.snapshots(service, job))
        done = metadata.snapshots[-1].step if metadata.snapshots else 0
        metadata.completed_steps = done
        metadata.completed_percent = 100.0 * done / metadata.total_steps
        return metadata


TUNED = cast(TunedModels, standard.behaviour_of("TunedModel"))


def total_steps(job: Any) -> int:
    """Steps of the whole tuning."""
    rows = len(job.tuning_task.training_data.examples.examples)
    hyper = job.tuning_task.hyperparameters
    return math.ceil(rows / min(hyper.batch_size or DEFAULT_BATCH, rows)) * (hyper.epoch_count or DEFAULT_EPOCHS)


@method(API + "ModelService.CreateTunedModel")
def create_tuned_model(service: Any, request: Any, call: Call) -> Any:
    """Check the request, store the model as CREATING, and answer the operation that makes it."""
    model = type(request.tuned_model).FromString(request.tuned_model.SerializeToString())
    service.api.rules.clear_output_only(model)
    # training_data is input only, yet it is what the tuning needs.
    model.tuning_task.training_data.CopyFrom(request.tuned_model.tuning_task.training_data)
    _check_source(service, model)
    _check(model)
    identifier = request.tuned_model_id
    if identifier and not _ID.match(identifier):
        raise invalid("tunedModelId", f"'{identifier}' is no id: a letter, then letters, digits and '-', at most 40.")
    if not identifier:
        stem = re.sub(r"[^a-z0-9]+", "-", model.display_name.lower()).strip("-")[:24] or "model"
        identifier = f"{stem if stem[0].isalpha() else 'm-' + stem}-{new_id()[:12]}"
    model.name = f"tunedModels/{identifier}"
    if service.store.find(model.name) is not None:
        raise standard.already_exists(model.name)
    model.state = CREATING
    model.temperature = model.temperature or 1.0
    model.top_p = model.top_p or 0.95
    model.top_k = model.top_k or 40
    with service.store.transaction():
        metadata = TUNED.progress(service, model)
        operation = operations.make(service, model.name, METADATA, metadata=metadata)
        service.store.insert(model, private={"operation": operation.name})
    TUNED.created(service, model)
    return operation


def _check_source(service: Any, model: Any) -> None:
    """A base model, or a tuned model that is tuned further; the latter's base is filled in."""
    before = model.tuned_model_source.tuned_model
    if before:
        source = service.store.get(before)
        if source.state != ACTIVE:
            where = "tunedModel.tunedModelSource.tunedModel"
            raise ApiError("FAILED_PRECONDITION", f"{where}: '{before}' is not ready to be tuned further.")
        model.tuned_model_source.base_model = source.base_model or source.tuned_model_source.base_model
    elif not model.base_model:
        raise invalid("tunedModel.baseModel", "Name the model to tune, e.g. models/gemini-1.5-flash-001-tuning.")


def _check(model: Any) -> None:
    rows = model.tuning_task.training_data.examples.examples
    if not rows:
        raise invalid("tunedModel.tuningTask.trainingData.examples", "There are no examples to tune on.")
    size = 0
    for index, row in enumerate(rows):
        where = f"tunedModel.tuningTask.trainingData.examples.examples[{index}]"
        if row.WhichOneof("model_input") != "text_input" or not row.text_input:
            raise invalid(f"{where}.textInput", "Required field is not set.")
        if not row.output:
            raise invalid(f"{where}.output", "Required field is not set.")
        size += len(row.text_input.encode()) + len(row.output.encode())
    if size > LARGEST_DATA:
        raise invalid("tunedModel.tuningTask.trainingData", f"{size} bytes of examples; at most 4 MB are taken.")
    hyper = model.tuning_task.hyperparameters
    for name in ("learning_rate", "learning_rate_multiplier", "epoch_count", "batch_size"):
        if getattr(hyper, name) < 0:
            raise invalid(f"tunedModel.tuningTask.hyperparameters.{name}", "must be greater than zero.")


def _refresh(service: Any, operation: Any) -> None:
    """The steps done so far, when somebody asks."""
    job = service.store.find(operation.name.partition("/operations/")[0])
    if job is not None:
        operation.metadata.Pack(TUNED.progress(service, job))


def _cancel(service: Any, operation: Any) -> None:
    TUNED.cancel(service, service.store.get(operation.name.partition("/operations/")[0]))


operations.REFRESHERS[METADATA] = _refresh
operations.CANCELLERS[METADATA] = _cancel


@method(API + "ModelService.ListTunedModels")
def list_tuned_models(service: Any, request: Any, call: Call) -> Any:
    """Every tuned model: whoever asks here owns them all."""
    answered = service.api.new(API + "ListTunedModelsResponse")
    wanted = [
        word for word in request.filter.replace("AND", " ").split() if not word.startswith(("owner:", "readers:"))
    ]
    rows = [row for row in service.store.list("TunedModel") if all(w in row.display_name for w in wanted)]
    rows, answered.next_page_token = standard.page(rows, request)
    answered.tuned_models.extend(rows)
    return answered


def _source(service: Any, name: str) -> Source:
    if not name.startswith("tunedModels/"):
        return Source(base=stand_in())
    model = service.store.get(name)
    if model.state != ACTIVE:
        raise ApiError("FAILED_PRECONDITION", f"'{name}' is not ready: its tuning has not succeeded.")
    own = service.store.private(name)
    return Source(base=own["base"], adapter=own["adapter"])


@method(API + "GenerativeService.GenerateContent")
async def generate_content(service: Any, request: Any, call: Call) -> Any:
    """The tuned model's answer; for Google's own models, the stand-in's."""
    source = _source(service, request.model)
    return await answer(service, request, API + "GenerateContentResponse", source=source)


@method(API + "GenerativeService.StreamGenerateContent")
async def stream_generate_content(service: Any, request: Any, call: Call) -> AsyncGenerator[Any, None]:
    """The same, as a stream of one part."""
    whole = await generate_content(service, request, call)

    async def stream() -> AsyncGenerator[Any, None]:
        yield whole

    return stream()
