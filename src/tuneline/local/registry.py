"""Artifact Registry's KFP repositories: what `kfp.registry.RegistryClient` uploads, lists, tags and downloads.

A version is the SHA-256 of the file's bytes, as in Artifact Registry, so the same file uploaded twice is one version.
Content is at `https://LOCATION-kfp.pkg.dev/PROJECT/REPOSITORY/PACKAGE/VERSION_OR_TAG`, everything else at
`https://artifactregistry.googleapis.com/v1/projects/…/repositories/…/packages/…`.
"""

from __future__ import annotations

import hashlib
import re
import sqlite3
from dataclasses import dataclass
from email import message_from_bytes
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

from tuneline.local.definition.strict import parse_body
from tuneline.local.resources.errors import ApiError, invalid, not_found
from tuneline.local.wire.exchange import Receive, Scope, Send, headers_of, read_body, send_bytes, send_error, send_json

API_PATH = re.compile(
    r"^/v1/(projects/[^/]+/locations/[^/]+/repositories/[^/]+)/packages(?:/([^/]+)(?:/(versions|tags)(?:/([^/]+))?)?)?$"
)
CONTENT_PATH = re.compile(r"^/([^/]+)/([^/]+)(?:/([^/]+)/([^/]+))?$")
CONTENT_URL = re.compile(r"^https://([a-z0-9-]+)-kfp\.pkg\.dev(/.*)$")
_NAME = re.compile(r"^[a-z0-9](?:[a-z0-9_.-]{0,126}[a-z0-9])?$")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS versions (
  repository TEXT NOT NULL, package TEXT NOT NULL, version TEXT NOT NULL, created TEXT NOT NULL, body BLOB NOT NULL,
  PRIMARY KEY (repository, package, version)
);
CREATE TABLE IF NOT EXISTS tags (
  repository TEXT NOT NULL, package TEXT NOT NULL, tag TEXT NOT NULL, version TEXT NOT NULL,
  PRIMARY KEY (repository, package, tag)
);
"""


@dataclass(frozen=True, kw_only=True)
class Place:
    """What a request's path names, as far as it goes."""

    repository: str
    package: str = ""
    kind: str = ""
    """`versions` or `tags`."""
    item: str = ""

    @property
    def name(self) -> str:
        """The resource name."""
        parts = [self.repository, "packages" if self.package else "", self.package, self.kind, self.item]
        return "/".join(part for part in parts if part)


class Registry:
    """All repositories; they need not be made first."""

    def __init__(self, path: Path, clock: Any) -> None:
        self.clock = clock
        self._path = path
        self._connection: sqlite3.Connection | None = None

    @property
    def _db(self) -> sqlite3.Connection:
        if self._connection is None:
            self._connection = sqlite3.connect(self._path, isolation_level=None)
            self._connection.execute("PRAGMA journal_mode=WAL")
            self._connection.execute("PRAGMA synchronous=FULL")
            self._connection.executescript(_SCHEMA)
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def content(self, url_or_path: str, location: str = "") -> bytes | None:
        """The pipeline behind an address of a repository, or None."""
        found = CONTENT_URL.match(url_or_path)
        if found:
            location, url_or_path = found.groups()
        parts = CONTENT_PATH.match(url_or_path)
        if not parts or not parts.group(3):
            return None
        project, repository, package, item = parts.groups()
        repository = f"projects/{project}/locations/{location}/repositories/{repository}"
        query = (
            "SELECT body FROM versions WHERE repository = ?1 AND package = ?2 AND (version = ?3 OR version = "
            "(SELECT version FROM tags WHERE repository = ?1 AND package = ?2 AND tag = ?3))"
        )
        row = self._db.execute(query, (repository, package, item)).fetchone()
        return row[0] if row else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            body = await read_body(receive)
            api = API_PATH.match(scope["path"])
            if api:
                place = Place(**dict(zip(("repository", "package", "kind", "item"), _texts(api), strict=True)))
                await send_json(send, 200, self._api(scope, place, body))
                return
            location = headers_of(scope).get("host", "").partition("-kfp.")[0]
            if scope["method"] == "POST":
                name = self._upload(scope, location, body)
                await send_bytes(send, 200, name.encode(), "text/plain")
                return
            content = self.content(scope["path"], location)
            if content is None:
                raise not_found(scope["path"])
            await send_bytes(send, 200, content, "application/x-yaml", head=scope["method"] == "HEAD")
        except ApiError as error:
            await send_error(send, error)

    def _upload(self, scope: Scope, location: str, body: bytes) -> str:
        """Keep an uploaded file and its tags; answers `package/version`."""
        import yaml

        parts = CONTENT_PATH.match(scope["path"])
        if not parts or parts.group(3):
            raise invalid("path", f"'{scope['path']}' is no repository: /PROJECT/REPOSITORY.")
        repository = f"projects/{parts.group(1)}/locations/{location}/repositories/{parts.group(2)}"
        fields = _form(headers_of(scope).get("content-type", ""), body)
        content = fields.get("content", b"")
        try:
            spec = next(iter(yaml.safe_load_all(content)))
            package = spec["pipelineInfo"]["name"]
        except (yaml.YAMLError, StopIteration, KeyError, TypeError):
            raise invalid("content", "is no compiled pipeline: it has no pipelineInfo.name.") from None
        if not _NAME.match(package):
            raise invalid("content", f"'{package}' is no name for a package.")
        version = "sha256:" + hashlib.sha256(content).hexdigest()
        tags = [tag.strip() for tag in fields.get("tags", b"").decode().split(",") if tag.strip()]
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            row = (repository, package, version, self.clock.now().isoformat(), content)
            self._db.execute("INSERT OR IGNORE INTO versions VALUES (?, ?, ?, ?, ?)", row)
            for tag in tags:
                self._db.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", (repository, package, tag, version))
        return f"{package}/{version}"

    def _api(self, scope: Scope, place: Place, body: bytes) -> dict[str, Any]:
        query = {key: values[-1] for key, values in parse_qs(scope["query_string"].decode("latin-1")).items()}
        verb = scope["method"]
        if place.kind == "tags" and verb in ("POST", "PATCH"):
            tag = place.item or query.get("tagId", "")
            return self._tag(Place(repository=place.repository, package=place.package, kind="tags", item=tag), body)
        if verb == "DELETE":
            return self._delete(place)
        if verb != "GET":
            raise ApiError("UNIMPLEMENTED", f"{verb} of {scope['path']} is not implemented by the local registry.")
        rows = self._rows(place)
        single = place.item or (place.package and not place.kind)
        if single:
            if not rows:
                raise not_found(place.name)
            return rows[0]
        return {place.kind or "packages": rows} if rows else {}

    def _rows(self, place: Place) -> list[dict[str, Any]]:
        where = (place.repository, place.package or None, place.item or None)
        under = f"{place.repository}/packages"
        if place.kind == "tags":
            query = (
                "SELECT package, tag, version FROM tags "
                "WHERE repository = ?1 AND package = ?2 AND coalesce(?3, tag) = tag ORDER BY tag"
            )
            return [
                {"name": f"{under}/{p}/tags/{t}", "version": f"{under}/{p}/versions/{v}"}
                for p, t, v in self._db.execute(query, where)
            ]
        if place.kind == "versions":
            query = (
                "SELECT package, version, created FROM versions "
                "WHERE repository = ?1 AND package = ?2 AND coalesce(?3, version) = version ORDER BY created"
            )
            return [
                {
                    "name": f"{under}/{p}/versions/{v}",
                    "createTime": c,
                    "updateTime": c,
                    "relatedTags": self._tags(place, v),
                }
                for p, v, c in self._db.execute(query, where)
            ]
        query = (
            "SELECT package, min(created), max(created) FROM versions "
            "WHERE repository = ?1 AND coalesce(?2, package) = package GROUP BY package ORDER BY package"
        )
        return [
            {"name": f"{under}/{p}", "displayName": p, "createTime": first, "updateTime": last}
            for p, first, last in self._db.execute(query, where[:2])
        ]

    def _tags(self, place: Place, version: str) -> list[dict[str, str]]:
        under = f"{place.repository}/packages/{place.package}"
        query = "SELECT tag FROM tags WHERE repository = ? AND package = ? AND version = ? ORDER BY tag"
        rows = self._db.execute(query, (place.repository, place.package, version))
        return [{"name": f"{under}/tags/{tag}", "version": f"{under}/versions/{version}"} for (tag,) in rows]

    def _tag(self, place: Place, body: bytes) -> dict[str, Any]:
        given = parse_body(body)
        version = str(given.get("version", "") if isinstance(given, dict) else "").rpartition("/")[2]
        versions = Place(repository=place.repository, package=place.package, kind="versions", item=version)
        if not version or not self._rows(versions):
            raise not_found(versions.name)
        if not _NAME.match(place.item):
            raise invalid("tagId", f"'{place.item}' is no tag.")
        row = (place.repository, place.package, place.item, version)
        self._db.execute("INSERT OR REPLACE INTO tags VALUES (?, ?, ?, ?)", row)
        return self._rows(place)[0]

    def _delete(self, place: Place) -> dict[str, Any]:
        if not self._rows(place):
            raise not_found(place.name)
        where = (place.repository, place.package, place.item)
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if place.kind == "tags":
                self._db.execute("DELETE FROM tags WHERE repository = ? AND package = ? AND tag = ?", where)
            elif place.kind == "versions":
                tagged = self._tags(place, place.item)
                if tagged:
                    raise ApiError(
                        "FAILED_PRECONDITION", f"The version has tags ({tagged[0]['name']}): delete them first."
                    )
                self._db.execute("DELETE FROM versions WHERE repository = ? AND package = ? AND version = ?", where)
            else:
                for table in ("tags", "versions"):
                    self._db.execute(f"DELETE FROM {table} WHERE repository = ? AND package = ?", where[:2])
        return {} if place.kind == "tags" else {"name": f"{place.repository}/operations/delete", "done": True}


def _texts(match: re.Match[str]) -> tuple[str, ...]:
    return tuple(group or "" for group in match.groups())


def _form(content_type: str, body: bytes) -> dict[str, bytes]:
    """The fields of a multipart/form-data body."""
    message = message_from_bytes(b"Content-Type: " + content_type.encode("latin-1") + b"\r\n\r\n" + body)
    if not message.is_multipart():
        raise invalid("body", "is not multipart/form-data.")
    fields = {}
    for part in message.get_payload():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        if isinstance(name, str) and isinstance(content, bytes):
            fields[name] = content
    return fields
