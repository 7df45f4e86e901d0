"""Rules of steps, rates and seeds."""

from __future__ import annotations

from tuneline.errors import Problem
from tuneline.planning.rules import Context, Findings, note, rule


@rule("training")
def train_steps_range(context: Context) -> Findings:
    """`train_steps` is 1 or more; 200 to 1000 are recommended for code models."""
    value = context["train_steps"]
    if value is not None and value < 1:
        yield Problem(where="train_steps", what=f"is {value}", fix="at least 1; 300 unless given")
    model = context.model
    if value is not None and model is not None and "code" in model.name and value >= 1 and not 200 <= value <= 1000:
        yield note(f"{value} steps: 200 to 1000 are recommended for code models; try several, such as 100, 200, 500")


@rule("training")
def multiplier_range(context: Context) -> Findings:
    """`learning_rate_multiplier` is above 0."""
    value = context["learning_rate_multiplier"]
    if value is not None and value <= 0 and not context.managed:
        yield Problem(where="learning_rate_multiplier", what=f"is {value:g}", fix="above 0; 1 is the recommended rate")


@rule("training")
def learning_rate_range(context: Context) -> Findings:
    """`learning_rate`, of the older SDK, is 0 (the recommended one) or above, and is not given with a multiplier."""
    rate, multiplier = context["learning_rate"], context["learning_rate_multiplier"]
    if rate is None or rate == 0 or context.managed:
        return
    if rate < 0:
        yield Problem(where="learning_rate", what=f"is {rate:g}", fix="above 0, or leave it out")
    elif multiplier is not None and multiplier != 1:
        yield Problem(
            where="learning_rate",
            what="is given together with learning_rate_multiplier",
            fix="give the multiplier alone",
        )
    else:
        yield note(
            "learning_rate is deprecated: learning_rate_multiplier says the same relative to the recommended rate"
        )


@rule("training")
def batch_size_range(context: Context) -> Findings:
    """`batch_size` is 0 (the catalogue's, by accelerator and model; of a managed service its own) or above."""
    if (context["batch_size"] or 0) < 0:
        yield Problem(where="batch_size", what=f"is {context['batch_size']}", fix="at least 1, or leave it out")


@rule("training")
def context_length_value(context: Context) -> Findings:
    """`max_context_length`, of the older SDK, is `8k` or `32k`."""
    value = context["max_context_length"]
    if value and value.lower() not in ("8k", "32k"):
        yield Problem(where="max_context_length", what=f"`{value}` is neither 8k nor 32k", fix="write 8k or 32k")


@rule("training")
def context_for_chat(context: Context) -> Findings:
    """`default_context` is for chat models; elsewhere it has no effect, and that is said."""
    model = context.model
    if context["default_context"] and not context.is_chat and model is not None and model.family == "generation":
        yield note(f"default_context has no effect: {model.name} is no chat model")


@rule("training")
def seed_range(context: Context) -> Findings:
    """`seed` is 0 to 2³¹ − 1."""
    value = context["seed"]
    if value is not None and not 0 <= value < 2**31:
        yield Problem(where="seed", what=f"is {value}", fix="0 to 2147483647")
