"""The compiled templates that this package ships, by name: as a plain spec to send, or as a KFP component to compose.

They come from the package itself (`tuneline/compiled`, put there by the wheel) or, in an editable install, from the
checkout's `compiled/`. A name is written with hyphens or underscores alike. kfp is imported by `load` alone.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tuneline.errors import Problem, TunelineError, UsageError

if TYPE_CHECKING:
    from kfp.dsl import base_component

KINDS = ("pipelines", "components")


def names(kind: str = "pipelines") -> tuple[str, ...]:
    """The names of all templates of a kind (`pipelines` or `components`), hyphenated, in order."""
    return tuple(sorted(path.stem.replace("_", "-") for path in (folder() / kind).glob("*.yaml")))


def spec(name: str, *, image: str | None = None) -> dict[str, Any]:
    """The compiled template as PipelineSpec JSON, its steps' image replaced by `image` where one is given.

    Every call gives a fresh value that the caller may change.

    Raises:
        UsageError: there is no template of that name; a near one is suggested.
    """
    loaded = _parse(text(name))
    if image:
        for executor in loaded["deploymentSpec"]["executors"].values():
            executor["container"]["image"] = image
    return loaded


def load(name: str, *, image: str | None = None) -> base_component.BaseComponent:
    """The template as a KFP component, to be called in a pipeline of your own or run by `kfp.local`.

    Raises:
        UsageError: there is no template of that name; a near one is suggested.
    """
    from kfp import components

    if not image:
        return components.load_component_from_text(text(name))
    import yaml

    return components.load_component_from_text(yaml.safe_dump(spec(name, image=image), sort_keys=True))


def text(name: str) -> str:
    """The compiled template as it was released, byte for byte.

    Raises:
        UsageError: there is no template of that name; a near one is suggested.
    """
    file = name.replace("-", "_") + ".yaml"
    for kind in KINDS:
        path = folder() / kind / file
        if path.is_file():
            return path.read_text(encoding="utf-8")
    raise UsageError([Problem(where="template", what=f"there is no template {name!r}", fix=_suggestion(name))])


@cache
def folder() -> Path:
    """Where the compiled templates are: in the package, or beside an editable checkout's sources."""
    package = Path(__file__).resolve().parent.parent
    checkout = package.parent.parent
    if (package / "compiled").is_dir():
        return package / "compiled"
    if (checkout / "compiled").is_dir() and (checkout / "pyproject.toml").is_file():
        return checkout / "compiled"
    raise TunelineError(
        f"{package} holds no compiled templates, and it is no checkout that could: install tuneline again"
    )


def _suggestion(name: str) -> str:
    from rapidfuzz import process

    known = [each for kind in KINDS for each in names(kind)]
    near = process.extractOne(name.replace("_", "-"), known, score_cutoff=75)
    return f"did you mean {near[0]}?" if near else "one of: " + ", ".join(known)


def _parse(document: str) -> dict[str, Any]:
    import yaml

    # libyaml's parser reads the largest template in a tenth of the time; it is in every wheel of PyYAML.
    return yaml.load(document, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
