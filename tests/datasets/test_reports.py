"""A report says the same to people and to programs: text, JSON, SARIF, HTML, and the command line that prints them."""

from __future__ import annotations

import base64
import hashlib
import json
from html.parser import HTMLParser
from pathlib import Path

import google_crc32c
import pytest
from click.testing import CliRunner

from tests.datasets import data
from tuneline import datasets
from tuneline.cli.convert import command as convert
from tuneline.cli.split import command as split
from tuneline.cli.validate import command as validate
from tuneline.datasets import FORMATS, catalogue

KEYS = [
    "valid",
    "format",
    "container",
    "examples",
    "counts",
    "findings",
    "duplicates",
    "contradictions",
    "leakage",
    "statistics",
    "tokens",
    "cost",
    "digest",
    "crc32c",
    "bytes",
    "author_fields",
]
"""Of `tuneline validate --report json`: docs/datasets.md promises them."""
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def spoiled(tmp_path: Path) -> str:
    """A chat set with an error, a warning and a note."""
    values = [data.palm_chat(n) for n in range(30)]
    values[3] = {"messages": [{"author": "user", "content": "<script>alert('x')</script>"}], "<b>": 1}
    values[9] = values[8]
    return data.write(tmp_path, values)


def test_the_json_has_the_documented_keys(spoiled: str) -> None:
    """Exactly the documented keys, in the documented order; checksums and size are the file's own."""
    found = datasets.check(spoiled, digest=True).to_dict()
    assert list(found) == KEYS
    assert all(
        list(item) == ["code", "severity", "line", "column", "path", "message", "hint"] for item in found["findings"]
    )
    body = Path(spoiled).read_bytes()
    assert found["digest"] == hashlib.sha256(body).hexdigest()
    assert base64.b64decode(found["crc32c"]) == google_crc32c.value(body).to_bytes(4, "big")
    assert (found["bytes"], found["examples"], found["author_fields"]) == (len(body), 30, 59)
    assert found["duplicates"] == {"exact": 1, "input": 1}
    text = (DOCS / "datasets.md").read_text()
    assert all(f"`{key}`" in text for key in KEYS)


def test_the_text_says_the_worst_first(spoiled: str) -> None:
    """The verdict, then errors, then warnings; colours only where they are asked for."""
    report = datasets.check(spoiled)
    text = datasets.render_text(report)
    assert "not valid" in text.splitlines()[0]
    assert text.index("error D402") < text.index("warning D303") < text.index("warning D601")
    assert "\x1b" not in text
    assert "\x1b[31;1m" in datasets.render_text(report, colour=True)


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]


def test_the_page_stands_alone_and_escapes(spoiled: str) -> None:
    """Histograms are inline, nothing is loaded from anywhere, and data never becomes markup."""
    page = datasets.render_html([datasets.check(spoiled), datasets.check(spoiled)])
    seen = _Tags()
    seen.feed(page)
    assert seen.tags.count("svg") == 4
    assert "script" not in seen.tags
    assert seen.links == []
    assert "&lt;b&gt;" in page


def test_sarif_names_rule_place_and_level(spoiled: str) -> None:
    """Each result has a rule of the catalogue and a region in the file."""
    log = datasets.render_sarif(datasets.check(spoiled))
    (run,) = log["runs"]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    for result in run["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in ("error", "warning", "note")
    first = next(result for result in run["results"] if result["ruleId"] == "D402")
    assert first["locations"][0]["physicalLocation"]["region"]["startLine"] == 4


def test_validate_leaves_with_3_on_errors_and_0_without(spoiled: str, tmp_path: Path) -> None:
    """The exit code tells the verdict; data goes to standard output."""
    done = CliRunner().invoke(validate, [spoiled, "--report", "json"])
    assert done.exit_code == 3
    assert json.loads(done.stdout)["valid"] is False
    sound = data.write(tmp_path, [data.palm_chat(n) for n in range(30)], "sound.jsonl")
    assert CliRunner().invoke(validate, [sound]).exit_code == 0
    page = tmp_path / "report.html"
    assert CliRunner().invoke(validate, [sound, "--report", "html", "-o", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")


def test_validate_fix_convert_and_split_work_together(spoiled: str, tmp_path: Path) -> None:
    """What is fixed can be converted, and what is converted can be split."""
    fixed, converted, parts = (str(tmp_path / name) for name in ("fixed.jsonl", "converted.jsonl", "parts"))
    done = CliRunner().invoke(validate, [spoiled, "--fix", fixed])
    assert done.exit_code == 0, done.output
    assert "28 examples written, 2 left out" in done.stderr
    assert CliRunner().invoke(convert, [fixed, "--to", "gemini", "-o", converted]).exit_code == 0
    done = CliRunner().invoke(split, [converted, "--eval", "25%", "-o", parts])
    assert json.loads(done.stdout)["evaluation"]["examples"] == 7


def test_commands_know_all_formats() -> None:
    """The names that `convert` offers, without importing the room, are the room's."""
    (to,) = [parameter for parameter in convert.params if parameter.name == "to"]
    assert sorted(to.type.choices) == sorted(FORMATS)


def test_the_catalogue_is_written_down() -> None:
    """docs/dataset-checks.md is what the code says."""
    assert (DOCS / "dataset-checks.md").read_text() == catalogue.render()


def test_tokens_have_an_error_bar(tmp_path: Path) -> None:
    """The interval holds the estimate; few examples are all counted, many are sampled, and the sample says so."""
    few = datasets.check(data.write(tmp_path, [data.palm_text(n) for n in range(50)])).tokens
    assert few["sampled"] == 50
    many = datasets.check(data.write(tmp_path, [data.palm_text(n) for n in range(5000)])).tokens
    assert many["sampled"] == 2000
    for tokens in (few, many):
        assert tokens["low"] < tokens["total"] < tokens["high"]
        assert not tokens["exact"]


def test_a_tokenizer_counts_exactly_or_samples_closely(tmp_path: Path) -> None:
    """With a tokenizer a small set is counted to the token, and a large one to within the stated interval."""
    from tokenizers import Tokenizer, models, pre_tokenizers

    tokenizer = Tokenizer(models.WordLevel({"[UNK]": 0}, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    path = str(tmp_path / "tokenizer.json")
    tokenizer.save(path)
    for number in (50, 6000):
        values = [data.palm_text(n) for n in range(number)]
        words = sum(len(text.split()) for value in values for text in value.values())
        tokens = datasets.check(data.write(tmp_path, values), tokenizer=path).tokens
        assert tokens["exact"] is (number == 50)
        assert tokens["low"] <= words <= tokens["high"]
        if number == 50:
            assert tokens["total"] == words
        else:
            assert tokens["high"] - tokens["low"] < 0.03 * words


def test_cost_is_known_or_said_to_be_unknown(tmp_path: Path) -> None:
    """A model with a price gives a range over the epochs; one without gives null, not a guess."""
    path = data.write(tmp_path, [data.gemini(n) for n in range(100)])
    once, thrice = (datasets.check(path, model="gemini-2.5-flash", epochs=n).cost for n in (1, 3))
    assert once["known"]
    assert 0 < once["low"] < once["high"]
    assert thrice["high"] == pytest.approx(3 * once["high"], abs=1e-3)
    unknown = datasets.check(path).cost
    assert (unknown["known"], unknown["low"], unknown["high"]) == (False, None, None)
    steps = datasets.check(path, steps=50, batch_size=8).statistics
    assert (steps["examples_seen"], steps["epochs"]) == (400, 4.0)
