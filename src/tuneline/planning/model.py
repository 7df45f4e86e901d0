"""A plan in data: everything that the steps after it need, decided once, as JSON and back."""

from __future__ import annotations

import dataclasses
import re
import types
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION = 1


@dataclass(frozen=True, kw_only=True)
class Regions:
    """Where each thing happens (`docs/planning.md`, "The three regions")."""

    pipeline: str
    """Where the pipeline runs and intermediate data is kept."""
    tuning: str
    """Where the job computes: the slice's own region."""
    upload: str
    """Where the tuned model is uploaded and deployed."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """What is asked for, and what will really be tuned."""

    requested: str
    """The request's own words, e.g. `code-bison@002`."""
    reference: str
    """The catalogue's name of the model asked for, without prefixes; labels are made from it (`label`)."""
    name: str
    """The catalogue's name of what will be tuned: the same, or the open model that stands for a retired one."""
    family: str
    """`generation` or `chat`: which of the two the request tunes."""
    uri: str
    """What the trainer loads: `gs://` folder in Hugging Face form, or `builtin:tiny`. `''` for a managed engine."""
    stand_in: bool = False
    """The built-in model takes the place of `name`, whose weights are not at hand: on the local service alone."""
    replaced: str = ""
    """Why `name` is not what was asked for; `''` where it is."""

    @property
    def label(self) -> str:
        """The value of the label `google-vertex-llm-tuning-base-model-id`, by which the older SDK finds the model.

        The SDK puts `-` for `@`; whatever else a label may not hold, such as a dot, becomes one too.
        """
        return re.sub(r"[^a-z0-9_-]", "-", self.reference.lower())[:63]


@dataclass(frozen=True, kw_only=True)
class Data:
    """One dataset, as it was found."""

    uri: str
    format: str
    examples: int
    tokens: int = 0
    """Estimate; 0: not known."""
    tokens_error: float = 0.15
    """The estimate's error bar, as a share of it; 0: counted."""
    digest: str = ""
    """SHA-256 of the bytes; `''`: not known."""
    crc32c: str = ""
    bytes: int = 0


@dataclass(frozen=True, kw_only=True)
class Slice:
    """The machines of the tuning job."""

    name: str
    """The catalogue's."""
    accelerator_type: str
    """`GPU`, `TPU` or `CPU`."""
    machine_spec: Mapping[str, Any]
    """As the REST API takes it: `machineType`, `acceleratorType`, `acceleratorCount`, `tpuTopology`."""
    replica_count: int
    tried: bool
    """Whether this project's trainer ever ran on it."""


@dataclass(frozen=True, kw_only=True)
class Training:
    """The arithmetic and the settings of the tuning itself."""

    train_steps: int
    batch_size: int
    """Examples a step."""
    examples_seen: int
    """Steps × batch size."""
    epochs: float
    """Examples seen ÷ examples in the training set."""
    learning_rate: float
    """0: the base model's own recommendation."""
    learning_rate_multiplier: float
    adapter_size: int
    """0: the base model's own recommendation."""
    max_length: int
    """Tokens an example; 0: what the base model takes."""
    evaluation_interval: int
    """Steps between two evaluations; 0: there is no evaluation set."""
    early_stopping: bool
    checkpoint_selection: bool
    """True: the checkpoint with the best evaluation; False: the last."""
    seed: int


@dataclass(frozen=True, kw_only=True)
class Managed:
    """What a job of a service of Google's is asked for beyond the training, and how its models are predicted with."""

    export_last_checkpoint_only: bool = False
    preference: bool = False
    """Preference tuning in place of supervised."""
    beta: float = 0.0
    """Of preference tuning; 0: the service's choice."""
    checkpoint_id: str = ""
    """Of a tuned base model; `''`: its default checkpoint."""
    tuned_model_id: str = ""
    """Developer API; `''`: made of the request's fingerprint."""
    api_key_secret: str = ""
    """Developer API: `projects/P/secrets/S`, where the key is; never the key."""
    prediction_limit: int = 0
    """Rows of a set that are predicted, spread evenly over it; 0: all."""
    predictions_per_minute: int = 0
    """0: the library's own rate."""


@dataclass(frozen=True, kw_only=True)
class Quota:
    """Quota that the job takes while it runs."""

    name: str
    """As the console shows it, or the metric's name."""
    region: str
    amount: int


@dataclass(frozen=True, kw_only=True)
class Range:
    """From … to, or why nobody can say."""

    low: float | None = None
    high: float | None = None
    unknown: str = ""
    """Why there is no figure; `''` where there is one."""


@dataclass(frozen=True, kw_only=True)
class Alternative:
    """What differs from the plan where capacity is refused to all before it and the job goes elsewhere."""

    name: str
    """Of the slice, or of the region where the service chooses its machines."""
    regions: Regions
    slice: Slice | None
    training: Training
    duration_s: Range
    cost_usd: Range
    quotas: tuple[Quota, ...]


@dataclass(frozen=True, kw_only=True)
class Plan:
    """How one request will be carried out. `to_dict` and `from_dict` go through JSON without loss."""

    template: str
    project: str
    model_display_name: str
    engine: str
    """`custom_training`, `vertex_tuning` or `gemini_api`."""
    local: bool
    """Made for the local service, which bills nothing."""
    regions: Regions
    base_model: BaseModel
    train: Data
    evaluation: Data | None
    test: Data | None
    default_context: str
    slice: Slice | None
    """None for an engine that chooses its machines itself."""
    provisioning: str
    """`standard`, `spot`, `flex_start` or `reservation`."""
    training: Training
    trainer_image: str
    serving_image: str
    staging_uri: str
    """`''`: not given; the step settles it, since only it knows the pipeline root."""
    tensorboard: str = ""
    encryption_key: str = ""
    service_account: str = ""
    network: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    deploy_model: bool = False
    force: bool = False
    on_cancel: str = "cancel"
    max_cost_usd: float = 0.0
    """0: no limit."""
    max_dropped_share: float = 1.0
    """The run fails where the job leaves out or cuts off more of the training examples; 1: it only warns."""
    managed: Managed | None = None
    """None for `custom_training`."""
    duration_s: Range = Range()
    cost_usd: Range = Range()
    quotas: tuple[Quota, ...] = ()
    permissions: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    """What is worth knowing."""
    warnings: tuple[str, ...] = ()
    """What may well turn out badly."""
    alternatives: tuple[Alternative, ...] = ()
    """Where the job goes, in this order, if capacity is refused to it."""
    version: int = VERSION

    def choices(self) -> tuple[Plan, ...]:
        """The plan as it stands, then as each alternative has it: one job's plan each, in the order they are tried."""
        alone = dataclasses.replace(self, alternatives=())
        return (alone, *(dataclasses.replace(alone, **_differing(each)) for each in self.alternatives))

    def to_dict(self) -> dict[str, Any]:
        """The plan as JSON types, nested as the classes are."""
        return typing.cast(dict[str, Any], _plain(self))

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Plan:
        """The plan that `to_dict` gave; keys that this version does not know are left out.

        Raises:
            KeyError: a field without a default is missing.
        """
        return typing.cast(Plan, _typed(cls, value))


def _differing(alternative: Alternative) -> dict[str, Any]:
    return {f.name: getattr(alternative, f.name) for f in dataclasses.fields(Alternative) if f.name != "name"}


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return {f.name: _plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (tuple, list)):
        return [_plain(inner) for inner in value]
    return value


def _typed(kind: Any, value: Any) -> Any:
    """The value as the annotation `kind` says."""
    if isinstance(kind, types.UnionType):
        return None if value is None else _typed(typing.get_args(kind)[0], value)
    if typing.get_origin(kind) is tuple:
        return tuple(_typed(typing.get_args(kind)[0], inner) for inner in value)
    if not dataclasses.is_dataclass(kind):
        # JSON through kfp turns whole numbers into floats.
        return kind(value) if kind in (int, float) else value
    hints = typing.get_type_hints(kind)
    given = {
        f.name: _typed(hints[f.name], value[f.name])
        for f in dataclasses.fields(kind)
        if f.name in value or (f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING)
    }
    return kind(**given)
