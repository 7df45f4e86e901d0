"""Rules of what is tuned, and by what; those of Gemini models alone are in `rules_managed`."""

from __future__ import annotations

from tuneline import catalog
from tuneline.catalog.lookups import unknown
from tuneline.errors import Problem
from tuneline.planning.rules import Context, Findings, note, rule, warning

ENGINES = ("custom_training", "vertex_tuning", "gemini_api")


@rule("model")
def known_model(context: Context) -> Findings:
    """The base model must be in the catalogue, or be a tuned model of the registry that is tuned further."""
    reference = context.reference
    if reference and "$" not in reference and context.model is None and not context.tuned_further:
        near = [m for m in catalog.models() if not context.managed or m.engine == context.names.engine]
        yield unknown(context.names.model, reference, near)


@rule("model")
def retired_model(context: Context) -> Findings:
    """A retired model is not tuned: that of `base_model_uri`, else the catalogue's replacement, stands in its place.

    The plan says which. Without known weights for it, `base_model_uri` must be given on the real service.
    """
    model = context.model
    if model is None or _not_ours(context, model) or model.takes_tuning(context.today):
        return
    state = f"{model.name} has retired ({model.state(context.today)})"
    if context["base_model_uri"]:
        yield note(f"{state}: the model at {context['base_model_uri']} is tuned in its place")
        return
    if not model.replacement:
        yield Problem(
            where="large_model_reference", what=f"{state}, and nothing replaces it", fix="give `base_model_uri`"
        )
        return
    yield warning(f"{state}: {model.replacement} is tuned in its place, by the catalogue's mapping")


@rule("model")
def retirement_ahead(context: Context) -> Findings:
    """A model that takes no new tuning from within half a year, or may take none already, is warned of."""
    if context.model is not None and (ahead := context.model.retirement_ahead(context.today)):
        yield warning(ahead)


@rule("model")
def weights_at_hand(context: Context) -> Findings:
    """On the real service the weights must have a place: the catalogue's, or `base_model_uri`.

    On the local service the built-in model stands in for weights that are not there, and says so.
    """
    model = context.model
    if model is None or _not_ours(context, model) or context["base_model_uri"]:
        return
    tuned = model if model.takes_tuning(context.today) else catalog.find_model(model.replacement)
    if tuned is None:
        return
    if tuned.uri and not context.local and tuned.licence.endswith("to be accepted"):
        yield warning(f"{tuned.name} comes under the {tuned.licence} first")
    if tuned.uri or context.local:
        return
    yield Problem(
        where="base_model_uri",
        what=f"no source names where the weights of {tuned.name} are",
        fix=f"copy its Hugging Face folder to Cloud Storage, and give base_model_uri=gs://bucket/{tuned.name}",
    )


@rule("model")
def trainer_loads_it(context: Context) -> Findings:
    """The trainer must load the model's architecture, or another `trainer_image` be given that does."""
    model = context.model
    if model is None or _not_ours(context, model) or not model.takes_tuning(context.today):
        return
    if not (model.trainer or context["trainer_image"] or context["base_model_uri"] or context.local):
        yield Problem(
            where="large_model_reference",
            what=f"the trainer does not load the architecture of {model.name}",
            fix="choose one of "
            + ", ".join(m.name for m in catalog.models() if m.kind == "open" and m.trainer)
            + ", or give a `trainer_image` that does",
        )


@rule("model")
def template_of_the_model(context: Context) -> Findings:
    """Gemini models are tuned by templates of their own; a generation model is not tuned by the chat template."""
    model = context.model
    if model is None:
        return
    if model.engine != context.names.engine:
        own = {"vertex_tuning": "tune-gemini", "gemini_api": "tune-gemini-api"}.get(model.engine, "tune-large-model")
        yield Problem(
            where=context.names.model, what=f"{model.name} is not tuned by {context.template}", fix=f"use {own}"
        )
    elif context.template == "tune-large-chat-model" and model.family == "generation":
        yield Problem(where="large_model_reference", what=f"{model.name} is no chat model", fix="use tune-large-model")


@rule("model")
def engine_value(context: Context) -> Findings:
    """`engine` is unset, or the engine that the model is tuned by: `custom_training` in these templates."""
    value = context["engine"] or ""
    if not value:
        return
    if value not in ENGINES:
        near = catalog.closest(value, ENGINES)
        yield Problem(
            where="engine", what=f"`{value}` is no engine", fix=f"did you mean {near}?" if near else "leave it out"
        )
    elif context.model is not None and value != context.model.engine:
        yield Problem(
            where="engine", what=f"{context.model.name} is tuned by {context.model.engine}", fix="leave `engine` out"
        )


def _not_ours(context: Context, model: catalog.Model) -> bool:
    """Whether a service of Google's tunes the model, or is asked to: its weights are no concern of ours."""
    return context.managed or context.hosted or model.engine != "custom_training"
