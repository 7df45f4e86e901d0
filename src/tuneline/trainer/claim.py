"""The claim on an attempt: of two jobs bought for one request, the one in the ledger trains and the other leaves."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tuneline import errors, objects


def holds_claim(environment: Mapping[str, str]) -> tuple[bool, str]:
    """Whether this process may train, and a sentence that says why not.

    `TUNELINE_CLAIM` is the URI of the ledger's `N.job`: created here with `TUNELINE_NONCE` if absent; if another nonce
    is named there, another job does the work. Without both, nobody claims anything.
    """
    uri, nonce = environment.get("TUNELINE_CLAIM", ""), environment.get("TUNELINE_NONCE", "")
    if not uri or not nonce:
        return True, ""
    name = environment.get("TUNELINE_JOB_NAME") or environment.get("CLOUD_ML_JOB_ID", "")
    try:
        objects.create(uri, json.dumps({"nonce": nonce, "name": name}).encode())
    except errors.AlreadyExists:
        holder = objects.read_json(uri)
        if holder.get("nonce") != nonce:
            return False, f"{uri} names another job, {holder.get('name') or 'unnamed'}: this one leaves the work to it"
    return True, ""
