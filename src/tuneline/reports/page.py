"""A report in data as one self-contained HTML page: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from typing import Any

from tuneline.checkpoints.curves import chart
from tuneline.reports import words

Row = tuple[str, str]


def render(data: dict[str, Any]) -> str:
    """The page of a report that `build` made. Every value of the user's is escaped."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["duration"] = words.duration
    template = environment.from_string((files("tuneline.reports") / "page.html.j2").read_text(encoding="utf-8"))
    evaluation = data["evaluation"]
    return template.render(
        **{key: data[key] for key in ("title", "job", "state", "seconds", "error", "steps", "samples")},
        started=words.moment(data["started"]),
        version=data["version"],
        stand_in=words.stand_in(data),
        tiles=list(_tiles(data)),
        checkpoint=data["checkpoint"] or None,
        answered=[_answered(each, data["checkpoint"]) for each in data["checkpoint"].get("scores") or []],
        charts=list(_charts(data)),
        scores=[_score(score) for score in evaluation.get("scores", [])],
        score_notes=[note for note in (evaluation.get("verdict"), *evaluation.get("notes", [])) if note],
        datasets=list(_datasets(data["facts"])),
        data_notes=[*data["job_notes"], *_findings(data["facts"])],
        plan=list(words.plan_rows(data)),
        plan_notes=[*data["plan"].get("warnings", []), *data["plan"].get("notes", [])],
        links=list(_links(data)),
    )


def _tiles(data: dict[str, Any]) -> Iterator[dict[str, str]]:
    scores = {score["metric"]: score for score in data["evaluation"].get("scores", [])}
    # Of a served model nothing but its text is known: no accuracy of single tokens.
    for name in ("exact_match", "token_accuracy" if "token_accuracy" in scores else "rouge_l"):
        if name in scores:
            score = scores[name]
            yield {
                "label": f"{score['title']}, tuned",
                "value": words.share(score["tuned"]),
                "note": f"untuned base {words.share(score['base'])}, n = {score['n']}",
            }
    checkpoint, result = data["checkpoint"], data["result"]
    if checkpoint:
        served = checkpoint.get("checkpoint_id") or data["plan"].get("managed")
        yield {
            "label": f"checkpoint {checkpoint.get('checkpoint_id') or ''}".strip(),
            "value": f"epoch {checkpoint['epoch']:g}" if served else f"step {checkpoint['step']}",
            "note": f"of {checkpoint.get('candidates', '?')} kept",
        }
    if result.get("seconds"):
        rate = result.get("tokens_per_second")
        yield {
            "label": "training",
            "value": words.duration(result["seconds"]),
            "note": f"{rate:,.0f} tokens a second" if rate else "",
        }
    if data["seconds"]:
        yield {"label": "whole run", "value": words.duration(data["seconds"]), "note": f"{len(data['steps'])} steps"}


def _charts(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    curves = data["curves"]
    chosen = data["checkpoint"].get("step")
    for kind, caption in (("loss", "loss (nats a token)"), ("accuracy", "share of response tokens predicted right")):
        train, evaluation = curves.get(f"train_{kind}", []), curves.get(f"eval_{kind}", [])
        svg = chart(train, evaluation, chosen=chosen, share=kind == "accuracy", label=f"{kind} over steps")
        if svg:
            yield {"svg": svg, "caption": caption, "evaluated": bool(evaluation)}


def _score(score: dict[str, Any]) -> dict[str, str]:
    shown = words.number if score["metric"] == "loss" else words.share
    signed = words.signed_number if score["metric"] == "loss" else words.signed_points
    return {
        "metric": score.get("title", score["metric"]),
        "base": shown(score["base"]),
        "tuned": shown(score["tuned"]),
        "difference": signed(score["difference"]),
        "interval": f"{signed(score['low'])} to {signed(score['high'])}",
        "verdict": score["verdict"],
    }


def _answered(score: dict[str, Any], checkpoint: dict[str, Any]) -> dict[str, str]:
    """A served checkpoint by what it answered to the evaluation set."""
    return {
        "id": str(score["id"]),
        "epoch": words.amount(score["epoch"]),
        "step": words.amount(score["step"]),
        "n": words.amount(score["n"]),
        "score": words.share(score["score"]),
        "note": "chosen" if score["id"] == checkpoint.get("checkpoint_id") else "",
    }


def _datasets(facts: dict[str, Any]) -> Iterator[dict[str, str]]:
    for name in ("train", "evaluation", "test"):
        found = facts.get(name)
        if not found:
            continue
        tokens = found.get("tokens") or {}
        duplicates = found.get("duplicates") or {}
        yield {
            "name": name,
            "examples": words.amount(found.get("examples") or 0),
            "format": str(found.get("format", "")),
            "tokens": f"{tokens['low']:,.0f} – {tokens['high']:,.0f}" if tokens.get("total") else "",
            "errors": words.amount(found.get("errors") or 0),
            "duplicates": words.amount(duplicates.get("exact") or 0),
            "uri": str(found.get("uri", "")),
        }


def _findings(facts: dict[str, Any]) -> Iterator[str]:
    """The first findings of each set; all of them are in the report of `validate_dataset`."""
    for name, found in facts.items():
        yield from (f"{name}: {text}" for text in (found or {}).get("findings", []))


def _links(data: dict[str, Any]) -> Iterator[Row]:
    pairs = (
        ("tuned model", data["model"]),
        ("endpoint", data["endpoint"]),
        ("tuning job", data["submission"].get("name", "")),
        *_of_trainer(data),
        ("experiment", data["result"].get("experiment", "")),
        ("job ledger", data["submission"].get("ledger_uri", "")),
        ("run folder", data["run_folder"]),
    )
    yield from ((name, value) for name, value in pairs if value)


def _of_trainer(data: dict[str, Any]) -> Iterator[Row]:
    """What our own trainer leaves in a folder; a managed job leaves a model and endpoints, which have other rows."""
    if not data["plan"].get("managed"):
        yield "its output", data["submission"].get("output_uri", "")
        yield "adapter of the checkpoint", data["checkpoint"].get("uri", "")
