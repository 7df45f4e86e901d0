"""How many tokens: counted on a sample, with the error that comes from it.

No tokenizer of Gemini ships in a package, and tokenizing runs at a few megabytes a second. So up to 2,000 examples
drawn by a fixed seed are counted and the rest is scaled by characters. Without a tokenizer the count is itself an
estimate from the kinds of characters, good to about 15 %: the documentation's own rule is four characters a token.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

SAMPLE = 2000
MODEL_ERROR = 0.15
"""Relative error of an estimate without a tokenizer. Bytes ÷ 4 alone is off by up to 13 % on English and code."""
CONFIDENCE = 1.96
REMEMBERED = 50_000
"""Pieces of text whose tokens are kept."""

_PIECES = re.compile(r"[A-Za-z]+|\d|[^\x00-\x7f]|[^\sA-Za-z\d\x00-\x1f]+|\n+|[ \t]{2,}")


class _Pieces(dict[str, float]):
    """Tokens of each piece, remembered: in any text the same few thousand words make nearly all of it."""

    def __missing__(self, piece: str) -> float:
        if len(self) >= REMEMBERED:
            self.clear()
        self[piece] = tokens = _tokens_of(piece)
        return tokens


_pieces = _Pieces()


def _tokens_of(piece: str) -> float:
    first = piece[0]
    if not first.isascii():
        # CJK runs to about 0.7 tokens a character, accented Latin letters cost their word half a token more.
        return 0.7 if first > "\u2e7f" else 0.5
    if first.isalpha():
        return 1.0 if len(piece) <= 7 else len(piece) / 5.5
    return 1.0 if first.isdigit() or first.isspace() else (len(piece) + 1) / 2


def estimate(text: str) -> int:
    """Tokens of a text by its pieces: a word of up to 7 letters is one, a digit one, a run of signs one in two."""
    if not text:
        return 0
    return max(1, round(sum(map(_pieces.__getitem__, _PIECES.findall(text)))))


def load(path: str) -> Callable[[str], int]:
    """A counter from a Hugging Face tokenizer.json. Raises `UsageError` where it is none."""
    from tuneline.errors import Problem, UsageError

    try:
        from tokenizers import Tokenizer
    except ImportError as error:
        raise UsageError(
            [Problem(where="tokenizer", what="needs the package tokenizers", fix="pip install 'tuneline[trainer]'")]
        ) from error
    try:
        tokenizer = Tokenizer.from_file(path)
    except Exception as error:
        raise UsageError(
            [Problem(where=f"tokenizer {path}", what=str(error), fix="name a tokenizer.json of Hugging Face's form")]
        ) from error
    return lambda text: len(tokenizer.encode(text, add_special_tokens=False).ids)


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of a whole set, with the interval that holds them 19 times in 20."""

    total: int
    low: int
    high: int
    sampled: int
    """Examples that were counted."""
    exact: bool
    """Whether every example was, with a tokenizer."""
    method: str
    characters_per_token: float
    longest: int
    """Tokens of the longest example, by its characters where it was not in the sample."""

    def to_dict(self) -> dict[str, Any]:
        error = (self.high - self.low) / (2 * self.total) if self.total else 0.0
        return {
            "total": self.total,
            "low": self.low,
            "high": self.high,
            "error": round(error, 4),
            "per_example": None,
            "longest": self.longest,
            "characters_per_token": round(self.characters_per_token, 3),
            "sampled": self.sampled,
            "exact": self.exact,
            "method": self.method,
        }


def extrapolate(
    sample: Sequence[tuple[int, int]], *, characters: int, examples: int, longest: int, tokenizer: str
) -> Tokens:
    """From (characters, tokens) of sampled examples to the set: the ratio estimator and its standard error."""
    chars = sum(c for c, _ in sample)
    tokens = sum(t for _, t in sample)
    ratio = tokens / chars if chars else 0.0
    n = len(sample)
    exact = bool(tokenizer) and n == examples
    total = tokens if n == examples else round(ratio * characters)
    spread = 0.0
    if 1 < n < examples and chars:
        mean = chars / n
        variance = sum((t - ratio * c) ** 2 for c, t in sample) / (n - 1)
        spread = CONFIDENCE * math.sqrt(variance * (1 - n / examples) / n) / (mean * ratio) if ratio else 0.0
    relative = spread if tokenizer else math.hypot(spread, MODEL_ERROR)
    return Tokens(
        total=total,
        low=math.floor(total * (1 - relative)),
        high=math.ceil(total * (1 + relative)),
        sampled=n,
        exact=exact,
        method=f"tokenizer {tokenizer}" if tokenizer else "estimate from the characters, no tokenizer given",
        characters_per_token=chars / tokens if tokens else 0.0,
        longest=round(longest * ratio),
    )
