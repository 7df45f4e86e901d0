"""Rules of `tune-gemini` and `tune-gemini-api`: what the services that tune Gemini models take."""

from __future__ import annotations

import re

from tuneline import catalog
from tuneline.errors import Problem
from tuneline.planning.rules import Context, Findings, note, rule, warning

# google.cloud.aiplatform.v1.SupervisedHyperParameters.AdapterSize.
ADAPTER_SIZES = (1, 2, 4, 8, 16, 32)
_TUNED = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/models/[^/@]+(@[^/@]+)?")
_KEY_REGION = re.compile(r"projects/[^/]+/locations/([^/]+)/keyRings/")
# google.ai.generativelanguage.v1beta.CreateTunedModelRequest.tuned_model_id: up to 40 of a-z, 0-9 and -, a letter
# first; our later attempts of the same id end in `-2`, `-3`.
_ID = re.compile(r"[a-z]([a-z0-9-]{0,35}[a-z0-9])?")
_SECRET = re.compile(r"projects/[^/]+/secrets/[A-Za-z0-9_-]{1,255}(/versions/([0-9]+|[A-Za-z][A-Za-z0-9_-]*))?")


@rule("managed")
def tunable_now(context: Context) -> Findings:
    """A Gemini model that takes no new tuning is refused, with what to tune instead.

    On the local service, which tunes a stand-in, it is a warning: the shape of the request can still be tried.
    """
    model = context.model
    if not context.managed or model is None or model.takes_tuning(context.today):
        return
    state = f"{model.name} takes no new tuning ({model.note or model.state(context.today)})"
    if context.local:
        yield warning(f"{state}; only the local service, where a small model stands in for it, goes on")
        return
    own = catalog.find_model(model.replacement)
    template = "" if own is None or own.engine == context.names.engine else " with the template tune-gemini"
    fix = f"tune {model.replacement}{template}" if model.replacement else "choose another: tuneline catalog models"
    yield Problem(where="base_model", what=state, fix=fix)


@rule("managed")
def tuning_region(context: Context) -> Findings:
    """A Gemini model is tuned where the catalogue says; where it has no list, any region is sent on to the service."""
    model, region = context.model, context.upload_region
    if context.names.engine != "vertex_tuning" or model is None or not region or "$" in region:
        return
    if model.tuning_regions and region not in model.tuning_regions:
        yield Problem(
            where="location" if context["location"] else "region",
            what=f"{model.name} is not tuned in {region}",
            fix="location is one of " + ", ".join(model.tuning_regions),
        )


@rule("managed")
def adapter_size_value(context: Context) -> Findings:
    """`adapter_size` is 0 (the service's choice) or one that the model takes."""
    value, model = context["adapter_size"], context.model
    if not value:
        return
    sizes = (model.adapter_sizes if model else ()) or ADAPTER_SIZES
    if value not in sizes:
        whose = model.name if model and model.adapter_sizes else "the service"
        fix = f"{whose} takes {', '.join(map(str, sizes))}; 0 leaves it to the service"
        yield Problem(where="adapter_size", what=f"is {value}", fix=fix)


@rule("managed")
def managed_ranges(context: Context) -> Findings:
    """`epoch_count`, `learning_rate_multiplier`, `learning_rate` and `beta` are 0 (the service's choice) or above."""
    if not context.managed:
        return
    for name in ("epoch_count", "learning_rate_multiplier", "learning_rate", "beta"):
        if (context[name] or 0) < 0:
            yield Problem(where=name, what=f"is {context[name]:g}", fix="above 0, or leave it out")


@rule("managed")
def rate_or_multiplier(context: Context) -> Findings:
    """`learning_rate` and `learning_rate_multiplier` exclude each other."""
    if context.managed and context["learning_rate"] and context["learning_rate_multiplier"]:
        yield Problem(
            where="learning_rate", what="is given together with learning_rate_multiplier", fix="give one of the two"
        )


@rule("managed")
def prediction_limits(context: Context) -> Findings:
    """`prediction_limit` and `predictions_per_minute` are 0 or above; `max_dropped_share` is between 0 and 1."""
    for name, zero in (("prediction_limit", "every row"), ("predictions_per_minute", "the library's own rate")):
        if (context[name] or 0) < 0:
            yield Problem(where=name, what=f"is {context[name]}", fix=f"above 0, or 0 for {zero}")
    share = context["max_dropped_share"]
    if share is not None and not 0 <= share <= 1:
        yield Problem(where="max_dropped_share", what=f"is {share:g}", fix="a share of the examples, e.g. 0.1")


@rule("managed")
def preference_settings(context: Context) -> Findings:
    """`beta` belongs to preference tuning, which the catalogue knows for some models; for others it is warned of."""
    if context["beta"] and context["preference_tuning"] is False:
        yield Problem(where="beta", what="belongs to preference tuning alone", fix="leave it out")
    model = context.model
    if context["preference_tuning"] and model is not None and not model.preference:
        known = ", ".join(each.name for each in catalog.models() if each.preference)
        yield warning(f"preference tuning is known of {known}; {model.name} may refuse it")


@rule("managed")
def further_tuning(context: Context) -> Findings:
    """A tuned model is tuned further where it is: `base_model` is its full name, in the region of the job."""
    if context["checkpoint_id"] and not context.tuned_further and context.model is not None:
        fix = "leave it out, or name a tuned model (projects/P/locations/L/models/M)"
        yield Problem(where="checkpoint_id", what=f"{context.reference} is no tuned model", fix=fix)
    if not context.tuned_further:
        return
    found = _TUNED.fullmatch(context.reference)
    if not found:
        fix = "write projects/P/locations/L/models/M"
        yield Problem(where="base_model", what=f"`{context.reference}` names no tuned model", fix=fix)
    elif context.upload_region and found["region"] != context.upload_region:
        yield Problem(
            where="base_model",
            what=f"the tuned model is in {found['region']}, and the job would run in {context.upload_region}",
            fix=f"set location to {found['region']}",
        )


@rule("managed")
def managed_key(context: Context) -> Findings:
    """A customer-managed key is in the region of the tuning job, and the model's tuning takes one."""
    if context.names.engine != "vertex_tuning" or not context.key:
        return
    model, found = context.model, _KEY_REGION.match(context.key)
    if model is not None and model.cmek is False:
        fix = "leave the key out, or tune another model"
        yield Problem(where="encryption_spec_key_name", what=f"{model.name} takes no customer-managed key", fix=fix)
    if found and context.upload_region and found[1] != context.upload_region:
        yield Problem(
            where="encryption_spec_key_name",
            what=f"the key is in {found[1]}, and the job runs in {context.upload_region}",
            fix=f"use a key in {context.upload_region}",
        )


@rule("managed")
def tuned_model_id_form(context: Context) -> Findings:
    """`tuned_model_id` is a letter, then a-z, 0-9 and -, 37 in all; the API takes 40, our later attempts need three."""
    value = context["tuned_model_id"] or ""
    if value and "$" not in value and not _ID.fullmatch(value):
        fix = "a letter, then up to 36 of a-z, 0-9 and -, the last no -"
        yield Problem(where="tuned_model_id", what=f"`{value}` is no id", fix=fix)


@rule("managed")
def secret_not_key(context: Context) -> Findings:
    """`api_key_secret` names a secret of Secret Manager; the key itself is never a parameter: those are logged."""
    value = context["api_key_secret"] or ""
    if value and "$" not in value and not _SECRET.fullmatch(value):
        # Not told back: it may be the key.
        fix = "write projects/P/secrets/NAME, and put the key there: gcloud secrets create"
        yield Problem(where="api_key_secret", what="names no secret of Secret Manager", fix=fix)
    if context.names.engine == "gemini_api" and not value and not context.local:
        yield note("no api_key_secret: the steps use GEMINI_API_KEY of their image, else their service account")
