"""What a step sees of an artifact that its runner hands to it."""

from __future__ import annotations

from typing import Any, Protocol

from tuneline import objects


class Artifact(Protocol):
    """A KFP artifact, as far as a step uses it."""

    uri: str
    metadata: dict[str, Any]


def write_page(artifact: Artifact, page: str) -> None:
    """Puts an HTML page where the artifact is, under a type that a browser shows."""
    objects.write_bytes(artifact.uri, page.encode(), content_type="text/html; charset=utf-8")


def log_metrics(artifact: Artifact, values: dict[str, float | int | str | None]) -> None:
    """Writes the metrics that have a value; a metric without one is left out rather than shown as 0."""
    artifact.metadata.update({name: value for name, value in values.items() if value is not None})
