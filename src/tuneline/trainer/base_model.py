"""The base of a run: a reference resolved to a folder, then to architecture, weights and tokenizer."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneline import objects
from tuneline.errors import Problem, UsageError
from tuneline.trainer.architecture import Architecture, read_architecture
from tuneline.trainer.config import BUILT_IN
from tuneline.trainer.placement import Placement, over_all_devices
from tuneline.trainer.predictions import LARGEST_DEFAULT
from tuneline.trainer.tokenizer import Tokenizer, load_tokenizer

BUILT_IN_FOLDER = Path(__file__).parent / "base"


@dataclass(frozen=True, kw_only=True)
class Reference:
    """Where a base comes from."""

    requested: str
    used: str
    """`builtin:tiny`, a local folder or a gs:// folder."""
    stand_in: bool
    """Whether `used` takes the place of a folder that the object store does not hold."""


@dataclass(frozen=True, kw_only=True)
class BaseModel:
    """A base ready to compute with."""

    reference: Reference
    name: str
    digest: str
    """SHA-256 over the folder's configuration, tokenizer and weights."""
    architecture: Architecture
    weights: Mapping[str, Any]
    placement: Placement
    """Where the weights are."""
    tokenizer: Tokenizer
    learning_rate: float
    """Recommended for LoRA on this base."""
    longest_prediction: int
    """Tokens that a prediction has at most where nothing is asked for."""

    def to_dict(self) -> dict[str, Any]:
        """What `result.json` says about it."""
        return {
            "requested": self.reference.requested,
            "used": self.reference.used,
            "stand_in": self.reference.stand_in,
            "name": self.name,
            "digest": self.digest,
            "parameters": self.architecture.parameters,
        }


def resolve(requested: str, *, stand_in: str) -> Reference:
    """The folder to use for a requested base.

    Where the object store does not hold a requested gs:// folder, `stand_in` (if not empty) takes its place.

    Raises:
        UsageError: there is neither.
    """
    if requested.startswith("builtin:"):
        if requested != BUILT_IN:
            raise UsageError(
                [Problem(where="base_model", what=f"no built-in base {requested!r}", fix=f"use {BUILT_IN}")]
            )
        return Reference(requested=requested, used=requested, stand_in=False)
    if objects.exists(objects.join(requested, "config.json")):
        return Reference(requested=requested, used=requested, stand_in=False)
    if objects.is_cloud(requested) and stand_in:
        return Reference(requested=requested, used=resolve(stand_in, stand_in="").used, stand_in=True)
    fix = f"name a Hugging Face folder (config.json, tokenizer.json, *.safetensors), or {BUILT_IN}"
    raise UsageError([Problem(where="base_model", what=f"no model at {requested}: config.json not found", fix=fix)])


def load(reference: Reference, *, dtype: Any) -> BaseModel:
    """The base of a reference, its weights in `dtype`."""
    with local_folder(reference) as folder:
        return _load(reference, folder, dtype)


@contextlib.contextmanager
def local_folder(reference: Reference) -> Iterator[Path]:
    """The folder of a reference on this machine; one at gs:// is a temporary copy."""
    if reference.used == BUILT_IN:
        yield BUILT_IN_FOLDER
        return
    if not objects.is_cloud(reference.used):
        yield Path(reference.used.removeprefix("file://"))
        return
    with tempfile.TemporaryDirectory(prefix="tuneline-base-") as name:
        folder = Path(name)
        prefix = reference.used.rstrip("/") + "/"
        for info in objects.list(prefix):
            part = info.uri.removeprefix(prefix)
            if "/" not in part and part.endswith((".json", ".safetensors", ".jinja")):
                objects.download_file(info.uri, folder / part)
        yield folder


def _load(reference: Reference, folder: Path, dtype: Any) -> BaseModel:
    from tuneline.trainer.weights import load_weights

    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        problem = Problem(where=f"{folder / 'config.json'}:{error.lineno}", what=error.msg, fix="copy the folder again")
        raise UsageError([problem]) from error
    architecture = read_architecture(config, where=str(folder / "config.json"))
    card_file = folder / "base.json"
    placement = over_all_devices(architecture, dtype)
    card = json.loads(card_file.read_text(encoding="utf-8")) if card_file.exists() else {}
    return BaseModel(
        reference=reference,
        name=card.get("name")
        or str(config.get("_name_or_path") or "")
        or reference.used.rstrip("/").rsplit("/", 1)[-1],
        digest=_digest(folder),
        architecture=architecture,
        weights=load_weights(folder, architecture, dtype, place=placement.weight),
        placement=placement,
        tokenizer=load_tokenizer(folder, config),
        longest_prediction=card.get("recommended", {}).get("max_new_tokens") or LARGEST_DEFAULT,
        learning_rate=card.get("recommended", {}).get("learning_rate") or recommended_rate(architecture.width),
    )


def recommended_rate(width: int) -> float:
    """A learning rate for LoRA by width: 2e-4 at 4,096 (the QLoRA paper's for 7B), falling with its root."""
    return round(min(5e-3, 2e-4 * (4096 / width) ** 0.5), 6)


def _digest(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        if path.suffix in (".json", ".safetensors", ".jinja") and not path.name.startswith("adapter"):
            total.update(path.name.encode())
            with path.open("rb") as stream:
                total.update(hashlib.file_digest(stream, "sha256").digest())
    return "sha256:" + total.hexdigest()
