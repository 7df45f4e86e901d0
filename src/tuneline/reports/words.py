"""How a report says its figures and facts: the same words on the page and on the terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def duration(seconds: float) -> str:
    """`4.2 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    return f"{minutes // 60} h {minutes % 60} min"


def moment(text: str | None) -> str:
    """A time of a record as one reads it: `2026-11-21 07:33:39 UTC`."""
    return f"{text[:19].replace('T', ' ')} UTC" if text else ""


def share(value: float) -> str:
    return f"{value:.1%}"


def signed_points(value: float) -> str:
    """A difference of shares in percentage points."""
    return f"{100 * value:+.1f}"


def number(value: float) -> str:
    return f"{value:.3f}"


def signed_number(value: float) -> str:
    return f"{value:+.3f}"


def amount(value: float) -> str:
    """A number without the `.0` that JSON through a pipeline gives whole ones."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:g}"


def stand_in(data: dict[str, Any]) -> str:
    """One sentence if a small model took the place of the one that was asked for, else ''."""
    tuned = data["result"].get("base_model") or {}
    planned = data["plan"].get("base_model") or {}
    if not (tuned.get("stand_in") or planned.get("stand_in")):
        return ""
    name = tuned.get("name") or "the built-in base"
    size = f" ({tuned['parameters'] / 1e6:.1f}M parameters)" if tuned.get("parameters") else ""
    asked = planned.get("name") or planned.get("requested") or tuned.get("requested")
    if "/models/" in str(asked):
        tuned_before = str(asked).rpartition("/")[2]
        return f"On this machine {name}{size} is behind the tuned model {tuned_before}, which was tuned further."
    instead = f"On this machine {name}{size} was tuned in place of {asked}"
    if data["plan"].get("engine") == "gemini_api":
        return f"{instead}, of a service that tunes no more."
    return f"{instead}; on Vertex AI the same run tunes {asked} itself."


def plan_rows(data: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was asked and decided, a row each, in the order in which one asks for it."""
    plan = data["plan"]
    if not plan:
        yield from ((key, str(value)) for key, value in data["request"].items() if value not in ("", 0, None))
        return
    base, training, regions = plan["base_model"], plan["training"], plan["regions"]
    asked = base["requested"]
    yield "base model", f"{asked} → {base['name']}" if base.get("replaced") else asked
    if base.get("replaced"):
        yield "why another", base["replaced"]
    yield "engine", plan["engine"].replace("_", " ")
    yield "regions", f"pipeline {regions['pipeline']}, tuning {regions['tuning']}, model {regions['upload']}"
    if plan.get("slice"):
        machine = plan["slice"]["machine_spec"].get("machineType", "")
        yield "slice", f"{plan['slice']['name']} ({machine}), {plan['provisioning']}"
    yield from given_up(plan, data["submission"])
    yield from _managed(plan) if plan.get("managed") else _steps(training)
    if training.get("learning_rate"):
        yield "learning rate", f"{training['learning_rate']:g}"
    else:
        times = training["learning_rate_multiplier"]
        yield "learning rate", f"the recommended one × {times:g}" if times else "the recommended one"
    if training["evaluation_interval"]:
        stopping = "on" if training["early_stopping"] else "off"
        yield "evaluation", f"every {amount(training['evaluation_interval'])} steps, early stopping {stopping}"
    yield "encryption", plan.get("encryption_key") or "Google's own keys"
    yield "duration", _range(plan["duration_s"], duration)
    yield "cost", _range(plan["cost_usd"], lambda usd: f"{usd:,.2f} USD")


def _steps(training: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield (
        "training",
        f"{amount(training['train_steps'])} steps × {amount(training['batch_size'])} examples = "
        f"{amount(training['examples_seen'])} seen, {training['epochs']:.2f} epochs",
    )


def _managed(plan: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """What was asked of a service that tunes by itself; what was left to it is said so."""
    training, asked, left = plan["training"], plan["managed"], "chosen by the service"
    yield "epochs", amount(training["epochs"]) if training["epochs"] else left
    if training["batch_size"]:
        yield "examples a step", amount(training["batch_size"])
    if plan["engine"] == "vertex_tuning":
        yield "adapter size", amount(training["adapter_size"]) if training["adapter_size"] else left
    if asked["preference"]:
        yield "preference tuning", f"beta {asked['beta']:g}" if asked["beta"] else f"beta {left}"
    if asked["checkpoint_id"]:
        yield "tuned from checkpoint", asked["checkpoint_id"]


def given_up(plan: dict[str, Any], submission: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Each choice to which capacity was refused, then the one that the job was made for."""
    if not submission.get("refused"):
        return
    first = plan["slice"]["name"] if plan.get("slice") else plan["regions"]["tuning"]
    places = [first, *(each["name"] for each in plan.get("alternatives") or ())]
    for place, reason in zip(places, submission["refused"], strict=False):
        yield f"{place} given up", reason
    if submission.get("choice"):
        yield "tuned instead on", places[int(submission["choice"])]


def _range(value: dict[str, Any], shown: Any) -> str:
    if value.get("unknown") or value.get("low") is None:
        return f"unknown: {value.get('unknown') or 'no figure'}"
    return f"{shown(value['low'])} to {shown(value['high'])}" if value["low"] != value["high"] else shown(value["low"])
