"""Rules of places: the three regions, the machines, keys and TensorBoards."""

from __future__ import annotations

import re
from dataclasses import replace

from tuneline import catalog
from tuneline.catalog.lookups import unknown
from tuneline.errors import Problem
from tuneline.planning.rules import Context, Findings, judge, note, rule, warning

_KEY = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/keyRings/[^/]+/cryptoKeys/[^/]+")
_TENSORBOARD = re.compile(r"projects/[^/]+/locations/(?P<region>[^/]+)/tensorboards/[^/]+")


def _region(where: str, value: str, act: str) -> Findings:
    regions = catalog.regions()
    if not value or "$" in value or value in regions:
        return
    near = catalog.closest(value, regions)
    fix = f"did you mean {near}?" if near else "one of " + ", ".join(regions)
    yield Problem(where=where, what=f"`{value}` is no region in which {act}", fix=fix)


@rule("regions")
def pipeline_region(context: Context) -> Findings:
    """The pipeline runs in one of the 13 supported regions."""
    yield from _region("region", context.region, "these pipelines run")


@rule("regions")
def upload_region(context: Context) -> Findings:
    """The model is uploaded to one of the same 13 regions (`location`; unset: the pipeline's region)."""
    if not context.managed:
        yield from _region("location", context["location"] or "", "a tuned model can be uploaded")


@rule("regions")
def known_accelerator(context: Context) -> Findings:
    """`accelerator_type` is `GPU` or `TPU`."""
    value = context["accelerator_type"]
    if value not in (None, "GPU", "TPU"):
        near = value.upper() if value.upper() in ("GPU", "TPU") else catalog.closest(value, ("GPU", "TPU"))
        fix = f"did you mean {near}?" if near else "write GPU or TPU; machines by name are the parameter `slice`"
        yield Problem(where="accelerator_type", what=f"`{value}` is neither GPU nor TPU", fix=fix)


@rule("regions")
def known_slice(context: Context) -> Findings:
    """`slice` is in the catalogue, and of the accelerator type where that is given too."""
    name = context["slice"]
    if not name or "$" in name:
        return
    found = context.slice
    if found is None:
        yield unknown("slice", name, catalog.slices())
    elif context.is_given("accelerator_type") and found.accelerator_type != context["accelerator_type"]:
        yield Problem(
            where="slice",
            what=f"{name} is a {found.accelerator_type} slice, and accelerator_type is {context['accelerator_type']}",
            fix="leave `accelerator_type` out",
        )


@rule("regions")
def untried_slice(context: Context) -> Findings:
    """A slice on which the trainer never ran is said to be untried."""
    found = context.slice
    if found is not None and not found.tried and not context.local:
        remark = f"; {found.note}" if found.note else ""
        yield warning(f"the trainer was never tried on the slice {found.name}{remark}")


@rule("regions")
def fallbacks_fit(context: Context) -> Findings:
    """Each of `fallback_slices` (`fallback_locations`) obeys the rules of places as the first does, and is named once.

    They are tried in this order where quota or capacity is refused to the one before, and for nothing else.
    """
    listed, place = context.fallback_names
    if not context.fallbacks:
        return
    groups = ("regions", "managed")
    alone = replace(context, values={**context.values, listed: ()})
    problems, remarks = judge(alone, groups)
    first = context.upload_region if context.managed else context.slice and context.slice.name
    named = {first}
    for name, there in context.fallbacks:
        if name in named:
            yield Problem(where=listed, what=f"{name} is named twice", fix="name each once, the best first")
            continue
        named.add(name)
        found, said = judge(there, groups)
        for problem in found:
            if problem not in problems:
                what = problem.what if problem.where == place else f"{problem.where} {problem.what}"
                yield Problem(where=listed, what=f"{name}: {what}", fix=problem.fix)
        yield from (remark for remark in said if remark not in remarks)


@rule("regions")
def provisioning_value(context: Context) -> Findings:
    """`provisioning` is `standard`, `spot`, `flex_start` or `reservation`, and exists for the slice's machines."""
    value = context["provisioning"]
    known = {entry.name: entry for entry in catalog.provisioning()}
    if value is None:
        return
    if value not in known:
        near = catalog.closest(value, known)
        fix = f"did you mean {near}?" if near else "one of " + ", ".join(known)
        yield Problem(where="provisioning", what=f"`{value}` is not known", fix=fix)
        return
    entry = known[value]
    if context.slice is not None and entry.machines:
        machine = context.slice.machine_spec.get("acceleratorType", "")
        if machine not in entry.machines:
            yield Problem(
                where="provisioning",
                what=f"{value} does not exist for the slice {context.slice.name}",
                fix="write standard, or choose a slice with one of " + ", ".join(entry.machines),
            )
    if value != "standard":
        yield note(f"provisioning {value}: {entry.note}")


@rule("regions")
def key_form(context: Context) -> Findings:
    """A customer-managed key is named in full: `projects/P/locations/L/keyRings/R/cryptoKeys/K`."""
    if context.key and "$" not in context.key and not _KEY.fullmatch(context.key):
        yield Problem(
            where="encryption_spec_key_name",
            what=f"`{context.key}` is no key name",
            fix="write projects/P/locations/L/keyRings/R/cryptoKeys/K, without a version",
        )


@rule("regions")
def one_key(context: Context) -> Findings:
    """The parameter and the request's own `encryptionSpec.kmsKeyName` name the same key, where both are given."""
    parameter = context["encryption_spec_key_name"]
    if parameter and context.encryption_key and parameter != context.encryption_key:
        yield Problem(
            where="encryption_spec_key_name",
            what=f"differs from the request's encryptionSpec.kmsKeyName, {context.encryption_key}",
            fix="name one key",
        )


@rule("regions")
def no_key_on_tpu(context: Context) -> Findings:
    """Customer-managed keys do not work with `TPU`."""
    where = catalog.cmek()
    if context.key and context.slice is not None and context.slice.accelerator_type == "TPU":
        yield Problem(
            where="encryption_spec_key_name",
            what="customer-managed keys do not work with TPU",
            fix=f"set accelerator_type to {where.accelerator}, or leave the key out",
        )


@rule("regions")
def key_region(context: Context) -> Findings:
    """With a customer-managed key, the key, the tuning and the upload of a large model are all in `us-central1`."""
    if not context.key or context.managed:
        return
    only = catalog.cmek().region
    found = _KEY.fullmatch(context.key)
    if found and found["region"] != only:
        yield Problem(
            where="encryption_spec_key_name", what=f"the key is in {found['region']}", fix=f"use one in {only}"
        )
    if context.upload_region in catalog.regions() and context.upload_region != only:
        yield Problem(
            where="location",
            what=f"with a customer-managed key the model cannot be uploaded to {context.upload_region}",
            fix=f"set location to {only}, or leave the key out",
        )
    tuning = context.slice
    if tuning is not None and tuning.accelerator_type != "TPU" and tuning.region != only:
        yield Problem(
            where="slice", what=f"with a customer-managed key nothing is tuned in {tuning.region}", fix=f"use {only}"
        )


@rule("regions")
def tensorboard_form(context: Context) -> Findings:
    """`tensorboard_resource_id` is `projects/P/locations/L/tensorboards/ID`."""
    value = context["tensorboard_resource_id"] or ""
    if value and "$" not in value and not _TENSORBOARD.fullmatch(value):
        yield Problem(
            where="tensorboard_resource_id",
            what=f"`{value}` is no TensorBoard name",
            fix="write projects/P/locations/L/tensorboards/ID",
        )


@rule("regions")
def tensorboard_region(context: Context) -> Findings:
    """The TensorBoard is in the region of the pipeline."""
    found = _TENSORBOARD.fullmatch(context["tensorboard_resource_id"] or "")
    if found and context.region and found["region"] != context.region:
        yield Problem(
            where="tensorboard_resource_id",
            what=f"the TensorBoard is in {found['region']}, and the pipeline runs in {context.region}",
            fix="name one in the pipeline's region",
        )
