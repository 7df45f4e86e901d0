"""The registry of rules: each a small function with a name and a sentence, run together, all findings at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from tuneline import catalog
from tuneline.errors import Problem
from tuneline.planning.parameters import NAMES, TEMPLATES, Names

# docs of PaLM tuning: https://us-kfp.pkg.dev/ml-pipeline/large-language-model-pipelines/tune-large-model/v3.0.0
_HOSTED = re.compile(r"https://[a-z0-9-]+-kfp\.pkg\.dev/ml-pipeline/")


def is_hosted(template_uri: str) -> bool:
    """Whether a template's address is one of Google's own, in place of this project's."""
    return bool(_HOSTED.match(template_uri))


@dataclass(frozen=True, kw_only=True)
class Context:
    """What the rules judge."""

    template: str
    values: Mapping[str, Any]
    """Every parameter that could be read, typed, defaults filled in."""
    raw: Mapping[str, Any]
    """What was given, as it was given."""
    given: Collection[str] | None
    """The parameters that were given explicitly; None: not known, as in a step."""
    region: str = ""
    """The pipeline's region; `''`: not known yet."""
    encryption_key: str = ""
    """The request's own `encryptionSpec.kmsKeyName`."""
    template_uri: str = ""
    """The address of the template that the request is sent to, where it is not sent the pipeline itself."""
    facts: Mapping[str, Any] | None = None
    """What `validate_dataset` found; None: the data was not read."""
    local: bool = False
    today: date = field(default_factory=date.today)

    def __getitem__(self, name: str) -> Any:
        """The value of a parameter; None where it could not be read or the template does not have it."""
        return self.values.get(name)

    def is_given(self, name: str) -> bool:
        """Whether it is known that the parameter was given explicitly."""
        return self.given is not None and name in self.given

    @property
    def names(self) -> Names:
        """What the template calls the parameters that every template has."""
        return NAMES[self.template]

    @property
    def managed(self) -> bool:
        """Whether a service of Google's tunes, and chooses its own machines."""
        return self.names.engine != "custom_training"

    @property
    def hosted(self) -> bool:
        """Whether the request goes to a template of Google's own, in place of this project's."""
        return is_hosted(self.template_uri)

    @property
    def reference(self) -> str:
        """The base model in the request's own words."""
        return (self[self.names.model] or "").strip()

    @property
    def model(self) -> catalog.Model | None:
        """The model that is asked for, or None where the catalogue does not have it."""
        return catalog.find_model(self.reference)

    @property
    def tuned_further(self) -> bool:
        """Whether the base model is itself a tuned model of the registry."""
        return self.names.engine == "vertex_tuning" and "/models/" in self.reference and self.model is None

    @property
    def is_chat(self) -> bool:
        """Whether the rules of chat models hold: a chat model, or the chat template."""
        return self.template == "tune-large-chat-model" or (self.model is not None and self.model.family == "chat")

    @property
    def slice(self) -> catalog.Slice | None:
        """The slice that is asked for, by name or by accelerator; None where there is no such."""
        if self["slice"]:
            return catalog.current().slices.get(self["slice"])
        return catalog.default_slice(self["accelerator_type"] or "")

    @property
    def upload_region(self) -> str:
        """Where the model goes; `''`: not known yet."""
        return self["location"] or self.region

    @property
    def misspelt(self) -> set[str]:
        """The parameters that were meant by names that the template does not have."""
        known = [p.name for p in TEMPLATES[self.template]]
        return {meant(name, known) for name in self.raw if name not in known} - {""}

    @property
    def key(self) -> str:
        """The customer-managed key, from the parameter or the request."""
        return self["encryption_spec_key_name"] or self.encryption_key

    @property
    def fallback_names(self) -> tuple[str, str]:
        """The parameter that lists what is tried in its place where capacity is refused, and the one it stands for."""
        return ("fallback_locations", "location") if self.managed else ("fallback_slices", "slice")

    @property
    def fallbacks(self) -> list[tuple[str, Context]]:
        """Each slice or region that is listed for want of capacity, with the request as it would be there."""
        listed, place = self.fallback_names
        # Machines by name: an accelerator type given for the first slice says nothing of the others.
        given = None if self.given is None else {*self.given, place} - {"accelerator_type"}
        return [
            (each, replace(self, values={**self.values, place: each, listed: ()}, given=given))
            for each in self[listed] or ()
        ]

    def data(self, which: str) -> Mapping[str, Any] | None:
        """The facts of `train`, `evaluation` or `test`, or None."""
        return (self.facts or {}).get(which)


@dataclass(frozen=True, kw_only=True)
class Remark:
    """What does not stand in the way: a note to know, or a warning to think about."""

    level: str
    """`note` or `warning`."""
    text: str


def meant(name: str, known: Collection[str]) -> str:
    """The parameter that a misspelt name means, or `''`; a colon or quote caught inside the quotes is no obstacle."""
    return catalog.closest(name.strip(" :\"'"), known)


Findings = Iterator[Problem | Remark]
Check = Callable[[Context], Findings]


@dataclass(frozen=True, kw_only=True)
class Rule:
    """One rule."""

    name: str
    group: str
    text: str
    """What it demands: the first paragraph of its function's docstring."""
    check: Check


RULES: dict[str, Rule] = {}
GROUPS = {
    "request": "The request",
    "model": "The model and its engine",
    "regions": "Regions, machines and encryption",
    "training": "Steps and settings",
    "managed": "Gemini models and the services that tune them",
    "evaluation": "Evaluation",
    "data": "The data",
}


def rule(group: str) -> Callable[[Check], Check]:
    """Register a rule under its function's name, underscores as hyphens."""

    def register(check: Check) -> Check:
        name = check.__name__.replace("_", "-")
        text = " ".join((check.__doc__ or "").split("\n\n")[0].split())
        RULES[name] = Rule(name=name, group=group, text=text, check=check)
        return check

    return register


def registered() -> list[Rule]:
    """Every rule, in the order of the groups."""
    # Registered by being imported; here, since they import this module.
    from tuneline.planning import (  # noqa: F401
        rules_data,
        rules_evaluation,
        rules_hosted,
        rules_managed,
        rules_model,
        rules_regions,
        rules_request,
        rules_training,
    )

    return sorted(RULES.values(), key=lambda entry: list(GROUPS).index(entry.group))


def judge(context: Context, groups: Collection[str] = tuple(GROUPS)) -> tuple[list[Problem], list[Remark]]:
    """What every rule of these groups finds: each problem with its rule's name, then the remarks."""
    problems: list[Problem] = []
    remarks: list[Remark] = []
    for entry in registered():
        if entry.group not in groups:
            continue
        for finding in entry.check(context):
            if isinstance(finding, Remark):
                remarks.append(finding)
            else:
                problems.append(Problem(where=finding.where, what=f"{finding.what} [{entry.name}]", fix=finding.fix))
    return problems, remarks


def note(text: str) -> Remark:
    """Worth knowing."""
    return Remark(level="note", text=text)


def warning(text: str) -> Remark:
    """Worth thinking about."""
    return Remark(level="warning", text=text)
