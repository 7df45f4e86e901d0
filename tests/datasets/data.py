"""Small sound sets in each format, to be spoiled by the tests in one place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

_NOUNS = "amber birch cedar delta ember fjord grove heron inlet jetty knoll larch maple north ocean pearl"
WORDS = _NOUNS.split(" ")


def phrase(n: int) -> str:
    """Words that differ from one number to the next, with no common beginning or end."""
    return " ".join(WORDS[(n * k + k) % len(WORDS)] for k in range(1, 4 + n % 5)) + f" {n}"


def palm_text(n: int) -> dict[str, Any]:
    return {"input_text": f"{phrase(n)} asks", "output_text": f"answer {n}"}


def palm_chat(n: int) -> dict[str, Any]:
    return {
        "messages": [
            {"author": "user", "content": phrase(n)},
            {"author": "assistant", "content": f"answer {n}"},
        ]
    }


def gemini(n: int) -> dict[str, Any]:
    return {
        "systemInstruction": {"parts": [{"text": "Answer in words."}]},
        "contents": [
            {"role": "user", "parts": [{"text": phrase(n)}]},
            {"role": "model", "parts": [{"text": f"answer {n}"}]},
        ],
    }


def gemini_file(n: int, mime: str = "image/png", uri: str = "gs://b/a.png", files: int = 1) -> dict[str, Any]:
    example = gemini(n)
    part = {"fileData": {"mimeType": mime, "fileUri": uri}}
    example["contents"][0]["parts"] += [part] * files
    return example


def gemini_call(n: int) -> dict[str, Any]:
    return {
        "contents": [
            {"role": "user", "parts": [{"text": phrase(n)}]},
            {"role": "model", "parts": [{"functionCall": {"name": "look", "args": {"n": n}}}]},
            {"role": "user", "parts": [{"functionResponse": {"name": "look", "response": {"found": n}}}]},
            {"role": "model", "parts": [{"text": f"answer {n}"}]},
        ],
        "tools": [{"functionDeclarations": [{"name": "look"}]}],
    }


def gemini_api(n: int) -> dict[str, Any]:
    return {"text_input": phrase(n), "output": f"answer {n}"}


def openai(n: int) -> dict[str, Any]:
    return {
        "messages": [
            {"role": "system", "content": "Answer in words."},
            {"role": "user", "content": phrase(n)},
            {"role": "assistant", "content": f"answer {n}"},
        ]
    }


def gemini_1_0(n: int) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": phrase(n)}, {"role": "model", "content": f"answer {n}"}]}


def prompt_completion(n: int) -> dict[str, Any]:
    return {"prompt": phrase(n), "completion": f"answer {n}"}


def preference(n: int) -> dict[str, Any]:
    return {
        "contents": [{"role": "user", "parts": [{"text": phrase(n)}]}],
        "completions": [
            {"completion": {"role": "model", "parts": [{"text": f"answer {n}"}]}, "score": 1},
            {"completion": {"role": "model", "parts": [{"text": f"no {n}"}]}, "score": 0},
        ],
    }


MAKERS = {
    "palm-text": palm_text,
    "palm-chat": palm_chat,
    "gemini": gemini,
    "gemini-api": gemini_api,
    "openai-messages": openai,
    "gemini-1.0-messages": gemini_1_0,
    "prompt-completion": prompt_completion,
    "preference": preference,
}


def lines(values: list[Any]) -> bytes:
    """The values as JSON lines; bytes and text stand for themselves."""
    done = []
    for value in values:
        if isinstance(value, bytes):
            done.append(value)
        elif isinstance(value, str):
            done.append(value.encode())
        else:
            done.append(json.dumps(value).encode())
    return b"\n".join(done) + b"\n"


def write(folder: Path, values: list[Any] | bytes, name: str = "data.jsonl") -> str:
    """A file of the values; its path."""
    path = folder / name
    path.write_bytes(values if isinstance(values, bytes) else lines(values))
    return str(path)
