"""How long each step of a pipeline takes to start: what a task costs before it does any work.

    python -m benchmarks.steps [--repeat 5]

For each step, a fresh interpreter imports it and ends; the fastest of `--repeat` counts, since everything slower is
the machine's other work. Prints a Markdown table, with the packages that a short step must not pay for named where they
were imported; ends with 1 if there are any.
"""

from __future__ import annotations

import argparse
import json
import pkgutil
import subprocess
import sys
import time
from dataclasses import dataclass

import tuneline.steps

# Half a second to fifteen each, and no step needs them to begin.
HEAVY = ("google.cloud.aiplatform", "google.cloud.aiplatform_v1", "google.genai", "google.cloud.storage", "kfp", "jax")
NOT_STEPS = ("artifacts", "record")

_PROBE = """
import importlib, json, resource, sys
importlib.import_module(sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(json.dumps({"modules": len(sys.modules), "heavy": [n for n in sys.argv[2:] if n in sys.modules], "peak": peak}))
"""


@dataclass(frozen=True, kw_only=True)
class Start:
    """What the start of one step costs."""

    seconds: float
    """From nothing to the step's module imported, the interpreter's own start included."""
    modules: int
    megabytes: float
    heavy: tuple[str, ...]


def start(module: str, repeat: int) -> Start:
    """The fastest of `repeat` starts of a module."""
    seconds, said = [], b""
    for _ in range(repeat):
        began = time.perf_counter()
        said = subprocess.run([sys.executable, "-c", _PROBE, module, *HEAVY], check=True, capture_output=True).stdout
        seconds.append(time.perf_counter() - began)
    found = json.loads(said)
    # ru_maxrss is in KiB on Linux, in bytes on macOS.
    unit = 2**20 if sys.platform == "darwin" else 2**10
    return Start(
        seconds=min(seconds), modules=found["modules"], megabytes=found["peak"] / unit, heavy=tuple(found["heavy"])
    )


def steps() -> list[str]:
    """The names of all steps."""
    names = (module.name for module in pkgutil.iter_modules(tuneline.steps.__path__))
    return [name for name in names if name not in NOT_STEPS]


def main() -> int:
    """Measures, prints, and says whether anything heavy was imported."""
    parser = argparse.ArgumentParser(description="Measure how fast each step starts.")
    parser.add_argument("--repeat", type=int, default=5)
    options = parser.parse_args()
    rows = {"(the interpreter alone)": start("sys", options.repeat)}
    rows |= {name: start(f"tuneline.steps.{name}", options.repeat) for name in steps()}
    print("| step | seconds | modules | MB | heavy imports |\n|---|---|---|---|---|")
    for name, row in rows.items():
        print(f"| {name} | {row.seconds:.2f} | {row.modules} | {row.megabytes:.0f} | {', '.join(row.heavy) or '–'} |")
    return 1 if any(row.heavy for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
