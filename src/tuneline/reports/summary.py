"""A report in a few lines, for the end of `tuneline run`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tuneline.reports import words


def lines(data: dict[str, Any]) -> Iterator[str]:
    """The outcome: what was tuned, the checkpoint and why, base against tuned, one sample, the model."""
    instead = words.stand_in(data)
    if instead:
        yield f"stand-in    {instead}"
    for what, why in words.given_up(data["plan"], data["submission"]):
        yield f"capacity    {what}: {why}"
    checkpoint = data["checkpoint"]
    if checkpoint:
        yield f"checkpoint  {checkpoint['reason']}"
    evaluation = data["evaluation"]
    scores = evaluation.get("scores", [])
    # A served model tells no accuracy of single tokens; what it wrote is then compared word by word.
    second = "token_accuracy" if any(score["metric"] == "token_accuracy" for score in scores) else "rouge_l"
    for score in scores:
        if score["metric"] in ("exact_match", second):
            base, tuned = words.share(score["base"]), words.share(score["tuned"])
            verdict = f"({score['verdict']}, n = {score['n']})"
            yield f"{score['title'] + ':':<16}base {base:>6}   tuned {tuned:>6}   {verdict}"
    for sample in data["samples"][:3]:
        yield f"    {_short(sample['input'])} → {_short(sample['tuned'])}   (base: {_short(sample['base'])})"
    if data["model"]:
        yield f"model       {data['model']}"
    if data["endpoint"]:
        yield f"endpoint    {data['endpoint']}"


def _short(text: str, most: int = 40) -> str:
    line = " ".join(text.split())
    return repr(line if len(line) <= most else line[: most - 1] + "…")
