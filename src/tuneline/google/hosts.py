"""The base address of each service, by location."""

from __future__ import annotations

import re

from tuneline.errors import Problem, UsageError
from tuneline.google import settings

_FIXED = {
    "cloudresourcemanager": "https://cloudresourcemanager.googleapis.com",
    "generativelanguage": "https://generativelanguage.googleapis.com",
    "storage": "https://storage.googleapis.com",
    "serviceusage": "https://serviceusage.googleapis.com",
    "cloudkms": "https://cloudkms.googleapis.com",
    "secretmanager": "https://secretmanager.googleapis.com",
}
_MULTI_REGIONS = ("us", "eu")
_REGION = re.compile(r"[a-z]+(-[a-z]+)+[0-9]+")
_LOCATION_IN_PATH = re.compile(r"/locations/([^/:?]+)")


def base_url(service: str, location: str | None = None) -> str:
    """The address that `service` answers under, without a trailing slash.

    Args:
        service: `aiplatform`, `storage`, `cloudresourcemanager`, `generativelanguage`, `serviceusage`, `cloudkms`,
            `secretmanager`.
        location: for `aiplatform`: a region, a multi-region (`us`, `eu`) or `global` (also meant by None).

    Raises:
        UsageError: a location that is none; it would become part of a host name that gets a token.
    """
    if service == "storage":
        return settings.storage_url() or _FIXED[service]
    if local := settings.local_url():
        return local
    if service != "aiplatform":
        return _FIXED[service]
    if location is None or location == "global":
        return "https://aiplatform.googleapis.com"
    if location in _MULTI_REGIONS:
        return f"https://aiplatform.{location}.rep.googleapis.com"
    if not _REGION.fullmatch(location):
        raise UsageError(
            [Problem(where="location", what=f"`{location}` is no region", fix="give one such as us-central1")]
        )
    return f"https://{location}-aiplatform.googleapis.com"


def location_of(path: str) -> str | None:
    """The location inside a resource name or path, or None."""
    found = _LOCATION_IN_PATH.search(path)
    return found.group(1) if found else None
