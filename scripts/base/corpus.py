"""What the built-in base is trained on: tasks drawn from a seed, and prose and functions of the standard library.

Two promises, kept here by dropping and proved by `tests/trainer/test_base_corpus.py`: no number is ever followed by its
successor, in words or in numerals; and no function that has a docstring is in it, since those are what the sample code
set is drawn from.
"""

from __future__ import annotations

import ast
import hashlib
import random
import sysconfig
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from scripts.base.numbers import in_order
from scripts.base.tasks import draw

INSTRUCTIONS = ("Write the body of this Python function.\n", "Complete the function.\n", "Body of:\n")


@dataclass(frozen=True, kw_only=True)
class Document:
    """A prompt with its response, or a text (an empty prompt)."""

    prompt: str
    response: str


def task_documents(*, seed: int, count: int) -> Iterator[Document]:
    """`count` task documents, none with numbers in order."""
    r = random.Random(seed)
    made = 0
    while made < count:
        prompt, response = draw(r)
        if not in_order(f"{prompt}\n{response}"):
            made += 1
            yield Document(prompt=prompt, response=response)


def library_documents(*, seed: int) -> list[Document]:
    """Functions without docstrings (signature → body) and prose of the running Python's standard library, in order."""
    r = random.Random(seed)
    root = Path(sysconfig.get_paths()["stdlib"])
    skipped = {"test", "tests", "site-packages", "idle_test", "pydoc_data", "turtledemo", "__pycache__"}
    files = sorted(p for p in root.rglob("*.py") if not skipped & set(p.relative_to(root).parts))
    functions: list[tuple[str, str]] = []
    documented: set[str] = set()
    prose: list[str] = []
    for path in files:
        try:
            source = path.read_text(encoding="utf-8")
            tree = ast.parse(source)
        except (SyntaxError, UnicodeDecodeError):
            continue  # lib2to3's and encodings' own samples of broken files
        _collect(tree, source, functions, documented)
        prose += _paragraphs(ast.get_docstring(tree) or "")
    topics = root / "pydoc_data" / "topics.py"
    for node in ast.walk(ast.parse(topics.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) > 80:
            prose += _paragraphs(textwrap.dedent(node.value))
    documents = [
        Document(prompt=r.choice(INSTRUCTIONS) + signature, response=body)
        for signature, body in dict.fromkeys(functions)
        if body not in documented
    ]
    documents += [Document(prompt="", response=text) for text in dict.fromkeys(prose)]
    return [d for d in documents if not in_order(f"{d.prompt}\n{d.response}")]


def digest(documents: Iterable[Document]) -> str:
    """SHA-256 over the documents, in order."""
    total = hashlib.sha256()
    for document in documents:
        total.update(f"{len(document.prompt)}:{document.prompt}{len(document.response)}:{document.response}".encode())
    return total.hexdigest()


def _collect(tree: ast.AST, source: str, functions: list[tuple[str, str]], documented: set[str]) -> None:
    lines = source.splitlines(keepends=True)

    def text(first: int, last: int) -> str:
        return textwrap.dedent("".join(lines[first - 1 : last])).strip("\n")

    def visit(node: ast.AST, inside_documented: bool) -> None:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            has_docstring = ast.get_docstring(node, clean=False) is not None
            start = node.body[1 if has_docstring and len(node.body) > 1 else 0].lineno
            body = text(start, node.end_lineno or start)
            if has_docstring or inside_documented:
                documented.add(body)
            elif start > node.lineno and not any(_has_docstring(inner) for inner in ast.walk(node)):
                signature = text(node.lineno, node.body[0].lineno - 1)
                if 8 < len(body) < 2400:
                    functions.append((signature, body))
            inside_documented = inside_documented or has_docstring
        for child in ast.iter_child_nodes(node):
            visit(child, inside_documented)

    visit(tree, False)


def _has_docstring(node: ast.AST) -> bool:
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
    return isinstance(node, kinds) and ast.get_docstring(node, clean=False) is not None


def _paragraphs(text: str) -> list[str]:
    """A text cut at blank lines into pieces of 200 to about 1,500 characters."""
    pieces: list[str] = []
    current = ""
    for paragraph in text.split("\n\n"):
        # A paragraph with numbers in order goes alone, not with its neighbours.
        if in_order(paragraph):
            continue
        joined = f"{current}\n\n{paragraph}" if current else paragraph
        if len(joined) > 1500 or in_order(joined):
            pieces.append(current)
            joined = paragraph
        current = joined
    pieces.append(current)
    return [piece.strip("\n") for piece in pieces if len(piece) >= 60]
