"""A whole run on the local Vertex AI needs no network: it succeeds where there is none, and nothing asks for one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.end_to_end.conftest import Datasets, assignments

INSIDE = str(Path(__file__).with_name("without_network.py"))


def namespace() -> list[str]:
    """The command that runs another in a network namespace of its own; skips where that is not permitted."""
    if not shutil.which("unshare"):
        pytest.skip("there is no `unshare` (util-linux) on this machine")
    command = ["unshare", "--net"] if os.geteuid() == 0 else ["unshare", "--net", "--map-root-user"]
    tried = subprocess.run([*command, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"network namespaces are not permitted on this machine: {tried.stderr.strip()}")
    return command


def inside(*command: str, cwd: Path) -> dict:
    """What the interfaces and the kernel counted while a command ran with no network but loopback."""
    environment = {**os.environ, "TUNELINE_DATA": str(cwd / "data")}
    done = subprocess.run(
        [*namespace(), sys.executable, INSIDE, *command], env=environment, cwd=cwd, capture_output=True, text=True,
        timeout=400, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


def test_the_counters_notice_an_attempt_to_leave(tmp_path: Path) -> None:
    """A packet to an address of the internet has no route, and is counted: else the next test would prove nothing."""
    code = "import socket; s = socket.socket(); s.settimeout(5); print(s.connect_ex(('192.0.2.1', 443)))"
    counted = inside(sys.executable, "-c", code, cwd=tmp_path)
    assert counted["code"] == 0
    assert counted["attempts"] > 0


@pytest.mark.slow
@pytest.mark.timeout(420)
def test_a_run_sends_no_packet_beyond_loopback(tmp_path: Path, datasets: Datasets) -> None:
    """Service, pipeline, trainer, evaluation and report: all of it with loopback alone, and nothing tried to leave."""
    words = assignments(datasets.parameters())
    run = ("-m", "tuneline", "run", "tune-large-model", "--local", "--stop-local", "--report", "report.html", *words)
    counted = inside(sys.executable, *run, cwd=tmp_path)
    assert counted["code"] == 0, counted["said"]
    assert counted["interfaces"] == ["lo"]
    assert counted["sent"]["lo"] > 1000
    assert counted["attempts"] == 0, "something asked for a way out of this machine"
    assert (tmp_path / "report.html").stat().st_size > 1000
