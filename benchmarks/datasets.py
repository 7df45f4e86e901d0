"""How fast datasets are checked, converted and split, against bare JSON parsing and the peer checker.

    python -m benchmarks.datasets [--long-mb 1000] [--short-mb 200] [--large-mb 3000] [--folder DIR] [--peer PYTHON]

Writes a Gemini file of lines of about 2.7 KB and one of short lines, runs every measurement in a process of its own
(fastest of `--repeat`), checks the stated targets and prints a Markdown table. `--peer` names a Python that has the
package `together`; without it that row is left out.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

WORDS = (
    "the of and to in is that for it was on are as with his they at be this from have or by one had not but what all",
    "were when we there can an your which their said if do will each about how up out them then she many some so these",
    "would other into has more her two like him see time could no make than first been its who now people my made over",
    "did down only way find use may water long little very after words called just where most know quarterly revenue",
    "customer contract shipment invoice temperature pressure function variable returns exception résumé naïve 東京",
)


def write_long(path: Path, size: int, seed: int = 1) -> None:
    """A Gemini file of `size` bytes in lines of about 2.7 KB: a prompt of some 1.9 KB, an answer of 0.7 KB."""
    _write(path, size, seed, prompt=(200, 460), answer=(60, 190))


def write_short(path: Path, size: int, seed: int = 2) -> None:
    """A Gemini file of `size` bytes in lines of about 160 bytes."""
    _write(path, size, seed, prompt=(3, 9), answer=(1, 5))


def _write(path: Path, size: int, seed: int, *, prompt: tuple[int, int], answer: tuple[int, int]) -> None:
    rng = random.Random(seed)
    words = " ".join(WORDS).split()
    # Phrases, joined anew for each line: fast to make, yet no two lines are the same.
    phrases = [" ".join(rng.choices(words, k=rng.randint(4, 8))) for _ in range(20_000)]
    phrases += [f'"{phrase}"' for phrase in phrases[:600]] + [f"{phrase}.\n" for phrase in phrases[:1500]]

    def text(words: tuple[int, int]) -> str:
        return " ".join(rng.choices(phrases, k=max(1, rng.randint(*words) // 6)))

    written, number = 0, 0
    with path.open("wb", buffering=1 << 20) as file:
        while written < size:
            number += 1
            line = {
                "contents": [
                    {"role": "user", "parts": [{"text": f"{number}: {text(prompt)}"}]},
                    {"role": "model", "parts": [{"text": text(answer)}]},
                ]
            }
            written += file.write(json.dumps(line, ensure_ascii=number % 20 == 0).encode() + b"\n")


# Every measurement is a process of its own: `python -c CODE FILE ...` prints {"wall", "cpu"} of the part measured. Peak
# memory is that of all its processes together, read every 50 ms (shared pages counted in each).
# What is imported, by them as by us, is imported before: a short file is read first. The threads that numpy's linear
# algebra starts at its import wait in a loop for a while: that is waited for, and what was written before is by then
# on the disk.
BARE = """
import orjson
# measured
for line in open(sys.argv[1], "rb"):
    orjson.loads(line)
"""
SCAN = """
from tuneline import datasets
datasets.check(sys.argv[1] + ".small")
# measured
report = datasets.check(sys.argv[1], processes=int(sys.argv[2]), digest=len(sys.argv) > 3)
assert set(report.counts) <= {"D506", "D507", "D607"}, report.counts
"""
CONVERT = """
from tuneline import datasets
datasets.convert(sys.argv[1] + ".small", "prompt-completion", sys.argv[1] + ".out")
# measured
datasets.convert(sys.argv[1], "prompt-completion", sys.argv[1] + ".out")
"""
SPLIT = """
from tuneline import datasets
datasets.split(sys.argv[1] + ".small", "10%", sys.argv[1] + ".parts")
# measured
datasets.split(sys.argv[1], "10%", sys.argv[1] + ".parts")
"""
PEER = """
from pathlib import Path
from together.lib.utils.files import check_file
# measured
report = check_file(Path(sys.argv[1]))
"""
FRAME = """
import json, os, sys, time
{prepare}
os.sync()
time.sleep(0.3)
began, used = time.perf_counter(), os.times()
{measured}
now = os.times()
print(json.dumps({{"wall": time.perf_counter() - began, "cpu": sum(now[:4]) - sum(used[:4])}}))
"""


def measure(code: str, *arguments: str, python: str = sys.executable, repeat: int = 3) -> dict[str, float]:
    """Wall and CPU seconds of the fastest of some runs, and the highest peak memory (MB) of any."""
    best: dict[str, float] = {"wall": float("inf"), "cpu": float("inf"), "memory": 0.0}
    for _ in range(repeat):
        prepare, _, measured = code.partition("# measured\n")
        program = FRAME.format(prepare=prepare, measured=measured)
        run = subprocess.Popen([python, "-c", program, *arguments], stdout=subprocess.PIPE, start_new_session=True)
        peak = 0.0
        while run.poll() is None:
            peak = max(peak, _resident(run.pid))
            try:
                run.wait(0.05)
            except subprocess.TimeoutExpired:
                continue
        if run.returncode:
            raise SystemExit(f"a measurement failed with {run.returncode}")
        assert run.stdout is not None
        seen = json.loads(run.stdout.read().splitlines()[-1])
        best = {"wall": min(best["wall"], seen["wall"]), "cpu": min(best["cpu"], seen["cpu"])} | {
            "memory": max(best["memory"], peak)
        }
    return best


def _resident(session: int) -> float:
    """Megabytes of all processes of a session (each is the leader of its own)."""
    total = 0
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                fields = Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()
            except OSError:
                continue
            if int(fields[3]) == session:
                total += int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    return total / 1e6


def run(arguments: argparse.Namespace, folder: Path) -> None:
    """Makes the files, measures, prints the table and the verdict on each target."""
    verdicts = []
    print(f"load when begun: {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors; repeat {arguments.repeat}\n")
    print("| file | what | wall s | CPU s | MB / CPU-s | of bare orjson (CPU) | peak MB |")
    print("|---|---|---|---|---|---|---|")
    for name, write, megabytes in (("long", write_long, arguments.long_mb), ("short", write_short, arguments.short_mb)):
        if not megabytes:
            continue
        path = folder / f"{name}.jsonl"
        write(path, megabytes * 1_000_000)
        os.sync()
        rows = _measured(path, arguments)
        bare, one, two = (rows[what] for what in ("orjson.loads", "check, 1 process", "check, 2 processes"))
        for what, row in rows.items():
            speed, ratio = megabytes / row["cpu"], bare["cpu"] / row["cpu"]
            print(
                f"| {name}, {megabytes} MB | {what} | {row['wall']:.2f} | {row['cpu']:.2f} | {speed:.0f} | "
                f"{ratio:.2f} | {row['memory']:.0f} |",
                flush=True,
            )
        verdicts += [
            (f"{name}: check at 0.4 of orjson or more (the goal is 1.0)", bare["cpu"] / one["cpu"], 0.4),
            (f"{name}: two processes 1.7 times as fast or more", one["wall"] / two["wall"], 1.7),
            (f"{name}: conversion at half the speed or more", one["cpu"] / rows["convert"]["cpu"], 0.5),
            (f"{name}: split at half the speed or more", one["cpu"] / rows["split"]["cpu"], 0.5),
        ]
        if "together check_file" in rows:
            verdicts.append((f"{name}: twice the peer or more", rows["together check_file"]["cpu"] / one["cpu"], 2.0))
        verdicts.append((f"{name}: memory under 200 MB, headroom", 200 / two["memory"], 1.0))
        path.unlink()
    if arguments.large_mb:
        path = folder / "large.jsonl"
        write_long(path, arguments.large_mb * 1_000_000)
        write_short(path.with_name("large.jsonl.small"), 20_000)
        row = measure(SCAN, str(path), "2", repeat=1)
        print(
            f"| long, {arguments.large_mb} MB | check, 2 processes | {row['wall']:.2f} | {row['cpu']:.2f} | "
            f"{arguments.large_mb / row['cpu']:.0f} | | {row['memory']:.0f} |"
        )
        verdicts.append(("large: memory under 200 MB, headroom", 200 / row["memory"], 1.0))
        path.unlink()
    print()
    for what, value, target in verdicts:
        print(f"- {what}: {value:.2f} ({'met' if value >= target else 'NOT met'})")


def _measured(path: Path, arguments: argparse.Namespace) -> dict[str, dict[str, float]]:
    def timed(code: str, *more: str, **options: Any) -> dict[str, float]:
        return measure(code, str(path), *more, repeat=arguments.repeat, **options)

    write_short(path.with_name(f"{path.name}.small"), 20_000)
    rows = {
        "orjson.loads": timed(BARE),
        "check, 1 process": timed(SCAN, "1"),
        "check, 2 processes": timed(SCAN, "2"),
        "check and sha256, 1 process": timed(SCAN, "1", "sha256"),
        "check and sha256, 2 processes": timed(SCAN, "2", "sha256"),
        "convert": timed(CONVERT),
        "split": timed(SPLIT),
    }
    if arguments.peer:
        rows["together check_file"] = timed(PEER, python=arguments.peer)
    for extra in path.parent.glob(f"{path.name}.*"):
        if extra.is_dir():
            for file in extra.iterdir():
                file.unlink()
            extra.rmdir()
        else:
            extra.unlink()
    return rows


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--long-mb", type=int, default=1000, help="0 leaves the file out, here as below")
    parser.add_argument("--short-mb", type=int, default=200)
    parser.add_argument("--large-mb", type=int, default=3000, help="a file for memory alone")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the files are made; a temporary folder if not given")
    parser.add_argument("--peer", help="a Python with the package together")
    arguments = parser.parse_args()
    if arguments.folder:
        run(arguments, arguments.folder)
    else:
        with tempfile.TemporaryDirectory(prefix="tuneline-bench-") as folder:
            run(arguments, Path(folder))


if __name__ == "__main__":
    main()
