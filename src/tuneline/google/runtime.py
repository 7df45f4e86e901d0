"""Where this process runs."""

from __future__ import annotations

import os

from tuneline.errors import Problem, UsageError
from tuneline.google import settings

# Set by the local service, by Vertex AI's own containers, and by users; the SDK reads the last two in this order.
_VARIABLES = ("TUNELINE_REGION", "GOOGLE_CLOUD_REGION", "CLOUD_ML_REGION")
_METADATA_HOST = "metadata.google.internal"
_METADATA_TIMEOUT_S = 3.0


def region() -> str:
    """The region of the run: from the environment, else of the machine as its metadata server tells it.

    Raises:
        UsageError: neither knows.
    """
    for variable in _VARIABLES:
        if value := os.environ.get(variable, "").strip():
            return value
    found = "" if settings.is_local() else _from_metadata()
    if not found:
        raise UsageError(
            [
                Problem(
                    where="location",
                    what="the region of the run is not known: no parameter, no environment variable and no metadata "
                    "server names it",
                    fix="give `location`, or set TUNELINE_REGION",
                )
            ]
        )
    return found


def _from_metadata() -> str:
    """The region out of the machine's zone (`projects/1/zones/us-central1-b`), or `''` off Google Cloud."""
    import requests

    host = os.environ.get("GCE_METADATA_HOST", _METADATA_HOST)
    try:
        answer = requests.get(
            f"http://{host}/computeMetadata/v1/instance/zone",
            headers={"Metadata-Flavor": "Google"},
            timeout=_METADATA_TIMEOUT_S,
        )
    except requests.RequestException:
        return ""  # not on Google Cloud: no such host
    if answer.status_code != 200:
        return ""
    return answer.text.rsplit("/", 1)[-1].rpartition("-")[0]
