"""The ledger's objects are created once, whoever is quicker, and read back as what they say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

from tuneline.jobs.ledger import Ledger, Snapshot

START = datetime(2026, 1, 1, tzinfo=UTC)


def snapshot(*keys: str, age_s: float = 0.0) -> Snapshot:
    created = {key: START + timedelta(seconds=number) for number, key in enumerate(keys)}
    return Snapshot(created=created, server_time=START + timedelta(seconds=len(keys) - 1 + age_s))


def test_an_object_is_created_once(tmp_path: Path) -> None:
    """The first value stays; who comes second is told so."""
    ledger = Ledger(str(tmp_path), "fp")
    assert ledger.create("1.intent", {"nonce": "a"})
    assert not ledger.create("1.intent", {"nonce": "b"})
    assert ledger.read("1.intent") == {"nonce": "a"}
    assert set(ledger.scan().created) == {"1.intent"}
    assert Ledger(str(tmp_path), "other").scan().created == {}


def test_ages_are_the_storages_own(tmp_path: Path) -> None:
    """Age is the server's time less the server's time; this machine's clock has no say."""
    ledger = Ledger(str(tmp_path), "fp")
    ledger.create("1.intent", {})
    found = ledger.scan()
    assert -0.1 < found.age_s(found.attempt(1).claimed) < 60
    assert snapshot("1.intent", age_s=240.5).age_s(START) == 240.5
    assert Snapshot(created={}).age_s(None) == 0


def test_the_current_attempt_is_the_highest_that_is_not_closed() -> None:
    """Nothing there: attempt 1. All closed: the next."""
    assert Snapshot(created={}).current.number == 1
    assert snapshot("1.intent").current.number == 1
    closed = snapshot("1.intent", "1.job", "1.closed")
    assert (closed.current.number, closed.current.claims) == (2, ())
    later = snapshot("1.intent", "1.job", "1.closed", "2.intent", "2.job")
    assert (later.current.number, later.current.judged) == (2, True)
    assert snapshot("9.closed", "10.intent").current.number == 10


def test_claims_are_counted_and_dated_by_the_youngest() -> None:
    """Who takes over starts the clock anew, under the next number."""
    attempt = snapshot("1.intent", "1.takeover-1", "1.takeover-2").current
    assert attempt.claims == ("1.intent", "1.takeover-1", "1.takeover-2")
    assert attempt.next_claim == "1.takeover-3"
    assert attempt.claimed == START + timedelta(seconds=2)
    assert Snapshot(created={}).current.next_claim == "1.intent"


def test_strangers_objects_are_passed_over() -> None:
    """A note that somebody left in the folder is no attempt."""
    assert snapshot("README", "1.intent.bak", "0.intent").current.number == 1
