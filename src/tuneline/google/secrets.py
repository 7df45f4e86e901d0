"""Secrets of Secret Manager: read when they are needed, kept in this process's memory alone."""

from __future__ import annotations

import base64

from tuneline.google import rest


def read(name: str) -> str:
    """The text of a secret, `projects/P/secrets/S` (its latest version) or `…/versions/V`, white space at its ends off.

    https://cloud.google.com/secret-manager/docs/reference/rest/v1/projects.secrets.versions/access

    Raises:
        NotPermitted, NotFound: in the service's own words, which name the secret and never hold it.
    """
    version = name if "/versions/" in name else f"{name}/versions/latest"
    told = rest.call("GET", "secretmanager", f"/v1/{version}:access")
    return base64.b64decode((told.get("payload") or {}).get("data") or "").decode().strip()
