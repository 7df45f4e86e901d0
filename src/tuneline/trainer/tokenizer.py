"""Text to tokens and back, by the `tokenizer.json` and the chat template of a Hugging Face folder."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuneline.datasets import Turn
from tuneline.errors import Problem, UsageError


@dataclass(frozen=True, kw_only=True)
class Tokenizer:
    """A tokenizer, the template that turns a conversation into text, and the tokens that end a response."""

    tokenizer: Any
    template: Any
    """A compiled Jinja template, or None: then turns are separated by new lines."""
    special: Mapping[str, str]
    """bos_token, eos_token and others that templates use."""
    ends: frozenset[int]
    """Tokens after which a response is over."""
    end: int
    """The one that is learned where the template writes none."""
    pad: int
    where: str

    def encode(self, text: str) -> list[int]:
        """Tokens of a text that already contains its special tokens."""
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def encode_all(self, texts: Sequence[str]) -> list[list[int]]:
        """The same for many texts, in parallel."""
        return [list(e.ids) for e in self.tokenizer.encode_batch(list(texts), add_special_tokens=False)]

    def decode(self, tokens: Sequence[int]) -> str:
        """The text of tokens, special ones left out."""
        return str(self.tokenizer.decode(list(tokens), skip_special_tokens=True))

    def prompt_text(self, turns: Sequence[Turn]) -> str:
        """What the model reads before it answers."""
        return self._render(turns, generate=True)

    def response_text(self, turns: Sequence[Turn], prompt: str) -> str:
        """What the model learns to write after `prompt`: the last turn, as the template closes it."""
        whole = self._render(turns, generate=False)
        if whole.startswith(prompt):
            return whole[len(prompt) :]
        return turns[-1].text + (self.tokenizer.id_to_token(self.end) or "")

    def close(self, tokens: list[int]) -> list[int]:
        """A response up to its end token, which is added where the template wrote none."""
        for at, token in enumerate(tokens):
            if token in self.ends:
                return tokens[: at + 1]
        return [*tokens, self.end]

    def _render(self, turns: Sequence[Turn], *, generate: bool) -> str:
        if self.template is None:
            text = self.special.get("bos_token", "") + "\n".join(turn.text for turn in turns)
            return text + "\n" if generate else text
        messages = [{"role": turn.role, "content": turn.text} for turn in turns]
        try:
            text = self.template.render(messages=messages, add_generation_prompt=generate, **self.special)
        except _template_faults() as error:
            fix = (
                "some templates refuse a system turn or two turns of one role in a row: change the data or the template"
            )
            raise UsageError([Problem(where=self.where, what=f"its chat template failed: {error}", fix=fix)]) from error
        return str(text)


def load_tokenizer(folder: Path, config: Mapping[str, Any]) -> Tokenizer:
    """The tokenizer of a folder whose parsed `config.json` is given; UsageError when it cannot be used."""
    from tokenizers import Tokenizer as Fast

    path = folder / "tokenizer.json"
    if not path.exists():
        fix = "save it with transformers' tokenizer.save_pretrained, which writes tokenizer.json"
        raise UsageError([Problem(where=str(folder), what="tokenizer.json is missing", fix=fix)])
    try:
        fast = Fast.from_file(str(path))
    except Exception as error:  # the library raises nothing more particular
        raise _broken(path, error) from error
    settings = _json(folder / "tokenizer_config.json")
    special = {
        key: _token_text(settings[key])
        for key in ("bos_token", "eos_token", "pad_token", "unk_token")
        if settings.get(key)
    }
    ends = _ends(fast, special, _json(folder / "generation_config.json"), config)
    if not ends:
        fix = "name eos_token in tokenizer_config.json or eos_token_id in config.json"
        raise UsageError([Problem(where=str(folder), what="the tokenizer has no end token", fix=fix)])
    eos = fast.token_to_id(special.get("eos_token", ""))
    pad = fast.token_to_id(special.get("pad_token", ""))
    return Tokenizer(
        tokenizer=fast,
        template=_template(folder, settings),
        special=special,
        ends=frozenset(ends),
        end=ends[0] if eos is None else eos,
        pad=0 if pad is None else pad,
        where=str(folder),
    )


def _template_faults() -> tuple[type[Exception], ...]:
    """What a template may raise: its language's errors, and Python's where it computes with the wrong things."""
    from jinja2 import TemplateError

    return (TemplateError, TypeError, ValueError, LookupError, ArithmeticError, AttributeError)


def _json(path: Path) -> dict[str, Any]:
    if not path.exists():
        return {}
    try:
        return dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, TypeError) as error:
        raise _broken(path, error) from error


def _broken(path: Path, error: Exception) -> UsageError:
    return UsageError([Problem(where=str(path), what=f"cannot be read: {error}", fix="copy the folder again")])


def _token_text(entry: Any) -> str:
    return str(entry["content"] if isinstance(entry, Mapping) else entry)


def _ends(fast: Any, special: Mapping[str, str], generation: Mapping[str, Any], config: Mapping[str, Any]) -> list[int]:
    ends: list[int] = []
    for entry in (generation.get("eos_token_id"), config.get("eos_token_id")):
        ends += entry if isinstance(entry, list) else [] if entry is None else [entry]
    # End-of-turn tokens of the chat formats, which some configurations leave out.
    names = (special.get("eos_token", ""), "<|im_end|>", "<end_of_turn>", "<|eot_id|>")
    ends += [found for name in names if name and (found := fast.token_to_id(name)) is not None]
    return list(dict.fromkeys(int(end) for end in ends))


def _template(folder: Path, settings: Mapping[str, Any]) -> Any:
    file = folder / "chat_template.jinja"
    source = file.read_text(encoding="utf-8") if file.exists() else settings.get("chat_template")
    if isinstance(source, list):  # several by name
        source = next((entry["template"] for entry in source if entry.get("name") == "default"), None)
    if not source:
        return None
    from jinja2 import TemplateError
    from jinja2.ext import loopcontrols
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    def refuse(message: str) -> None:
        raise TemplateError(message)

    environment = ImmutableSandboxedEnvironment(trim_blocks=True, lstrip_blocks=True, extensions=[loopcontrols])
    environment.globals["raise_exception"] = refuse
    environment.filters["tojson"] = lambda value, **options: json.dumps(value, ensure_ascii=False, **options)
    try:
        return environment.from_string(source)
    except TemplateError as error:
        fix = "take the template of the published model"
        raise UsageError([Problem(where=str(folder), what=f"its chat template is broken: {error}", fix=fix)]) from error
