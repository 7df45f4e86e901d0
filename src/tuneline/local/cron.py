"""Cron expressions as Vertex AI schedules take them: five fields, and a time zone in front.

`TZ=America/New_York 0 3 * * 1-5` (or `CRON_TZ=`); without one, UTC. A field has `*`, numbers, names, ranges, lists and
steps. Where day of month and day of week are both given, either one is enough, as cron has it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {
    name: at
    for at, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1
    )
}
_DAYS = {name: at for at, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_FIELDS: tuple[tuple[str, int, int, dict[str, int]], ...] = (
    ("minute", 0, 59, {}),
    ("hour", 0, 23, {}),
    ("day of month", 1, 31, {}),
    ("month", 1, 12, _MONTHS),
    ("day of week", 0, 7, _DAYS),
)
_ZONE = re.compile(r"^(?:CRON_)?TZ=(\S+)\s+(.*)$")
FURTHEST = timedelta(days=366 * 9)
"""29 February on a given weekday may be that far away; what never comes is refused."""


@dataclass(frozen=True, kw_only=True)
class Cron:
    """A parsed expression."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    """0 is Sunday."""
    any_day: bool
    any_weekday: bool
    zone: tzinfo

    def after(self, moment: datetime) -> datetime:
        """The first time strictly after `moment`, in UTC. Raises ValueError where there is none.

        A time that the clocks skip in spring runs as if they were not moved yet; one that comes twice in autumn runs
        once.
        """
        local = moment.astimezone(self.zone).replace(second=0, microsecond=0, tzinfo=None) + timedelta(minutes=1)
        last = local + FURTHEST
        while local < last:
            if local.month not in self.months:
                local = (local.replace(day=1) + timedelta(days=32)).replace(day=1, hour=0, minute=0)
            elif not self._day(local):
                local = local.replace(hour=0, minute=0) + timedelta(days=1)
            elif local.hour not in self.hours:
                local = local.replace(minute=0) + timedelta(hours=1)
            elif local.minute not in self.minutes:
                local += timedelta(minutes=1)
            else:
                found = local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)
                if found > moment:
                    return found
                local += timedelta(minutes=1)
        raise ValueError("this time never comes")

    def _day(self, local: datetime) -> bool:
        by_month = local.day in self.days
        by_week = (local.weekday() + 1) % 7 in self.weekdays
        if self.any_day or self.any_weekday:
            return by_month and by_week
        return by_month or by_week


def parse(text: str) -> Cron:
    """The expression's meaning; raises ValueError naming the field that is wrong."""
    found = _ZONE.match(text.strip())
    name, rest = found.groups() if found else ("UTC", text.strip())
    try:
        zone = ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        raise ValueError(f"'{name}' is no time zone of the IANA database") from None
    fields = rest.split()
    if len(fields) != len(_FIELDS):
        raise ValueError(
            f"'{rest}' has {len(fields)} fields; minute, hour, day of month, month and day of week are five"
        )
    values = [_values(given, *known) for given, known in zip(fields, _FIELDS, strict=True)]
    weekdays = frozenset(day % 7 for day in values[4])
    cron = Cron(
        minutes=values[0],
        hours=values[1],
        days=values[2],
        months=values[3],
        weekdays=weekdays,
        any_day=fields[2].startswith("*"),
        any_weekday=fields[4].startswith("*"),
        zone=zone,
    )
    cron.after(datetime(2026, 1, 1, tzinfo=UTC))
    return cron


def _values(text: str, name: str, least: int, most: int, names: dict[str, int]) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step_text = part.partition("/")
        if slash and (not step_text.isdigit() or int(step_text) == 0):
            raise ValueError(f"{name}: '{part}' has no step")
        step = int(step_text) if slash else 1
        if span == "*":
            first, last = least, most
        else:
            low, dash, high = span.partition("-")
            first = _number(low, name, names)
            last = _number(high, name, names) if dash else (most if slash else first)
        if not least <= first <= last <= most:
            raise ValueError(f"{name}: '{part}' is not within {least} to {most}")
        found.update(range(first, last + 1, step))
    return frozenset(found)


def _number(text: str, name: str, names: dict[str, int]) -> int:
    if text in names:
        return names[text]
    if not text.isdigit():
        raise ValueError(f"{name}: '{text}' is no number")
    return int(text)
