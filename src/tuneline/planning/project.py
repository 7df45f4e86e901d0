"""What only the project itself can say: whether what the plan names is there, in the right region, within its quota.

Read-only calls. What the caller may not see is a remark, never a reason against the run: the accounts that run it may.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from urllib.parse import quote

from tuneline import errors, objects
from tuneline.errors import Problem, UsageError
from tuneline.google import rest
from tuneline.objects import uris
from tuneline.planning.model import Plan, Quota
from tuneline.planning.rules import Findings, Remark, note, warning

Check = Callable[[Plan], Findings]


def check_project(plan: Plan) -> Plan:
    """The plan with what the project says about it among its notes and warnings.

    Raises:
        UsageError: every reason against it that the project knows.
        Unavailable: the service does not answer.
    """
    problems: list[Problem] = []
    remarks: list[Remark] = []
    for check in CHECKS:
        for finding in _told(check, plan):
            if isinstance(finding, Remark):
                remarks.append(finding)
            else:
                problems.append(finding)
    if problems:
        raise UsageError(problems)
    return dataclasses.replace(
        plan,
        notes=(*plan.notes, *(r.text for r in remarks if r.level == "note")),
        warnings=(*plan.warnings, *(r.text for r in remarks if r.level == "warning")),
    )


def _told(check: Check, plan: Plan) -> Findings:
    name = check.__name__.replace("_", "-")
    try:
        for finding in check(plan):
            if isinstance(finding, Problem):
                finding = dataclasses.replace(finding, what=f"{finding.what} [{name}]")
            yield finding
    except errors.NotPermitted as error:
        yield note(f"not checked, {name}: {error}")


def project_exists(plan: Plan) -> Findings:
    """The project is there."""
    try:
        rest.call("GET", "cloudresourcemanager", f"/v3/projects/{quote(plan.project)}")
    except errors.NotFound as error:
        yield Problem(where="project", what=str(error), fix="gcloud projects list names yours")


def staging_bucket(plan: Plan) -> Findings:
    """The staging bucket is there; one outside the tuning region is remarked on, since its traffic is billed."""
    if not objects.is_cloud(plan.staging_uri):
        return
    bucket = uris.split(plan.staging_uri, prefix=True)[0]
    try:
        found = rest.call("GET", "storage", f"/storage/v1/b/{bucket}", params={"fields": "location,locationType"})
    except errors.NotFound:
        yield Problem(where="staging_uri", what=f"there is no bucket gs://{bucket}", fix="make it, or name another")
        return
    location = str(found.get("location", "")).lower()
    if found.get("locationType", "region") == "region" and location not in ("", plan.regions.tuning):
        yield note(f"gs://{bucket} is in {location}, and the tuning in {plan.regions.tuning}: network egress is billed")


def base_weights(plan: Plan) -> Findings:
    """The folder of the base model holds a model in Hugging Face form."""
    uri = plan.base_model.uri
    if not objects.is_cloud(uri) or objects.exists(objects.join(uri, "config.json")):
        return
    if plan.local:
        yield warning(f"the local object store holds no {uri}: the built-in model stands in for it")
    else:
        yield Problem(
            where="base_model_uri",
            what=f"{uri} holds no config.json",
            fix="name a folder with config.json, tokenizer.json and *.safetensors",
        )


def base_model_known(plan: Plan) -> Findings:
    """The service still has the Gemini model in the region; only its own refusal says that it takes no more tuning.

    The local service has none of Google's models, and is not asked.
    """
    name = plan.base_model.name
    if plan.local or plan.engine != "vertex_tuning" or "/" in name:
        return
    region = plan.regions.tuning
    try:
        # google.cloud.aiplatform.v1.ModelGardenService.GetPublisherModel
        rest.call("GET", "aiplatform", f"/v1/publishers/google/models/{quote(name)}", location=region)
    except errors.NotFound as error:
        yield Problem(where="base_model", what=f"{region}: {error}", fix="choose another: tuneline catalog models")


def tensorboard_exists(plan: Plan) -> Findings:
    """The TensorBoard instance is there. The local service has none, and is not asked."""
    if not plan.tensorboard or plan.local:
        return
    try:
        rest.call("GET", "aiplatform", f"/v1/{plan.tensorboard}")
    except errors.NotFound as error:
        yield Problem(where="tensorboard_resource_id", what=str(error), fix="gcloud ai tensorboards list names yours")


def key_usable(plan: Plan) -> Findings:
    """The customer-managed key is there, and enabled. The local service has no keys, and is not asked."""
    if not plan.encryption_key or plan.local:
        return
    try:
        found = rest.call("GET", "cloudkms", f"/v1/{plan.encryption_key}")
    except errors.NotFound as error:
        yield Problem(where="encryption_spec_key_name", what=str(error), fix="gcloud kms keys list names yours")
        return
    state = found.get("primary", {}).get("state", "")
    if state != "ENABLED":
        yield Problem(
            where="encryption_spec_key_name", what=f"the key is {state or 'without a version'}", fix="enable it"
        )


def quota_enough(plan: Plan) -> Findings:
    """The limit of every quota that the job takes is not below what it takes; what is in use the API does not tell.

    A fallback's is only warned of. The local service has no quotas, and is not asked.
    """
    if plan.local:
        return
    asked: set[Quota] = set()
    for number, choice in enumerate(plan.choices()):
        for quota in choice.quotas:
            # The names in the console are no metrics: `Global concurrent tuning jobs` cannot be asked for.
            if quota in asked or "/" not in quota.name:
                continue
            asked.add(quota)
            limits = list(_limits(plan.project, quota))
            what = f"{quota.name} in {quota.region}"
            if not limits:
                yield note(f"not checked, quota-enough: the service does not tell the limit of {what}")
            elif max(limits) < quota.amount:
                what += f" is {max(limits)}, and the job takes {quota.amount}"
                fix = "ask for more at https://console.cloud.google.com/iam-admin/quotas, or choose another slice"
                yield warning(f"fallback {number}: {what}") if number else Problem(where="quota", what=what, fix=fix)


CHECKS: tuple[Check, ...] = (
    project_exists,
    staging_bucket,
    base_weights,
    base_model_known,
    tensorboard_exists,
    key_usable,
    quota_enough,
)


def _limits(project: str, quota: Quota) -> Iterator[int]:
    """The limits that hold for the region: its own buckets, else the ones for all regions; -1 is no limit.

    Source: Service Usage API, `consumerQuotaMetrics.get`.
    """
    path = f"/v1beta1/projects/{quote(project)}/services/aiplatform.googleapis.com/consumerQuotaMetrics/"
    try:
        found = rest.call("GET", "serviceusage", path + quote(quota.name, safe=""))
    except errors.NotFound:
        return
    buckets = [b for limit in found.get("consumerQuotaLimits", []) for b in limit.get("quotaBuckets", [])]
    own = [b for b in buckets if b.get("dimensions", {}).get("region") == quota.region]
    for bucket in own or [b for b in buckets if not b.get("dimensions")]:
        value = int(bucket.get("effectiveLimit", 0))
        yield value if value >= 0 else quota.amount
