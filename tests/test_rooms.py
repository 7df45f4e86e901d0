"""A room imports only from the rooms below it, and the trainer from nothing above the datasets."""

from __future__ import annotations

import ast
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src" / "tuneline"
ROOMS = [
    "errors",
    "google",
    "catalog",
    "objects",
    "datasets",
    "planning",
    "jobs",
    "checkpoints",
    "evaluation",
    "registry",
    "trainer",
    "steps",
    "reports",
    "runs",
    "local",
    "cli",
]
"""Ground floor first."""
KNOWN = {("steps/report_run.py", "reports")}
"""The exit handler writes the report of what all the other steps have left."""


def imports(path: Path) -> set[str]:
    """The rooms that a file imports from, at its top or within a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("tuneline.")}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "tuneline":
            below = (node.module or "").split(".")[1:]
            found |= {below[0]} if below else {alias.name for alias in node.names}
    return found & set(ROOMS)


def test_no_room_looks_up():
    upward = set()
    for path in SOURCE.rglob("*.py"):
        name = path.relative_to(SOURCE)
        room = name.parts[0].removesuffix(".py")
        if room in ROOMS:
            highest = ROOMS.index("datasets" if room == "trainer" else room)
            above = {other for other in imports(path) if ROOMS.index(other) > highest and other != room}
            upward |= {(str(name), other) for other in above}
    assert upward == KNOWN
