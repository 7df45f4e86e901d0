"""The environment that sends Google's clients to the local service, whatever language they are in.

Each variable is there because some client reads no other: see `REASONS`. What would send a client elsewhere, or carry
real credentials, is in `UNSET`.
"""

from __future__ import annotations

from pathlib import Path

PROJECT = "tuneline-local"
REGION = "us-central1"
STAGING = "gs://tuneline-local"
"""The bucket of that name always exists in the local service."""

UNSET = (
    "GOOGLE_APPLICATION_CREDENTIALS",
    "GOOGLE_CLOUD_QUOTA_PROJECT",
    "CLOUDSDK_AUTH_ACCESS_TOKEN",
    "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
    "GOOGLE_VERTEX_BASE_URL",
    "GOOGLE_GEMINI_BASE_URL",
    "ALL_PROXY",
    "all_proxy",
    "grpc_proxy",
    "no_grpc_proxy",
)
"""Variables to take out: real credentials, and what would lead around the local service."""

REASONS = {
    "https_proxy": "every https client; gRPC reads only this spelling",
    "HTTPS_PROXY": "the same for clients that read capitals",
    "no_proxy": "the local service itself is reached directly",
    "REQUESTS_CA_BUNDLE": "requests",
    "SSL_CERT_FILE": "httpx, aiohttp, OpenSSL, Go",
    "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH": "gRPC",
    "NODE_EXTRA_CA_CERTS": "Node, which ignores SSL_CERT_FILE",
    "CURL_CA_BUNDLE": "curl",
    "HTTPLIB2_CA_CERTS": "httplib2",
    "GCE_METADATA_HOST": "google.auth, which then needs no credentials file",
    "GCE_METADATA_IP": "google.auth asks whether it runs on Google Cloud at this address",
    "CLOUDSDK_CONFIG": "an empty folder, or a developer's real credentials would win",
    "GOOGLE_API_KEY": "the Gemini API's clients; no real key may be sent",
    "GEMINI_API_KEY": "the same",
    "GOOGLE_CLOUD_PROJECT": "google.auth's project",
    "STORAGE_EMULATOR_HOST": "google-cloud-storage",
    "TUNELINE_LOCAL_URL": "tuneline's own rooms",
    "TUNELINE_REGION": "region of a run where none is given",
    "TUNELINE_STAGING": "where staged data goes if the pipeline root is not in Cloud Storage",
    "TUNELINE_DATA": "tuneline's own command line finds this service",
}

DEFAULTS = {"GOOGLE_CLOUD_LOCATION": REGION, "GOOGLE_GENAI_USE_VERTEXAI": "true"}
"""What google-genai's samples leave to the environment: set where the user has not."""


def environment(url: str, data: Path) -> dict[str, str]:
    """All variables to set for a process whose Google Cloud is the service at `url` with this data folder.

    Makes the certificate authority and an empty folder for gcloud if they are not there. Take `UNSET` out of
    the environment too.
    """
    from tuneline.local.wire.authority import Authority

    certificate = str(Authority(data / "ca").ensure())
    configuration = data / "gcloud"
    configuration.mkdir(parents=True, exist_ok=True)
    address = url.removeprefix("http://")
    return {
        **dict.fromkeys(("https_proxy", "HTTPS_PROXY"), url),
        **dict.fromkeys(("no_proxy", "NO_PROXY"), "127.0.0.1,localhost"),
        **dict.fromkeys(
            (
                "REQUESTS_CA_BUNDLE",
                "SSL_CERT_FILE",
                "GRPC_DEFAULT_SSL_ROOTS_FILE_PATH",
                "NODE_EXTRA_CA_CERTS",
                "CURL_CA_BUNDLE",
                "HTTPLIB2_CA_CERTS",
            ),
            certificate,
        ),
        **dict.fromkeys(("GCE_METADATA_HOST", "GCE_METADATA_IP"), address),
        "CLOUDSDK_CONFIG": str(configuration),
        **dict.fromkeys(("GOOGLE_API_KEY", "GEMINI_API_KEY"), "tuneline-local"),
        "GOOGLE_CLOUD_PROJECT": PROJECT,
        "STORAGE_EMULATOR_HOST": url,
        "TUNELINE_LOCAL_URL": url,
        "TUNELINE_REGION": REGION,
        "TUNELINE_STAGING": STAGING,
        "TUNELINE_DATA": str(data),
    }
