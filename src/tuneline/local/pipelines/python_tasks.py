"""Which Python runs a task: this one, one made for its requirements, or none here.

A lightweight Python component of KFP is a shell line that installs packages, a shell line that runs
`kfp.dsl.executor_main`, and the source of a function. Its parts are taken apart and the executor is run directly.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

OUR_IMAGE = "tuneline-python"
EXECUTOR = "kfp.dsl.executor_main"


@dataclass(frozen=True, kw_only=True)
class Lightweight:
    """A lightweight Python component taken apart."""

    source: str
    """The module with the function."""
    function: str
    installs: tuple[tuple[str, ...], ...]
    """The arguments of each `pip install` of its prologue, in order."""


def image_name(image: str) -> str:
    """`europe-docker.pkg.dev/p/r/name:tag@digest` → `name`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0]


def is_ours(container: Mapping[str, Any]) -> bool:
    """Whether the task runs in the image of this project, whose content is what is installed here."""
    return OUR_IMAGE in image_name(container.get("image", ""))


def needs_container(container: Mapping[str, Any]) -> str:
    """What the task is that only its own image can run, or '' if a Python of this machine can."""
    image = container.get("image", "")
    lightweight = parse(container)
    if is_ours(container) or (lightweight and "python" in image_name(image)):
        return ""
    what = "a Python component on an image of its own" if lightweight else "a container component"
    return f"{what} ({image})"


def installing_apart(command: Sequence[str], environment: Mapping[str, str]) -> list[str]:
    """The command of a lightweight component whose `pip install` prologue keeps the container's environment, while all
    that follows it has `environment`: each part of the prologue ends by running the words behind it."""
    words = list(command)
    last = max((at for at, word in enumerate(words) if "-m pip install" in word), default=-1)
    if last < 0:
        return words
    return [*words[: last + 1], "env", *(f"{name}={value}" for name, value in environment.items()), *words[last + 1 :]]


def parse(container: Mapping[str, Any]) -> Lightweight | None:
    """The parts of a lightweight Python component; None for anything else."""
    command = list(container.get("command", ()))
    args = list(container.get("args", ()))
    place = next((index for index, word in enumerate(command) if EXECUTOR in word), -1)
    if place < 0 or place + 1 >= len(command) or '"$program_path/ephemeral_component.py"' not in command[place]:
        return None
    if "--function_to_execute" not in args[:-1] or "__KFP_EMBEDDED" in command[place]:
        return None
    return Lightweight(
        source=command[place + 1],
        function=args[args.index("--function_to_execute") + 1],
        installs=tuple(install for word in command[:place] for install in _installs(word)),
    )


def _installs(script: str) -> list[tuple[str, ...]]:
    found = []
    for line in script.splitlines():
        for part in re.split(r"&&|;(?=(?:[^'\"]*['\"][^'\"]*['\"])*[^'\"]*$)|\|\|", line):
            words = shlex.split(part) if "-m pip install" in part else []
            if "install" in words:
                found.append(tuple(words[words.index("install") + 1 :]))
    return found


def met_here(installs: Sequence[Sequence[str]]) -> bool:
    """Whether everything these `pip install` lines ask for is installed in this very environment."""
    import importlib.metadata

    from packaging.requirements import InvalidRequirement, Requirement

    for word in requirements(installs):
        try:
            wanted = Requirement(word)
        except InvalidRequirement:
            return False  # a path, a URL, a -r file: only pip knows
        if wanted.url or (wanted.marker and not wanted.marker.evaluate({"extra": ""})):
            if wanted.url:
                return False
            continue
        try:
            version = importlib.metadata.version(wanted.name)
        except importlib.metadata.PackageNotFoundError:
            return False
        if not wanted.specifier.contains(version, prereleases=True):
            return False
    return True


def requirements(installs: Sequence[Sequence[str]]) -> list[str]:
    """The requirements among the arguments of `pip install`, without its options."""
    with_value = {
        "--index-url",
        "-i",
        "--extra-index-url",
        "--trusted-host",
        "--find-links",
        "-f",
        "-c",
        "--constraint",
    }
    found = []
    for install in installs:
        words = iter(install)
        for word in words:
            if word in ("-r", "--requirement", "-e", "--editable"):
                found.append(f"{word} {next(words, '')}")
            elif word in with_value:
                next(words, None)
            elif not word.startswith("-"):
                found.append(word)
    return found
