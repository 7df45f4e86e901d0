"""What can be measured of a prediction against what was expected: between 0 and 1, but for the loss."""

from __future__ import annotations

import ast
import re
import warnings
from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric's name and how it is read."""

    name: str
    title: str
    higher_is_better: bool = True


METRICS = (
    Metric(name="token_accuracy", title="token accuracy"),
    Metric(name="exact_match", title="exact match"),
    Metric(name="rouge_l", title="ROUGE-L"),
    Metric(name="edit_similarity", title="edit similarity"),
    Metric(name="parses_as_python", title="parses as Python"),
    Metric(name="loss", title="loss (nats a token)", higher_is_better=False),
)
"""In the order in which they are shown. Loss and token accuracy are teacher-forced: each token from the true ones."""

_WORD = re.compile(r"\w+", re.UNICODE)
# What a bare answer such as `23` or `twelve` consists of: it parses, but nobody would call it code.
_PLAIN = (ast.Constant, ast.Name, ast.UnaryOp, ast.Tuple)


def exact_match(prediction: str, expected: str) -> float:
    """1 where both are the same text, white space at the ends apart."""
    return float(prediction.strip() == expected.strip())


def rouge_l(prediction: str, expected: str) -> float:
    """ROUGE-L F1: words in common, in order; 2 × LCS ÷ (words of both).

    Words are runs of letters, digits and underscores of any script, lower-cased. The normalised Indel similarity of
    two word sequences is this very number, thirty times faster than the reference. (Lin, "ROUGE", 2004.)
    """
    from rapidfuzz.distance import Indel

    return Indel.normalized_similarity(_WORD.findall(prediction.lower()), _WORD.findall(expected.lower()))


def edit_similarity(prediction: str, expected: str) -> float:
    """1 − Levenshtein distance ÷ the longer text's length, in characters."""
    from rapidfuzz.distance import Levenshtein

    return Levenshtein.normalized_similarity(prediction, expected)


def parses(text: str) -> bool:
    """Whether this Python's parser takes the text."""
    return _parsed(text) is not None


def is_code(text: str) -> bool:
    """Whether a text is Python code, and not merely an answer that happens to parse, such as a number or one word."""
    tree = _parsed(text)
    if tree is None or not tree.body:
        return False
    return not all(isinstance(line, ast.Expr) and isinstance(line.value, _PLAIN) for line in tree.body)


def _parsed(text: str) -> ast.Module | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the text's own escapes; they are not ours to tell
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # A null byte is a ValueError, brackets nested too deep one of the last two: none of them parses.
        return None
