"""What the target takes: the figures of the catalogue for a model, or of the format where no model is named.

Figures of a format are those of the documentation pages that define it (docs/datasets.md names them); those of a model
come from `tuneline.catalog`, dated, and can be overridden there.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from tuneline.datasets import formats
from tuneline.errors import UsageError

if TYPE_CHECKING:
    from tuneline.catalog import Model


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds of one dataset; None is unknown, and then not checked."""

    target: str
    """Whose limits these are, for the messages."""
    formats: tuple[str, ...] = ()
    """Those that it takes; empty: any."""
    min_examples: int | None = None
    recommended_examples: int | None = None
    max_examples: int | None = None
    max_multimodal_examples: int | None = None
    max_author_fields: int | None = None
    max_tokens: int | None = None
    max_input_tokens: int | None = None
    max_output_tokens: int | None = None
    max_input_characters: int | None = None
    max_output_characters: int | None = None
    max_file_bytes: int | None = None
    warn_file_bytes: int | None = None
    min_evaluation_examples: int | None = None
    max_evaluation_examples: int | None = None
    max_evaluation_share: float | None = None
    price_per_million: float | None = None
    """USD for a million training tokens."""
    price_source: str = ""


FORMAT_LIMITS = {
    formats.PALM_TEXT: Limits(
        target="tune-large-model",
        min_examples=10,
        recommended_examples=500,
        max_examples=10_000,
        min_evaluation_examples=10,
        max_evaluation_examples=250,
    ),
    formats.PALM_CHAT: Limits(
        target="tune-large-chat-model", min_examples=10, recommended_examples=500, max_author_fields=10_000
    ),
    formats.GEMINI: Limits(
        target="Gemini tuning",
        recommended_examples=100,
        warn_file_bytes=1_000_000_000,
        max_file_bytes=1 << 30,
    ),
    formats.PREFERENCE: Limits(
        target="Gemini tuning",
        recommended_examples=100,
        warn_file_bytes=1_000_000_000,
        max_file_bytes=1 << 30,
    ),
    formats.GEMINI_API: Limits(target="the Gemini API", recommended_examples=20, max_file_bytes=4 << 20),
}
"""By format, where no model is named."""

MEDIA = {"image": 30, "audio": 1, "video": 1, "pdf": 4}
"""Files of each kind that one Gemini example takes."""


def of(form: str, model: str | None) -> Limits:
    """The limits for a format, and for a model if one is named. Raises `UsageError` for an unknown model."""
    if not model:
        return FORMAT_LIMITS.get(form, Limits(target=form))
    from tuneline import catalog

    try:
        entry = catalog.model(model)
    except UsageError as error:
        raise UsageError([replace(problem, where="model") for problem in error.problems]) from None
    return _of_model(entry)


def _of_model(entry: Model) -> Limits:
    price = entry.price
    return Limits(
        target=entry.name,
        formats=_formats(entry),
        min_examples=entry.min_examples,
        recommended_examples=entry.recommended_examples,
        max_examples=entry.max_examples,
        max_multimodal_examples=entry.max_multimodal_examples,
        max_author_fields=entry.max_author_fields,
        max_tokens=entry.max_tokens,
        max_input_tokens=entry.max_input_tokens,
        max_output_tokens=entry.max_output_tokens,
        max_input_characters=entry.max_input_characters,
        max_output_characters=entry.max_output_characters,
        max_file_bytes=entry.max_file_bytes,
        warn_file_bytes=entry.warn_file_bytes,
        min_evaluation_examples=entry.min_evaluation_examples,
        max_evaluation_examples=entry.max_evaluation_examples,
        max_evaluation_share=entry.max_evaluation_share,
        price_per_million=price.usd_per_million_training_tokens if price else None,
        price_source=str(price.source) if price else "",
    )


def _formats(entry: Model) -> tuple[str, ...]:
    """What the model is tuned on; the trainer, which tunes the open ones, reads all formats."""
    if entry.engine == "gemini_api":
        return (formats.GEMINI_API,)
    if entry.kind == "gemini":
        return (formats.GEMINI, formats.PREFERENCE)
    if entry.kind == "bison":
        by_family = {"generation": (formats.PALM_TEXT,), "chat": (formats.PALM_CHAT,)}
        return by_family.get(entry.family, (formats.PALM_TEXT, formats.PALM_CHAT))
    return ()


def media_problems(media: list[tuple[str, str, str]]) -> list[tuple[str, str, str]]:
    """(code, path, message) for files of one example that are too many, or of a type that is not taken."""
    found: list[tuple[str, str, str]] = []
    counts: dict[str, int] = {}
    for mime, _, path in media:
        if not mime:
            continue
        kind = mime.split("/", 1)[0].lower()
        kind = "pdf" if mime.lower() == "application/pdf" else kind
        if kind == "text":
            continue
        if kind not in MEDIA:
            found.append(("D509", path, f"{mime!r} is not taken: images, audio, video, PDF and text are"))
            continue
        counts[kind] = counts.get(kind, 0) + 1
        if counts[kind] == MEDIA[kind] + 1:
            found.append(("D508", path, f"more than {MEDIA[kind]} {kind} files in one example"))
    return found
