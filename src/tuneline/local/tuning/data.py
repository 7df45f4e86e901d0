"""The rows that a tuning job trains on: read once, as they stand in the object store, and checked one by one.

Rows that cannot be used are dropped, with their places and reasons, as the service does; what is left is kept in the
job's own folder, so that a job that dies and goes on sees the same rows, whatever has become of the object since.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuneline import objects
from tuneline.datasets import formats
from tuneline.errors import DatasetError, Problem
from tuneline.local.tuning import samples

WHOLE_FILE = frozenset({"D101", "D102", "D107", "D108", "D110", "D113", "D501", "D503", "D504", "D506", "D513"})
"""Findings about a file as a whole, which fail the job; every other one is about a row, which is dropped."""
SHOWN = 3
"""Examples that the statistics show."""
SAMPLED = 100
"""Dropped rows that the statistics name: "a partial sample", says SupervisedTuningDataStats."""
FORMATS = {False: (formats.GEMINI, formats.OPENAI, formats.PROMPT_COMPLETION), True: (formats.PREFERENCE,)}
"""What is tuned on, by whether it is preference tuning; which of them a model takes, its limits say."""
LEGACY = (formats.PALM_TEXT, formats.PALM_CHAT, formats.GEMINI_1_0)
"""What a rebased job, whose data is as old as its model, may be in."""


@dataclass
class Rows:
    """One set, read and checked."""

    examples: int = 0
    """Rows that are kept."""
    read: int = 0
    characters: int = 0
    inputs: list[int] = field(default_factory=list)
    """Tokens of the prompt of each kept row, estimated as Gemini's."""
    outputs: list[int] = field(default_factory=list)
    """The same of the response; of both responses in preference tuning."""
    messages: list[int] = field(default_factory=list)
    dropped: list[tuple[int, str]] = field(default_factory=list)
    """(1-based row, reason)."""
    shown: list[dict[str, Any]] = field(default_factory=list)
    """The first rows: `{"turns": [{"role", "text"}], "rejected": text}`."""
    stand_in: str = ""
    """Said where these are not the rows that were asked for."""

    def to_dict(self) -> dict[str, Any]:
        """What the job's folder keeps of it."""
        return {
            "examples": self.examples,
            "characters": self.characters,
            "inputs": distribution(self.inputs),
            "outputs": distribution(self.outputs),
            "messages": distribution(self.messages),
            "tokens": sum(self.inputs) + sum(self.outputs),
            "dropped": len(self.dropped),
            "indices": [row for row, _ in self.dropped[:SAMPLED]],
            "reasons": [reason for _, reason in self.dropped[:SAMPLED]],
            "shown": self.shown,
            "stand_in": self.stand_in,
        }


def take(uri: str, into: Path, *, model: str, preference: bool, evaluation_of: str = "", legacy: bool = False) -> Rows:
    """Copy the sound rows of a set into a file; `evaluation_of` is the training set where this is the validation set.

    Raises:
        DatasetError: no object, none of the formats that are tuned on, against a limit of the whole set, or no sound
            row in it; every reason at once.
    """
    from tuneline import catalog, datasets

    said = ""
    if uri.startswith(samples.BUCKET) and not objects.exists(uri):
        said = f"{uri} is not in the local object store: rows of tuneline's own stand in for it."
        uri = str(into.with_suffix(".sample"))
        samples.write(Path(uri), preference=preference, validation=bool(evaluation_of))
    elif not objects.exists(uri):
        what = "no such object in the local object store; nothing is fetched from the real one"
        raise DatasetError([Problem(where=uri, what=what, fix=f"put it there: tuneline local put FILE {uri}")])
    entry = catalog.model(model)
    report = datasets.check(
        uri,
        model=None if legacy else model,
        purpose="evaluation" if evaluation_of else "training",
        against=evaluation_of or None,  # for the share of the one in the other
        max_findings=1,
    )
    wanted = FORMATS[preference] + (LEGACY if legacy else ())
    problems = [
        Problem(where=uri, what=each.message, fix=each.hint)
        for each in report.findings
        if each.severity == "error" and each.code in WHOLE_FILE
    ]
    if report.format not in wanted and not problems:
        what = f"this is {report.format}, where {' or '.join(wanted)} is needed"
        problems.append(Problem(where=uri, what=what, fix="docs/datasets.md shows the formats"))
    if problems:
        raise DatasetError(problems)
    rows = _copy(uri, into, form=report.format, longest=entry.max_tokens or 0)
    rows.stand_in = said
    if not rows.examples:
        problems = [Problem(where=f"{uri} row {row}", what=reason) for row, reason in rows.dropped[:SAMPLED]]
        raise DatasetError(problems, title=f"all {rows.read} rows were dropped")
    return rows


def _copy(uri: str, into: Path, *, form: str, longest: int) -> Rows:
    rows = Rows()
    temporary = into.with_suffix(".part")
    with temporary.open("wb") as out:
        for data, walked, reason in _checked(uri, form):
            rows.read += 1
            reason = reason or _too_long(rows, walked, longest)
            if reason:
                rows.dropped.append((rows.read, reason))
                continue
            out.write(data + b"\n")
            rows.examples += 1
            if rows.examples <= SHOWN:
                turns = [
                    {"role": "model" if turn.role == "assistant" else turn.role, "text": turn.text}
                    for turn in walked.turns
                ]
                rows.shown.append({"turns": turns, "rejected": walked.rejected})
        out.flush()
        os.fsync(out.fileno())
    if rows.examples:
        temporary.replace(into)
    return rows


def _checked(uri: str, form: str) -> Iterator[tuple[bytes, Any, str]]:
    """(bytes of the row, what it holds, why it cannot be used or '') of each row."""
    from tuneline.datasets.catalogue import ERROR
    from tuneline.datasets.containers import layout, records
    from tuneline.datasets.findings import Findings
    from tuneline.datasets.inspect import inspect
    from tuneline.datasets.sources import open_source

    with open_source(uri) as source:
        for record in records(source.fd, source.size, layout(source.fd, source.size)):
            findings = Findings()
            seen = inspect(record, form, findings)
            errors = [each.message for each in findings.all() if each.severity == ERROR]
            yield record.data, seen.walked, "; ".join(errors)


def _too_long(rows: Rows, walked: Any, longest: int) -> str:
    """Count a sound row's tokens; why it is dropped where they are more than the model takes."""
    from tuneline.datasets.tokens import estimate

    *prompt, response = walked.turns
    given = sum(estimate(turn.text) for turn in prompt)
    wanted = estimate(response.text) + estimate(walked.rejected)
    if longest and given + wanted > longest:
        return f"about {given + wanted:,} tokens, where {longest:,} are taken"
    rows.inputs.append(given)
    rows.outputs.append(wanted)
    rows.messages.append(len(walked.turns))
    rows.characters += sum(len(turn.text) for turn in walked.turns) + len(walked.rejected)
    return ""


def distribution(values: Iterable[int]) -> dict[str, Any]:
    """The figures of SupervisedTuningDatasetDistribution: sum, extremes, mean, quantiles, ten buckets of one width."""
    import numpy as np

    array = np.asarray(list(values), np.float64)
    counts, edges = np.histogram(array, bins=min(10, len(np.unique(array))))
    p5, median, p95 = np.percentile(array, [5, 50, 95])
    return {
        "sum": int(array.sum()),
        "min": float(array.min()),
        "max": float(array.max()),
        "mean": float(array.mean()),
        "median": float(median),
        "p5": float(p5),
        "p95": float(p95),
        "buckets": [
            {"count": int(count), "left": float(left), "right": float(right)}
            for count, left, right in zip(counts, edges, edges[1:], strict=False)
        ],
    }
