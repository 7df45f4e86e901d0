"""Rules of the request itself: names, required values, forms."""

from __future__ import annotations

import os
import re

from tuneline.errors import Problem
from tuneline.planning.parameters import EVALUATION_NAMES, TEMPLATES, decode
from tuneline.planning.rules import Context, Findings, meant, rule

_SHELL = re.compile(r"\$\{\w+\}|\$[A-Za-z_]\w*")
_PLACEHOLDER = re.compile(r"[A-Z]+(_[A-Z]+)+|YOUR[-_].*|<.*>|\[.*\]")
# Any words may be a name, so only what no one means as one: the documentation's own, and what is said to be replaced.
_PLACEHOLDER_NAME = re.compile(r"MODEL_DISPLAY_?NAME|YOUR[-_].*|<.*>")
# https://cloud.google.com/resource-manager/docs/creating-managing-projects: 6 to 30 characters; a number is taken too.
_PROJECT = re.compile(r"([a-z0-9.-]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]|[0-9]{1,20}")
_LOCAL_PROJECT = re.compile(r"[a-z0-9.:-]{1,63}")
_LABEL_KEY = re.compile(r"[a-z][a-z0-9_-]{0,62}")
_LABEL_VALUE = re.compile(r"[a-z0-9_-]{0,63}")
_ACCOUNT = re.compile(r"[a-zA-Z0-9._-]+@[a-z0-9.-]+\.[a-z]+")
_NETWORK = re.compile(r"projects/[^/]+/global/networks/[A-Za-z][A-Za-z0-9-]*")
_OBJECT = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]/[^*?\n]+")
_BUCKET = re.compile(r"gs://[a-z0-9][a-z0-9._-]{1,220}[a-z0-9](/[^*?\n]*)?")
_HTTP = re.compile(r"https?://(?:storage\.(?:cloud\.google|googleapis)\.com)/(.+)")
_MAX_LABELS = 64
_OWN_LABELS = ("tuneline-", "google-vertex-llm-tuning-")


@rule("request")
def unknown_parameter(context: Context) -> Findings:
    """Every parameter must be one of the template's."""
    known = [p.name for p in TEMPLATES[context.template]]
    for name in context.raw:
        if name in known or (context.is_chat and name in EVALUATION_NAMES):
            continue
        near = meant(name, known)
        fix = f"did you mean `{near}`?" if near else "known: " + ", ".join(known)
        yield Problem(where=name or "parameters", what=f"{context.template} has no parameter `{name}`", fix=fix)


@rule("request")
def readable_value(context: Context) -> Findings:
    """Every value must be readable as the parameter's type; JSON types are lenient: `"20"`, `"true"`, `1` will do."""
    for parameter in TEMPLATES[context.template]:
        value = context.raw.get(parameter.name)
        if value is None:
            continue
        try:
            decode(parameter, value)
        except ValueError as error:
            yield Problem(where=parameter.name, what=f"{value!r} cannot be read: {error}", fix="write it so")


@rule("request")
def required_value(context: Context) -> Findings:
    """Every parameter without a default must be given and not be empty: project, base model, training set, and name."""
    for parameter in TEMPLATES[context.template]:
        if parameter.default is not None:
            continue
        value = context.raw.get(parameter.name)
        if value is None:
            yield Problem(where=parameter.name, what="is required and was not given", fix=f"give `{parameter.name}`")
        elif isinstance(value, str) and not value.strip():
            yield Problem(where=parameter.name, what="is empty", fix="was it a shell variable that was never set?")


@rule("request")
def empty_region(context: Context) -> Findings:
    """A region that is given must not be empty: that is a shell variable that was never set. Leave it out instead."""
    if context.is_given("location") and not context["location"]:
        yield Problem(
            where="location",
            what="is empty",
            fix="was it a shell variable that was never set? Left out, it is the pipeline's region",
        )


@rule("request")
def left_over_placeholder(context: Context) -> Findings:
    """No value may be a placeholder or an unexpanded shell variable (`$REGION`, `PROJECT_ID`, `<bucket>`)."""
    for name, value in context.values.items():
        if not isinstance(value, str) or name == "default_context":
            continue
        if _SHELL.search(value):
            yield Problem(where=name, what=f"`{value}` holds a shell variable that was not filled in", fix="fill it in")
        elif (_PLACEHOLDER_NAME if name == context.names.display_name else _PLACEHOLDER).fullmatch(value):
            yield Problem(where=name, what=f"`{value}` is a placeholder", fix="put your own value there")
        elif value != value.strip():
            yield Problem(where=name, what=f"{value!r} begins or ends with white space", fix=f"write {value.strip()!r}")


@rule("request")
def project_form(context: Context) -> Findings:
    """`project` is a project id or number; on the local service any short word of an id's characters will do."""
    value = (context["project"] or "").strip()
    form = _LOCAL_PROJECT if context.local else _PROJECT
    if value and not form.fullmatch(value) and not _PLACEHOLDER.fullmatch(value) and "$" not in value:
        yield Problem(
            where="project",
            what=f"`{value}` is no project id",
            fix="give the id (6 to 30 of a-z, 0-9 and -), not the name: gcloud projects list",
        )


@rule("request")
def display_name_length(context: Context) -> Findings:
    """The tuned model's display name has at most 128 characters."""
    name = context.names.display_name
    length = len(context[name] or "")
    if length > 128:
        yield Problem(where=name, what=f"has {length} characters", fix="at most 128")


@rule("request")
def dataset_uri_form(context: Context) -> Findings:
    """A dataset is one object in Cloud Storage, `gs://bucket/name.jsonl`; the command line takes a local file too."""
    for which, name in context.names.sets.items():
        value = (context[name] or "").strip()
        found = context.data(which) or {}
        if not value or "$" in value or found.get("examples"):
            continue  # empty and unfilled values have their own rules; what was read needs no guess
        if web := _HTTP.match(value):
            yield Problem(where=name, what=f"`{value}` is a web address", fix=f"write gs://{web[1]}")
        elif value.startswith("gs://") and value.endswith("/"):
            yield Problem(where=name, what=f"`{value}` names a folder", fix="name one JSONL file in it")
        elif value.startswith("gs://") and "*" in value:
            yield Problem(where=name, what="wildcards are not taken", fix="join the files into one")
        elif not _OBJECT.fullmatch(value) and not (os.path.isabs(value) and (found or os.path.isfile(value))):
            yield Problem(where=name, what=f"`{value}` is no Cloud Storage URI", fix="write gs://bucket/name.jsonl")


@rule("request")
def same_data_twice(context: Context) -> Findings:
    """Training, evaluation and test set are different files."""
    names = list(context.names.sets.values())
    for number, name in enumerate(names):
        for earlier in names[:number]:
            if context[name] and context[name] == context[earlier]:
                yield Problem(where=name, what=f"is the same file as `{earlier}`", fix="hold examples out of training")


@rule("request")
def folder_uri_form(context: Context) -> Findings:
    """`staging_uri` and `base_model_uri` are folders in Cloud Storage; `base_model_uri` may be `builtin:tiny`."""
    for name in ("staging_uri", "base_model_uri"):
        value = context[name] or ""
        builtin = name == "base_model_uri" and value.startswith("builtin:")
        path = os.path.isabs(value) and (context.local or name == "staging_uri")
        if value and "$" not in value and not (builtin or path or _BUCKET.fullmatch(value)):
            yield Problem(where=name, what=f"`{value}` is no Cloud Storage URI", fix="write gs://bucket/folder")


@rule("request")
def label_form(context: Context) -> Findings:
    """At most 64 labels; keys begin with a letter; keys and values have at most 63 of a-z, 0-9, - and _."""
    labels = context["labels"] or {}
    if len(labels) > _MAX_LABELS:
        yield Problem(where="labels", what=f"there are {len(labels)}", fix=f"at most {_MAX_LABELS}")
    for key, value in labels.items():
        if key.startswith(_OWN_LABELS):
            yield Problem(
                where=f"labels.{key}", what="is a label that this project sets itself", fix="take another key"
            )
        elif not _LABEL_KEY.fullmatch(key):
            yield Problem(
                where=f"labels.{key}", what="is no label key", fix="a letter, then a-z, 0-9, - and _; 63 in all"
            )
        if not _LABEL_VALUE.fullmatch(value):
            yield Problem(
                where=f"labels.{key}", what=f"`{value}` is no label value", fix="at most 63 of a-z, 0-9, - and _"
            )


@rule("request")
def service_account_form(context: Context) -> Findings:
    """`service_account` is the account's e-mail address."""
    value = context["service_account"] or ""
    if value and "$" not in value and not _ACCOUNT.fullmatch(value):
        yield Problem(
            where="service_account",
            what=f"`{value}` is no service account",
            fix="write name@project.iam.gserviceaccount.com",
        )


@rule("request")
def network_form(context: Context) -> Findings:
    """`network` is `projects/PROJECT_NUMBER/global/networks/NAME`."""
    value = context["network"] or ""
    if value and "$" not in value and not _NETWORK.fullmatch(value):
        yield Problem(
            where="network", what=f"`{value}` is no network", fix="write projects/NUMBER/global/networks/NAME"
        )


@rule("request")
def on_cancel_value(context: Context) -> Findings:
    """`on_cancel` is `cancel` or `leave`."""
    if context["on_cancel"] not in (None, "cancel", "leave"):
        yield Problem(where="on_cancel", what=f"`{context['on_cancel']}` is neither", fix="write cancel or leave")


@rule("request")
def cost_limit_range(context: Context) -> Findings:
    """`max_cost_usd` is 0 (no limit) or above."""
    if (context["max_cost_usd"] or 0) < 0:
        yield Problem(where="max_cost_usd", what=f"is {context['max_cost_usd']:g}", fix="0 means no limit")
