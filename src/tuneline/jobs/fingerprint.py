"""One name for one request: equal where the same job is meant, different where anything that matters differs."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence

from tuneline.jobs.engines import Request

# Names for people; they change nothing about what is computed.
_NAMES = frozenset({"displayName", "display_name", "tunedModelDisplayName", "tuned_model_display_name", "labels"})


def canonical(body: Mapping[str, object]) -> str:
    """The body as one text: keys sorted, display names and labels left out at the top level."""
    kept = {key: value for key, value in body.items() if key not in _NAMES}
    return json.dumps(kept, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def of_choices(engine: str, request: Request, fallbacks: Sequence[Request]) -> str:
    """The fingerprint of a request that may be carried out in several ways, in this order.

    Without fallbacks the request's own; with them of the whole list: who lists others, or none, asks for another job.
    """
    each = [fingerprint(engine, wanted) for wanted in (request, *fallbacks)]
    if not fallbacks:
        return each[0]
    return _short(json.dumps(each).encode())


def fingerprint(engine: str, request: Request) -> str:
    """SHA-256 of what the engine will receive, in 52 characters of a-z and 2-7.

    Covers engine, project, location, staging, the body (base model, hyperparameters, seed, image, encryption key,
    service account, …) and the digests in `request.identity`; neither names, labels nor nonce. So a run with an
    encryption key never adopts a job without one. Base 32 keeps all 256 bits within the 63 characters of a label.
    """
    whole = json.dumps(
        {
            "version": 1,
            "engine": engine,
            "project": request.project,
            "location": request.location,
            "staging": request.staging.rstrip("/"),
            "body": canonical(request.body),
            "identity": dict(request.identity),
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
        allow_nan=False,
    )
    return _short(whole.encode())


def _short(whole: bytes) -> str:
    return base64.b32encode(hashlib.sha256(whole).digest()).decode().rstrip("=").lower()
