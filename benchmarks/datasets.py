"""How fast datasets are checked, converted and split, against bare JSON parsing and the peer checker.

    python -m benchmarks.datasets [--gigabytes 1] [--keep DIR] [--peer PYTHON]

Writes a Gemini file of lines of about 2.7 KB and one of short lines, runs every measurement in a process of its own
(fastest of `--repeat`), checks the stated targets and prints a Markdown table. `--peer` names a Python that has the
package `together`; without it that row is left out.
"""

from __future__ import annotations

import json
import random
from pathlib import Path

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
