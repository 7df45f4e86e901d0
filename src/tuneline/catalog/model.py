"""What the catalogue knows of a model, a slice and the rest, as typed values. None is unknown."""

from __future__ import annotations

import calendar
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

_AHEAD_DAYS = 183


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where a figure comes from."""

    key: str
    title: str
    url: str
    kind: str
    """`official`, `second-hand`, `ours` or `user`."""
    read: date | None
    """The day it was read there; None for the user's own figures."""

    def __str__(self) -> str:
        when = f", read {self.read.isoformat()}" if self.read else ""
        return f"{self.title} ({self.kind}{when})"


@dataclass(frozen=True, kw_only=True)
class TokenPrice:
    """What a managed service asks for training tokens (tokens of the set × epochs)."""

    usd_per_million_training_tokens: float
    source: Source


@dataclass(frozen=True, kw_only=True)
class Model:
    """One model that can be tuned, or once could."""

    name: str
    kind: str
    """`bison`, `open`, `gemini` or `builtin`."""
    engine: str
    """What tunes it: `custom_training`, `vertex_tuning` or `gemini_api`."""
    family: str
    """`generation`, `chat` or `both`."""
    context: str = ""
    """`8k` or `32k`: decides the batch size; `''` where that has no meaning."""
    aliases: tuple[str, ...] = ()
    max_tokens: int | None = None
    """Of one example, input and output together."""
    managed_max_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_input_characters: int | None = None
    max_output_characters: int | None = None
    min_examples: int | None = None
    few_examples: int | None = None
    """Fewer are warned of."""
    recommended_examples: int | None = None
    max_examples: int | None = None
    max_multimodal_examples: int | None = None
    max_author_fields: int | None = None
    """Chat: `author` fields summed over all messages of all examples."""
    min_evaluation_examples: int | None = None
    max_evaluation_examples: int | None = None
    max_evaluation_share: float | None = None
    """Of the training set's examples, once the evaluation set is above `evaluation_share_from`."""
    evaluation_share_from: int = 0
    max_file_bytes: int | None = None
    warn_file_bytes: int | None = None
    adapter_sizes: tuple[int, ...] = ()
    default_adapter_size: int | None = None
    tuning_regions: tuple[str, ...] = ()
    """Empty: no list is known."""
    managed: bool = False
    """The managed tuning service takes it too."""
    managed_regions: tuple[str, ...] = ()
    cmek: bool | None = None
    """Whether its tuning takes a customer-managed key."""
    preference: bool = False
    """Preference tuning is known of it."""
    architecture: str = ""
    """`model_type` in the config.json of its Hugging Face folder; `''` where it has none."""
    trainer: bool = False
    """This project's trainer loads the architecture."""
    uri: str = ""
    """Weights: a `gs://` folder in Hugging Face form, or `builtin:NAME`; `''`: no source names a place."""
    licence: str = ""
    tunable: bool = True
    """False: it takes no new tuning, and the day on which that began is not known."""
    closed: date | None = None
    """First day on which no new tuning is taken."""
    retired: date | None = None
    """The day it shuts down."""
    retires_not_before: date | None = None
    replacement: str = ""
    """The catalogue's name of what stands in its place."""
    price: TokenPrice | None = None
    note: str = ""
    source: tuple[Source, ...] = ()

    @property
    def closes(self) -> date | None:
        """First day without new tuning: as known, or a month before it retires, which is the rule for Gemini."""
        if self.closed or not self.retired or self.kind != "gemini":
            return self.closed or self.retired
        year, month = (
            (self.retired.year, self.retired.month - 1) if self.retired.month > 1 else (self.retired.year - 1, 12)
        )
        return date(year, month, min(self.retired.day, calendar.monthrange(year, month)[1]))

    def takes_tuning(self, on: date) -> bool:
        """Whether it takes new tuning on that day, as far as is known."""
        return self.tunable and (self.closes is None or on < self.closes)

    def retirement_ahead(self, on: date) -> str:
        """What to be warned of while it still takes tuning: its end within half a year, or one that may have come."""
        if not self.takes_tuning(on):
            return ""
        if self.closes and (days := (self.closes - on).days) <= _AHEAD_DAYS:
            return f"{self.name} takes no new tuning from {self.closes} on, in {days} days"
        if self.retires_not_before and (self.retires_not_before - on).days <= _AHEAD_DAYS:
            passed = "has passed" if self.retires_not_before <= on else "is near"
            return f"{self.name} retires not before {self.retires_not_before}, which {passed}: it may refuse new tuning"
        return ""

    def state(self, on: date) -> str:
        """One line for a table: tunable, or why not, with what to expect next."""
        if not self.takes_tuning(on):
            days = [f"tuning closed {self.closes}" if self.closes else "no longer tunable"]
            days += [f"shut down {self.retired}"] if self.retired and self.retired <= on else []
            return ", ".join(days)
        if self.closes:
            return f"tunable until {self.closes}"
        if self.retires_not_before:
            done = "may have retired since" if self.retires_not_before <= on else "retires not before"
            return f"tunable; {done} {self.retires_not_before}"
        return "tunable"


@dataclass(frozen=True, kw_only=True)
class SliceQuota:
    """The quota that a slice takes, by who runs the job."""

    hosted: str
    """Of the hosted pipeline template; `''`: not known."""
    custom: str
    """Metric of custom training (aiplatform.googleapis.com/…), on demand."""
    custom_preemptible: str
    """The same for Spot and flex start; `''`: not known."""
    amount: int
    source: tuple[Source, ...]


@dataclass(frozen=True, kw_only=True)
class ServiceQuota:
    """The quota of a managed service, of which each of its jobs takes one while it runs."""

    name: str
    """As the console shows it."""
    least: int
    """What every project has."""
    source: Source


@dataclass(frozen=True, kw_only=True)
class HourPrice:
    """What the whole slice costs an hour while a job runs on it."""

    usd_per_hour: float
    source: Source


@dataclass(frozen=True, kw_only=True)
class Speed:
    """Training tokens a second of one model on one slice, from the slowest to the fastest seen."""

    low: float
    high: float
    startup_s: float
    """Seconds that are billed before the first step: image, weights, compilation."""
    source: Source


@dataclass(frozen=True, kw_only=True)
class Slice:
    """Machines that a tuning job can have."""

    name: str
    accelerator_type: str
    """`GPU`, `TPU` or `CPU`."""
    region: str
    machine_spec: Mapping[str, Any]
    """As the REST API takes it."""
    replica_count: int = 1
    default: bool = False
    """What the accelerator type means where no slice is named."""
    test_size: bool = False
    vpc_sc: bool | None = None
    tried: bool = False
    """This project's trainer ran there."""
    quota: SliceQuota | None = None
    price: HourPrice | None = None
    speeds: Mapping[str, Speed] = field(default_factory=dict)
    """By model name; a model that is not here was never measured."""
    note: str = ""
    source: tuple[Source, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Cmek:
    """The one place where a customer-managed key works for the large-model templates."""

    accelerator: str
    region: str
    source: Source


@dataclass(frozen=True, kw_only=True)
class Provisioning:
    """One way to get machines."""

    name: str
    strategy: str
    """`scheduling.strategy` of a CustomJob; `''`: unset."""
    note: str
    machines: tuple[str, ...]
    """Accelerator types it exists for; empty: any."""
    source: Source


@dataclass(frozen=True, kw_only=True)
class Image:
    """A container image by default."""

    uri: str
    source: Source
    note: str = ""


@dataclass(frozen=True, kw_only=True)
class Catalog:
    """All of it."""

    sources: Mapping[str, Source]
    models: Mapping[str, Model]
    slices: Mapping[str, Slice]
    regions: tuple[str, ...]
    regions_source: Source
    multi_regions: tuple[str, ...]
    cmek: Cmek
    batch_sizes: Mapping[str, Mapping[str, int]]
    """Accelerator type → context length → examples a step."""
    batch_sizes_source: Source
    quotas: Mapping[str, ServiceQuota]
    """Engine → quota of the service that runs its jobs."""
    provisioning: Mapping[str, Provisioning]
    images: Mapping[str, Image]
