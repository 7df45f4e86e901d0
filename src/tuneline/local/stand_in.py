"""The model that is trained, and that answers, in place of Google's models and of bases the object store lacks."""

from __future__ import annotations

import os
from pathlib import Path

from tuneline import objects
from tuneline.errors import Problem, UsageError

BUILT_IN = "builtin:tiny"
VARIABLE = "TUNELINE_STAND_IN"


def stand_in() -> str:
    """The built-in base, or the Hugging Face folder that `TUNELINE_STAND_IN` names, absolute."""
    named = os.environ.get(VARIABLE, "")
    if not named or named == BUILT_IN:
        return BUILT_IN
    return named if objects.is_cloud(named) else str(Path(named).expanduser().resolve())


def check_stand_in() -> None:
    """UsageError where the folder named is no model's, before a job waits for it."""
    named = stand_in()
    if named != BUILT_IN and not objects.is_cloud(named) and not (Path(named) / "config.json").is_file():
        fix = f"name a Hugging Face folder (config.json, tokenizer.json, *.safetensors), or unset it for {BUILT_IN}"
        raise UsageError([Problem(where=VARIABLE, what=f"no model at {named}: config.json not found", fix=fix)])
