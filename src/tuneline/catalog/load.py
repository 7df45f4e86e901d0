"""Reading the catalogue's TOML files, with the user's own laid over them."""

from __future__ import annotations

import functools
import os
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from datetime import date
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

from tuneline._version import __version__
from tuneline.catalog.model import (
    Catalog,
    Cmek,
    HourPrice,
    Image,
    Model,
    Provisioning,
    ServiceQuota,
    Slice,
    SliceQuota,
    Source,
    Speed,
    TokenPrice,
)
from tuneline.errors import Problem, UsageError

FILES = ("sources", "models", "regions", "slices", "images")
_TOP = ("sources", "models", "slices", "regions", "batch_sizes", "provisioning", "images", "quotas")
_Kind = TypeVar("_Kind", Model, Slice)
_USER = Source(key="user", title="the user's own catalogue", url="", kind="user", read=None)


def overlay_path() -> Path:
    """The user's own catalogue: `TUNELINE_CATALOG`, else `~/.config/tuneline/catalog.toml`; it need not exist."""
    if given := os.environ.get("TUNELINE_CATALOG"):
        return Path(given)
    base = os.environ.get("XDG_CONFIG_HOME") or os.path.join(os.path.expanduser("~"), ".config")
    return Path(base) / "tuneline" / "catalog.toml"


def current() -> Catalog:
    """The catalogue with the overlay as it is now; read again only when the overlay's file changes.

    Raises:
        UsageError: the overlay is no TOML, or holds what the catalogue does not have; names file, line and key.
    """
    path = overlay_path()
    try:
        stamp = path.stat().st_mtime_ns
    except FileNotFoundError:
        if os.environ.get("TUNELINE_CATALOG"):
            raise UsageError(
                [Problem(where="TUNELINE_CATALOG", what=f"{path} does not exist", fix="name a TOML file, or unset it")]
            ) from None
        return _load(None, 0)
    return _load(path, stamp)


def load_own() -> Catalog:
    """The catalogue as it is shipped, without an overlay."""
    return _load(None, 0)


@functools.cache
def _load(path: Path | None, stamp: int) -> Catalog:
    """`stamp` is only part of the cache's key: a changed file is another catalogue."""
    data: dict[str, Any] = {}
    folder = resources.files("tuneline.catalog") / "data"
    for name in FILES:
        data |= tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))
    data["batch_sizes"] |= {k: v for k, v in data.pop("batch_sizes_ours").items() if k != "source"}
    if path is None:
        return _typed(data)
    try:
        overlay = tomllib.loads(path.read_text(encoding="utf-8"))
    except tomllib.TOMLDecodeError as error:
        raise UsageError([Problem(where=str(path), what=str(error), fix="correct the TOML there")]) from error
    if unknown := [key for key in overlay if key not in _TOP]:
        raise UsageError(
            [
                Problem(where=f"{path}: {key}", what="is no part of the catalogue", fix=", ".join(_TOP))
                for key in unknown
            ]
        )
    try:
        return _typed(_merged(data, _owned(overlay)))
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        what = f"lacks the key {error}" if isinstance(error, KeyError) else str(error)
        raise UsageError([Problem(where=str(path), what=what, fix="see docs/catalog.md for the keys")]) from error


def _owned(table: Mapping[str, Any]) -> dict[str, Any]:
    """The overlay with its prices and speeds marked as the user's, where they name no source."""
    marked = {key: _owned(value) if isinstance(value, Mapping) else value for key, value in table.items()}
    if marked.keys() & {"usd_per_hour", "usd_per_million_training_tokens", "low"}:
        marked.setdefault("source", "user")
    return marked


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Tables merged key by key; anything else is replaced."""
    merged = dict(below)
    for key, value in above.items():
        old = merged.get(key)
        merged[key] = _merged(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def _typed(data: Mapping[str, Any]) -> Catalog:
    sources = {"user": _USER} | {key: Source(key=key, **entry) for key, entry in data["sources"].items()}
    regions, cmek, batch = data["regions"], data["regions"]["cmek"], data["batch_sizes"]
    return Catalog(
        sources=sources,
        models={name: _model(name, entry, data["defaults"], sources) for name, entry in data["models"].items()},
        slices={name: _slice(name, entry, sources) for name, entry in data["slices"].items()},
        regions=tuple(regions["names"]),
        regions_source=sources[regions["source"]],
        multi_regions=tuple(regions["multi_regions"]),
        cmek=Cmek(accelerator=cmek["accelerator"], region=cmek["region"], source=sources[cmek["source"]]),
        batch_sizes={key: dict(value) for key, value in batch.items() if key != "source"},
        batch_sizes_source=sources[batch["source"]],
        quotas={
            engine: ServiceQuota(
                name=entry["name"], least=int(entry["least"]), source=sources[entry.get("source", "user")]
            )
            for engine, entry in data["quotas"].items()
        },
        provisioning={
            name: Provisioning(
                name=name,
                strategy=entry["strategy"],
                note=entry["note"],
                machines=tuple(entry["machines"]),
                source=sources[entry["source"]],
            )
            for name, entry in data["provisioning"].items()
        },
        images={
            name: Image(
                uri=entry["uri"].format(version=__version__),
                source=sources[entry["source"]],
                note=entry.get("note", ""),
            )
            for name, entry in data["images"].items()
        },
    )


def _model(name: str, entry: Mapping[str, Any], defaults: Mapping[str, Any], sources: Mapping[str, Source]) -> Model:
    values = dict(defaults[entry["like"]]) | dict(entry) if "like" in entry else dict(entry)
    values.pop("like", None)
    if "price" in values:
        price = values["price"]
        values["price"] = TokenPrice(
            usd_per_million_training_tokens=float(price["usd_per_million_training_tokens"]),
            source=sources[price["source"]],
        )
    values["source"] = _named(values.get("source", "user"), sources)
    return _checked(Model, name, values)


def _slice(name: str, entry: Mapping[str, Any], sources: Mapping[str, Source]) -> Slice:
    values = dict(entry)
    if "quota" in values:
        quota = dict(values["quota"])
        values["quota"] = SliceQuota(**quota | {"source": _named(quota.get("source", "user"), sources)})
    if "price" in values:
        price = values["price"]
        values["price"] = HourPrice(usd_per_hour=float(price["usd_per_hour"]), source=sources[price["source"]])
    values["speeds"] = {
        model: Speed(
            low=float(speed["low"]),
            high=float(speed["high"]),
            startup_s=float(speed.get("startup_s", 0)),
            source=sources[speed["source"]],
        )
        for model, speed in values.pop("speeds", {}).items()
    }
    values["source"] = _named(values.get("source", "user"), sources)
    return _checked(Slice, name, values)


def _named(keys: str | list[str], sources: Mapping[str, Source]) -> tuple[Source, ...]:
    return tuple(sources[key] for key in ([keys] if isinstance(keys, str) else keys))


def _checked(kind: type[_Kind], name: str, values: Mapping[str, Any]) -> _Kind:
    """The value, once every key is one of the class's own; lists become tuples."""
    known = {f.name for f in fields(kind)} - {"name"}
    if unknown := sorted(set(values) - known):
        raise ValueError(f"{name}: unknown key {', '.join(unknown)}")
    for key in ("closed", "retired", "retires_not_before"):
        if key in values and not isinstance(values[key], date):
            raise ValueError(f"{name}: {key} is no date (write it without quotes: 2026-01-31)")
    return kind(name=name, **{key: tuple(v) if isinstance(v, list) else v for key, v in values.items()})
