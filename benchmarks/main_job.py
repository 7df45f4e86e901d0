"""How long the main job takes, and what of it is training and generation: `python benchmarks/main_job.py [RUNS]`.

Each run is `tuneline run tune-large-model --local --config examples/numbers.yaml` on a data folder of its own, so that
the local service is started and nothing is adopted. Training and generation are the tuning job's own process, from its
start to its end; everything else is the rest of the wall clock, from the command to the report.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def one(folder: Path) -> dict[str, float]:
    """Seconds of one run, in parts."""
    environment = {**os.environ, "TUNELINE_DATA": str(folder / "data")}
    command = [sys.executable, "-m", "tuneline", "run", "tune-large-model", "--local", "--stop-local"]
    command += ["--config", str(ROOT / "examples" / "numbers.yaml")]
    began = time.perf_counter()
    subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    total = time.perf_counter() - began
    job = next((folder / "data" / "jobs").iterdir())
    trainer = seconds_of(job)
    return {"total": total, "training and generation": trainer, "everything else": total - trainer}


def seconds_of(job: Path) -> float:
    """Wall seconds of a custom job's process, from the supervisor's records."""
    started = json.loads((job / "process.json").read_text())["started"]
    ended = json.loads((job / "exit.json").read_text())["ended"]
    return (datetime.fromisoformat(ended) - datetime.fromisoformat(started)).total_seconds()


def help_seconds(times: int = 7) -> float:
    """Median seconds of `tuneline --help`."""
    taken = []
    for _ in range(times):
        began = time.perf_counter()
        subprocess.run([str(Path(sys.executable).parent / "tuneline"), "--help"], check=True, capture_output=True)
        taken.append(time.perf_counter() - began)
    return statistics.median(taken)


def main() -> None:
    runs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    results = []
    for _ in range(runs):
        with tempfile.TemporaryDirectory() as folder:
            results.append(one(Path(folder)))
    print("| seconds | median | min | max |\n|---|---|---|---|")
    for name in results[0]:
        values = [result[name] for result in results]
        print(f"| {name} | {statistics.median(values):.1f} | {min(values):.1f} | {max(values):.1f} |")
    print(f"| `tuneline --help` | {help_seconds():.3f} | | |")


if __name__ == "__main__":
    main()
