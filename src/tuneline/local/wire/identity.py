"""Credentials that are none: a metadata server and token endpoints, so that `google.auth.default()` works unchanged.

The tokens open nothing anywhere. The metadata server's paths are those of Compute Engine
(cloud.google.com/compute/docs/metadata/predefined-metadata-keys).
"""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import parse_qs

from tuneline.local.resources.projects import number_of
from tuneline.local.wire.exchange import Receive, Scope, Send, read_body, send_bytes, send_json

ACCOUNT = "tuneline-local@tuneline-local.iam.gserviceaccount.com"
SCOPES = ("https://www.googleapis.com/auth/cloud-platform",)
LIFETIME_S = 3600
METADATA = ((b"metadata-flavor", b"Google"),)


def token() -> dict[str, object]:
    """An access token that only this service takes."""
    return {"access_token": "tuneline-local-token", "expires_in": LIFETIME_S, "token_type": "Bearer"}


def identity_token(audience: str) -> str:
    """An unsigned identity token for an audience."""
    now = int(time.time())
    claims = {"aud": audience, "iss": "https://accounts.google.com", "sub": "1", "email": ACCOUNT,
              "email_verified": True, "iat": now, "exp": now + LIFETIME_S}  # fmt: skip
    parts = [json.dumps(p).encode() for p in ({"alg": "none", "typ": "JWT"}, claims)]
    return ".".join([*(base64.urlsafe_b64encode(p).rstrip(b"=").decode() for p in parts), "local"])


class Identity:
    """The metadata server, and what oauth2.googleapis.com and sts.googleapis.com answer."""

    def __init__(self, project: str, region: str) -> None:
        account = {"aliases": ["default"], "email": ACCOUNT, "scopes": list(SCOPES)}
        self._texts = {
            "project/project-id": project,
            "project/numeric-project-id": number_of(project),
            "universe/universe-domain": "googleapis.com",
            "universe/universe_domain": "googleapis.com",
            "instance/zone": f"projects/{number_of(project)}/zones/{region}-a",
            "instance/region": f"projects/{number_of(project)}/regions/{region}",
            "instance/id": "1",
            "instance/service-accounts": f"default/\n{ACCOUNT}/\n",
        }
        for name in ("default", ACCOUNT):
            self._texts[f"instance/service-accounts/{name}/email"] = ACCOUNT
            self._texts[f"instance/service-accounts/{name}/scopes"] = "\n".join(SCOPES) + "\n"
            self._texts[f"instance/service-accounts/{name}"] = json.dumps(account)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"]
        query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        if not path.startswith("/computeMetadata"):
            await read_body(receive)
            await send_json(send, 200, {**token(), "id_token": identity_token(query.get("audience", "local"))})
            return
        if not any(name == b"metadata-flavor" and value == b"Google" for name, value in scope["headers"]):
            # What keeps a web page from asking: the real server wants the header too.
            await send_bytes(send, 403, b"Missing Metadata-Flavor:Google header.\n", "text/plain", METADATA)
            return
        key = path.removeprefix("/computeMetadata/v1").strip("/")
        if key.startswith("instance/service-accounts/") and key.endswith("/token"):
            await send_json(send, 200, token(), METADATA)
        elif key.startswith("instance/service-accounts/") and key.endswith("/identity"):
            text = identity_token(query.get("audience", ""))
            await send_bytes(send, 200, text.encode(), "text/html", METADATA)
        elif key in self._texts:
            text = self._texts[key]
            json_text = text.startswith("{")
            await send_bytes(
                send, 200, text.encode(), "application/json" if json_text else "application/text", METADATA
            )
        elif key in ("", "instance", "project", "universe"):
            await send_bytes(send, 200, b"instance/\nproject/\nuniverse/\n", "application/text", METADATA)
        else:
            await send_bytes(send, 404, f"no metadata at {path}\n".encode(), "text/plain", METADATA)
