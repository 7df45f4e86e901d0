"""Asking the catalogue: an answer, or an error that names what was probably meant."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable

from tuneline.catalog.load import current
from tuneline.catalog.model import Cmek, Image, Model, Provisioning, Slice
from tuneline.errors import Problem, UsageError

_PREFIX = re.compile(r"^(publishers/[^/]+/models/|projects/[^/]+/locations/[^/]+/publishers/[^/]+/models/|models/)")


def model(reference: str) -> Model:
    """The model of that name or alias; `publishers/google/models/` before it is taken off.

    Raises:
        UsageError: there is none; names the closest.
    """
    found = find_model(reference)
    if found is None:
        raise UsageError([unknown("large_model_reference", reference, models())])
    return found


def find_model(reference: str) -> Model | None:
    """The model, or None."""
    known = current().models
    for name in (reference, _PREFIX.sub("", reference)):
        if name in known:
            return known[name]
        for candidate in known.values():
            if name in candidate.aliases:
                return candidate
    return None


def models() -> tuple[Model, ...]:
    """Every model, the retired too."""
    return tuple(current().models.values())


def slice(name: str) -> Slice:
    """The slice of that name.

    Raises:
        UsageError: there is none; names the closest.
    """
    known = current().slices
    if name not in known:
        raise UsageError([unknown("slice", name, known.values())])
    return known[name]


def slices() -> tuple[Slice, ...]:
    """Every slice."""
    return tuple(current().slices.values())


def default_slice(accelerator_type: str) -> Slice | None:
    """The slice that `GPU` or `TPU` means, or None for any other word."""
    for candidate in current().slices.values():
        if candidate.default and candidate.accelerator_type == accelerator_type:
            return candidate
    return None


def regions() -> tuple[str, ...]:
    """The regions of pipelines and of uploaded models: one list for both."""
    return current().regions


def batch_size(accelerator_type: str, context: str) -> int:
    """Examples a step, by accelerator and by context length (`8k` or `32k`)."""
    return current().batch_sizes[accelerator_type][context]


def cmek() -> Cmek:
    """Where a customer-managed key works."""
    return current().cmek


def provisioning() -> tuple[Provisioning, ...]:
    """Every way to get machines."""
    return tuple(current().provisioning.values())


def image(name: str) -> Image:
    """The `trainer` or `serving` image."""
    return current().images[name]


def closest(word: str, known: Iterable[str]) -> str:
    """The known word that was probably meant, or `''`."""
    names = {name.lower(): name for name in known}
    found = difflib.get_close_matches(word.strip().lower(), list(names), n=1, cutoff=0.6)
    return names[found[0]] if found else ""


def unknown(where: str, word: str, known: Iterable[Model | Slice]) -> Problem:
    """The problem of a name that the catalogue does not have."""
    names = [entry.name for entry in known]
    aliases = [alias for entry in known if isinstance(entry, Model) for alias in entry.aliases]
    near = closest(_PREFIX.sub("", word), [*names, *aliases])
    fix = f"did you mean {near}?" if near else "known: " + ", ".join(names)
    return Problem(where=where, what=f"`{word}` is not in the catalogue", fix=fix)
