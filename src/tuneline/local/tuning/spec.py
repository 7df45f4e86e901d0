"""What a tuning job asks for, the same for supervised and for preference tuning."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

SUPERVISED, PREFERENCE = "supervised_tuning_spec", "preference_optimization_spec"
FIELDS = (SUPERVISED, PREFERENCE)
"""The fields of TuningJob that are carried out; both have the same members, where they have them."""
ADAPTER_SIZES = {0: 0, 1: 1, 2: 4, 3: 8, 4: 16, 5: 32, 6: 2}
"""Number of the enum AdapterSize → rank; TWO came last."""
_BY_NAME = {
    "": 0,
    "ADAPTER_SIZE_UNSPECIFIED": 0,
    "ADAPTER_SIZE_ONE": 1,
    "ADAPTER_SIZE_TWO": 2,
    "ADAPTER_SIZE_FOUR": 4,
    "ADAPTER_SIZE_EIGHT": 8,
    "ADAPTER_SIZE_SIXTEEN": 16,
    "ADAPTER_SIZE_THIRTY_TWO": 32,
}
"""The same by name: the discovery document, from which preference tuning comes, has enums as texts."""


@dataclass(frozen=True, kw_only=True)
class Spec:
    """A tuning job's own spec; zero and '' leave a value to the service."""

    field: str
    """SUPERVISED or PREFERENCE."""
    training: str
    validation: str
    epochs: int
    multiplier: float
    learning_rate: float
    batch_size: int
    adapter_size: int
    """A rank; -1 is no value of AdapterSize."""
    beta: float
    last_only: bool

    @property
    def preference(self) -> bool:
        """Whether it learns from pairs."""
        return self.field == PREFERENCE


def spec_of(job: Any) -> Spec:
    """The spec of a job that has one of FIELDS."""
    field = PREFERENCE if job.HasField(PREFERENCE) else SUPERVISED
    spec = getattr(job, field)
    hyper = spec.hyper_parameters
    size = hyper.adapter_size
    return Spec(
        field=field,
        training=spec.training_dataset_uri,
        validation=spec.validation_dataset_uri,
        epochs=hyper.epoch_count,
        multiplier=hyper.learning_rate_multiplier,
        learning_rate=getattr(hyper, "learning_rate", 0.0),
        batch_size=getattr(hyper, "batch_size", 0),
        adapter_size=_BY_NAME.get(size, -1) if isinstance(size, str) else ADAPTER_SIZES.get(size, -1),
        beta=getattr(hyper, "beta", 0.0),
        last_only=spec.export_last_checkpoint_only,
    )


def camel(name: str) -> str:
    """A field's name as REST has it."""
    head, *rest = name.split("_")
    return head + "".join(part.title() for part in rest)


def path_of(spec: Spec, *members: str) -> str:
    """The path of a member of the job's spec, for messages: `tuningJob.supervisedTuningSpec.trainingDatasetUri`."""
    return ".".join(["tuningJob", camel(spec.field), *map(camel, members)])
