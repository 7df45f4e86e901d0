"""`python -m tuneline.trainer.serve --base B [--adapter URI]`: answers prompts, JSON lines in and out, until EOF.

The first line out says that the model is ready; then one line for each line in, in order. A request that cannot be
answered gets `{"id", "error"}`, and the next one is read.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from tuneline.datasets import Turn
from tuneline.errors import Problem, TunelineError, UsageError
from tuneline.trainer import devices

DEFAULT_NEW_TOKENS = 128
_ROLES = {"user": "user", "system": "system", "assistant": "assistant", "model": "assistant"}


class Model:
    """A base, with an adapter or without, that answers one request at a time."""

    def __init__(self, base: str, adapter: str, *, stand_in: str) -> None:
        from tuneline.trainer import base_model
        from tuneline.trainer.checkpoints import read_adapter_files
        from tuneline.trainer.generation import build_generator
        from tuneline.trainer.lora import read_adapter

        self.base = base_model.load(base_model.resolve(base, stand_in=stand_in), dtype=devices.compute_type())
        self.adapter, scale = None, 1.0
        if adapter:
            self.adapter, scale = read_adapter(read_adapter_files(adapter), self.base.architecture, where=adapter)
        tokenizer = self.base.tokenizer
        self._generator = build_generator(
            self.base.architecture,
            self.base.weights,
            scale=scale,
            ends=sorted(tokenizer.ends),
            pad=tokenizer.pad,
            placement=self.base.placement,
        )

    def answer(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What one request's line is answered with.

        Raises:
            UsageError: the request is not one, or its prompt leaves no room for an answer.
        """
        from tuneline.trainer.generation import Sampling

        sampling = Sampling(
            temperature=_number(request, "temperature", 0.0, least=0.0),
            top_p=_number(request, "top_p", 1.0, least=0.0),
            top_k=int(_number(request, "top_k", 0, least=0)),
            seed=int(_number(request, "seed", 0, least=0)),
        )
        tokenizer = self.base.tokenizer
        prompt = tokenizer.encode(tokenizer.prompt_text(_turns(request)))
        room = self.base.architecture.context - len(prompt)
        if room < 1:
            what = f"the prompt is {len(prompt)} tokens long, the model takes {self.base.architecture.context}"
            raise UsageError([Problem(where="messages", what=what, fix="shorten it")])
        new = min(room, int(_number(request, "max_new_tokens", 0, least=0)) or DEFAULT_NEW_TOKENS)
        (out,) = self._generator.generate(self.adapter, [prompt], max_new_tokens=new, samplings=[sampling])
        return {
            "id": request.get("id"),
            "text": tokenizer.decode(out.tokens),
            "finish": out.finish,
            "prompt_tokens": len(prompt),
            "output_tokens": len(out.tokens),
        }


def _turns(request: Mapping[str, Any]) -> list[Turn]:
    messages = request.get("messages")
    sound = isinstance(messages, list) and messages and all(isinstance(m, dict) for m in messages)
    if not isinstance(messages, list) or not sound:
        fix = 'send {"messages": [{"role": "user", "text": "..."}]}'
        raise UsageError([Problem(where="messages", what="not a list of messages", fix=fix)])
    turns = []
    for at, message in enumerate(messages):
        role, text = _ROLES.get(str(message.get("role"))), message.get("text")
        if role is None or not isinstance(text, str):
            what = "needs a role (user, assistant, model or system) and a text"
            raise UsageError([Problem(where=f"messages[{at}]", what=what)])
        turns.append(Turn(role=role, text=text))
    return turns


def _number(request: Mapping[str, Any], name: str, default: float, *, least: float) -> float:
    value = request.get(name)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= least:
        raise UsageError([Problem(where=name, what=f"must be a number of at least {least:g}, and is {value!r}")])
    return value


def main() -> int:
    """Serve until standard input ends."""
    parser = argparse.ArgumentParser(prog="python -m tuneline.trainer.serve", description="Answer prompts on stdin.")
    parser.add_argument("--base", required=True, metavar="URI", help="builtin:tiny or a Hugging Face folder")
    parser.add_argument("--adapter", default="", metavar="URI", help="a checkpoint's folder, in PEFT's layout")
    arguments = parser.parse_args()
    devices.prepare(os.environ)
    try:
        model = Model(arguments.base, arguments.adapter, stand_in=os.environ.get("TUNELINE_STAND_IN", ""))
    except TunelineError as error:
        print(" ".join(str(error).split()), file=sys.stderr)
        return error.exit_code if error.exit_code in (2, 3) else 1
    # Compiles for short prompts, so that the first answer does not wait for it.
    model.answer({"messages": [{"role": "user", "text": "ready"}], "max_new_tokens": DEFAULT_NEW_TOKENS})
    _write({"ready": True, "adapter": arguments.adapter, **model.base.to_dict()})
    for line in sys.stdin:
        if line.strip():
            _write(_reply(model, line))
    return 0


def _reply(model: Model, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
    except json.JSONDecodeError as error:
        return {"id": None, "error": f"not JSON: {error.msg} at column {error.colno}"}
    if not isinstance(request, dict):
        return {"id": None, "error": "not a JSON object"}
    try:
        return model.answer(request)
    except TunelineError as error:
        return {"id": request.get("id"), "error": str(error)}


def _write(value: Mapping[str, Any]) -> None:
    sys.stdout.write(json.dumps(value, ensure_ascii=False) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
