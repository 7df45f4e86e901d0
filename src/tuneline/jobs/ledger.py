"""The ledger: what has been claimed and decided for one fingerprint, in objects that are created and never rewritten.

    <staging>/tuneline/jobs/<fingerprint>/
        1.intent       {nonce, run}           who may send the create call of attempt 1
        1.takeover-1   {nonce, run}           who may after the first was not heard of again
        1.job          {nonce, name}          the judge: whose job is the attempt's job
                       {refused, by}          … or that there shall be none
        1.closed       {reason, run}          the attempt is over; attempt 2 may begin
                       {…, next, tries}       … with a fallback of the request, since this one was refused capacity

A closed attempt always has its judge: `N.closed` is created only after `N.job`. Create, get and list are all that is
needed of the storage, and creation must be atomic. See `docs/exactly-once.md`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from tuneline import errors, objects

FOLDER = "tuneline/jobs"

_KEY = re.compile(r"(?P<attempt>[1-9][0-9]*)\.(?:(?P<kind>intent|job|closed)|takeover-(?P<takeover>[1-9][0-9]*))")


def intent_key(attempt: int) -> str:
    return f"{attempt}.intent"


def takeover_key(attempt: int, number: int) -> str:
    return f"{attempt}.takeover-{number}"


def judge_key(attempt: int) -> str:
    return f"{attempt}.job"


def closed_key(attempt: int) -> str:
    return f"{attempt}.closed"


@dataclass(frozen=True, kw_only=True)
class Attempt:
    """What the ledger holds of one attempt."""

    number: int
    judged: bool = False
    closed: bool = False
    claims: tuple[str, ...] = ()
    """Keys of intent and takeovers, oldest claim first."""
    claimed: datetime | None = None
    """When the youngest claim was created, by the storage server's clock."""

    @property
    def next_claim(self) -> str:
        """The key by which the next claim is made: the intent, or the takeover after the last."""
        return intent_key(self.number) if not self.claims else takeover_key(self.number, len(self.claims))


@dataclass(frozen=True, kw_only=True)
class Turn:
    """Whose turn an attempt is, where a request has fallbacks: written down when the attempt before it is closed."""

    choice: int = 0
    """0 is the request itself, 1 its first fallback."""
    tries: int = 0
    """How often capacity was refused to this choice just before."""

    @property
    def told(self) -> dict[str, int]:
        """As it stands in a closure; nothing for the first turn of all."""
        return {"next": self.choice, "tries": self.tries} if self != FIRST else {}

    @classmethod
    def heard(cls, closure: Mapping[str, object]) -> Turn:
        """The turn that a closure, or the refusal before it, gives to the next attempt."""
        return cls(choice=int(str(closure.get("next") or 0)), tries=int(str(closure.get("tries") or 0)))


FIRST = Turn()


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """One listing of the ledger: keys with their creation times, and the server's time when it answered."""

    created: Mapping[str, datetime]
    server_time: datetime | None = None
    """The storage server's clock, None where the listing was empty and so nothing is to be dated."""

    def attempt(self, number: int) -> Attempt:
        """What there is of attempt `number`."""
        takeovers = []
        while takeover_key(number, len(takeovers) + 1) in self.created:
            takeovers.append(takeover_key(number, len(takeovers) + 1))
        intent = [intent_key(number)] if intent_key(number) in self.created else []
        claims = (*intent, *takeovers)
        return Attempt(
            number=number,
            judged=judge_key(number) in self.created,
            closed=closed_key(number) in self.created,
            claims=claims,
            claimed=max((self.created[key] for key in claims), default=None),
        )

    @property
    def current(self) -> Attempt:
        """The highest attempt that is not closed; a fresh one where all are."""
        numbers = [int(match["attempt"]) for key in self.created if (match := _KEY.fullmatch(key))]
        highest = self.attempt(max(numbers, default=1))
        return self.attempt(highest.number + 1) if highest.closed else highest

    @property
    def closures(self) -> Iterator[str]:
        """Keys of every `N.closed`."""
        return (key for key in self.created if key.endswith(".closed"))

    def age_s(self, moment: datetime | None) -> float:
        """Seconds since `moment` by the storage server's clock; never this machine's."""
        if moment is None or self.server_time is None:
            return 0.0
        return (self.server_time - moment).total_seconds()


class Store(Protocol):
    """The three acts that the ledger needs."""

    def create(self, key: str, value: Mapping[str, object]) -> bool:
        """Creates the object if there is none; False where somebody, perhaps this very call's lost first try, had."""
        ...

    def read(self, key: str) -> dict[str, object]:
        """The object's value; raises `NotFound`."""
        ...

    def scan(self) -> Snapshot:
        """Everything in the ledger now."""
        ...


class Ledger:
    """The ledger of one fingerprint in Cloud Storage, or in a folder."""

    def __init__(self, staging: str, fingerprint: str) -> None:
        self.uri = objects.join(staging, FOLDER, fingerprint)

    def object_uri(self, key: str) -> str:
        """Where the object of that key lies."""
        return objects.join(self.uri, key)

    def create(self, key: str, value: Mapping[str, object]) -> bool:
        """See `Store.create`."""
        try:
            objects.create(self.object_uri(key), json.dumps(value, sort_keys=True).encode())
        except errors.AlreadyExists:
            return False
        return True

    def read(self, key: str) -> dict[str, object]:
        """See `Store.read`."""
        value = json.loads(objects.read_bytes(self.object_uri(key)))
        if not isinstance(value, dict):
            raise errors.ServiceError(f"{self.object_uri(key)} is not a ledger object: expected a JSON object")
        return value

    def scan(self) -> Snapshot:
        """See `Store.scan`."""
        found = list(objects.list(self.uri + "/"))
        created = {info.uri.removeprefix(self.uri + "/"): info.created for info in found}
        # The youngest of the answers' times: a listing of several pages has several.
        return Snapshot(created=created, server_time=max((info.server_time for info in found), default=None))
