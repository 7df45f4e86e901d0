"""The error tree that the module draws is the tree that exists, and every wire status ends in one of its classes."""

from __future__ import annotations

import re

import pytest

from tuneline import errors
from tuneline.google import wire

_LINE = re.compile(r"^ {4}(?P<indent>[│ ]*(?:├── |└── )?)(?P<name>[A-Z]\w+) +(?P<code>\d+)?")


def _drawn() -> dict[str, tuple[str, int | None]]:
    """Class name → (parent's name, exit code) as the docstring draws them."""
    tree: dict[str, tuple[str, int | None]] = {}
    path: list[str] = []
    for line in (errors.__doc__ or "").splitlines():
        if found := _LINE.match(line):
            depth = len(found["indent"]) // 4
            path[depth:] = [found["name"]]
            tree[found["name"]] = (
                path[depth - 1] if depth else "Exception",
                int(found["code"]) if found["code"] else None,
            )
    return tree


def _defined() -> dict[str, type[Exception]]:
    return {
        name: value
        for name, value in vars(errors).items()
        if isinstance(value, type) and issubclass(value, Exception) and value.__module__ == errors.__name__
    }


def test_the_drawing_names_every_class_and_no_other() -> None:
    assert set(_drawn()) == set(_defined())


def test_each_class_has_the_parent_and_the_exit_code_that_are_drawn() -> None:
    for name, (parent, code) in _drawn().items():
        kind = _defined()[name]
        assert kind.__bases__[0].__name__ == parent, name
        if code is not None:
            assert vars(kind).get("exit_code", kind.exit_code) == code, name


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, errors.InvalidArgument),
        (401, errors.NotPermitted),
        (403, errors.NotPermitted),
        (404, errors.NotFound),
        (408, errors.Unavailable),
        (409, errors.AlreadyExists),
        (412, errors.AlreadyExists),
        (416, errors.InvalidArgument),
        (429, errors.QuotaExceeded),
        (499, errors.Unavailable),
        (500, errors.Unavailable),
        (503, errors.Unavailable),
        (504, errors.Unavailable),
        (302, errors.ServiceError),
    ],
)
def test_each_status_has_its_class(status: int, kind: type[errors.ServiceError]) -> None:
    assert wire.error_type(status) is kind


def test_no_http_error_status_is_left_without_a_class_of_its_own() -> None:
    for status in range(400, 600):
        assert wire.error_type(status) is not errors.ServiceError, status


def test_every_canonical_code_is_mapped_and_the_code_beats_the_status_where_it_is_more_exact() -> None:
    assert {code: wire.error_type(status, code).__name__ for code, status in wire.CODES.items()} == {
        "CANCELLED": "Unavailable",
        "UNKNOWN": "Unavailable",
        "INVALID_ARGUMENT": "InvalidArgument",
        "DEADLINE_EXCEEDED": "Unavailable",
        "NOT_FOUND": "NotFound",
        "ALREADY_EXISTS": "AlreadyExists",
        "PERMISSION_DENIED": "NotPermitted",
        "UNAUTHENTICATED": "NotPermitted",
        "RESOURCE_EXHAUSTED": "QuotaExceeded",
        "FAILED_PRECONDITION": "InvalidArgument",
        "ABORTED": "Unavailable",
        "OUT_OF_RANGE": "InvalidArgument",
        "UNIMPLEMENTED": "Unavailable",
        "INTERNAL": "Unavailable",
        "UNAVAILABLE": "Unavailable",
        "DATA_LOSS": "Unavailable",
    }


def test_a_list_of_problems_tells_each_place_rule_and_fix() -> None:
    error = errors.UsageError(
        [
            errors.Problem(where="location", what="`us-centra1` is no region", fix="did you mean us-central1?"),
            errors.Problem(where="labels", what="too many"),
        ]
    )
    assert str(error).splitlines() == [
        "the request is refused (2):",
        "  - location: `us-centra1` is no region → did you mean us-central1?",
        "  - labels: too many",
    ]
    assert error.exit_code == 2
    assert error.problems[0].to_dict() == {
        "where": "location",
        "what": "`us-centra1` is no region",
        "fix": "did you mean us-central1?",
    }
