"""Rules of evaluation during tuning."""

from __future__ import annotations

from tuneline.errors import Problem
from tuneline.planning.parameters import EVALUATION_NAMES
from tuneline.planning.rules import Context, Findings, note, rule, warning

_CHOICES = ("true", "false", "default")
_INERT = {"evaluation_data_uri": "", "evaluation_interval": 20, "enable_early_stopping": True}


@rule("evaluation")
def checkpoint_selection_value(context: Context) -> Findings:
    """`enable_checkpoint_selection` is `true`, `false` or `default`: true where there is an evaluation set."""
    value = context["enable_checkpoint_selection"]
    if value is not None and value.lower() not in _CHOICES:
        yield Problem(where="enable_checkpoint_selection", what=f"`{value}`", fix="write true, false or default")


@rule("evaluation")
def interval_range(context: Context) -> Findings:
    """`evaluation_interval` is 1 or more; one that leaves fewer than three points on the curve is remarked on."""
    interval, steps = context["evaluation_interval"], context["train_steps"]
    if interval is None or not isinstance(steps, int):
        return
    if interval < 1:
        yield Problem(where="evaluation_interval", what=f"is {interval}", fix="at least 1; 20 unless given")
    elif context["evaluation_data_uri"] and steps >= 1 and interval > steps:
        yield warning(f"evaluation_interval {interval} is above train_steps {steps}: the only evaluation is at the end")
    elif context["evaluation_data_uri"] and steps // interval < 3:
        yield note(f"{steps} steps at interval {interval} give only {steps // interval} points on the curve")


@rule("evaluation")
def needs_evaluation_set(context: Context) -> Findings:
    """An explicit interval, early stopping or checkpoint selection needs `evaluation_data_uri`.

    Inside a step an explicit value cannot be told from a default: there the first two are inert, and it is a note.
    `enable_early_stopping: false` is always accepted, and `enable_checkpoint_selection: true` never without a set.
    """
    wanted = context.names.evaluation
    if context.is_chat or context[wanted] or wanted in context.misspelt:
        return
    fix = f"give `{wanted}`, or leave it out"
    if (context["enable_checkpoint_selection"] or "").lower() == "true":
        yield Problem(where="enable_checkpoint_selection", what="is true, and there is no evaluation set", fix=fix)
    if context.managed:
        return  # evaluation during the tuning is the service's own affair
    if context.given is None:
        yield note("no evaluation set: no evaluation, no early stopping, and the last checkpoint is returned")
        return
    if context.is_given("evaluation_interval"):
        yield Problem(where="evaluation_interval", what="is given, and there is no evaluation set", fix=fix)
    if context.is_given("enable_early_stopping") and context["enable_early_stopping"] is True:
        yield Problem(where="enable_early_stopping", what="is true, and there is no evaluation set", fix=fix)


@rule("evaluation")
def no_chat_evaluation(context: Context) -> Findings:
    """Chat models take no evaluation set, interval, early stopping or checkpoint selection."""
    if not context.is_chat:
        return
    for name in EVALUATION_NAMES:
        value = context[name] if context[name] is not None else context.raw.get(name)
        asked = context.is_given(name)
        if name == "enable_early_stopping" and str(value).lower() == "false":
            asked = False  # explicit false is always accepted
        if name == "enable_checkpoint_selection":
            asked = asked and str(value).lower() == "true"
        if context.given is None:  # what differs from its default was given
            asked = value not in (None, _INERT.get(name), "default", "false", False)
        if asked and value != "":
            yield Problem(where=name, what="is not supported for chat models", fix="leave it out")
