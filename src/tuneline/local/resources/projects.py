"""Projects: any id exists here, and has a number that stays the same."""

from __future__ import annotations

import hashlib
import re
from typing import Protocol

_ID = re.compile(r"^(?:[a-z0-9.-]+:)?[a-z][a-z0-9-]{1,61}[a-z0-9]$")


class Facts(Protocol):
    """Where the numbers that were given out are kept."""

    def fact(self, key: str) -> str | None: ...
    def set_fact(self, key: str, value: str) -> None: ...


def number_of(project: str) -> str:
    """The twelve-digit number of a project id; the same on every machine."""
    return str(10**11 + int.from_bytes(hashlib.sha256(project.encode()).digest()[:6]) % (9 * 10**11))


class Projects:
    """Ids and numbers of the projects that were named to this service."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._known: set[str] = set()

    def number(self, project: str) -> str:
        """The number of a project id; remembered, so that the id is found again by it."""
        number = number_of(project)
        if project not in self._known:
            if self._facts.fact(f"project/{number}") is None:
                self._facts.set_fact(f"project/{number}", project)
            self._known.add(project)
        return number

    def id(self, number_or_id: str) -> str:
        """The id of a project given by id or by number; a number never heard of stands for itself."""
        return (number_or_id.isdigit() and self._facts.fact(f"project/{number_or_id}")) or number_or_id

    def by_id(self, name: str) -> str:
        """A resource name with the project's number replaced by its id."""
        segments = name.split("/", 2)
        if len(segments) < 2 or segments[0] != "projects" or not segments[1].isdigit():
            return name
        return "/".join([segments[0], self.id(segments[1]), *segments[2:]])

    @staticmethod
    def valid(project: str) -> bool:
        """Whether a project id has the form that Google Cloud gives them."""
        return bool(_ID.match(project))
