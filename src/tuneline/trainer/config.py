"""What a run is asked to do, training or predicting: `config.json`, checked as a whole before anything is loaded."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuneline.errors import Problem, UsageError

VERSION = 1
RANKS = (1, 2, 4, 8, 16, 32)
BUILT_IN = "builtin:tiny"
TRAIN, PREDICT = "train", "predict"
SUPERVISED, PREFERENCE = "supervised", "preference"
SKIP, CUT = "skip", "cut"
CHOICES = {
    "method": (SUPERVISED, PREFERENCE),
    "long_prompts": (SKIP, CUT),
    "enable_checkpoint_selection": ("default", "true", "false"),
}


@dataclass(frozen=True, kw_only=True)
class Config:
    """One training run. An empty text or a zero asks for the base model's own recommendation."""

    base_model: str
    train_data: str
    evaluation_data: str = ""
    prediction_data: str = ""
    format: str = ""
    """A dataset format by name; empty: found out from the data."""
    default_context: str = ""
    train_steps: int = 300
    batch_size: int = 8
    """Examples a step."""
    learning_rate: float = 0.0
    learning_rate_multiplier: float = 1.0
    adapter_size: int = 8
    """Rank of the adapter."""
    initial_adapter: str = ""
    """A folder in PEFT's layout, from which training goes on; empty: one that changes nothing yet."""
    method: str = SUPERVISED
    """`supervised`, or `preference`: DPO over the pairs of a preference set."""
    beta: float = 0.1
    """Of preference tuning: how closely the tuned model keeps to the one it began as; higher is closer."""
    max_length: int = 0
    """Tokens of an example, prompt and response together; longer ones are cut."""
    long_prompts: str = SKIP
    """An example whose prompt alone fills `max_length`: `skip` it, or `cut` the prompt's beginning."""
    evaluation_interval: int = 20
    """Steps between two evaluations and checkpoints."""
    early_stopping: bool = True
    enable_checkpoint_selection: str = "default"
    """`true`: the earliest checkpoint that is as good as the best; `false`: the last; `default`: `true` with a set."""
    keep_checkpoints: int = 20
    """Checkpoints kept at most; 0: all."""
    export_merged: bool = False
    """Whether the selected checkpoint is also written as a whole model."""
    seed: int = 0
    max_new_tokens: int = 0
    """Longest prediction, in tokens."""

    def to_dict(self) -> dict[str, Any]:
        """The configuration as it is written to files."""
        return {"version": VERSION, **dataclasses.asdict(self)}


@dataclass(frozen=True, kw_only=True)
class PredictedModel:
    """One of the models of a prediction run: the base, alone or under an adapter."""

    name: str
    """Of its file: `predictions/NAME.jsonl`."""
    adapter: str = ""
    """A folder in PEFT's layout; empty: the base itself."""


@dataclass(frozen=True, kw_only=True)
class PredictionConfig:
    """One prediction run: a set, predicted by each of several models over one base."""

    base_model: str
    data: str
    models: tuple[PredictedModel, ...] = (PredictedModel(name="base"),)
    format: str = ""
    default_context: str = ""
    batch_size: int = 32
    """Examples generated for at a time."""
    max_length: int = 0
    long_prompts: str = SKIP
    max_new_tokens: int = 0
    temperature: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int = 0

    def to_dict(self) -> dict[str, Any]:
        """The configuration as it is written to files."""
        return {"version": VERSION, "mode": PREDICT, **dataclasses.asdict(self)}


_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_LEAST: dict[str, float] = {
    "train_steps": 1,
    "batch_size": 1,
    "learning_rate": 0,
    "max_length": 0,
    "evaluation_interval": 1,
    "keep_checkpoints": 0,
    "seed": 0,
    "max_new_tokens": 0,
    "temperature": 0,
    "top_k": 0,
}


def read_config(value: object, *, where: str) -> Config | PredictionConfig:
    """The configuration in a parsed `config.json`, of the kind that its `mode` names; UsageError with every problem."""
    if not isinstance(value, Mapping):
        raise UsageError([Problem(where=where, what="not a JSON object", fix="write the fields of docs/trainer.md")])
    mode = value.get("mode", TRAIN)
    kind = PredictionConfig if mode == PREDICT else Config
    fields = {field.name: field for field in dataclasses.fields(kind)}
    problems: list[Problem] = []
    if mode not in (TRAIN, PREDICT):
        problems.append(Problem(where=f"{where}: mode", what=f"must be {TRAIN} or {PREDICT}, and is {mode!r}"))
    if value.get("version") != VERSION:
        what = f"version is {value.get('version')!r}, this trainer reads {VERSION}"
        problems.append(Problem(where=f"{where}: version", what=what, fix=f'write "version": {VERSION}'))
    for name in value:
        if name not in fields and name not in ("version", "mode"):
            problems.append(
                Problem(where=f"{where}: {name}", what="unknown field", fix=_suggestion(str(name), list(fields)))
            )
    given: dict[str, Any] = {}
    for name, field in fields.items():
        if name not in value:
            if field.default is dataclasses.MISSING:
                problems.append(Problem(where=f"{where}: {name}", what="missing", fix=f'add "{name}"'))
            continue
        entry = value[name]
        if name == "models":
            wrong = _wrong_models(entry)
            problems += [Problem(where=f"{where}: {at}", what=what) for at, what in wrong]
            given[name] = () if wrong else tuple(PredictedModel(**each) for each in entry)
            continue
        problem = _wrong(name, str(field.type), entry)
        if problem:
            problems.append(Problem(where=f"{where}: {name}", what=f"{problem}, and is {entry!r}"))
        else:
            given[name] = float(entry) if field.type == "float" else entry
    if given.get("enable_checkpoint_selection") == "true" and not given.get("evaluation_data"):
        what, fix = "is true, and there is no evaluation set", "name evaluation_data, or leave it out"
        problems.append(Problem(where=f"{where}: enable_checkpoint_selection", what=what, fix=fix))
    if problems:
        raise UsageError(problems, title="the trainer's configuration is refused")
    return kind(**given)


def _wrong_models(entry: object) -> list[tuple[str, str]]:
    """(place, what) of everything wrong with the models of a prediction run."""
    if not isinstance(entry, list) or not entry:
        return [("models", 'must be a list like [{"name": "base"}, {"name": "tuned", "adapter": "URI"}]')]
    found: list[tuple[str, str]] = []
    names: set[str] = set()
    for number, each in enumerate(entry):
        at = f"models[{number}]"
        if not isinstance(each, Mapping) or not set(each) <= {"name", "adapter"}:
            found.append((at, f"must be an object of name and adapter, and is {each!r}"))
            continue
        name, adapter = each.get("name"), each.get("adapter", "")
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            found.append((f"{at}.name", f"must be letters, digits, '.', '_' and '-', as a file's is, and is {name!r}"))
        elif name in names:
            found.append((f"{at}.name", f"{name!r} is another model's"))
        else:
            names.add(name)
        if not isinstance(adapter, str):
            found.append((f"{at}.adapter", f"must be a text, and is {adapter!r}"))
    return found


def _wrong(name: str, kind: str, entry: object) -> str:
    """What is wrong with a value, or nothing."""
    if kind == "str":
        if not isinstance(entry, str):
            return "must be a text"
        if name in CHOICES:
            return "" if entry in CHOICES[name] else f"must be {' or '.join(CHOICES[name])}"
        return "must not be empty" if name in ("base_model", "train_data", "data") and not entry.strip() else ""
    if kind == "bool":
        return "" if isinstance(entry, bool) else "must be true or false"
    if isinstance(entry, bool) or not isinstance(entry, int | float) or (kind == "int" and not isinstance(entry, int)):
        return "must be a whole number" if kind == "int" else "must be a number"
    if entry != entry or entry in (float("inf"), float("-inf")):
        return "must be finite"
    if name == "adapter_size":
        return "" if entry in RANKS else f"must be one of {', '.join(map(str, RANKS))}"
    if name == "top_p":
        return "" if 0 < entry <= 1 else "must be above 0, and at most 1"
    if name in ("learning_rate_multiplier", "beta"):
        return "" if entry > 0 else "must be above 0"
    return "" if entry >= _LEAST[name] else f"must be at least {_LEAST[name]:g}"


def _suggestion(name: str, known: list[str]) -> str:
    import difflib

    close = difflib.get_close_matches(name, known, 1)
    return f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"


def differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[Problem]:
    """Each field in which a run in the same output folder differs from the one that began there."""
    return [
        Problem(
            where=name,
            what=f"was {before.get(name)!r} when this output was begun, and is {now.get(name)!r}",
            fix="give the old value to go on, or another output to begin anew",
        )
        for name in sorted({*before, *now})
        if before.get(name) != now.get(name)
    ]
