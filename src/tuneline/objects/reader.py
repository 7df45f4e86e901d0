"""Reading an object of Cloud Storage as a stream that survives a lost connection and checks what it read."""

from __future__ import annotations

import io
import time
from typing import TYPE_CHECKING

from tuneline import errors
from tuneline.google import hosts, rest, retry
from tuneline.google.session import session
from tuneline.objects import uris

if TYPE_CHECKING:
    import requests

# As long as this without one byte, and the read is given up.
OUTAGE_S = 120.0


class CloudReader(io.RawIOBase):
    """One generation of one object, from its first byte to its last.

    A lost connection is taken up again where it broke, on the same generation, so that a replaced object is never
    read half old and half new. The checksum is compared at the end.

    Raises:
        NotFound, NotPermitted and other `ServiceError`s: on opening, or when it cannot go on; `ServiceError` where the
        bytes do not have the checksum that the service keeps.
    """

    def __init__(self, uri: str) -> None:
        super().__init__()
        self._uri = uri
        self._path = uris.object_path(*uris.split(uri))
        self._offset = 0
        self._crc = 0
        self._generation = ""
        self._answer = self._open()
        headers = self._answer.headers
        self._generation = headers.get("x-goog-generation", "")
        # A gzip object is unpacked by the service on the way, and its checksum is that of the packed bytes.
        packed = headers.get("x-goog-stored-content-encoding", "identity") != "identity"
        self._expected = "" if packed else _crc32c_of(headers.get("x-goog-hash", ""))

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: bytearray | memoryview) -> int:  # type of the io protocol: any writable buffer
        import google_crc32c

        block = self._read(len(buffer))
        if not block:
            self._check()
            return 0
        buffer[: len(block)] = block
        self._crc = google_crc32c.extend(self._crc, block)
        self._offset += len(block)
        return len(block)

    def close(self) -> None:
        if not self.closed:
            self._answer.close()
        super().close()

    def _read(self, size: int) -> bytes:
        """The next bytes, over as many connections as it takes."""
        from urllib3.exceptions import HTTPError

        deadline = time.monotonic() + OUTAGE_S
        for pause in retry.pauses():
            try:
                return self._answer.raw.read(size)
            except (HTTPError, OSError) as error:
                self._answer.close()
                if time.monotonic() + pause >= deadline:
                    raise errors.Unavailable(
                        f"reading {self._uri} broke off at byte {self._offset}: {error}"
                    ) from error
            time.sleep(pause)
            self._answer = self._open()
        raise AssertionError("pauses() never ends")

    def _open(self) -> requests.Response:
        headers = {"Accept-Encoding": "identity"}
        params = {"alt": "media"}
        if self._offset:
            headers["Range"] = f"bytes={self._offset}-"
        if self._generation:
            params["generation"] = self._generation
        url = hosts.base_url("storage") + self._path
        try:
            answer = rest.send(
                session("storage"),
                "GET",
                url,
                spends=False,
                timeout_s=60.0,
                stream=True,
                headers=headers,
                params=params,
            )
        except errors.NotFound as error:
            if self._offset:
                raise errors.ServiceError(f"{self._uri} was replaced or deleted while it was being read") from error
            raise errors.NotFound(f"{self._uri}: {error}", status=404, reason=error.reason) from error
        if self._offset and answer.status_code != 206:
            raise errors.ServiceError(f"{self._uri}: the service cannot go on from byte {self._offset}")
        return answer

    def _check(self) -> None:
        import base64

        found = base64.b64encode(self._crc.to_bytes(4, "big")).decode()
        if self._expected and found != self._expected:
            raise errors.ServiceError(
                f"{self._uri}: the bytes read have the checksum {found}, the service keeps {self._expected}"
            )


def _crc32c_of(header: str) -> str:
    """`crc32c=AAAA,md5=BBBB` → `AAAA`."""
    for part in header.replace(" ", "").split(","):
        if part.startswith("crc32c="):
            return part.removeprefix("crc32c=")
    return ""
