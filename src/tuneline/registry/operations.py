"""Long-running operations: waited for until they are done, whatever the network does meanwhile."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from tuneline import errors
from tuneline.google import rest

FIRST_PAUSE_S, LONGEST_PAUSE_S, GROWTH = 0.05, 10.0, 1.6

# google.rpc.Code → the error that the same refusal is over HTTP.
_ERRORS = {
    3: errors.InvalidArgument,
    5: errors.NotFound,
    6: errors.AlreadyExists,
    7: errors.NotPermitted,
    8: errors.QuotaExceeded,
    14: errors.Unavailable,
}


def wait(operation: Mapping[str, Any], *, location: str, deadline_s: float) -> dict[str, Any]:
    """The operation's response, once it is done.

    Raises:
        ServiceError: of the class that the operation's own error has, with its text.
        StillRunning: the deadline passed; the operation goes on.
    """
    name, ends, pause = str(operation["name"]), time.monotonic() + deadline_s, FIRST_PAUSE_S
    while not operation.get("done"):
        if time.monotonic() >= ends:
            raise errors.StillRunning(f"{name} is not done after {deadline_s:g} s; it goes on")
        time.sleep(pause)
        pause = min(pause * GROWTH, LONGEST_PAUSE_S)
        operation = rest.call("GET", "aiplatform", f"/v1/{name}", location=location)
    if failure := operation.get("error"):
        raise _ERRORS.get(int(failure.get("code") or 0), errors.ServiceError)(
            f"{failure.get('message') or failure} ({name})"
        )
    return dict(operation.get("response") or {})
