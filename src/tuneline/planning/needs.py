"""What a run needs of its project: quota and permissions."""

from __future__ import annotations

from tuneline import catalog
from tuneline.planning.model import Quota
from tuneline.planning.rules import Context


def quotas(context: Context, machines: catalog.Slice) -> tuple[Quota, ...]:
    """What a CustomJob of ours draws on; the hosted template has a quota of its own."""
    if machines.quota is None or context.local:
        return ()
    if context.hosted and machines.quota.hosted:
        return (Quota(name=machines.quota.hosted, region=machines.region, amount=machines.quota.amount),)
    preemptible = context["provisioning"] in ("spot", "flex_start")
    name = machines.quota.custom_preemptible if preemptible else machines.quota.custom
    return (
        (Quota(name=f"aiplatform.googleapis.com/{name}", region=machines.region, amount=machines.quota.amount),)
        if name
        else ()
    )


def permissions(context: Context) -> tuple[str, ...]:
    """What the run's accounts must be allowed."""
    needed = [
        "aiplatform.customJobs.create, aiplatform.models.upload on the project (roles/aiplatform.user)",
        "storage.objects.create, get and list on the staging bucket (roles/storage.objectUser)",
    ]
    if context["service_account"]:
        needed.append(f"iam.serviceAccounts.actAs on {context['service_account']} (roles/iam.serviceAccountUser)")
    if context.key:
        needed.append(f"the Vertex AI service agent: roles/cloudkms.cryptoKeyEncrypterDecrypter on {context.key}")
    return () if context.local else tuple(needed)
