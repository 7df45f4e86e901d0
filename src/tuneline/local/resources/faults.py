"""Faults on demand: the next calls of a method are refused, delayed, or cut off before or after their effect."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from typing import Any

from tuneline.local.resources.errors import CODES, ApiError, invalid

_BY_HTTP = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND",
            409: "ABORTED", 429: "RESOURCE_EXHAUSTED", 499: "CANCELLED", 500: "INTERNAL", 501: "UNIMPLEMENTED",
            503: "UNAVAILABLE", 504: "DEADLINE_EXCEEDED"}  # fmt: skip


RUNS = frozenset({"RunCustomJob", "RunTuningJob"})
"""No methods, but what a job waits for once it is made: its machines. A status refuses them, and so ends the job."""


class Dropped(Exception):
    """The connection is to be closed without an answer."""


class Late(Dropped):
    """The same; the effect is still to happen, so many seconds from now."""

    def __init__(self, method: str, seconds: float) -> None:
        super().__init__(f"fault: {method} dropped, its effect comes {seconds:g} s late")
        self.seconds = seconds


@dataclass(frozen=True, kw_only=True)
class Fault:
    """What happens to the next `times` calls of the methods that match."""

    method: str
    """RPC name, `*` allowed: `CreateCustomJob`, `Get*`; for the object store `storage.objects.insert`; for the machines
    of a job that was made `RunCustomJob`, `RunTuningJob`: a status ends the job, with it as the job's own error."""
    status: int = 0
    """HTTP status to refuse with; 0: no refusal."""
    times: int = 1
    delay_s: float = 0.0
    """Seconds before the effect."""
    drop: str = ""
    """`before` or `after` the effect: the connection is cut and no answer sent."""
    late_s: float = 0.0
    """The connection is cut at once, and the effect happens so many seconds later."""
    lag_s: float = 0.0
    """A list leaves out what was made in the last so many seconds."""
    message: str = ""
    retry_after_s: float | None = None

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Fault:
        """From the body of POST /_tuneline/faults."""
        known = {"method", "status", "times", "delay", "drop", "late", "lag", "message", "retryAfter"}
        unknown = sorted(set(value) - known)
        if unknown:
            raise invalid(unknown[0], f"is no part of a fault; known are {', '.join(sorted(known))}.")
        method = value.get("method")
        if not method or not isinstance(method, str):
            raise invalid("method", "a fault names the method it hits, e.g. CreateCustomJob.")
        if value.get("drop", "") not in ("", "before", "after"):
            raise invalid("drop", "is 'before' or 'after'.")
        times = value.get("times", 1)
        if not isinstance(times, int) or times < 1:
            raise invalid("times", f"'{times}' is no number of calls; write 1 or more.")
        fault = cls(
            method=method,
            status=_status(value.get("status", 0)),
            times=times,
            delay_s=_seconds(value, "delay"),
            late_s=_seconds(value, "late"),
            lag_s=_seconds(value, "lag"),
            drop=value.get("drop", ""),
            message=str(value.get("message", "")),
            retry_after_s=_seconds(value, "retryAfter") if value.get("retryAfter") is not None else None,
        )
        if not (fault.status or fault.delay_s or fault.late_s or fault.lag_s or fault.drop):
            raise invalid("fault", "does nothing; say what is to happen by status, delay, drop, late or lag.")
        if method.startswith("storage.") and (fault.late_s or fault.lag_s):
            raise invalid("method", "late and lag are for API methods: what the object store does is there at once.")
        return fault

    def to_json(self) -> dict[str, Any]:
        """What `from_json` reads, without what says nothing."""
        value = {
            "method": self.method,
            "status": self.status,
            "times": self.times,
            "delay": self.delay_s,
            "drop": self.drop,
            "late": self.late_s,
            "lag": self.lag_s,
            "message": self.message,
        }
        found = {key: each for key, each in value.items() if each}
        return found if self.retry_after_s is None else {**found, "retryAfter": self.retry_after_s}

    def strikes(self, method: str) -> bool:
        """Whether it is for this method; the object store's own know neither late effects nor lists that lag."""
        possible = not method.startswith("storage.") or not (self.late_s or self.lag_s)
        return possible and fnmatchcase(method, self.method)


def _seconds(value: dict[str, Any], name: str) -> float:
    """`2`, `2.5` or `"2s"`."""
    given = value.get(name, 0)
    try:
        seconds = float(str(given).removesuffix("s"))
        if not 0 <= seconds < float("inf"):
            raise ValueError("out of range")
        return seconds
    except ValueError:
        raise invalid(name, f"'{given}' are no seconds; write 2 or '2s'.") from None


def _status(given: Any) -> int:
    """An HTTP status or a canonical code's, 0 for none."""
    if isinstance(given, str) and given.upper() in CODES:
        return CODES[given.upper()][1]
    if given == 0:
        return 0
    if str(given).isdecimal() and int(given) in _BY_HTTP:
        return int(given)
    raise invalid("status", f"'{given}' is none of {', '.join(map(str, _BY_HTTP))}, and no code like UNAVAILABLE.")


class Faults:
    """The faults that are still to happen."""

    def __init__(self) -> None:
        self._waiting: list[Fault] = []

    def add(self, fault: Fault) -> None:
        self._waiting.append(fault)

    def clear(self) -> None:
        self._waiting.clear()

    def list(self) -> list[Fault]:
        return list(self._waiting)

    async def before(self, method: str) -> Fault | None:
        """Use up one matching fault; refuses or delays here, and answers one that drops afterwards."""
        fault = next((f for f in self._waiting if f.strikes(method)), None)
        if fault is None:
            return None
        at = self._waiting.index(fault)
        if fault.times > 1:
            self._waiting[at] = replace(fault, times=fault.times - 1)
        else:
            del self._waiting[at]
        if fault.delay_s:
            await asyncio.sleep(fault.delay_s)
        if fault.late_s:
            raise Late(method, fault.late_s)
        if fault.drop == "before":
            raise Dropped(f"fault: {method} dropped before its effect")
        if fault.status:
            code = _BY_HTTP[fault.status]
            message = fault.message or f"Fault on demand: {method} answers {fault.status}."
            raise ApiError(code, message, reason="FAULT_ON_DEMAND", retry_s=fault.retry_after_s)
        return fault

    async def after(self, fault: Fault | None) -> None:
        """Cut the connection where the fault says so; the effect has happened."""
        if fault is not None and fault.drop == "after":
            raise Dropped("fault: dropped after its effect")
