"""Only the response is learned, over-length examples are cut and counted, and templates say how turns are written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tuneline.datasets import Example, Turn
from tuneline.errors import DatasetError, UsageError
from tuneline.trainer.examples import encode
from tuneline.trainer.tokenizer import Tokenizer, load_tokenizer

CONFIG = {"eos_token_id": 2}


def example(prompt: str, response: str, line: int = 1) -> Example:
    return Example(turns=(Turn(role="user", text=prompt), Turn(role="assistant", text=response)), line=line)


@pytest.fixture
def folder(small_base: Path, tmp_path: Path) -> Path:
    """A tokenizer's files, to be spoiled."""
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(small_base / name, tmp_path / name)
    return tmp_path


def settings(folder: Path, **changes: object) -> Tokenizer:
    path = folder / "tokenizer_config.json"
    value = {**json.loads(path.read_text()), **changes}
    path.write_text(json.dumps({key: entry for key, entry in value.items() if entry is not None}))
    return load_tokenizer(folder, CONFIG)


def test_prompt_and_response_meet_where_generation_begins(folder: Path) -> None:
    """The prompt's tokens are those that a prompt alone would have; the response ends with the end token."""
    tokenizer = load_tokenizer(folder, CONFIG)
    (encoded,) = encode([example("red fox", "blue fox")], tokenizer, max_length=64, where="data").examples
    prompt = tokenizer.encode(tokenizer.prompt_text([Turn(role="user", text="red fox")]))
    assert encoded.tokens[: encoded.prompt].tolist() == prompt
    assert encoded.tokens[-1] == 2
    assert tokenizer.decode(encoded.tokens[encoded.prompt :].tolist()) == "blue fox"
    assert encoded.expected == "blue fox"


@pytest.mark.parametrize("text", ["naïve ☃ \U0001f600", "  indented\n\n    more\t", "<|end|>-like", "", "\r\n"])
def test_any_text_comes_back(folder: Path, text: str) -> None:
    """Bytes are never lost: the tokenizer has no unknown token."""
    tokenizer = load_tokenizer(folder, CONFIG)
    if "<|end|>" not in text:
        assert tokenizer.decode(tokenizer.encode(text)) == text


def test_a_long_prompt_can_lose_its_beginning_instead(folder: Path) -> None:
    """No example is lost: the end of the prompt stays, and the response whole where it takes no more than half."""
    tokenizer = load_tokenizer(folder, CONFIG)
    data = [example("a " * 50 + "red", "fox"), example("a " * 50, "b " * 50), example("a", "b")]
    encoded = encode(data, tokenizer, max_length=16, where="data", cut_prompts=True)
    assert (encoded.cut, encoded.skipped, encoded.truncated) == (2, 0, 1)
    first, second, third = encoded.examples
    assert tokenizer.decode(first.tokens[first.prompt :].tolist()) == "fox"
    assert "red" in tokenizer.decode(first.tokens[: first.prompt].tolist())
    assert (len(first.tokens), second.prompt, len(second.tokens)) == (16, 8, 16)
    assert third.expected == "b"


def test_too_long_is_cut_and_counted(folder: Path) -> None:
    """A long response loses its end; an example whose prompt fills everything is skipped."""
    tokenizer = load_tokenizer(folder, CONFIG)
    data = [example("a", "b"), example("a", "b " * 50), example("a " * 50, "b"), example("c", "d", line=9)]
    encoded = encode(data, tokenizer, max_length=20, where="data")
    assert (encoded.truncated, encoded.skipped) == (1, 1)
    assert [e.index for e in encoded.examples] == [0, 1, 3]
    assert len(encoded.examples[1].tokens) == 20
    assert encoded.examples[1].tokens[-1] != 2
    assert encoded.tokens == int(encoded.lengths.sum())


def test_nothing_left_is_an_error(folder: Path) -> None:
    """All examples over length: the error names the data and the length."""
    tokenizer = load_tokenizer(folder, CONFIG)
    with pytest.raises(DatasetError, match=r"data: every prompt is 8 tokens or longer"):
        encode([example("a " * 50, "b")], tokenizer, max_length=8, where="data")


def test_a_template_of_the_user_is_followed(folder: Path) -> None:
    """What the template writes after the response up to the end token is learned, what comes behind it is not."""
    template = (
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}<|end|>\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant] {% endif %}"
    )
    tokenizer = settings(folder, chat_template=template)
    turns = (Turn(role="system", text="be"), Turn(role="user", text="x"), Turn(role="assistant", text="y"))
    prompt = tokenizer.prompt_text(turns[:-1])
    assert prompt == "[system] be<|end|>\n[user] x<|end|>\n[assistant] "
    (encoded,) = encode([Example(turns=turns, line=1)], tokenizer, max_length=64, where="data").examples
    assert (
        tokenizer.tokenizer.decode(encoded.tokens[encoded.prompt :].tolist(), skip_special_tokens=False) == "y<|end|>"
    )


def test_without_a_template_turns_are_lines(folder: Path) -> None:
    """The begin token, the prompt, a new line, the response, the end token."""
    tokenizer = settings(folder, chat_template=None)
    assert tokenizer.prompt_text([Turn(role="user", text="x")]) == "<|begin|>x\n"


def test_a_template_that_refuses_says_why(folder: Path) -> None:
    """raise_exception in a template becomes an error that names the folder and the template's own words."""
    tokenizer = settings(folder, chat_template="{{ raise_exception('no system turn here') }}")
    with pytest.raises(UsageError, match="no system turn here"):
        tokenizer.prompt_text([Turn(role="user", text="x")])
    with pytest.raises(UsageError, match="broken"):
        settings(folder, chat_template="{% if %}")


def test_no_end_token_is_refused(folder: Path) -> None:
    """Without an end a model would be taught never to stop."""
    path = folder / "tokenizer_config.json"
    path.write_text(json.dumps({"bos_token": "<|begin|>"}))
    with pytest.raises(UsageError, match="no end token"):
        load_tokenizer(folder, {})
