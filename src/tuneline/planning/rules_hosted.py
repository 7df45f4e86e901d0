"""Rules of a request that is sent to a template by its address, and so must be one that this template understands."""

from __future__ import annotations

import re

from tuneline import catalog
from tuneline.errors import Problem
from tuneline.planning.parameters import TEMPLATES
from tuneline.planning.rules import Context, Findings, rule, warning

# https://cloud.google.com/vertex-ai/docs/pipelines/create-pipeline-template: a KFP repository of Artifact Registry.
_ADDRESS = re.compile(r"https://[a-z0-9-]+-kfp\.pkg\.dev/[^/]+/[^/]+/(?P<package>[^/]+)/[^/]+")


@rule("request")
def template_uri_form(context: Context) -> Findings:
    """A template's address is `https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/VERSION`, of this template."""
    uri = context.template_uri
    if not uri:
        return
    found = _ADDRESS.fullmatch(uri)
    if not found:
        fix = "write https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/VERSION"
        yield Problem(where="template_uri", what=f"`{uri}` is no address of a template", fix=fix)
    elif context.hosted and found["package"] != context.template:
        fix = f"name the template {found['package']}, or its own address"
        yield Problem(where="template_uri", what=f"is that of {found['package']}, not of {context.template}", fix=fix)


@rule("request")
def hosted_parameter(context: Context) -> Findings:
    """Google's hosted template gets only parameters that it knows: none of those that are this project's own."""
    if not context.hosted:
        return
    for parameter in TEMPLATES[context.template]:
        if parameter.ours and parameter.name in context.raw:
            yield Problem(
                where=parameter.name,
                what="is this project's own, and the hosted template does not know it",
                fix="leave it out, or the template's address",
            )


@rule("model")
def hosted_model(context: Context) -> Findings:
    """Google's hosted template tunes the bison models alone, and no longer: nothing stands in their place there.

    On the local service this project's template stands in for it, and a request can be tried.
    """
    model = context.model
    if not context.hosted or model is None:
        return
    if model.kind != "bison":
        own = ", ".join(each.name for each in catalog.models() if each.kind == "bison")
        what = f"the hosted template does not tune {model.name}"
        yield Problem(where="large_model_reference", what=what, fix=f"leave the template's address out; it knew {own}")
    elif not model.takes_tuning(context.today):
        state = f"the hosted template takes no new tuning of {model.name} ({model.state(context.today)})"
        if context.local:
            yield warning(f"{state}; only the local service, where our template stands in for it, goes on")
        else:
            fix = f"leave the template's address out: ours tunes {model.replacement} in its place"
            yield Problem(where="large_model_reference", what=state, fix=fix)
