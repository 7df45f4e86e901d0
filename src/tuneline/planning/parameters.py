"""The parameters of each template: type, default, and leniency about how JSON writes a value.

The tables are what `docs/planning.md` prints and what a test compares with the compiled templates.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Parameter:
    """One parameter as the template declares it."""

    name: str
    kind: str
    """`str`, `int`, `float`, `bool`, `map`, or `list`: names with commas between them, one text to the template."""
    default: Any = None
    """None: it must be given."""
    ours: bool = False
    """Not a parameter of the hosted template."""


def _text(name: str, default: str | None = "", *, ours: bool = False) -> Parameter:
    return Parameter(name=name, kind="str", default=default, ours=ours)


_SHARED = (
    _text("project", None),
    _text("model_display_name", None),
    _text("large_model_reference", None),
    _text("dataset_uri", None),
    _text("location"),
    _text("accelerator_type", "GPU"),
    Parameter(name="train_steps", kind="int", default=300),
    Parameter(name="learning_rate_multiplier", kind="float", default=1.0),
)
_EVALUATION = (
    _text("evaluation_data_uri"),
    Parameter(name="evaluation_interval", kind="int", default=20),
    Parameter(name="enable_early_stopping", kind="bool", default=True),
    _text("enable_checkpoint_selection", "default"),
)
_SHARED_END = (
    _text("tensorboard_resource_id"),
    _text("encryption_spec_key_name"),
)
# What the older SDK sends as well.
_OLDER = (
    Parameter(name="batch_size", kind="int", default=0),
    Parameter(name="learning_rate", kind="float", default=0.0),
    _text("max_context_length"),
    _text("default_context"),
)
_OURS = (
    _text("base_model_uri", ours=True),
    _text("engine", ours=True),
    _text("slice", ours=True),
    Parameter(name="fallback_slices", kind="list", default="", ours=True),
    _text("provisioning", "standard", ours=True),
    _text("trainer_image", ours=True),
    _text("serving_image", ours=True),
    Parameter(name="deploy_model", kind="bool", default=False, ours=True),
    _text("test_data_uri", ours=True),
    _text("staging_uri", ours=True),
    _text("service_account", ours=True),
    _text("network", ours=True),
    Parameter(name="labels", kind="map", default={}, ours=True),
    Parameter(name="seed", kind="int", default=0, ours=True),
    Parameter(name="force", kind="bool", default=False, ours=True),
    _text("on_cancel", "cancel", ours=True),
    Parameter(name="max_cost_usd", kind="float", default=0.0, ours=True),
)

# Of both managed services: what is done with the model that they make, and how the run behaves.
_MANAGED_OURS = (
    _text("enable_checkpoint_selection", "default", ours=True),
    _text("test_data_uri", ours=True),
    Parameter(name="max_dropped_share", kind="float", default=0.1, ours=True),
    Parameter(name="prediction_limit", kind="int", default=250, ours=True),
    Parameter(name="predictions_per_minute", kind="int", default=0, ours=True),
    _text("staging_uri", ours=True),
    Parameter(name="force", kind="bool", default=False, ours=True),
    _text("on_cancel", "cancel", ours=True),
    Parameter(name="max_cost_usd", kind="float", default=0.0, ours=True),
)
# The fields of a TuningJob, in the SDK's spelling.
_GEMINI = (
    _text("project", None),
    _text("base_model", None),
    _text("training_dataset_uri", None),
    _text("location"),
    Parameter(name="fallback_locations", kind="list", default="", ours=True),
    _text("validation_dataset_uri"),
    Parameter(name="epoch_count", kind="int", default=0),
    Parameter(name="adapter_size", kind="int", default=0),
    Parameter(name="learning_rate_multiplier", kind="float", default=0.0),
    _text("tuned_model_display_name"),
    _text("encryption_spec_key_name"),
    _text("service_account"),
    Parameter(name="labels", kind="map", default={}),
    Parameter(name="export_last_checkpoint_only", kind="bool", default=False),
    Parameter(name="preference_tuning", kind="bool", default=False),
    Parameter(name="beta", kind="float", default=0.0),
    _text("checkpoint_id"),
)
# The fields of a tuned model of the developer API; epochs and batch size as its documentation advises.
_GEMINI_API = (
    _text("project", None),
    _text("base_model", None),
    _text("dataset_uri", None),
    _text("validation_dataset_uri", ours=True),
    Parameter(name="epoch_count", kind="int", default=5),
    Parameter(name="batch_size", kind="int", default=4),
    Parameter(name="learning_rate", kind="float", default=0.0),
    Parameter(name="learning_rate_multiplier", kind="float", default=0.0),
    _text("tuned_model_display_name"),
    _text("tuned_model_id"),
    _text("api_key_secret", ours=True),
)

# The chat template keeps the evaluation parameters out: rule `no-chat-evaluation` says so where one is given.
TEMPLATES: dict[str, tuple[Parameter, ...]] = {
    "tune-large-model": (*_SHARED, *_EVALUATION, *_SHARED_END, *_OLDER, *_OURS),
    "tune-large-chat-model": (*_SHARED, *_SHARED_END, *_OLDER, *_OURS),
    "tune-gemini": (*_GEMINI, *_MANAGED_OURS),
    "tune-gemini-api": (*_GEMINI_API, *(p for p in _MANAGED_OURS if p.name != "enable_checkpoint_selection")),
}
EVALUATION_NAMES = tuple(p.name for p in _EVALUATION)


@dataclass(frozen=True, kw_only=True)
class Names:
    """What a template calls what they all have, and what carries its jobs out."""

    engine: str = "custom_training"
    model: str = "large_model_reference"
    display_name: str = "model_display_name"
    train: str = "dataset_uri"
    evaluation: str = "evaluation_data_uri"
    test: str = "test_data_uri"

    @property
    def sets(self) -> dict[str, str]:
        """Dataset (`train`, `evaluation`, `test`) → the parameter that names it."""
        return {"train": self.train, "evaluation": self.evaluation, "test": self.test}


_MANAGED = {"model": "base_model", "display_name": "tuned_model_display_name", "evaluation": "validation_dataset_uri"}
NAMES: dict[str, Names] = {
    "tune-large-model": Names(),
    "tune-large-chat-model": Names(),
    "tune-gemini": Names(engine="vertex_tuning", train="training_dataset_uri", **_MANAGED),
    "tune-gemini-api": Names(engine="gemini_api", **_MANAGED),
}


def names(template: str) -> Names:
    """What the template calls its datasets and its base model; those of `tune-large-model` where it is not known."""
    return NAMES.get(template, NAMES["tune-large-model"])


def defaults(template: str) -> dict[str, Any]:
    """Every optional parameter with its default; a copy."""
    return {p.name: decode(p, p.default) for p in TEMPLATES[template] if p.default is not None}


def same_values(template: str, given: Mapping[str, object], other: Mapping[str, object]) -> bool:
    """Whether two requests to a template mean the same, however each writes its values and spells out defaults."""
    if template not in TEMPLATES:
        return dict(given) == dict(other)
    return _decoded(template, given) == _decoded(template, other)


def _decoded(template: str, given: Mapping[str, object]) -> dict[str, Any]:
    values = defaults(template)
    for parameter in TEMPLATES[template]:
        value = given.get(parameter.name)
        if value is not None:
            values[parameter.name] = decode(parameter, value)
    return values


def decode(parameter: Parameter, value: object) -> Any:
    """The value in the parameter's type, however JSON wrote it: `"20"` for 20, `"true"` for true, 1 for 1.0.

    Raises:
        ValueError: it cannot be read so; says what was expected.
    """
    return _DECODERS[parameter.kind](value)


def _decode_str(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (str, int)):
        return str(value)
    if value is None:
        return ""
    raise ValueError("a text is expected")


def _decode_int(value: object) -> int:
    if isinstance(value, str) and re.fullmatch(r"\s*[+-]?[0-9]+\s*", value):
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value
    raise ValueError("a whole number is expected")


def _decode_float(value: object) -> float:
    if isinstance(value, (str, int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            number = math.nan
        if math.isfinite(number):
            return number
    raise ValueError("a number is expected")


def _decode_bool(value: object) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str) and value.strip().lower() in ("true", "false"):
        return value.strip().lower() == "true"
    raise ValueError("true or false is expected")


def _decode_map(value: object) -> dict[str, str]:
    if isinstance(value, str):
        try:
            value = json.loads(value or "{}")
        except json.JSONDecodeError:
            value = None
    if isinstance(value, Mapping) and all(isinstance(v, (str, int, float, bool)) for v in value.values()):
        return {str(k): _decode_str(v) if not isinstance(v, float) else f"{v:g}" for k, v in value.items()}
    raise ValueError('a mapping of texts is expected, such as {"team": "search"}')


def _decode_list(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        value = value.split(",")
    if isinstance(value, (list, tuple)) and all(isinstance(each, str) for each in value):
        return tuple(each.strip() for each in value if each.strip())
    raise ValueError("names with commas between them are expected")


_DECODERS = {
    "list": _decode_list,
    "str": _decode_str,
    "int": _decode_int,
    "float": _decode_float,
    "bool": _decode_bool,
    "map": _decode_map,
}
