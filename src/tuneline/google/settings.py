"""Which service a process talks to, read from the environment when asked and never at import."""

from __future__ import annotations

import os


def local_url() -> str | None:
    """The local Vertex AI's address (`TUNELINE_LOCAL_URL`, no trailing slash), or None where Google's own is meant."""
    return os.environ.get("TUNELINE_LOCAL_URL", "").rstrip("/") or None


def storage_url() -> str | None:
    """The address of a Cloud Storage that is not Google's: the local service's, else `STORAGE_EMULATOR_HOST`, or None.

    Such a storage takes no credentials, and gets none.
    """
    emulator = os.environ.get("STORAGE_EMULATOR_HOST", "").rstrip("/")
    if emulator and "://" not in emulator:
        emulator = f"http://{emulator}"
    return local_url() or emulator or None


def is_local() -> bool:
    """Whether this process talks to the local service."""
    return local_url() is not None


def staging() -> str | None:
    """The default staging folder (`TUNELINE_STAGING`, e.g. `gs://bucket`), or None where the pipeline root decides."""
    return os.environ.get("TUNELINE_STAGING", "").rstrip("/") or None


def project() -> str | None:
    """The project that the environment names, or None."""
    return os.environ.get("GOOGLE_CLOUD_PROJECT") or os.environ.get("CLOUD_ML_PROJECT_ID") or None
